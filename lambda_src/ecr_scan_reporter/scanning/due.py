"""Decides from the last scan of an image whether it is due, and in which order due images are scanned."""

from datetime import UTC, datetime, timedelta

from ecr_scan_reporter.models import UNSUPPORTED_IMAGE, Scan
from ecr_scan_reporter.scanning.decisions import Decision
from ecr_scan_reporter.shared.durations import Duration

_IN_PROGRESS = frozenset({"IN_PROGRESS", "PENDING"})
_UNSUPPORTED = frozenset({"UNSUPPORTED_IMAGE", "IMAGE_SIZE_EXCEEDED"})
_DATED = frozenset({"COMPLETE", "ACTIVE", "SCAN_ELIGIBILITY_EXPIRED", "FINDINGS_UNAVAILABLE", "LIMIT_EXCEEDED"})
KNOWN_STATUSES = _IN_PROGRESS | _UNSUPPORTED | _DATED | {"FAILED", "IMAGE_ARCHIVED"}

# ECR scans an image once in 24 hours; https://docs.aws.amazon.com/AmazonECR/latest/userguide/service-quotas.html
_SCAN_INTERVAL = timedelta(hours=24)
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


def decide(scan: Scan | None, max_age: Duration, now: datetime) -> Decision:
    """Decide whether an image is due.

    Args:
        scan: the last scan, None if the image was never scanned. If its status is unknown, its date decides.
        max_age: a scan older than this is due.
        now: aware.
    """
    if scan is None:
        return Decision.NEVER_SCANNED
    if scan.status in _IN_PROGRESS:
        return Decision.SCAN_IN_PROGRESS
    if scan.status == "IMAGE_ARCHIVED":
        return Decision.ARCHIVED
    if scan.status in _UNSUPPORTED or UNSUPPORTED_IMAGE in scan.description:
        return Decision.UNSUPPORTED
    if scan.status == "FAILED":
        recent = scan.completed_at is not None and now - scan.completed_at < _SCAN_INTERVAL
        return Decision.FAILED_WITHIN_24_HOURS if recent else Decision.LAST_SCAN_FAILED
    if scan.completed_at is None:
        return Decision.NEVER_SCANNED
    if scan.completed_at <= max_age.before(now):
        return Decision.SCAN_TOO_OLD
    return Decision.SCANNED_RECENTLY


def scan_priority(scan: Scan | None) -> datetime:
    """Return a sort key for due images: never scanned first, then the oldest scan first."""
    return (scan and scan.completed_at) or _LONG_AGO
