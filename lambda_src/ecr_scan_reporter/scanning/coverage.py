"""Whether an image has a scan within the promised age, and if not, why."""

from datetime import datetime

from ecr_scan_reporter.memory.coverage import CoverageReason
from ecr_scan_reporter.memory.scans import RememberedScan
from ecr_scan_reporter.models.scan_statuses import ACTIVE, EXPIRED, FAILED
from ecr_scan_reporter.models.scans import Scan


def coverage_reason(
    scan: Scan | None, remembered: RememberedScan | None, cutoff: datetime, *, enhanced: bool = False
) -> CoverageReason:
    """Return whether an image is covered, judged by its last complete scan, and if not, why.

    A scan in progress has no result yet: the image counts as what it was before.

    Args:
        scan: the last one; None if the image was never scanned.
        remembered: what is remembered of the image's scans.
        cutoff: a complete scan after this time (aware) is in time.
        enhanced: whether the registry uses enhanced scanning, which monitors an ACTIVE image even if its last scan is
            old.
    """
    if enhanced and scan and scan.status == ACTIVE:
        return CoverageReason.IN_TIME
    if scan and scan.archived:
        return CoverageReason.ARCHIVED
    before = (remembered.scan, remembered.named) if remembered else ()
    dates = [last.completed_at for last in (scan, *before) if last and last.completed_at and _may_be_complete(last)]
    if remembered and remembered.complete_at:
        dates.append(remembered.complete_at)
    if dates and max(dates) > cutoff:
        return CoverageReason.IN_TIME
    if scan and scan.in_progress:
        scan = next((last for last in before if last and not last.in_progress), None)
    if scan and scan.status == EXPIRED:
        return CoverageReason.EXPIRED
    if scan and scan.unsupported:
        return CoverageReason.UNSUPPORTED
    if scan and scan.status == FAILED:
        return CoverageReason.FAILED
    return CoverageReason.TOO_OLD if dates else CoverageReason.NEVER_SCANNED


def _may_be_complete(scan: Scan) -> bool:
    """Return whether a scan with a date is complete; one of an unknown status is."""
    return not scan.in_progress and scan.status != FAILED and not scan.unsupported
