"""How each image of a repository stands, and the sums over them: coverage, ages and waits."""

from collections.abc import Collection, Iterator
from datetime import datetime
from typing import NamedTuple

from ecr_scan_reporter.memory.coverage import Coverage, CoverageReason
from ecr_scan_reporter.memory.items import to_seconds
from ecr_scan_reporter.memory.scans import RememberedScan
from ecr_scan_reporter.models.scan_statuses import ACTIVE, EXPIRED, FAILED
from ecr_scan_reporter.models.scans import Scan
from ecr_scan_reporter.scanning.decisions import Decision, ScanRules
from ecr_scan_reporter.scanning.listing import Candidate


class ImageStanding(NamedTuple):
    """What is known of the last scan of an image, and what is decided.

    Args:
        image: the image.
        source: which of "ECR", "DescribeImages" and "memory" settles its last scan; "" if none does, because memory
            shows that the image may be due, and the look-up failed or was not made.
        scan: the last one, as the source names it; without a source, as it is remembered. None if there is none.
        dated: the same, with the remembered date if the scan has none.
        decision: from `dated`.
        remembered: what is remembered of the image's scans; None if nothing is.
        started: whether a scan was started now.
    """

    image: Candidate
    source: str
    scan: Scan | None
    dated: Scan | None
    decision: Decision
    remembered: RememberedScan | None
    started: bool = False

    @property
    def due(self) -> bool:
        """Whether the image is to be scanned now."""
        return bool(self.source) and self.decision.due

    def scanned_at(self, rules: ScanRules) -> int | None:
        """Return when the image was last scanned (Unix seconds); 0 if that is not known.

        An image that enhanced scanning monitors is as if it were scanned now. None for one that cannot be scanned and
        has no date: it would put its repository first in every run.
        """
        if self._scanned_now(rules):
            return to_seconds(rules.now)
        if self.scan is None:
            return 0
        cannot_be_scanned = self.scan.archived or self.scan.unsupported
        return None if cannot_be_scanned and not self.scan.completed_at else to_seconds(self.scan.completed_at)

    def waiting_since(self, rules: ScanRules) -> int:
        """Return the start of the image's wait for a scan (Unix seconds): its last scan, or else its push.

        0 for an image without any date, and for one that waits for none: an archived or an unsupported one.
        """
        if self._scanned_now(rules):
            return to_seconds(rules.now)
        if self.scan and self.dated:
            waits = not self.scan.archived and (self.scan.completed_at or not self.scan.unsupported)
            return to_seconds(self.dated.completed_at) if waits else 0
        if self.source:
            return self.image.pushed_at
        # Memory knows of no scan. One that was asked for may have ended since then.
        return (to_seconds(self.remembered.asked_at) or self.image.pushed_at) if self.remembered else 0

    def reason(self, rules: ScanRules, *, quota_reached: bool) -> CoverageReason:
        """Return whether the image is covered, and if not, why; a scan that was started now has no result yet."""
        if not self.source and not self.remembered:
            return CoverageReason.UNKNOWN
        reason = coverage_reason(self.scan, self.remembered, rules.cutoff, enhanced=rules.enhanced)
        waits = quota_reached and reason is not CoverageReason.IN_TIME and not self.started and self.decision.due
        return CoverageReason.QUOTA if waits else reason

    def _scanned_now(self, rules: ScanRules) -> bool:
        return self.started or bool(rules.enhanced and self.scan and self.scan.status == ACTIVE)


class ScanSums(NamedTuple):
    """Sums over images. Times are Unix seconds.

    Args:
        oldest: the time of the oldest last scan of any image; 0 if an image has no date, None if there is no image.
        waiting_since: the last scan (or the push, if never scanned) of the image that has waited longest; images
            without a date are left out. 0 if none has one.
        coverage: of the images.
    """

    oldest: int | None
    waiting_since: int
    coverage: Coverage

    def merge(self, other: "ScanSums") -> "ScanSums":
        """Return the sums over these images and others."""
        return ScanSums(
            min((date for date in (self.oldest, other.oldest) if date is not None), default=None),
            min(filter(None, (self.waiting_since, other.waiting_since)), default=0),
            self.coverage.merge(other.coverage),
        )


def sum_up(standings: Collection[ImageStanding], rules: ScanRules, *, quota_reached: bool) -> ScanSums:
    """Return the sums over images.

    Args:
        standings: of the images.
        rules: when an image is due.
        quota_reached: whether the daily quota is why due images were not started.
    """
    dates = (standing.scanned_at(rules) for standing in standings)
    waits = (standing.waiting_since(rules) for standing in standings)
    coverage = Coverage()
    for standing in standings:
        coverage = coverage.add(standing.reason(rules, quota_reached=quota_reached), standing.image.name)
    return ScanSums(
        oldest=min((date for date in dates if date is not None), default=None),
        waiting_since=min(filter(None, waits), default=0),
        coverage=coverage,
    )


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
