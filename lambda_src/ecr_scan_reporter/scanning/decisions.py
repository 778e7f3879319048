"""The reasons for which an image is scanned or skipped."""

from enum import StrEnum


class Decision(StrEnum):
    """Why an image is scanned now, or is not."""

    NEVER_SCANNED = "never_scanned"
    SCAN_TOO_OLD = "scan_too_old"
    LAST_SCAN_FAILED = "last_scan_failed"
    SCAN_STUCK = "scan_stuck"
    UNSUPPORTED_TOO_OLD = "unsupported_too_old"

    SCANNED_RECENTLY = "scanned_recently"
    SCAN_IN_PROGRESS = "scan_in_progress"
    FAILED_WITHIN_24_HOURS = "failed_within_24_hours"
    UNSUPPORTED = "unsupported"
    # The image would be due, but ECR starts all scans itself.
    ENHANCED_SCANNING = "enhanced_scanning"

    INDEX = "index"
    ARTIFACT = "artifact"
    ATTESTATION = "attestation"
    ARCHIVED = "archived"
    NOT_SELECTED = "not_selected"

    @property
    def due(self) -> bool:
        """Whether the image is to be scanned now."""
        return self in _DUE


_DUE = frozenset(
    {
        Decision.NEVER_SCANNED,
        Decision.SCAN_TOO_OLD,
        Decision.LAST_SCAN_FAILED,
        Decision.SCAN_STUCK,
        Decision.UNSUPPORTED_TOO_OLD,
    }
)
