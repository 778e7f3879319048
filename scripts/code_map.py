"""Write the tables of modules and tests in CONTRIBUTING.md, from their docstrings.

A row has the first two paragraphs of the docstring, and the names of the constants that decide something.

`code_map.py --check` writes nothing and fails if the tables are stale.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from generated import with_part, write_or_check

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "CONTRIBUTING.md"
NAME = "code_map.py"
PACKAGE = ROOT / "lambda_src" / "ecr_scan_reporter"
LOCAL_AWS = ROOT / "tools" / "local_aws" / "src" / "local_aws"
TESTS = ROOT / "tests" / "functional"
# What a constant is assigned that is a number, a duration, an expression, or a list or table of values.
NUMBER = (int, float)
CALLS = {"timedelta", "re.compile", "frozenset"}
LITERALS = (ast.Tuple, ast.List, ast.Set, ast.Dict, ast.BinOp, ast.UnaryOp, ast.DictComp)


def summary(tree: ast.Module) -> str:
    """Return the first two paragraphs of a module's docstring, without examples and addresses, as one line."""
    paragraphs = (ast.get_docstring(tree) or "").split("\n\n")[:2]
    text = " ".join(paragraph for paragraph in paragraphs if not re.search("^ |^https?:|  ", paragraph, re.MULTILINE))
    return " ".join(text.split()).replace("|", r"\|")


def decides(value: ast.expr | None) -> bool:
    """Return whether a constant with this value decides something. A text, or an empty value, does not."""
    match value:
        case ast.Constant():
            return isinstance(value.value, NUMBER) and not isinstance(value.value, bool)
        case ast.Call():
            return ast.unparse(value.func) in CALLS
        case ast.Dict(keys=[]):
            return False
    return isinstance(value, LITERALS)


def constants(tree: ast.Module | ast.ClassDef) -> Iterator[str]:
    """Yield the names of a module's constants and of those of its classes, in their order."""
    for node in tree.body:
        match node:
            case ast.ClassDef():
                yield from constants(node)
                continue
            case ast.Assign(targets=[ast.Tuple(elts=names)], value=ast.Tuple(elts=values)):
                pairs = list(zip(names, values, strict=True))
            case ast.Assign(targets=[name], value=value) | ast.AnnAssign(target=name, value=value):
                pairs = [(name, value)] if value else []
            case _:
                continue
        for name, value in pairs:
            if isinstance(name, ast.Name) and re.fullmatch("_?[A-Z][A-Z0-9_]*", name.id) and decides(value):
                yield name.id.removeprefix("_")


def modules(folder: Path, root: Path) -> Iterator[str]:
    """Yield the lines about the modules of a folder, and then about those of its subfolders."""
    heading = f"### `{folder.relative_to(ROOT)}/`" if folder == root else f"#### `{folder.relative_to(root)}/`"
    about = summary(ast.parse((folder / "__init__.py").read_text()))
    yield from (heading, "", about, "", "| module | what is in it | its constants |", "|---|---|---|")
    for path in sorted(folder.glob("[!_]*.py")):
        tree = ast.parse(path.read_text())
        yield f"| `{path.name}` | {summary(tree)} | {', '.join(f'`{name}`' for name in constants(tree))} |"
    yield ""
    for subfolder in sorted(path.parent for path in folder.glob("*/__init__.py")):
        yield from modules(subfolder, root)


def tests() -> Iterator[str]:
    """Yield the rows of the tests of whole functions."""
    for path in sorted(TESTS.rglob("test_*.py")):
        yield f"| `{path.relative_to(TESTS)}` | {summary(ast.parse(path.read_text()))} |"


def page(text: str) -> str:
    """Return the text of the page with the current tables."""
    checks = ["### `tests/functional/`", "", "| file | what it checks |", "|---|---|", *tests(), ""]
    return with_part(text, NAME, ["", *modules(PACKAGE, PACKAGE), *modules(LOCAL_AWS, LOCAL_AWS), *checks])


if __name__ == "__main__":
    write_or_check({PAGE: page(PAGE.read_text())})
