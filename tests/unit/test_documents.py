"""The documents say what is there: their links lead somewhere, and every permission is documented."""

import ast
import inspect
import re
from pathlib import Path

import pytest
import reference
from ecr_scan_reporter import images_scanner
from ecr_scan_reporter.memory.coverage import Coverage, CoverageReason
from ecr_scan_reporter.models.scans import StartOutcome
from ecr_scan_reporter.reporting.formatting import reason_words
from ecr_scan_reporter.scanning.decisions import Decision

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("examples/*/*.md")])
HERE = re.compile(
    r"https://github\.com/[\w-]+/terraform-aws-ecr-scan-reporter/(?:blob|raw|tree)/main/([\w./-]*\w)(?:#([\w-]+))?"
)
ACTION = re.compile(r"\b(?:dynamodb|ecr|inspector2|kms|logs|sns|sqs|xray|ec2|cloudwatch):[A-Z][A-Za-z]+\*?")


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page: those of its headings, as GitHub makes them, and those that it sets."""
    text = page.read_text()
    headings = re.findall(r"^#+ (.*)", text, re.MULTILINE)
    set_here = re.findall(r'<a id="([\w-]+)"', text)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in headings} | set(set_here)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_relative_links_lead_to_files_and_headings(path: Path) -> None:
    links = [link for link in re.findall(r"\]\(([^)\s]+)\)", path.read_text()) if "://" not in link]
    for name, _, anchor in (link.partition("#") for link in links):
        page = path.parent / name if name else path
        assert page.exists(), name
        assert not anchor or anchor in anchors(page), f"{name}#{anchor}"


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_paths_in_code_spans_exist(path: Path) -> None:
    named = re.findall(
        r"`((?:docs|examples|tests|scripts|modules|lambda_src|requirements)/[\w./-]*\w)/?`", path.read_text()
    )
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_every_example_has_a_readme_that_the_readme_lists() -> None:
    readme = (ROOT / "README.md").read_text()
    examples = [path for path in (ROOT / "examples").iterdir() if path.is_dir()]
    assert examples
    for example in examples:
        assert (example / "README.md").exists()
        assert f"/examples/{example.name})" in readme


def test_pages_of_the_registry_have_no_relative_links() -> None:
    pages = {path: path.read_text() for path in [ROOT / "README.md", *ROOT.glob("*/*/README.md")]}
    for name, kind in (("variables.tf", "variable"), ("outputs.tf", "output")):
        pages |= {ROOT / label: attributes["description"] for label, attributes in reference.blocks(name, kind)}
    links = [link for page in pages.values() for link in re.findall(r"\]\(([^)\s]+)|src=\"([^\"]+)", page)]
    assert links
    assert [link for link in links for address in link if address and not address.startswith(("https://", "#"))] == []
    descriptions = [page for path, page in pages.items() if not path.suffix]
    assert [page for page in descriptions if ".md" in re.sub(r"https://\S+", "", page)] == []


@pytest.mark.parametrize("path", [*DOCUMENTS, *sorted(ROOT.glob("*.tf"))], ids=lambda path: path.name)
def test_links_to_this_repository_lead_to_files_and_headings(path: Path) -> None:
    for name, anchor in HERE.findall(path.read_text()):
        assert (ROOT / name).exists(), name
        assert not anchor or anchor in anchors(ROOT / name)


def test_functions_on_the_way_of_a_name_and_of_a_finding_exist() -> None:
    page = (ROOT / "docs" / "development.md").read_text().partition("## Words")[0]
    package = ROOT / "lambda_src" / "ecr_scan_reporter"
    defined = {
        str(path.relative_to(package).with_suffix("")): {
            node.name
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.FunctionDef | ast.ClassDef)
        }
        for path in package.rglob("*.py")
    }
    somewhere = set().union(*defined.values())
    named = re.findall(r"`([a-z_/]+)\.([a-z]\w*)`", page)
    assert len(named) > 30
    for place, name in named:
        if name in ("py", "tf"):
            assert (ROOT / f"{place}.tf").exists() or any(f"/{each}".endswith(f"/{place}") for each in defined), place
        else:
            assert any(name in names for each, names in defined.items() if f"/{each}".endswith(f"/{place}")), (
                place,
                name,
            )
    alone = re.findall(r"`(?:[A-Z_]\w+\.)?(_?[a-z]+_\w+|_[a-z]+)`", page)
    assert len(alone) > 20
    assert set(alone) - somewhere - {"known_exploited"} == set()


def test_every_action_of_a_role_is_documented() -> None:
    code = [*ROOT.glob("*.tf"), ROOT / "modules" / "function" / "main.tf"]
    # What a comment mentions is no permission.
    lines = [line.partition("#")[0] for path in code for line in path.read_text().splitlines()]
    allowed = {action for line in lines for action in ACTION.findall(line)}
    assert allowed
    assert allowed - {action for path in ROOT.glob("docs/*.md") for action in ACTION.findall(path.read_text())} == set()
    page = (ROOT / "docs" / "architecture.md").read_text()
    table = page[page.index("## What each role may do") : page.index("## The repository")]
    assert set(ACTION.findall(table)) - allowed == set()


def rows(page: str, heading: str) -> list[list[str]]:
    """Return the cells of all tables below a heading of docs/operations.md, up to the next heading."""
    section = (ROOT / "docs" / page).read_text().partition(f"## {heading}\n")[2].partition("\n## ")[0]
    return [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("| ")]


def test_every_reason_why_an_image_is_not_scanned_is_documented() -> None:
    documented = rows("operations.md", "Why was X not scanned")
    answers = {("scan" if decision.due else "skip", str(decision)) for decision in Decision}
    assert '"unknown", StartOutcome.IMAGE_NOT_FOUND if gone else "look_up_failed"' in inspect.getsource(images_scanner)
    answers |= {("unknown", str(StartOutcome.IMAGE_NOT_FOUND)), ("unknown", "look_up_failed")}
    coded = [(row[0].strip("`"), row[1].strip("`")) for row in documented if len(row) == 3 and row[0] != "`decision`"]
    assert set(coded) == answers
    assert len(coded) == len(answers)
    late = Coverage(dict.fromkeys(CoverageReason, 1)).late
    assert {row[0] for row in documented if len(row) == 2} == {"in the overview", *map(reason_words, late)}


def test_page_for_who_approves_has_every_action_and_none_that_it_denies() -> None:
    any_action = re.compile(r"\b(?!aws:)[a-z0-9-]+:[A-Z][a-z]+[A-Za-z]*\*?")
    condition_keys = {"dynamodb:LeadingKeys", "lambda:SourceFunctionArn"}
    code = [path.read_text() for path in [*ROOT.glob("*.tf"), *ROOT.glob("modules/*/*.tf")]]
    lines = [line.partition("#")[0] for text in code for line in text.splitlines()]
    allowed = {action for line in lines for action in any_action.findall(line)} - condition_keys
    page = (ROOT / "docs" / "approving.md").read_text()
    _, _, section = page.partition("## What the module cannot do")
    listed, _, denied = section.partition("So, for example")
    assert set(any_action.findall(listed)) == allowed
    cannot = {action for line in denied.splitlines() if line.startswith("| ") for action in any_action.findall(line)}
    assert len(cannot) > 20
    assert cannot & allowed == set()


def test_messages_that_the_answers_quote_are_those_of_the_package() -> None:
    page = (ROOT / "docs" / "faq.md").read_text()
    section = page.partition("## Reports\n")[2].partition("\n## ")[0]
    quoted = {
        text for bold in re.findall(r"^\*\*(.*?)\*\*", section, re.MULTILINE) for text in re.findall('"(.*?)"', bold)
    }
    source = "".join(path.read_text() for path in (ROOT / "lambda_src").rglob("*.py"))
    assert len(quoted) >= 3
    assert {text for text in quoted if text not in source} == set()


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_commands_set_their_variables_or_stop_without_them(path: Path) -> None:
    """Whoever enters a page in the middle gets no command with an empty name."""
    text = path.read_text()
    for block in [*re.findall(r"```sh\n(.*?)```", text, re.DOTALL), *re.findall(r"`(aws [^`]+)`", text)]:
        given = set(re.findall(r"\b([A-Z_]+)=", block)) | set(re.findall(r"\bfor ([A-Z_]+) in", block))
        used = set(re.findall(r"\$\{?([A-Z_]+)\b(?!:\?)", block))
        assert used <= given, block
