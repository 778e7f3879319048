"""A run is overdue when it is not complete some time after it was to start."""

from datetime import UTC, datetime, timedelta

import pytest
from ecr_scan_reporter.scanning.passes import run_overdue
from ecr_scan_reporter.shared.schedules import Schedule

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
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
