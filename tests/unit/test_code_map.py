"""The tables of modules and tests in CONTRIBUTING.md are those of the docstrings."""

import ast

import code_map


def test_tables_are_current_and_have_every_module() -> None:
    text = code_map.PAGE.read_text()
    assert text == code_map.page(text), "run `make reference`, and commit CONTRIBUTING.md"
    modules = [path for root in (code_map.PACKAGE, code_map.LOCAL_AWS) for path in root.rglob("[!_]*.py")]
    files = [*modules, *code_map.TESTS.rglob("test_*.py")]
    rows = [line for line in text.partition(f"<!-- {code_map.NAME} -->")[2].splitlines() if line.startswith("| `")]
    assert len(rows) == len(files) > 100
    assert [row for row in rows if not row.split(" | ")[1].strip()] == []


def test_summary_has_two_paragraphs_without_examples_and_addresses() -> None:
    def of(*paragraphs: str) -> str:
        return code_map.summary(ast.parse(f'"""{(chr(10) * 2).join(paragraphs)}\n"""'))

    assert of("Reads a|b.", "It is\none line.", "No more.") == r"Reads a\|b. It is one line."
    assert (
        of("Reads.", "    example", "Not this.")
        == of("Reads.", "https://docs.aws.amazon.com/", "Not this.")
        == "Reads."
    )


def test_constants_are_those_that_decide_something() -> None:
    source = "\n".join(
        [
            "A_NUMBER, _ITS_TEXT = -0.5, 'text'",
            "_A_TIME: timedelta = timedelta(days=1)",
            "PATTERN = re.compile('a')",
            "NAMES = frozenset({'a'})",
            "TABLE = {'a': 1}",
            "_NOTHING: dict[str, int] = {}",
            "IS_SET = True",
            "logger = logging.getLogger(__name__)",
            "UNSET: int",
            "class Class:",
            "    _OF_CLASS = 3",
        ]
    )
    assert list(code_map.constants(ast.parse(source))) == [
        "A_NUMBER",
        "A_TIME",
        "PATTERN",
        "NAMES",
        "TABLE",
        "OF_CLASS",
    ]
