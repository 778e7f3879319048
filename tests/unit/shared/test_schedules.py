"""Schedules of runs: when the next complete run is due."""

from datetime import UTC, datetime, timedelta

import pytest
from ecr_scan_reporter.shared.schedules import Schedule

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
# A Friday.
SINCE = datetime(2026, 11, 27, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("expression", "interval"),
    [
        ("rate(1 minute)", timedelta(minutes=1)),
        ("rate(90 minutes)", timedelta(minutes=90)),
        ("rate(12 hours)", 12 * HOUR),
        ("rate(1 day)", DAY),
        ("rate(4000 days)", 4000 * DAY),
        (f"rate({'9' * 240} days)", 36500 * DAY),
        ("cron(0 4 ? * MON-FRI *)", 3 * DAY),
    ],
)
def test_longest_interval_between_two_runs(expression: str, interval: timedelta) -> None:
    assert Schedule.parse(expression).longest_interval == interval


@pytest.mark.parametrize(
    ("expression", "due"),
    [
        # A run of a rate may start at any time, and take as long as the interval, but at least an hour.
        ("rate(10 minutes)", timedelta(minutes=10) + HOUR),
        ("rate(12 hours)", 24 * HOUR),
        ("rate(1 day)", 2 * DAY),
        ("rate(7 days)", 8 * DAY),
        # The next Monday at 4:00, and a day.
        ("cron(0 4 ? * MON-FRI *)", 4 * DAY - HOUR),
        ("cron(0 * * * ? *)", 2 * HOUR),
        ("cron(0/15 * * * ? *)", HOUR + timedelta(minutes=15)),
        ("cron(0 4 1 1 ? *)", datetime(2027, 1, 2, 4, tzinfo=UTC) - SINCE),
        ("cron(0 4 29 2 ? *)", datetime(2028, 3, 1, 4, tzinfo=UTC) - SINCE),
    ],
)
def test_next_run_should_be_complete_some_time_after_its_start(expression: str, due: timedelta) -> None:
    assert Schedule.parse(expression).complete_by(SINCE) == SINCE + due


def test_no_run_is_due_after_the_last_one() -> None:
    assert Schedule.parse("cron(0 4 * * ? 2025)").complete_by(SINCE) is None


def test_longest_rate_stays_within_the_calendar() -> None:
    assert Schedule.parse(f"rate({'9' * 240} days)").complete_by(SINCE) == SINCE + 36501 * DAY


@pytest.mark.parametrize(
    "expression", ["", "1 day", "rate(0 days)", "rate(1.5 hours)", "rate(1 week)", "rate(-1 days)", "cron(0 4 * * *)"]
)
def test_other_schedules_are_rejected(expression: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        Schedule.parse(expression)
