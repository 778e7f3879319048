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
    ("expression", "start"),
    [
        # A run of a rate may start at any time.
        ("rate(10 minutes)", timedelta(minutes=10)),
        ("rate(7 days)", 7 * DAY),
        # The next Monday at 4:00.
        ("cron(0 4 ? * MON-FRI *)", 3 * DAY - HOUR),
        ("cron(0 4 29 2 ? *)", datetime(2028, 2, 29, 4, tzinfo=UTC) - SINCE),
        (f"rate({'9' * 240} days)", 36500 * DAY),
    ],
)
def test_next_run_starts_at_the_latest(expression: str, start: timedelta) -> None:
    assert Schedule.parse(expression).next_start(SINCE) == SINCE + start


def test_no_run_starts_after_the_last_one() -> None:
    assert Schedule.parse("cron(0 4 * * ? 2025)").next_start(SINCE) is None


@pytest.mark.parametrize(
    "expression", ["", "1 day", "rate(0 days)", "rate(1.5 hours)", "rate(1 week)", "rate(-1 days)", "cron(0 4 * * *)"]
)
def test_other_schedules_are_rejected(expression: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        Schedule.parse(expression)
