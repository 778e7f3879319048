"""The documents say what is there: their links lead somewhere, and every permission is documented."""

import re
from pathlib import Path

import pytest
import reference

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("examples/*/*.md")])
HERE = re.compile(
    r"https://github\.com/[\w-]+/terraform-aws-ecr-scan-reporter/(?:blob|raw|tree)/main/([\w./-]*\w)(?:#([\w-]+))?"
)
ACTION = re.compile(r"\b(?:dynamodb|ecr|inspector2|kms|logs|sns|sqs|xray|ec2|cloudwatch):[A-Z][A-Za-z]+\*?")


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_relative_links_lead_to_files(path: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", path.read_text())
    missing = [link for link in links if "://" not in link and not (path.parent / link).exists()]
    assert missing == []


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
        headings = re.findall(r"^#+ (.*)", (ROOT / name).read_text(), re.MULTILINE) if anchor else []
        assert not anchor or anchor in [re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in headings]


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
