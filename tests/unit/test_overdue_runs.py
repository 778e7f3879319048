"""A run measures how old scans are, and a run is overdue when it is not complete some time after it was to start."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from ecr_scan_reporter.memory.runs import RepositoryState
from ecr_scan_reporter.models.selection import RepositoryFilter
from ecr_scan_reporter.repositories_scanner import run_overdue, scan_ages
from ecr_scan_reporter.settings import RepositoriesScannerSettings
from ecr_scan_reporter.shared.durations import Duration
from ecr_scan_reporter.shared.schedules import Schedule

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
NOW = datetime(2026, 3, 31, 12, tzinfo=UTC)


def ages(max_age: str, expression: str, *waiting: timedelta) -> dict[str, float]:
    """Return the metrics of a registry whose repositories have waited so long."""
    settings = RepositoriesScannerSettings(
        *(RepositoryFilter(re.compile("")), "https://sqs/images", "memory", "platform"),
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


# A Monday; a run that began at 4:00 was complete.
SINCE = datetime(2026, 11, 30, 5, tzinfo=UTC)


def overdue(expression: str, after: timedelta) -> float:
    """Return the metric so long after the last complete run."""
    return run_overdue(SINCE, Schedule.parse(expression), SINCE + after)["RunOverdue"]


@pytest.mark.parametrize(
    ("expression", "due"),
    [
        ("rate(10 minutes)", HOUR + timedelta(minutes=10)),
        ("rate(1 day)", 2 * DAY),
        ("rate(7 days)", 8 * DAY),
        ("cron(0 4 * * ? *)", 2 * DAY - HOUR),
        ("cron(0 4 ? * MON-FRI *)", 2 * DAY - HOUR),
        ("cron(0 4 ? * MON *)", 8 * DAY - HOUR),
        ("rate(12 hours)", DAY),
        ("cron(0 * * * ? *)", 2 * HOUR),
        ("cron(0/15 * * * ? *)", HOUR + timedelta(minutes=15)),
        ("cron(0 4 1 1 ? *)", datetime(2027, 1, 2, 4, tzinfo=UTC) - SINCE),
    ],
)
def test_seconds_count_from_when_the_next_run_should_be_complete(expression: str, due: timedelta) -> None:
    assert overdue(expression, timedelta(0)) == overdue(expression, due - timedelta(seconds=1)) == 0
    assert overdue(expression, due) == 0
    assert overdue(expression, due + timedelta(seconds=90)) == 90


def test_schedule_that_has_ended_is_not_overdue() -> None:
    assert overdue("cron(0 4 30 11 ? 2026)", 100 * DAY) == 0


def test_weekly_schedule_is_silent_after_eight_days_and_three_heartbeats() -> None:
    """The alarm fires if the number of three hours in a row is over zero; a run may take a day."""
    late = [overdue("rate(7 days)", hour * HOUR) > 0 for hour in range(24 * 14)]
    assert not any(late[: 24 * 8 + 1])
    assert next(hour for hour in range(2, 24 * 14) if all(late[hour - 2 : hour + 1])) == 24 * 8 + 3
