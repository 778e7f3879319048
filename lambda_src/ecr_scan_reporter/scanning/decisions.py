"""Decides which images are due, which come first, and in which run one is whose last scan has no date."""

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import NamedTuple
from zlib import crc32

from ecr_scan_reporter.models.scan_statuses import FAILED
from ecr_scan_reporter.models.scans import Scan
from ecr_scan_reporter.shared.durations import LONG_AGO, Duration


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

# A scan that failed, or did not end, is asked for again after this time: ECR scans an image once in 24 hours.
# https://docs.aws.amazon.com/AmazonECR/latest/userguide/service-quotas.html
_RETRIED_AFTER = timedelta(hours=24)
# A scan takes minutes. Of the scans in progress without a date, one in 23 is due each hour: 23 and 24 have no common
# divisor, so runs at the same hour of each day, or of each week, reach every image.
_HOUR, _STUCK_SCANS_SPREAD_OVER = timedelta(hours=1), timedelta(hours=23)
_EPOCH = datetime.fromtimestamp(0, UTC)


class ScanRules(NamedTuple):
    """When an image is due.

    Args:
        max_age: a scan older than this is due.
        run_interval: the longest time between two runs.
        now: the time of the decisions.
        enhanced: whether the registry uses enhanced scanning, so that ECR starts all scans itself.
    """

    max_age: Duration
    run_interval: timedelta
    now: datetime
    enhanced: bool = False

    @property
    def cutoff(self) -> datetime:
        """A scan that ended after this time is in time."""
        return self.max_age.before(self.now)

    def decide(self, digest: str, scan: Scan | None) -> Decision:
        """Decide whether an image is due, if scans can be started.

        ECR gives most failed scans, and those in progress, no date. An image whose scan failed, or is not supported, is
        then due in at least one run of each period, which its digest selects; of those in progress, one in 23 is due
        each hour.

        Args:
            scan: the last scan, None if the image was never scanned. If its status is unknown, its date decides.
        """
        if scan is None:
            return Decision.NEVER_SCANNED
        if scan.archived:
            return Decision.ARCHIVED
        age = None if scan.completed_at is None else self.now - scan.completed_at
        max_age = self.now - self.cutoff

        def is_due(after: timedelta, interval: timedelta, period: timedelta) -> bool:
            return _has_turn(digest, interval, period, self.now) if age is None else age >= after

        if scan.in_progress:
            stuck = is_due(_RETRIED_AFTER, _HOUR, _STUCK_SCANS_SPREAD_OVER)
            return Decision.SCAN_STUCK if stuck else Decision.SCAN_IN_PROGRESS
        if scan.unsupported:
            due = is_due(max_age, self.run_interval, max_age)
            return Decision.UNSUPPORTED_TOO_OLD if due else Decision.UNSUPPORTED
        if scan.status == FAILED:
            due = is_due(_RETRIED_AFTER, self.run_interval, _RETRIED_AFTER)
            return Decision.LAST_SCAN_FAILED if due else Decision.FAILED_WITHIN_24_HOURS
        if age is None:
            return Decision.NEVER_SCANNED
        return Decision.SCAN_TOO_OLD if age >= max_age else Decision.SCANNED_RECENTLY


def _has_turn(digest: str, run_interval: timedelta, period: timedelta, now: datetime) -> bool:
    """Return whether this image is due in the run at `now`: in at least one run of each `period`.

    It is exactly one if all intervals between two runs are `run_interval`. Those of a cron expression may be shorter.
    """
    runs = max(period // run_interval, 1)
    return (crc32(digest.encode()) + (now - _EPOCH) // run_interval) % runs == 0


def scan_priority(scan: Scan | None) -> datetime:
    """Return a sort key for due images: never scanned first, then the oldest scan first."""
    return (scan and scan.completed_at) or LONG_AGO
