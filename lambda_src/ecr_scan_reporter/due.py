"""Which images are due for a scan, and why."""

from datetime import datetime
from enum import StrEnum

from .durations import Duration
from .models import Scan


class Decision(StrEnum):
    """Why an image is scanned now, or is not."""

    NEVER_SCANNED = "never_scanned"
    SCAN_TOO_OLD = "scan_too_old"
    LAST_SCAN_FAILED = "last_scan_failed"
    SCANNED_RECENTLY = "scanned_recently"
    SCAN_IN_PROGRESS = "scan_in_progress"

    @property
    def due(self) -> bool:
        """Whether the image is to be scanned now."""
        return self in (Decision.NEVER_SCANNED, Decision.SCAN_TOO_OLD, Decision.LAST_SCAN_FAILED)


def decide(scan: Scan | None, duration: Duration, now: datetime) -> Decision:
    """Whether an image is due at `now` (aware), given its last scan (None: never scanned) and the promised age."""
    if scan is None:
        return Decision.NEVER_SCANNED
    if scan.status in ("IN_PROGRESS", "PENDING"):
        return Decision.SCAN_IN_PROGRESS
    if scan.completed_at is None:
        return Decision.LAST_SCAN_FAILED
    if scan.completed_at <= duration.before(now):
        return Decision.SCAN_TOO_OLD
    return Decision.SCANNED_RECENTLY
