"""The last scan of each image, as memory and ECR know it; spot checks, and the sums over a repository."""

import logging
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from datetime import datetime
from typing import NamedTuple
from zlib import crc32

from ecr_scan_reporter.errors import AwsError
from ecr_scan_reporter.memory.coverage import Coverage, CoverageReason
from ecr_scan_reporter.memory.items import to_seconds
from ecr_scan_reporter.memory.runs import RepositoryState, RunMemory
from ecr_scan_reporter.memory.scans import RememberedScan, ScanMemory
from ecr_scan_reporter.memory.summaries import SummaryBuilder, summary_item
from ecr_scan_reporter.models.scan_statuses import ACTIVE, UNSUPPORTED_TYPE
from ecr_scan_reporter.models.scans import Scan, StartOutcome
from ecr_scan_reporter.scanning.context import ScanContext
from ecr_scan_reporter.scanning.coverage import coverage_reason
from ecr_scan_reporter.scanning.decisions import Decision, ScanRules
from ecr_scan_reporter.scanning.lost_events import MissedResult, Turns, missed_result
from ecr_scan_reporter.scanning.selection import Candidate, Candidates, Chunk
from ecr_scan_reporter.shared.concurrency import chunked

logger = logging.getLogger(__name__)

# One image in this many is looked up each day in spite of memory, in case memory is wrong; at most this many images of
# a repository in one invocation. A mistake also ends by itself, when the remembered scan is older than promised. With
# enhanced scanning, each image has its turn instead.
_ONE_SPOT_CHECK_IN, _MAX_SPOT_CHECKS = 100, 25
# The memory of so many images is read at once, so that the answers of DynamoDB do not take more memory than a chunk.
_IMAGES_PER_RANGE = 2000
# DynamoDB takes this many items in one call.
_IMAGES_PER_WRITE = 25


class ImageStanding(NamedTuple):
    """The last scan of an image, as far as it is known, and the decision.

    Args:
        image: the image.
        source: which of "ECR", "DescribeImages" and "memory" settles its last scan; "" if none does, and the look-up
            failed or was not made.
        scan: the last one, as the source names it; without a source, as it is remembered. None if there is none.
        dated: the same, with the remembered date if the scan has none.
        decision: from `dated`.
        remembered: the memory of the image's scans; None if there is none.
        missed: the result of `scan` if the reporter does not know it.
        started: whether a scan was started now.
    """

    image: Candidate
    source: str
    scan: Scan | None
    dated: Scan | None
    decision: Decision
    remembered: RememberedScan | None
    missed: MissedResult | None = None
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
        if reason is CoverageReason.IN_TIME:
            return CoverageReason.NOT_READ if self.missed else reason
        waits = quota_reached and not self.started and self.decision.due
        return CoverageReason.QUOTA if waits else reason

    def _scanned_now(self, rules: ScanRules) -> bool:
        return self.started or bool(rules.enhanced and self.scan and self.scan.status == ACTIVE)


class ScannedChunk:
    """A chunk of images while it is processed.

    Attributes:
        standings: of the images, by digest, in the order of the digests.
        read_until: how many images from the start were known, looked up, deleted, or failed for good.
        gone: the digests of images that were deleted in the meantime.
    """

    def __init__(self, standings: dict[str, ImageStanding]) -> None:
        self.standings, self.read_until, self.gone = standings, 0, set[str]()

    @property
    def read(self) -> list[ImageStanding]:
        """The standings of the first images, up to `read_until`."""
        return list(self.standings.values())[: self.read_until]


class KnownScans:
    """The memory of one repository in one invocation, which is read a chunk of images at a time.

    Attributes:
        given_back: the digests of the chunk's images that have their deadlines back, because ECR no longer lists the
            image that had taken them over.
    """

    def __init__(self, context: ScanContext) -> None:
        self._context, self._rules, self._tally = context, context.rules, context.tally
        self._repository, self._now = context.repository, context.now
        self._memory = ScanMemory(context.deps.table, context.registry)
        # Without memory, every image is looked up.
        self._available = True
        self._remembered: dict[str, RememberedScan] = {}
        self.given_back = set[str]()
        self._read_until = context.message.after
        self._summary = SummaryBuilder(self._repository, self._now)
        self._spot_checks = 0
        self._turns = Turns.of_run(context.message, context.rules)

    def read(self, chunk: Chunk, name_of: Callable[[str], str | None]) -> ScannedChunk:
        """Read the memory of the next images, and forget the ones before.

        Args:
            chunk: the next images.
            name_of: returns the name of an image; None if it is not listed.

        Returns:
            How the images stand, as far as DescribeImages and memory settle it.

        Raises:
            DeadlineExceededError: memory knows too many images for the remaining time.
        """
        wanted = frozenset(image.digest for image in chunk.images)
        until = "" if chunk.last else chunk.images[-1].digest
        self._remembered = {}
        self.given_back.clear()
        read = {digest: scan for digest, scan in self._summarized(self._read_until, until, name_of) if digest in wanted}
        if self._available:
            self._remembered, self._read_until = read, until
        found = {image.digest: self._from_memory(image) for image in chunk.images}
        for digest in self._checked(found):
            found[digest] = found[digest]._replace(source="")
        return ScannedChunk(found)

    def _checked(self, found: Mapping[str, ImageStanding]) -> list[str]:
        """Return the digests of images that are looked up although memory knows them."""
        if self._rules.enhanced:
            return [digest for digest in found if self._turns.include(digest)]
        known = (digest for digest, standing in found.items() if standing.source and digest in self._remembered)
        checked = list(filter(self._is_spot_check, known))[: _MAX_SPOT_CHECKS - self._spot_checks]
        self._spot_checks += len(checked)
        return checked

    def complete_summary(self, candidates: Candidates) -> None:
        """Read the memory of the images that the invocations before have processed: their findings count as well.

        Args:
            candidates: all images of the repository.

        Raises:
            DeadlineExceededError: memory knows too many images for the remaining time.
        """
        self._remembered = {}
        after, end = "", self._context.message.after
        for chunk in candidates.chunks(_IMAGES_PER_RANGE):
            if after == end:
                break
            until = end if chunk.last else min(chunk.images[-1].digest, end)
            for _ in self._summarized(after, until, candidates.name):
                pass
            after = until

    def _summarized(
        self, after: str, until: str, name_of: Callable[[str], str | None]
    ) -> Iterator[tuple[str, RememberedScan]]:
        """Yield the remembered scans of images in a range of digests, and add their findings to the summary."""
        work = f"what memory knows of {self._repository}"
        self._context.deadline.check(work)
        if not self._available:
            return
        try:
            for digest, scan, record in self._memory.scans(self._repository, after, until, self._now):
                self._context.deadline.check(work)
                if record:
                    replaced = any(name_of(successor) for successor in record.successors)
                    self._summary.add_image(record, name_of(digest), replaced=replaced)
                    if record.waived and not replaced:
                        self.given_back.add(digest)
                yield digest, scan
        except AwsError as error:
            self._give_up(error)

    def _from_memory(self, image: Candidate) -> ImageStanding:
        remembered = self._remembered.get(image.digest)
        if image.last_scan:
            return self.standing(image, "DescribeImages", image.last_scan)
        if self._rules.enhanced and remembered and not (remembered.named and remembered.named.in_progress):
            # Until the image has its turn, ECR's last answer is as good as a new one.
            return self.standing(image, "memory", remembered.named or remembered.scan)
        if not remembered or not remembered.scan:
            return self.standing(image, "", remembered.named if remembered else None)
        known = self.standing(image, "memory", remembered.scan)
        return known._replace(source="") if known.decision.due else known

    def standing(self, image: Candidate, source: str, scan: Scan | None) -> ImageStanding:
        """Return how an image of the chunk stands, given the last scan that a source names.

        An image that ECR refused to scan because of its type has no scan in ECR. It is remembered as unsupported.
        """
        remembered = self._remembered.get(image.digest)
        scan = scan or _of_unsupported(remembered)
        dated, decide = _dated(scan, remembered), self._rules.decide
        # Without memory, nothing is known to be missed.
        missed = missed_result(scan, remembered, self._rules) if source and self._available else None
        return ImageStanding(image, source, scan, dated, decide(image.digest, dated), remembered, missed)

    @contextmanager
    def starting(self, due: Sequence[ImageStanding], looked_up: Iterable[ImageStanding]) -> Iterator[None]:
        """Remember the answers of ECR, and the scans that are asked for in the body; then take back those not started.

        If these stayed, their images would be skipped for a day, or a later scan by someone else would be taken for
        this run's.

        Args:
            due: the images whose scans are asked for.
            looked_up: those of the others that ECR was asked about.
        """
        self._wait(self._write(_scans(due), asked=True))
        others = [standing for standing in looked_up if not standing.due]
        in_progress, ended = filter(self._is_unknown_in_progress, others), filter(self._saves_look_up, others)
        writes = self._write(_scans(ended), asked=False) + self._write(_scans(in_progress), asked=True, run="")
        try:
            yield
        finally:
            self._wait(writes + self._take_back(due))

    def _take_back(self, due: Sequence[ImageStanding]) -> list[Future[None]]:
        """Begin to remember the scans that ECR did not start, and the images that it cannot scan."""
        unsupported, not_started = dict[str, Scan | None](), dict[str, Scan | None]()
        for digest, scan in _scans(due).items():
            answer = self._tally.answers.get(digest)
            if answer is StartOutcome.UNSUPPORTED_TYPE:
                unsupported[digest] = Scan(UNSUPPORTED_TYPE)
            elif answer not in (StartOutcome.STARTED, StartOutcome.SCANNED_WITHIN_24_HOURS):
                not_started[digest] = scan
        return self._write(unsupported, asked=True, run="") + self._write(not_started, asked=False)

    def finish(self, state: RepositoryState, coverage: Coverage) -> None:
        """Remember the repository after the run, and the summary of its findings.

        Args:
            state: of the repository.
            coverage: of all its images.
        """
        if not self._available:
            return
        table, registry = self._context.deps.table, self._context.registry
        try:
            item = summary_item(registry, self._summary.build(coverage), self._now)
            RunMemory(table, registry).remember_state(state, self._now, item)
        except AwsError as error:
            self._give_up(error)

    def _write(self, scans: Mapping[str, Scan | None], *, asked: bool, run: str | None = None) -> list[Future[None]]:
        """Begin to remember scans, and, if `asked`, that they are asked for now, by `run` (this run by default)."""
        if not self._available:
            return []
        run = self._context.message.run if run is None else run
        remember, repository = self._memory.remember, self._repository
        return [
            self._context.deps.writers.submit(
                remember, repository, part, part if asked else (), run, self._now, self._remembered
            )
            for part in map(dict, chunked(scans.items(), _IMAGES_PER_WRITE))
        ]

    def _wait(self, writes: Iterable[Future[None]]) -> None:
        """Wait for writes to end; give memory up if one of them failed."""
        errors = [error for write in writes if (error := write.exception())]
        for error in errors:
            if not isinstance(error, AwsError):
                raise error
            if self._available:
                self._give_up(error)

    def _saves_look_up(self, standing: ImageStanding) -> bool:
        """Return whether a scan is worth remembering: memory is wrong, or the next run would save the look-up."""
        scan, remembered = standing.scan, standing.remembered
        if self._rules.enhanced:
            known = remembered is not None and _is_same(scan, remembered.named)
            return not known and not (scan and scan.in_progress)
        if scan is None or scan.completed_at is None:
            return False
        if remembered and remembered.scan:
            return to_seconds(remembered.scan.completed_at) != to_seconds(scan.completed_at)
        next_run = self._rules._replace(now=self._now + self._rules.run_interval)
        return not next_run.decide(standing.image.digest, scan).due

    def _is_unknown_in_progress(self, standing: ImageStanding) -> bool:
        """Return whether a scan with an unknown start time is in progress; the current time is recorded instead."""
        scan, remembered = standing.scan, standing.remembered
        undated = scan is not None and scan.in_progress and scan.completed_at is None
        return undated and not self._rules.enhanced and not (remembered and _pending_since(remembered))

    def _is_spot_check(self, digest: str) -> bool:
        return crc32(f"{digest}{self._now:%Y-%m-%d}".encode()) % _ONE_SPOT_CHECK_IN == 0

    def _give_up(self, error: AwsError) -> None:
        self._available = False
        self._tally.memory_failed()
        extra = {"repository": self._repository, "reason": str(error)}
        logger.warning("memory is not available; this invocation goes on without it", extra=extra)


class ScanSums(NamedTuple):
    """Sums over images. Times are Unix seconds.

    Args:
        oldest: the time of the oldest last scan of any image; 0 if an image has no date, None if there is no image.
        waiting_since: the last scan (or the push, if never scanned) of the image that has waited longest; images
            without a date are left out. 0 if none has one.
        coverage: of the images.
    """

    oldest: int | None = None
    waiting_since: int = 0
    coverage: Coverage = Coverage()

    def add(self, standings: Collection[ImageStanding], rules: ScanRules, *, quota_reached: bool) -> "ScanSums":
        """Return the sums over these images and more.

        Args:
            standings: of the others.
            rules: when an image is due.
            quota_reached: whether the daily quota is why due images were not started.
        """
        dates = (self.oldest, *(standing.scanned_at(rules) for standing in standings))
        waits = (self.waiting_since, *(standing.waiting_since(rules) for standing in standings))
        coverage = self.coverage
        for standing in standings:
            coverage = coverage.add(standing.reason(rules, quota_reached=quota_reached), standing.image.name)
        oldest = min((date for date in dates if date is not None), default=None)
        return ScanSums(oldest, min(filter(None, waits), default=0), coverage)


def _scans(standings: Iterable[ImageStanding]) -> dict[str, Scan | None]:
    return {standing.image.digest: standing.scan for standing in standings}


def _is_same(scan: Scan | None, other: Scan | None) -> bool:
    """Return whether both are the same as far as memory keeps it."""
    if scan is None or other is None:
        return scan is other
    kept, others = [(one.status, one.unsupported, to_seconds(one.completed_at)) for one in (scan, other)]
    return kept == others


def _dated(scan: Scan | None, remembered: RememberedScan | None) -> Scan | None:
    """Give a scan without a date the remembered one: ECR gives most failed scans none."""
    if scan is None or scan.completed_at or remembered is None:
        return scan
    if remembered.scan and remembered.scan.status == scan.status:
        return scan._replace(completed_at=remembered.scan.completed_at)
    return scan._replace(completed_at=_pending_since(remembered) if scan.in_progress else remembered.asked_at)


def _pending_since(remembered: RememberedScan) -> datetime | None:
    """Return when the pending scan was asked for; None if that scan has already ended."""
    ended_at = remembered.scan.completed_at if remembered.scan else None
    answered = ended_at and remembered.asked_at and ended_at >= remembered.asked_at
    return None if answered else remembered.asked_at


def _of_unsupported(remembered: RememberedScan | None) -> Scan | None:
    """Return the remembered scan of an image that ECR cannot scan; None for any other."""
    return remembered.named if remembered and remembered.named and remembered.named.unsupported else None
