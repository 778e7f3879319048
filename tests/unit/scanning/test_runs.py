"""A run measures how old scans are, and whether that is older than promised."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from ecr_scan_reporter.memory.states import RepositoryState
from ecr_scan_reporter.models.selection import RepositoryFilter
from ecr_scan_reporter.scanning.runs import scan_ages
from ecr_scan_reporter.settings import RepositoriesScannerSettings
from ecr_scan_reporter.shared.durations import Duration
from ecr_scan_reporter.shared.schedules import Schedule

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
NOW = datetime(2026, 3, 31, 12, tzinfo=UTC)


def ages(max_age: str, expression: str, *waiting: timedelta) -> dict[str, float]:
    """Return the metrics of a registry whose repositories have waited so long."""
    settings = RepositoriesScannerSettings(
        *(RepositoryFilter(re.compile("")), "https://sqs/images", "memory", 1, "platform"),
        schedule=Schedule.parse(expression),
        max_age=Duration.parse(max_age),
    )
    states = [
        RepositoryState(f"r{number}", None, 1, 0, "run-1", waiting_since=NOW - age)
        for number, age in enumerate(waiting)
    ]
    return scan_ages(states, [state.repository for state in states], settings, NOW)


@pytest.mark.parametrize(
    ("max_age", "expression", "promised"),
    [
        ("7d", "rate(1 day)", 8 * DAY),
        ("1w2d", "rate(7 days)", 16 * DAY),
        ("1d", "cron(0 4 ? * MON-FRI *)", 4 * DAY),
        # A day and an hour before now is 30 March: a month before that is 28 February.
        ("1m", "rate(1 day)", NOW - HOUR - datetime(2026, 2, 28, 11, tzinfo=UTC)),
    ],
)
def test_scans_are_overdue_an_hour_after_the_promised_age_and_a_run(
    max_age: str, expression: str, promised: timedelta
) -> None:
    allowed = promised + HOUR
    assert ages(max_age, expression, allowed, HOUR) == {"OldestScanAge": allowed.total_seconds(), "ScansOverdue": 0}
    assert ages(max_age, expression, HOUR, allowed + timedelta(seconds=90))["ScansOverdue"] == 90


def test_registry_without_images_has_no_age() -> None:
    assert ages("7d", "rate(1 day)") == {}
