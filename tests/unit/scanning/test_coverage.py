"""The last complete scan of an image decides whether it is covered; if it is not, the last scan says why."""

from datetime import UTC, datetime, timedelta

import pytest
from ecr_scan_reporter.memory.coverage import CoverageReason
from ecr_scan_reporter.memory.scans import RememberedScan
from ecr_scan_reporter.models.scan_statuses import UNSUPPORTED_SYSTEM
from ecr_scan_reporter.models.scans import Scan
from ecr_scan_reporter.scanning.coverage import coverage_reason

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
DAY = timedelta(days=1)
CUTOFF = NOW - timedelta(days=7)
SIX_DAYS_AGO, EIGHT_DAYS_AGO = NOW - 6 * DAY, NOW - 8 * DAY
COMPLETE_RECENTLY, COMPLETE_LONG_AGO = Scan("COMPLETE", SIX_DAYS_AGO), Scan("COMPLETE", EIGHT_DAYS_AGO)


@pytest.mark.parametrize(
    ("scan", "reason"),
    [
        (None, CoverageReason.NEVER_SCANNED),
        (COMPLETE_RECENTLY, CoverageReason.IN_TIME),
        (Scan("COMPLETE", CUTOFF + timedelta(seconds=1)), CoverageReason.IN_TIME),
        (Scan("COMPLETE", CUTOFF), CoverageReason.TOO_OLD),
        (COMPLETE_LONG_AGO, CoverageReason.TOO_OLD),
        (Scan("ACTIVE", SIX_DAYS_AGO), CoverageReason.IN_TIME),
        (Scan("UNKNOWN_STATUS", SIX_DAYS_AGO), CoverageReason.IN_TIME),
        (Scan("FAILED"), CoverageReason.FAILED),
        (Scan("FAILED", SIX_DAYS_AGO), CoverageReason.FAILED),
        (Scan("FAILED", SIX_DAYS_AGO, f"{UNSUPPORTED_SYSTEM}: ..."), CoverageReason.UNSUPPORTED),
        (Scan("UNSUPPORTED_IMAGE", SIX_DAYS_AGO), CoverageReason.UNSUPPORTED),
        (Scan("IMAGE_SIZE_EXCEEDED"), CoverageReason.UNSUPPORTED),
        (Scan("SCAN_ELIGIBILITY_EXPIRED", EIGHT_DAYS_AGO), CoverageReason.EXPIRED),
        (Scan("SCAN_ELIGIBILITY_EXPIRED"), CoverageReason.EXPIRED),
        (Scan("SCAN_ELIGIBILITY_EXPIRED", SIX_DAYS_AGO), CoverageReason.IN_TIME),
        (Scan("IMAGE_ARCHIVED", SIX_DAYS_AGO), CoverageReason.ARCHIVED),
        (Scan("IN_PROGRESS"), CoverageReason.NEVER_SCANNED),
        (Scan("IN_PROGRESS", SIX_DAYS_AGO), CoverageReason.NEVER_SCANNED),
    ],
)
def test_last_scan_decides_where_nothing_is_remembered(scan: Scan | None, reason: CoverageReason) -> None:
    assert coverage_reason(scan, None, CUTOFF) is reason


@pytest.mark.parametrize(
    ("scan", "reason"),
    [
        (Scan("ACTIVE", EIGHT_DAYS_AGO), CoverageReason.IN_TIME),
        (Scan("ACTIVE"), CoverageReason.IN_TIME),
        (Scan("SCAN_ELIGIBILITY_EXPIRED", EIGHT_DAYS_AGO), CoverageReason.EXPIRED),
        (Scan("COMPLETE", EIGHT_DAYS_AGO), CoverageReason.TOO_OLD),
    ],
)
def test_image_that_enhanced_scanning_monitors_is_in_time(scan: Scan, reason: CoverageReason) -> None:
    assert coverage_reason(scan, None, CUTOFF, enhanced=True) is reason
    assert coverage_reason(Scan("ACTIVE", EIGHT_DAYS_AGO), None, CUTOFF) is CoverageReason.TOO_OLD


@pytest.mark.parametrize(
    ("remembered", "reason"),
    [
        (RememberedScan(COMPLETE_RECENTLY), CoverageReason.IN_TIME),
        (RememberedScan(COMPLETE_LONG_AGO), CoverageReason.TOO_OLD),
        (RememberedScan(None, NOW), CoverageReason.NEVER_SCANNED),
        (RememberedScan(None, NOW, Scan("FAILED")), CoverageReason.FAILED),
        (RememberedScan(Scan("FAILED", SIX_DAYS_AGO)), CoverageReason.FAILED),
        (RememberedScan(Scan("FAILED", SIX_DAYS_AGO), complete_at=EIGHT_DAYS_AGO), CoverageReason.FAILED),
        (RememberedScan(Scan("FAILED", NOW), complete_at=SIX_DAYS_AGO), CoverageReason.IN_TIME),
        (RememberedScan(None, NOW, Scan("SCAN_ELIGIBILITY_EXPIRED")), CoverageReason.EXPIRED),
        (RememberedScan(None, NOW, Scan("IN_PROGRESS")), CoverageReason.NEVER_SCANNED),
    ],
)
def test_image_whose_scan_is_in_progress_counts_as_before(remembered: RememberedScan, reason: CoverageReason) -> None:
    assert coverage_reason(Scan("IN_PROGRESS"), remembered, CUTOFF) is reason


def test_failed_scan_after_a_complete_one_in_time_is_covered() -> None:
    remembered = RememberedScan(Scan("FAILED", NOW), complete_at=SIX_DAYS_AGO)
    assert coverage_reason(Scan("FAILED"), remembered, CUTOFF) is CoverageReason.IN_TIME
