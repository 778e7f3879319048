"""Judges whether an image counts as scanned within the promised age, and if not, why."""

from collections.abc import Iterator
from datetime import datetime

from ecr_scan_reporter.memory.coverage import CoverageReason
from ecr_scan_reporter.memory.scans import RememberedScan
from ecr_scan_reporter.models.scan_statuses import ACTIVE, EXPIRED, FAILED
from ecr_scan_reporter.models.scans import Scan

# Why an image without a scan in time is not covered, by the status of its last scan. Of others, it is how old that is.
_REASON_OF_STATUS = {EXPIRED: CoverageReason.EXPIRED, FAILED: CoverageReason.FAILED}


def coverage_reason(
    scan: Scan | None, remembered: RememberedScan | None, cutoff: datetime, *, enhanced: bool = False
) -> CoverageReason:
    """Return whether an image is covered, judged by its last complete scan, and if not, why.

    A scan in progress has no result yet: the image counts as what it was before.

    Args:
        scan: the last one; None if the image was never scanned.
        remembered: what is remembered of the image's scans.
        cutoff: a complete scan after this time is in time.
        enhanced: whether the registry uses enhanced scanning, which monitors an ACTIVE image even if its last scan is
            old.
    """
    # What is monitored, and what is archived, is so whatever scans there were.
    if enhanced and scan and scan.status == ACTIVE:
        return CoverageReason.IN_TIME
    if scan and scan.archived:
        return CoverageReason.ARCHIVED
    # A scan in time keeps the promise, whatever became of later ones.
    latest = max(_complete_scans(scan, remembered), default=None)
    if latest and latest > cutoff:
        return CoverageReason.IN_TIME
    late = CoverageReason.TOO_OLD if latest else CoverageReason.NEVER_SCANNED
    ended = _last_ended(scan, remembered)
    if ended is None:
        return late
    # Before FAILED: a scan of an image that ECR does not support may have failed, and only its description tells.
    if ended.unsupported and ended.status != EXPIRED:
        return CoverageReason.UNSUPPORTED
    return _REASON_OF_STATUS.get(ended.status, late)


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
