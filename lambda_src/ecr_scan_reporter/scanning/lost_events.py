"""Finds results whose events were lost; says on which day ECR is asked about each image that Inspector monitors.

Events are sent on a best-effort basis, so the last scan that ECR names of an image is compared with the one that the
reporter knows. With enhanced scanning, ECR is asked about each image once within the promised
age, because Inspector announces no scan after the first one.
https://docs.aws.amazon.com/AmazonECR/latest/userguide/image-scanning-enhanced-events.html
With basic scanning, ECR is asked about an image whose scan memory does not know, or shows as too old, anyway.
"""

from datetime import date, datetime, timedelta
from math import ceil
from typing import NamedTuple
from zlib import crc32

from ecr_scan_reporter.memory.items import to_seconds
from ecr_scan_reporter.memory.scans import RememberedScan
from ecr_scan_reporter.messages.repository import RepositoryMessage
from ecr_scan_reporter.models.scan_statuses import ACTIVE, COMPLETE, FAILED
from ecr_scan_reporter.models.scans import Scan
from ecr_scan_reporter.scanning.decisions import ScanRules

_DAY = timedelta(days=1)
# Seconds until the reporter reads a result of Inspector of which no event came: one may be on its way.
READ_AFTER = 900
# After a scan has ended, its event may be on its way for so long. The clocks of two services differ by less.
_EVENT_COMES_WITHIN, _CLOCKS_DIFFER = timedelta(hours=1), timedelta(minutes=5)


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


class MissedResult(NamedTuple):
    """A result that the reporter does not know.

    Args:
        ended_at: when the scan ended, or when it was asked for if ECR gives no date; with enhanced scanning,
            the time of the run.
        is_lost: whether an event of it should have come: a run asked for the scan, or the reporter knows the image;
            with enhanced scanning, the reporter decides that.
    """

    ended_at: datetime
    is_lost: bool = False


def missed_result(scan: Scan | None, remembered: RememberedScan | None, rules: ScanRules) -> MissedResult | None:
    """Return the last result of an image if the reporter does not know it.

    With basic scanning, only if no event of it is on its way any more. With enhanced scanning, the reporter reads the
    result later, in case one is.

    Args:
        scan: the last one, as ECR names it; None if there is none.
        remembered: the memory of the image's scans; None if there is none.
        rules: of the registry.
    """
    if rules.enhanced:
        return MissedResult(rules.now) if is_missed(scan, remembered) else None
    missed = _missed_basic(scan, remembered or RememberedScan(None))
    return missed if missed and missed.ended_at < rules.now - _EVENT_COMES_WITHIN else None


def _missed_basic(scan: Scan | None, remembered: RememberedScan) -> MissedResult | None:
    if scan is None:
        return None
    asked_at, complete_at = remembered.asked_at, to_seconds(remembered.complete_at)
    if scan.status == COMPLETE and scan.completed_at and to_seconds(scan.completed_at) > complete_at:
        is_requested = asked_at and asked_at - _CLOCKS_DIFFER <= scan.completed_at
        return MissedResult(scan.completed_at, bool(is_requested or remembered.event_at))
    # A failed scan has no date, so that only the request of a run tells whether it is a new one.
    if scan.status == FAILED and asked_at and remembered.run:
        is_known = remembered.event_at and remembered.event_at >= asked_at - _CLOCKS_DIFFER
        return None if is_known else MissedResult(asked_at, is_lost=True)
    return None


def is_missed(scan: Scan | None, remembered: RememberedScan | None) -> bool:
    """Return whether memory lacks the result of a scan of Inspector.

    Args:
        scan: the last one, as ECR names it; None if there is none.
        remembered: the memory of the image's scans; None if there is none.
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
