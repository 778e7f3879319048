"""Decides when a window is due, and when it is checked again."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from ecr_scan_reporter.memory.outbox import INVENTORY, PUSH, PublisherState, Window, run_window
from ecr_scan_reporter.reporting.reports.when_due import check_time, due_time, next_check, plan_check

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
RUN = run_window("2026-11-23")


def window(name: str, run: str = "", last: timedelta = MINUTE) -> Window:
    """Return a window that was opened now, and to which something was added after `last`."""
    return Window(name, NOW, NOW + last, run, "token")


@pytest.mark.parametrize(
    ("found", "run_end", "inventory", "after"),
    [
        (window(PUSH), None, None, 90 * SECOND),
        (window(PUSH, "run"), NOW + 5 * HOUR, None, 90 * SECOND),
        (window(RUN, "run"), NOW + 5 * MINUTE, None, 5 * MINUTE),
        (window(RUN, "run"), NOW + 5 * HOUR, None, HOUR),
        (window(INVENTORY), None, None, 11 * MINUTE),
        (window(INVENTORY, "run"), NOW + 5 * HOUR, None, 5 * HOUR),
        (window(INVENTORY, "run"), NOW + 50 * HOUR, None, 24 * HOUR),
        (window(INVENTORY), None, NOW - 2 * HOUR, 22 * HOUR),
        (window(INVENTORY), None, NOW - 30 * HOUR, 11 * MINUTE),
        (window(INVENTORY), None, PublisherState(None, NOW - 2 * HOUR, unfinished=True), -2 * HOUR),
        (window(INVENTORY), None, PublisherState(None, NOW + HOUR, unfinished=True), 11 * MINUTE),
    ],
)
def test_each_kind_of_window_has_its_time(
    found: Window, run_end: datetime | None, inventory: datetime | PublisherState | None, after: timedelta
) -> None:
    state = inventory if isinstance(inventory, PublisherState) else PublisherState(None, inventory)
    assert due_time(found, run_end, 90 * SECOND, state) - NOW == after


def test_run_is_checked_twice_a_minute_unless_its_window_waits_for_longer() -> None:
    assert check_time(window(RUN, "run"), NOW + HOUR, NOW) == NOW + 30 * SECOND
    assert check_time(window(RUN, "run"), NOW + SECOND, NOW) == NOW + SECOND
    assert check_time(window(INVENTORY, "run"), NOW + 2 * HOUR, NOW) == NOW + 2 * HOUR
    assert check_time(window(PUSH), NOW + MINUTE, NOW) == NOW + MINUTE


@pytest.mark.parametrize(
    ("windows", "waiting", "complete", "goes_on", "after"),
    [
        # Nothing waits.
        ([], 0 * HOUR, True, False, None),
        # The earliest of the windows that are not due.
        ([NOW + HOUR, NOW + MINUTE], 0 * HOUR, True, False, MINUTE),
        # There was too much for one invocation.
        ([], HOUR, False, True, 0 * HOUR),
        ([NOW + MINUTE], 3 * HOUR, False, True, 0 * HOUR),
        # What could not be published is tried again, less often if it has waited for long, ...
        ([], 0 * HOUR, False, False, MINUTE),
        ([NOW + HOUR], 2 * HOUR, False, False, MINUTE),
        ([NOW + HOUR], 3 * HOUR, False, False, 15 * MINUTE),
        # ... and other windows do not wait for that.
        ([NOW + 5 * MINUTE], 3 * HOUR, False, False, 5 * MINUTE),
    ],
)
def test_next_check_is_as_early_as_something_needs_it(
    windows: list[datetime], waiting: timedelta, complete: bool, goes_on: bool, after: timedelta | None
) -> None:
    at = next_check(windows, waiting, NOW, is_complete=complete, goes_on=goes_on)
    assert at == (None if after is None else NOW + after)


class Calls:
    """A queue and an outbox that record what they are asked for."""

    def __init__(self) -> None:
        self.delays: list[int] = []
        self.planned: list[datetime] = []

    def send(self, bodies: list[str], delay: int) -> None:
        self.delays += [delay for _ in bodies]

    def plan_check(self, at: datetime) -> None:
        self.planned.append(at)


@pytest.mark.parametrize(
    ("at", "next_check", "delays"),
    [
        (NOW + MINUTE, None, [60]),
        (NOW + MINUTE - timedelta(milliseconds=1), None, [60]),
        (NOW - MINUTE, None, [1]),
        (NOW + HOUR, None, [900]),
        (NOW + MINUTE, NOW + 30 * SECOND, []),
        (NOW + MINUTE, NOW + 2 * MINUTE, [60]),
        # Too early to be still to come.
        (NOW + MINUTE, NOW + 5 * SECOND, [60]),
    ],
)
def test_check_is_planned_once(at: datetime, next_check: datetime | None, delays: list[int]) -> None:
    calls: Any = Calls()
    plan_check(at, PublisherState(next_check, None), calls, calls, NOW)
    assert calls.delays == delays
    assert len(calls.planned) == len(delays)
