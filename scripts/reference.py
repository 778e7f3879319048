"""Write docs/inputs.md: tables of the module's inputs and outputs, from the descriptions in the .tf files.

`reference.py --check` writes nothing and fails if the file is stale.
"""

import json
import re
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hcl2
from generated import write_or_check

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "inputs.md"
HEAD = """# Inputs and outputs

Written by `make reference` from `variables.tf` and `outputs.tf`; a test fails if this page is stale.
All inputs are optional. An invalid value is an error at plan, which names the input, its value and what is expected.
Each has an anchor, such as `inputs.md#input_rate` and `inputs.md#output_reports_topic_arn`.
"""
BANNER = re.compile(r"^#{80}\n# (.+)\n#{80}$", re.MULTILINE)


def blocks(name: str, kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the blocks of one kind in a .tf file of the module as (label, attributes), in their order."""
    with (ROOT / name).open() as file:
        for block in hcl2.load(file).get(kind, []):
            for label, attributes in block.items():
                if label.startswith('"'):
                    yield json.loads(label), attributes


def groups(name: str, kind: str) -> Iterator[tuple[str, list[tuple[str, dict[str, Any]]]]]:
    """Yield the blocks of a .tf file by the banner that they are under, as (title, blocks), in their order."""
    found = dict(blocks(name, kind))
    _, *parts = BANNER.split((ROOT / name).read_text())
    for title, part in zip(parts[::2], parts[1::2], strict=True):
        labels = re.findall(rf'^{kind} "(\w+)"', part, re.MULTILINE)
        yield title, [(label, found.pop(label)) for label in labels]
    if found:
        sys.exit(f"{name} has {', '.join(found)} under no banner; expected each {kind} under one")


def text(literal: str) -> str:
    """Return the text of a quoted string or heredoc of Terraform."""
    body = literal.removeprefix('"').removesuffix('"')
    if body.startswith("<<-"):
        _, *lines, _ = body.split("\n")
        return textwrap.dedent("\n".join(lines)).strip()
    value: str = json.loads(literal)
    return value


def cell(description: str) -> str:
    """Format a description as a table cell: each paragraph and each list item gets a line of its own."""
    lines: list[str] = []
    continues = False
    for line in description.split("\n"):
        item = line.startswith("- ")
        in_list = bool(lines) and lines[-1].startswith("• ")
        if continues and not item and (line.startswith(" ") or not in_list):
            lines[-1] += f" {line.strip()}"
        elif line:
            lines.append(line.replace("- ", "• ", 1) if item else line)
        continues = bool(line)
    return "<br>".join(map(escaped, lines))


def escaped(line: str) -> str:
    """Escape what markdown would take for markup outside of code spans, and what would end the cell."""
    parts = line.replace("|", r"\|").split("`")
    parts[::2] = [re.sub(r"([*<])", r"\\\1", part) for part in parts[::2]]
    return "`".join(parts)


def code(value: str) -> str:
    """Format a value as a code span in a table cell."""
    return f"`{value}`".replace("|", r"\|")


def default(attributes: dict[str, Any]) -> str:
    """Format the default of a variable."""
    value = attributes["default"]
    return code(value if isinstance(value, str) else json.dumps(value))


def expression(value: str) -> str:
    """Return an expression without the marks that the parser puts around it."""
    return value.removeprefix("${").removesuffix("}") if value.startswith("${") else value


def forms() -> str:
    """Return the attributes of the inputs that have some, as attribute_defaults.tf has them."""
    text = (ROOT / "attribute_defaults.tf").read_text()
    found = re.search(r"^  forms = {\n(.*?)^  }\n", text, re.MULTILINE | re.DOTALL)
    if found is None:
        sys.exit("attribute_defaults.tf has no local `forms`; expected one, on lines of its own")
    return textwrap.dedent(found[1])


def anchored(kind: str, name: str) -> str:
    """Return the cell of a name, which links to itself."""
    return f'<a id="{kind}_{name}"></a>[{code(name)}](#{kind}_{name})'


def page() -> str:
    """Return the whole page."""
    lines = [HEAD, "## Inputs"]
    for title, variables in groups("variables.tf", "variable"):
        lines += ["", f"### {title}", "", "| input | type | default | description |", "|---|---|---|---|"]
        lines += [
            f"| {anchored('input', name)} | {code(expression(attributes['type']))} | {default(attributes)} | "
            f"{cell(text(attributes['description']))} |"
            for name, attributes in variables
        ]
    lines += ["", "### Attributes", "", "What an attribute is if it is left out or null. All others are an error."]
    lines += ["", f"```hcl\n{forms()}```", "", "## Outputs"]
    for title, outputs in groups("outputs.tf", "output"):
        lines += ["", f"### {title}", "", "| output | description |", "|---|---|"]
        lines += [
            f"| {anchored('output', name)} | {cell(text(attributes['description']))} |" for name, attributes in outputs
        ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    write_or_check({PAGE: page()})
