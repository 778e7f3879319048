"""Scans of images, their results, and outcomes of scan requests."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from ecr_scan_reporter.models import scan_statuses
from ecr_scan_reporter.models.findings import Finding

# The scanners of ECR: ECR's own, and Amazon Inspector.
BASIC, ENHANCED = "basic", "enhanced"


class Scan(NamedTuple):
    """The last scan of an image.

    `status` is ECR's: COMPLETE, FAILED, IN_PROGRESS, PENDING and others, to which ECR may add. `completed_at`
    is None while a scan is in progress and after most scans that failed. `description` is ECR's reason for the status.
    `counts` is the number of ECR's entries by severity; None if ECR did not say it.
    """

    status: str
    completed_at: datetime | None = None
    description: str = ""
    counts: Mapping[str, int] | None = None

    @property
    def in_progress(self) -> bool:
        """Whether the scan has not ended."""
        return self.status in scan_statuses.IN_PROGRESS

    @property
    def archived(self) -> bool:
        """Whether the image is archived."""
        return self.status == scan_statuses.ARCHIVED

    @property
    def unsupported(self) -> bool:
        """Whether ECR cannot scan the image, so that a scan of it never completes."""
        return self.status in scan_statuses.UNSUPPORTED or scan_statuses.UNSUPPORTED_SYSTEM in self.description


class StartOutcome(StrEnum):
    """The result of a StartImageScan request."""

    STARTED = "started"
    SCANNED_WITHIN_24_HOURS = "scanned_within_24_hours"
    UNSUPPORTED_TYPE = "unsupported_type"
    ARCHIVED = "archived"
    IMAGE_NOT_FOUND = "image_not_found"


class ScanResult(NamedTuple):
    """The status of an image's last scan, ECR's reason for it, and the findings, one per package and id.

    `left_out` is how many findings there are besides those, which are the worst.

    `listed` is the number of ECR's entries by severity, as events count them: also those that are listed twice,
    suppressed or closed.
    `completed_at` is None after most scans that failed. `operating_system` is the image's, such as
    `ALPINE_LINUX_3_20`; "" if ECR does not name it, as with basic scanning. `scanner` is BASIC or ENHANCED; "" if
    nothing tells.
    """

    status: str
    description: str
    findings: tuple[Finding, ...]
    completed_at: datetime | None = None
    operating_system: str = ""
    scanner: str = ""
    listed: Mapping[str, int] = {}
    left_out: int = 0
