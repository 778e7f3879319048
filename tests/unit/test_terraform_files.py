"""What `terraform test` cannot see: the texts of error messages, and whether an example has every input."""

import re
from pathlib import Path
from typing import Any

import hcl2
import pytest
import reference

ROOT = Path(__file__).resolve().parents[2]
INPUTS = {name for name, _ in reference.blocks("variables.tf", "variable")}


def example(name: str) -> dict[str, Any]:
    """Return the module calls of an example, by name."""
    with (ROOT / "examples" / name / "main.tf").open() as file:
        calls = hcl2.load(file)["module"]
    return {label.strip('"'): call for block in calls for label, call in block.items()}


def validations(variable: str) -> list[dict[str, str]]:
    """Return the validations of an input."""
    found: list[dict[str, str]] = dict(reference.blocks("variables.tf", "variable"))[variable]["validation"]
    return found


def test_complete_example_sets_every_input() -> None:
    # This one replaces two that the example shows.
    assert INPUTS - example("complete")["production"].keys() == {"reports_topic_arn"}


def test_simple_example_says_which_inputs_it_sets() -> None:
    [call] = example("simple").values()
    readme = (ROOT / "examples" / "simple" / "README.md").read_text()
    # Whoever applies the example may leave out its own variables.
    set_here = {name for name, value in call.items() if name in INPUTS and value != f"${{var.{name}}}"}
    assert {name for name in set_here if f"`{name}`" not in readme} == set()


@pytest.mark.parametrize("validation", validations("ignored_findings"), ids=lambda each: each["error_message"][-60:])
def test_message_about_an_ignored_finding_names_the_rule(validation: dict[str, str]) -> None:
    message = validation["error_message"]
    assert re.search(r"for index, rule in var\.ignored_findings *: *join", message)
    assert (
        '"ignored_findings[${index}] (${coalesce(try(rule.id, null), try(rule.package, null), "no name")}): "'
        in message
    )
    assert '"expected ' in message
    # Without a condition, the message would name all rules.
    assert re.search(r"\) *if\W", message)


def test_message_about_an_ignored_finding_negates_its_condition() -> None:
    """Each validation accepts what its message does not name: the two are the same expression."""
    for validation in validations("ignored_findings"):
        condition, message = (re.sub(r"\s+", "", validation[key]) for key in ("condition", "error_message"))
        [accepted] = re.findall(r"^\$\{alltrue\(\[forruleinvar\.ignored_findings:(.*)\]\)\}$", condition)
        [rejected] = re.findall(r".*\]\)if(.*)\]\)\}$", message)
        assert rejected in {
            f"!{accepted}",
            accepted.replace("==0", ">0"),
            accepted.replace("==1", "!=1"),
            accepted.replace("<=2668", ">2668"),
            accepted.replace('!=""', '==""'),
            accepted.replace(")==(", ")!=("),
        }


def test_every_place_of_the_owner_is_named_for_the_first_release() -> None:
    contributing = (ROOT / "CONTRIBUTING.md").read_text()
    releases = contributing[contributing.index("## Releases") :]
    paths = [*ROOT.glob("*.tf"), *ROOT.glob("*.md"), *ROOT.glob("docs/*"), *ROOT.glob("scripts/*")]
    holders = {
        path.name for path in paths if path.is_file() and re.search(r"\bOWNER\b", path.read_text(errors="ignore"))
    }
    holders -= {"CONTRIBUTING.md"}
    assert holders
    assert {name for name in holders if f"`{name}`" not in releases} == set()
