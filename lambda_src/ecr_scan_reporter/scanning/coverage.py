"""Judges whether an image counts as scanned within the promised age, and if not, why."""

from collections.abc import Iterator
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
    dates = list(_complete_scans(scan, remembered))
    if dates and max(dates) > cutoff:
        return CoverageReason.IN_TIME
    ended = _last_ended(scan, remembered)
    if ended and ended.status == EXPIRED:
        return CoverageReason.EXPIRED
    if ended and ended.unsupported:
        return CoverageReason.UNSUPPORTED
    if ended and ended.status == FAILED:
        return CoverageReason.FAILED
    return CoverageReason.TOO_OLD if dates else CoverageReason.NEVER_SCANNED


def _complete_scans(scan: Scan | None, remembered: RememberedScan | None) -> Iterator[datetime]:
    """Yield when the known complete scans ended. A scan with a date and an unknown status counts as complete."""
    for last in (scan, remembered.scan, remembered.named) if remembered else (scan,):
        complete = last and not (last.in_progress or last.status == FAILED or last.unsupported)
        if last and complete and last.completed_at:
            yield last.completed_at
    if remembered and remembered.complete_at:
        yield remembered.complete_at


def _last_ended(scan: Scan | None, remembered: RememberedScan | None) -> Scan | None:
    """Return the last scan; if it is in progress, the one before, as far as it is remembered."""
    if not scan or not scan.in_progress:
        return scan
    before = (remembered.scan, remembered.named) if remembered else ()
    return next((last for last in before if last and not last.in_progress), None)
