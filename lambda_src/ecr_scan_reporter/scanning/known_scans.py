"""Reads the last scans from memory, so that images that are not due cost no call, and remembers the answers of ECR."""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from datetime import datetime
from zlib import crc32

from ecr_scan_reporter.errors import AwsError
from ecr_scan_reporter.memory.coverage import Coverage
from ecr_scan_reporter.memory.items import to_seconds
from ecr_scan_reporter.memory.scans import RememberedScan, ScanMemory
from ecr_scan_reporter.memory.states import RepositoryState, StateMemory
from ecr_scan_reporter.memory.summaries import SummaryBuilder, summary_item
from ecr_scan_reporter.models.scan_statuses import UNSUPPORTED_TYPE
from ecr_scan_reporter.models.scans import Scan, StartOutcome
from ecr_scan_reporter.scanning.context import ScanContext
from ecr_scan_reporter.scanning.listing import Candidate, Candidates, Chunk
from ecr_scan_reporter.scanning.standing import ImageStanding
from ecr_scan_reporter.scanning.tally import Tally
from ecr_scan_reporter.shared.concurrency import chunked

logger = logging.getLogger(__name__)

# One image in this many is looked up each day in spite of memory, in case memory is wrong; at most this many images of
# a repository in one invocation. A mistake also ends by itself, when the remembered scan is older than promised.
_SPOT_CHECK, _MAX_SPOT_CHECKS = 100, 25
# The memory of so many images is read at once, so that the answers of DynamoDB do not take more memory than a chunk.
_IMAGES_PER_RANGE = 2000
# DynamoDB takes this many items in one call.
_IMAGES_PER_WRITE = 25


class KnownScans:
    """The memory of one repository in one invocation, which is read a chunk of images at a time.

    Args:
        context: names the repository.
        tally: is told when memory fails.

    Attributes:
        overdue: the digests of the chunk's images with a finding whose deadline has passed, and that was not yet
            reported as overdue.
    """

    def __init__(self, context: ScanContext, tally: Tally) -> None:
        self._context, self._rules, self._tally = context, context.rules, tally
        self._repository, self._now = context.repository, context.now
        self._memory = ScanMemory(context.deps.table, context.deps.ecr.id)
        # Without memory, every image is looked up.
        self._available = True
        self.overdue = frozenset[str]()
        self._remembered: dict[str, RememberedScan] = {}
        self._read_until = context.message.after
        self._summary = SummaryBuilder(self._repository, self._now)
        self._spot_checks = 0
        self._writes: list[Future[None]] = []

    def read(self, chunk: Chunk, name_of: Callable[[str], str | None]) -> None:
        """Read the memory of the next images, and forget the ones before.

        Args:
            chunk: the next images.
            name_of: returns the name of an image; None if it is not listed.

        Raises:
            DeadlineExceededError: memory knows too many images for the remaining time.
        """
        wanted = frozenset(image.digest for image in chunk.images)
        until = "" if chunk.last else chunk.images[-1].digest
        self._remembered, self.overdue = {}, frozenset()
        scans, overdue = dict[str, RememberedScan](), list[str]()
        for digest, scan, is_overdue in self._summarized(self._read_until, until, name_of):
            if digest in wanted:
                scans[digest] = scan
                if is_overdue:
                    overdue.append(digest)
        if self._available:
            self._remembered, self.overdue, self._read_until = scans, frozenset(overdue), until

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
    ) -> Iterator[tuple[str, RememberedScan, bool]]:
        """Yield what is remembered of images in a range of digests, and add their findings to the summary."""
        work = f"what memory knows of {self._repository}"
        self._context.deadline.check(work)
        if not self._available:
            return
        try:
            for digest, scan, record in self._memory.scans(self._repository, after, until):
                self._context.deadline.check(work)
                if record:
                    self._summary.add_image(record, name_of(digest))
                yield digest, scan, record is not None and record.newly_overdue(self._now)
        except AwsError as error:
            self._give_up(error)

    def standings(self, images: Iterable[Candidate]) -> dict[str, ImageStanding]:
        """Return how the images of the chunk stand, by digest, as far as DescribeImages and memory settle it."""
        found = {image.digest: self._from_memory(image) for image in images}
        checked = [digest for digest, known in found.items() if known.source and self._is_spot_check(digest)]
        for digest in checked[: _MAX_SPOT_CHECKS - self._spot_checks]:
            if digest in self._remembered:
                found[digest] = found[digest]._replace(source="")
                self._spot_checks += 1
        return found

    def _from_memory(self, image: Candidate) -> ImageStanding:
        remembered = self._remembered.get(image.digest)
        if image.last_scan:
            return self.standing(image, "DescribeImages", image.last_scan)
        if not remembered or not remembered.scan:
            return self.standing(image, "", remembered.named if remembered else None)
        known = self.standing(image, "memory", remembered.scan)
        return known._replace(source="") if known.decision.due else known

    def standing(self, image: Candidate, source: str, scan: Scan | None) -> ImageStanding:
        """Return how an image of the chunk stands whose last scan a source names.

        An image that ECR refused to scan because of its type has no scan in ECR. It is remembered as unsupported.
        """
        remembered = self._remembered.get(image.digest)
        scan = scan or _of_unsupported(remembered)
        dated = _dated(scan, remembered)
        return ImageStanding(image, source, scan, dated, self._rules.decide(image.digest, dated), remembered)

    def before_starts(self, due: Sequence[ImageStanding], looked_up: Iterable[ImageStanding]) -> None:
        """Remember the answers of ECR, and the scans that are asked for next.

        Args:
            due: the images whose scans are asked for next.
            looked_up: those of the others that ECR was asked about.
        """
        self._wait(self._write(_scans(due), asked=True))
        others = [standing for standing in looked_up if not standing.due]
        in_progress, ended = filter(self._is_unknown_in_progress, others), filter(self._saves_look_up, others)
        self._writes = self._write(_scans(ended), asked=False) + self._write(_scans(in_progress), asked=True, run="")

    def after_starts(self, due: Sequence[ImageStanding]) -> None:
        """Wait until everything is remembered, and take back what ECR did not start.

        Otherwise, an image would be skipped for a day, or a later scan by someone else would be taken for this run's.
        """
        unsupported, not_started = dict[str, Scan | None](), dict[str, Scan | None]()
        for digest, scan in _scans(due).items():
            outcome = self._tally.rejected.get(digest)
            if outcome is StartOutcome.UNSUPPORTED_TYPE:
                unsupported[digest] = Scan(UNSUPPORTED_TYPE)
            elif digest not in self._tally.started and outcome is not StartOutcome.SCANNED_WITHIN_24_HOURS:
                not_started[digest] = scan
        writes = self._write(unsupported, asked=True, run="") + self._write(not_started, asked=False)
        self._wait(self._writes + writes)

    def finish(self, state: RepositoryState, coverage: Coverage) -> None:
        """Remember the repository after the run, and the summary of its findings.

        Args:
            state: of the repository.
            coverage: of all its images.
        """
        if not self._available:
            return
        deps = self._context.deps
        try:
            item = summary_item(deps.ecr.id, self._summary.build(coverage), self._now)
            StateMemory(deps.table, deps.ecr.id).remember(state, self._now, item)
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
            for part in map(dict, chunked(list(scans.items()), _IMAGES_PER_WRITE))
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
        if scan is None or scan.completed_at is None:
            return False
        if remembered and remembered.scan:
            return to_seconds(remembered.scan.completed_at) != to_seconds(scan.completed_at)
        next_run = self._rules._replace(now=self._now + self._rules.run_interval)
        return not next_run.decide(standing.image.digest, scan).due

    def _is_unknown_in_progress(self, standing: ImageStanding) -> bool:
        """Return whether a scan is in progress whose start time is unknown; the current time is recorded instead."""
        scan, remembered = standing.scan, standing.remembered
        undated = scan is not None and scan.in_progress and scan.completed_at is None
        return undated and not self._rules.enhanced and not (remembered and _pending_since(remembered))

    def _is_spot_check(self, digest: str) -> bool:
        return crc32(f"{digest}{self._now:%Y-%m-%d}".encode()) % _SPOT_CHECK == 0

    def _give_up(self, error: AwsError) -> None:
        self._available = False
        self._tally.memory_failed()
        extra = {"repository": self._repository, "reason": str(error)}
        logger.warning("memory is not available; this invocation goes on without it", extra=extra)


def _scans(standings: Iterable[ImageStanding]) -> dict[str, Scan | None]:
    return {standing.image.digest: standing.scan for standing in standings}


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
