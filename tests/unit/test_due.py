"""Which images are due: every reason, and its edges."""

from datetime import UTC, datetime, timedelta

import pytest
from ecr_scan_reporter.due import Decision, decide
from ecr_scan_reporter.durations import Duration
from ecr_scan_reporter.models import Scan
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
WEEK = Duration.parse("7d")


@pytest.mark.parametrize(
    ("scan", "decision", "due"),
    [
        (None, Decision.NEVER_SCANNED, True),
        (Scan("COMPLETE", NOW - timedelta(days=8)), Decision.SCAN_TOO_OLD, True),
        (Scan("COMPLETE", NOW - timedelta(days=7)), Decision.SCAN_TOO_OLD, True),
        (Scan("COMPLETE", NOW - timedelta(days=7) + timedelta(seconds=1)), Decision.SCANNED_RECENTLY, False),
        (Scan("COMPLETE", NOW), Decision.SCANNED_RECENTLY, False),
        (Scan("IN_PROGRESS"), Decision.SCAN_IN_PROGRESS, False),
        (Scan("PENDING"), Decision.SCAN_IN_PROGRESS, False),
        (Scan("IN_PROGRESS", NOW - timedelta(days=8)), Decision.SCAN_IN_PROGRESS, False),
        (Scan("FAILED"), Decision.LAST_SCAN_FAILED, True),
        (Scan("A_STATUS_OF_TOMORROW", NOW - timedelta(days=8)), Decision.SCAN_TOO_OLD, True),
        (Scan("A_STATUS_OF_TOMORROW", NOW), Decision.SCANNED_RECENTLY, False),
    ],
)
def test_every_decision_has_its_reason(scan: Scan | None, decision: Decision, due: bool) -> None:
    assert decide(scan, WEEK, NOW) is decision
    assert decision.due is due


@given(hours=st.integers(0, 10_000), days=st.integers(1, 400))
def test_a_complete_scan_is_due_exactly_when_it_is_as_old_as_promised(hours: int, days: int) -> None:
    scan = Scan("COMPLETE", NOW - timedelta(hours=hours))
    assert decide(scan, Duration(0, 0, days), NOW).due is (hours >= 24 * days)
