"""The turns in which ECR is asked about images that Inspector monitors, and what memory lacks."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from ecr_scan_reporter.memory.scans import RememberedScan
from ecr_scan_reporter.messages.repository import RepositoryMessage
from ecr_scan_reporter.models.scans import Scan
from ecr_scan_reporter.scanning.decisions import ScanRules
from ecr_scan_reporter.scanning.lost_events import MissedResult, Turns, is_missed, missed_result
from ecr_scan_reporter.shared.durations import Duration
from hypothesis import given
from hypothesis import strategies as st
from support.invocations import REGISTRY

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
DIGESTS = [f"sha256:{number:064}" for number in range(60)]


def run_id(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%SZ}-00000000"


def turns(now: datetime, before: datetime | None, interval: timedelta = DAY, max_age: str = "7d") -> Turns:
    message = RepositoryMessage(
        REGISTRY, "app", run=run_id(now), previous_run=run_id(before) if before else "", enhanced=True
    )
    # An invocation may be hours later than its run.
    return Turns.of_run(message, ScanRules(Duration.parse(max_age), interval, now + 3 * HOUR, enhanced=True))


def asked(runs: Sequence[datetime], interval: timedelta, max_age: str = "7d") -> dict[str, list[datetime]]:
    """Return when ECR is asked about each image."""
    return {
        digest: [now for before, now in pairwise(runs) if turns(now, before, interval, max_age).include(digest)]
        for digest in DIGESTS
    }


@pytest.mark.parametrize(
    ("interval", "max_age", "gap"),
    [
        (DAY, "7d", 7 * DAY),
        (7 * DAY, "7d", 7 * DAY),
        (2 * DAY, "7d", 6 * DAY),
        (5 * DAY, "7d", 5 * DAY),
        (30 * DAY, "7d", 30 * DAY),
        (DAY, "1d", DAY),
        (DAY, "1m", 28 * DAY),
        (DAY, "1m2w3d", 45 * DAY),
    ],
)
def test_each_image_has_one_turn_in_the_promised_age(interval: timedelta, max_age: str, gap: timedelta) -> None:
    runs = [NOW + n * interval for n in range(200 * DAY // interval)]
    for times in asked(runs, interval, max_age).values():
        assert {after - before for before, after in pairwise(times)} == {gap}


def test_turns_are_spread_over_the_days() -> None:
    numbers = [sum(map(turns(NOW + n * DAY, NOW + (n - 1) * DAY).include, DIGESTS)) for n in range(7)]
    assert sum(numbers) == len(DIGESTS)
    assert min(numbers) >= 2


@pytest.mark.slow
@given(st.lists(st.integers(1, 72), min_size=20, max_size=60), st.integers(3, 40))
def test_no_image_waits_longer_than_is_promised_whatever_the_times_of_the_runs(hours: list[int], days: int) -> None:
    runs = [NOW + sum(hours[:n]) * HOUR for n in range(len(hours) + 1)]
    interval = max(hours) * HOUR
    for times in asked(runs, interval, f"{days}d").values():
        # Runs are counted by the day.
        dates = [runs[0].date(), *(time.date() for time in times), runs[-1].date()]
        assert all((after - before).days <= days for before, after in pairwise(dates))


def test_second_run_of_a_day_and_a_repeated_message_have_no_turns() -> None:
    for before in (NOW, NOW - HOUR):
        assert not any(map(turns(NOW, before).include, DIGESTS))


def test_run_without_a_run_before_has_the_turns_of_its_interval() -> None:
    for interval in (DAY, 3 * DAY):
        alone, after = turns(NOW, None, interval), turns(NOW, NOW - interval, interval)
        assert alone == after
    # So has a message that someone sends, which names no run.
    rules = ScanRules(Duration.parse("7d"), DAY, NOW, enhanced=True)
    assert Turns.of_run(RepositoryMessage(REGISTRY, "app"), rules) == turns(NOW, None)
    assert Turns.of_run(RepositoryMessage(REGISTRY, "app", run="run-1"), rules) == turns(NOW, None)


def test_long_pause_is_made_good_at_once() -> None:
    assert all(map(turns(NOW, NOW - 90 * DAY).include, DIGESTS))


COUNTS = {"HIGH": 2}
KNOWN = RememberedScan(Scan("COMPLETE", NOW), complete_at=NOW, read_at=NOW, listed=COUNTS)


@pytest.mark.parametrize("status", ["ACTIVE", "COMPLETE"])
@pytest.mark.parametrize(
    ("completed_at", "counts", "remembered", "expected"),
    [
        (NOW, COUNTS, KNOWN, False),
        (NOW + timedelta(milliseconds=900), COUNTS, KNOWN, False),
        (NOW - 9 * DAY, COUNTS, KNOWN, False),
        (None, COUNTS, KNOWN, False),
        # ECR did not say how many there are.
        (NOW, None, KNOWN, False),
        (NOW + DAY, COUNTS, KNOWN, True),
        (NOW + DAY, COUNTS, KNOWN._replace(read_at=NOW + 2 * DAY), False),
        (NOW, {"HIGH": 2, "CRITICAL": 1}, KNOWN, True),
        (NOW, {"HIGH": 1}, KNOWN, True),
        (NOW, {}, KNOWN, True),
        (NOW, {}, KNOWN._replace(listed={}), False),
        (NOW, COUNTS, None, True),
        (NOW, COUNTS, RememberedScan(Scan("ACTIVE", NOW), named=Scan("ACTIVE", NOW)), True),
    ],
)
def test_result_is_missed_if_it_is_later_or_has_other_counts_or_nothing_is_known(
    status: str,
    completed_at: datetime | None,
    counts: Mapping[str, int] | None,
    remembered: RememberedScan | None,
    expected: bool,
) -> None:
    assert is_missed(Scan(status, completed_at, counts=counts), remembered) is expected


@pytest.mark.parametrize("status", ["FAILED", "PENDING", "SCAN_ELIGIBILITY_EXPIRED", "UNSUPPORTED_IMAGE"])
def test_only_a_result_can_be_missed(status: str) -> None:
    assert not is_missed(Scan(status, NOW + DAY, counts=COUNTS), None)
    assert not is_missed(None, None)


BASIC = ScanRules(Duration.parse("7d"), DAY, NOW)
TWO_HOURS_AGO, FAILED = NOW - 2 * HOUR, Scan("FAILED")
READ, ASKED = RememberedScan(None, complete_at=NOW - DAY, event_at=NOW - DAY), NOW - DAY


@pytest.mark.parametrize(
    ("scan", "remembered", "expected"),
    [
        (Scan("COMPLETE", TWO_HOURS_AGO), READ, MissedResult(TWO_HOURS_AGO, is_lost=True)),
        (Scan("COMPLETE", NOW - DAY), READ, None),
        # An event may be on its way.
        (Scan("COMPLETE", NOW - HOUR), READ, None),
        # It existed before the module did.
        (Scan("COMPLETE", TWO_HOURS_AGO), None, MissedResult(TWO_HOURS_AGO)),
        (Scan("COMPLETE", TWO_HOURS_AGO), RememberedScan(None, ASKED), MissedResult(TWO_HOURS_AGO, is_lost=True)),
        (Scan("COMPLETE", ASKED - HOUR), RememberedScan(None, ASKED), MissedResult(ASKED - HOUR)),
        (Scan("COMPLETE"), READ, None),
        (Scan("IN_PROGRESS"), READ, None),
        (None, READ, None),
        (FAILED, RememberedScan(None, ASKED, run="run-1"), MissedResult(ASKED, is_lost=True)),
        (FAILED, RememberedScan(None, ASKED, run="run-1", event_at=ASKED + HOUR), None),
        (FAILED, RememberedScan(None, ASKED, run="run-1", event_at=ASKED - HOUR), MissedResult(ASKED, is_lost=True)),
        # The run that asked for it is this one.
        (FAILED, RememberedScan(None, NOW, run="run-1"), None),
        # Nothing tells when it failed.
        (FAILED, RememberedScan(None, ASKED), None),
        (FAILED, None, None),
    ],
)
def test_result_of_basic_scanning_is_missed_if_no_event_came_within_an_hour(
    scan: Scan | None, remembered: RememberedScan | None, expected: MissedResult | None
) -> None:
    assert missed_result(scan, remembered, BASIC) == expected
