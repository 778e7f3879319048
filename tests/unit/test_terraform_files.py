"""What `terraform test` cannot see: inputs of examples, a value that the package has too, where the owner is named."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import hcl2
import reference
from ecr_scan_reporter import repositories_scanner

ROOT = Path(__file__).resolve().parents[2]
INPUTS = {name for name, _ in reference.blocks("variables.tf", "variable")}


def calls(folder: str) -> dict[str, Any]:
    """Return the module calls of a folder, by name."""
    with (ROOT / folder / "main.tf").open() as file:
        blocks = hcl2.load(file)["module"]
    return {label.strip('"'): call for block in blocks for label, call in block.items()}


def test_complete_example_sets_every_input() -> None:
    # This one replaces two that the example shows.
    assert INPUTS - calls("examples/complete")["production"].keys() == {"reports_topic_arn"}


def test_every_input_is_tested_with_an_unknown_value() -> None:
    assert calls("tests/unknown_values")["ecr_scan_reporter"].keys() >= INPUTS


def test_simple_example_says_which_inputs_it_sets() -> None:
    [call] = calls("examples/simple").values()
    readme = (ROOT / "examples" / "simple" / "README.md").read_text()
    # Whoever applies the example may leave out its own variables.
    set_here = {name for name, value in call.items() if name in INPUTS and value != f"${{var.{name}}}"}
    assert {name for name in set_here if f"`{name}`" not in readme} == set()


def test_repositories_scanner_knows_the_interval_of_the_heartbeat() -> None:
    with (ROOT / "heartbeat.tf").open() as file:
        [values] = hcl2.load(file)["locals"]
    assert timedelta(minutes=values["heartbeat_minutes"]) == repositories_scanner._HEARTBEAT_INTERVAL


def test_every_place_of_the_owner_is_named_for_the_first_release() -> None:
    contributing = (ROOT / "CONTRIBUTING.md").read_text()
    releases = contributing[contributing.index("## Releases") :]
    paths = [
        *ROOT.glob("*.tf"),
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/*"),
        *ROOT.glob("scripts/*"),
        *ROOT.glob(".github/**/*"),
    ]
    holders = {
        path.name for path in paths if path.is_file() and re.search(r"\bOWNER\b", path.read_text(errors="ignore"))
    }
    holders -= {"CONTRIBUTING.md"}
    assert holders
    assert {name for name in holders if not re.search(rf"[`/]{re.escape(name)}`", releases)} == set()
