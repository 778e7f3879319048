"""Decides which images are due, in any run."""

from datetime import UTC, datetime, timedelta

import pytest
from ecr_scan_reporter.models.scans import Scan
from ecr_scan_reporter.scanning.decisions import Decision, ScanRules, scan_priority
from ecr_scan_reporter.shared.durations import Duration
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
WEEK = Duration.parse("7d")
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
UNSUPPORTED = "UnsupportedImageError: The operating system ..."


@pytest.mark.parametrize(
    ("scan", "decision", "due"),
    [
        (None, Decision.NEVER_SCANNED, True),
        (Scan("COMPLETE", NOW - timedelta(days=8)), Decision.SCAN_TOO_OLD, True),
        (Scan("COMPLETE", NOW - timedelta(days=7)), Decision.SCAN_TOO_OLD, True),
        (Scan("COMPLETE", NOW - timedelta(days=7) + timedelta(seconds=1)), Decision.SCANNED_RECENTLY, False),
        (Scan("COMPLETE", NOW), Decision.SCANNED_RECENTLY, False),
        (Scan("IN_PROGRESS", NOW - timedelta(hours=23)), Decision.SCAN_IN_PROGRESS, False),
        (Scan("PENDING", NOW - timedelta(hours=23)), Decision.SCAN_IN_PROGRESS, False),
        (Scan("IN_PROGRESS", NOW - timedelta(days=30)), Decision.SCAN_STUCK, True),
        (Scan("FAILED"), Decision.LAST_SCAN_FAILED, True),
        (Scan("FAILED", NOW), Decision.FAILED_WITHIN_24_HOURS, False),
        (Scan("FAILED", NOW - timedelta(hours=24)), Decision.LAST_SCAN_FAILED, True),
        (Scan("FAILED", NOW - timedelta(hours=23)), Decision.FAILED_WITHIN_24_HOURS, False),
        (Scan("FAILED", NOW - timedelta(days=6), UNSUPPORTED), Decision.UNSUPPORTED, False),
        (Scan("FAILED", NOW - timedelta(days=8), UNSUPPORTED), Decision.UNSUPPORTED_TOO_OLD, True),
        (Scan("UNSUPPORTED_IMAGE", NOW - timedelta(days=6)), Decision.UNSUPPORTED, False),
        (Scan("IMAGE_SIZE_EXCEEDED", NOW - timedelta(days=7)), Decision.UNSUPPORTED_TOO_OLD, True),
        (Scan("IMAGE_ARCHIVED"), Decision.ARCHIVED, False),
        (Scan("LIMIT_EXCEEDED"), Decision.NEVER_SCANNED, True),
        (Scan("UNKNOWN_STATUS", NOW - timedelta(days=8)), Decision.SCAN_TOO_OLD, True),
        (Scan("UNKNOWN_STATUS", NOW), Decision.SCANNED_RECENTLY, False),
    ],
)
def test_every_status_has_a_decision(scan: Scan | None, decision: Decision, due: bool) -> None:
    assert ScanRules(WEEK, DAY, NOW).decide("sha256:1", scan) is decision
    assert decision.due is due


@given(hours=st.integers(0, 10_000), days=st.integers(1, 400))
def test_complete_scan_is_due_exactly_at_the_maximum_age(hours: int, days: int) -> None:
    scan = Scan("COMPLETE", NOW - timedelta(hours=hours))
    assert ScanRules(Duration(0, 0, days), DAY, NOW).decide("sha256:1", scan).due is (hours >= 24 * days)


def due_runs(digest: str, scan: Scan, interval: timedelta, runs: int) -> int:
    """Count the runs in which an image is due whose scan stays as it is."""
    rules = ScanRules(WEEK, interval, NOW)
    return sum(rules._replace(now=NOW + number * interval).decide(digest, scan).due for number in range(runs))


@given(digest=st.text(min_size=1))
def test_failed_scan_without_a_date_is_due_once_a_day(digest: str) -> None:
    assert due_runs(digest, Scan("FAILED"), HOUR, 24) == 1
    assert due_runs(digest, Scan("FAILED"), 12 * HOUR, 2) == 1
    assert due_runs(digest, Scan("FAILED"), DAY, 7) == 7


@given(digest=st.text(min_size=1))
def test_unsupported_image_without_a_date_is_due_once_per_maximum_age(digest: str) -> None:
    for scan in (Scan("FAILED", description=UNSUPPORTED), Scan("UNSUPPORTED_IMAGE")):
        assert due_runs(digest, scan, HOUR, 7 * 24) == 1
        assert due_runs(digest, scan, DAY, 7) == 1


@given(digest=st.text(min_size=1))
def test_unsupported_image_without_a_date_has_its_turn_in_weekly_runs(digest: str) -> None:
    week = 7 * DAY
    scan = Scan("UNSUPPORTED_IMAGE")
    assert due_runs(digest, scan, week, 4) == 4
    month = Duration.parse("4w")
    rules = ScanRules(month, week, NOW)
    assert sum(rules._replace(now=NOW + number * week).decide(digest, scan).due for number in range(4)) == 1


@given(digest=st.text(min_size=1))
def test_scan_in_progress_without_a_date_is_due_again_some_time(digest: str) -> None:
    assert 1 <= due_runs(digest, Scan("IN_PROGRESS"), HOUR, 24) <= 2
    assert due_runs(digest, Scan("IN_PROGRESS"), DAY, 23) == 1


def test_images_never_scanned_come_first_then_the_oldest_scan() -> None:
    scans = [Scan("COMPLETE", NOW), None, Scan("COMPLETE", NOW - timedelta(days=9)), Scan("FAILED")]
    assert sorted(scans, key=scan_priority) == [None, Scan("FAILED"), scans[2], scans[0]]
