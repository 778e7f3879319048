"""The backstop for lost events: with enhanced scanning, ECR is asked about each image once within the promised age.

Events are sent on a best-effort basis, and Inspector announces no scan after the first one.
https://docs.aws.amazon.com/AmazonECR/latest/userguide/image-scanning-enhanced-events.html
"""

from datetime import date, timedelta
from math import ceil
from typing import NamedTuple
from zlib import crc32

from ecr_scan_reporter.memory.items import to_seconds
from ecr_scan_reporter.memory.scans import RememberedScan
from ecr_scan_reporter.messages.repository import RepositoryMessage
from ecr_scan_reporter.models.scan_statuses import ACTIVE, COMPLETE
from ecr_scan_reporter.models.scans import Scan
from ecr_scan_reporter.scanning.images import ScanRules

_DAY = timedelta(days=1)


class Turns(NamedTuple):
    """The images that a run asks ECR about: those with a turn on a day since the run before.

    Args:
        period: days. Each image has its turn on one of them, which its digest selects.
        first: the first day that counts, as an ordinal.
        last: the last one; before `first` if an earlier run of the same day had its turns.
    """

    period: int
    first: int
    last: int

    @classmethod
    def of_run(cls, message: RepositoryMessage, rules: ScanRules) -> "Turns":
        """Return the turns of a run in a repository."""
        most_days = max(ceil(rules.run_interval / _DAY), 1)
        last = _day(message.run) or rules.now.toordinal()
        before = _day(message.previous_run)
        # An image waits for the next run after its turn, and must not wait for longer than is promised.
        period = max(rules.max_age.least_days - most_days + 1, 1)
        return cls(period, before + 1 if before else last - most_days + 1, last)

    def include(self, digest: str) -> bool:
        """Return whether an image has its turn."""
        return (crc32(digest.encode()) - self.first) % self.period <= self.last - self.first


def is_missed(scan: Scan | None, remembered: RememberedScan | None) -> bool:
    """Return whether memory lacks the result of a scan.

    Args:
        scan: the last one, as ECR names it; None if there is none.
        remembered: what is remembered of the image's scans; None if nothing is.
    """
    if scan is None or scan.status not in (ACTIVE, COMPLETE):
        return False
    if remembered is None or remembered.complete_at is None:
        return True
    is_later = to_seconds(scan.completed_at) > to_seconds(remembered.read_at)
    return is_later or (scan.counts is not None and scan.counts != remembered.listed)


def _day(run: str) -> int | None:
    """Return the day of a run, with whose time its id begins; None if it does not."""
    try:
        return date.fromisoformat(run[:10]).toordinal()
    except ValueError:
        return None
