"""The reporter's memory against an oracle, over random histories of scans."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from ecr_scan_reporter.reporting.reports import combining, gathering, image_report
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.families import FAMILIES
from support.histories import Player, WindowPlayer, step
from support.oracle import ORDER, Rules
from support.random_tests import examples
from support.world import World

pytestmark = pytest.mark.usefixtures("quiet")


steps = st.lists(st.integers(0, 2**112 - 1), min_size=1, max_size=12)

RULES = {
    # Every word is in a report.
    "every scan": Rules(dict.fromkeys(ORDER, 1), every_scan=True, notify_on_fixed=True),
    "changes": Rules({"CRITICAL": 1, "HIGH": 1}),
    "reminders": Rules(
        {"CRITICAL": 1, "HIGH": 2}, notify_on_fixed=True, notify_on_failure=False, remind_after=timedelta(30)
    ),
    "deadlines": Rules({"CRITICAL": 1, "HIGH": 1}, fix_within={"CRITICAL": 7, "HIGH": 30}),
}


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
@settings(max_examples=examples(400), suppress_health_check=list(HealthCheck))
@given(rules=st.sampled_from(list(RULES)), numbers=steps)
def test_random_histories_are_reported_as_the_oracle_says(family: str, rules: str, numbers: list[int]) -> None:
    builds = FAMILIES[family]
    world = World(environment(RULES[rules]))
    Player(world, RULES[rules], builds).play([step(number, daily=builds.daily) for number in numbers])


@pytest.mark.slow
@pytest.mark.parametrize("named", [200, 2])
@settings(max_examples=examples(1000), suppress_health_check=list(HealthCheck))
@given(
    family=st.sampled_from(["versions", "commits", "latest", "daily dates"]),
    windows=st.lists(steps, min_size=1, max_size=2),
    fixed=st.booleans(),
)
def test_scans_in_one_window_are_one_entry_that_balances(
    named: int, family: str, windows: list[list[int]], fixed: bool
) -> None:
    rules = Rules({"CRITICAL": 1, "HIGH": 1}, notify_on_fixed=fixed, notify_on_failure=False)
    builds = FAMILIES[family]
    with pytest.MonkeyPatch.context() as patch:
        for module in (image_report, gathering, combining):
            patch.setattr(module, "MAX_FINDINGS", named)
        patch.setattr(gathering, "_MIN_KEPT_PER_IMAGE", named)
        player = WindowPlayer(World(environment(rules) | {"REPORT_WINDOW_SECONDS": "43200"}), rules, builds)
        for window in windows:
            player.play([replace(step(number, daily=builds.daily), image=number % 2) for number in window])


def environment(rules: Rules) -> dict[str, str]:
    return {
        "SEVERITY_THRESHOLDS": json.dumps(rules.thresholds),
        "NOTIFY_ON": "every_scan" if rules.every_scan else "changes",
        "NOTIFY_ON_FIXED": str(rules.notify_on_fixed).lower(),
        "NOTIFY_ON_SCAN_FAILURE": str(rules.notify_on_failure).lower(),
        "FIX_WITHIN": json.dumps(rules.fix_within),
        "REMIND_AFTER": f"{rules.remind_after.days}d" if rules.remind_after else "",
    }
