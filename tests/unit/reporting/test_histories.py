"""The reporter's memory against an oracle, over random histories of scans."""

import json
from datetime import timedelta

import pytest
from histories import Player, step
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from memory_oracle import ORDER, Rules
from reporter_world import World

steps = st.lists(st.integers(0, 2**96 - 1), min_size=1, max_size=12)


@pytest.mark.parametrize(
    "rules",
    [
        # Every word is in a report.
        Rules(dict.fromkeys(ORDER, 1), every_scan=True, notify_on_fixed=True),
        Rules({"CRITICAL": 1, "HIGH": 1}),
        Rules({"CRITICAL": 1, "HIGH": 2}, notify_on_fixed=True, notify_on_failure=False, remind_after=timedelta(30)),
    ],
    ids=["every scan", "changes", "reminders"],
)
@settings(
    max_examples=700, derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck)
)
@given(numbers=steps)
def test_random_histories_are_reported_as_the_oracle_says(rules: Rules, numbers: list[int]) -> None:
    world = World(environment(rules))
    Player(world, rules).play([step(number) for number in numbers])


def environment(rules: Rules) -> dict[str, str]:
    return {
        "SEVERITY_THRESHOLDS": json.dumps(rules.thresholds),
        "NOTIFY_ON": "every_scan" if rules.every_scan else "changes",
        "NOTIFY_ON_FIXED": str(rules.notify_on_fixed).lower(),
        "NOTIFY_ON_SCAN_FAILURE": str(rules.notify_on_failure).lower(),
        "REMIND_AFTER": f"{rules.remind_after.days}d" if rules.remind_after else "",
    }
