"""Decides from memory which images ECR has to be asked about, so that images that are not due cost no call."""

import logging
from collections.abc import Collection, Container, Iterable, Iterator, Mapping
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from datetime import datetime
from zlib import crc32

from ecr_scan_reporter.aws.dynamodb import Item
from ecr_scan_reporter.errors import AwsError
from ecr_scan_reporter.memory.coverage import Coverage, CoverageReason
from ecr_scan_reporter.memory.items import UNREADABLE, number, to_seconds, to_time
from ecr_scan_reporter.memory.scans import RememberedScan, RepositoryState, ScanMemory
from ecr_scan_reporter.memory.summaries import IMAGES, RepositorySummary, summary_item
from ecr_scan_reporter.models import scan_statuses
from ecr_scan_reporter.models.scans import Scan, StartOutcome
from ecr_scan_reporter.scanning.coverage import coverage_reason
from ecr_scan_reporter.scanning.decisions import Decision, decide
from ecr_scan_reporter.scanning.selection import Candidate, Candidates, Chunk
from ecr_scan_reporter.scanning.tally import ChunkSums, Tally
from ecr_scan_reporter.settings import ImagesScannerSettings
from ecr_scan_reporter.shared.concurrency import chunked

logger = logging.getLogger(__name__)

# What is remembered of an image that ECR refuses to scan because of its type.
UNSUPPORTED_TYPE = Scan(scan_statuses.UNSUPPORTED_TYPE)
# One image in this many is looked up each day in spite of memory, in case memory is wrong; at most this many images of
# a repository in one invocation. A mistake also ends by itself, when the remembered scan is older than promised.
_SPOT_CHECK, _MAX_SPOT_CHECKS = 100, 25
# DynamoDB takes this many items in one call.
_IMAGES_PER_WRITE = 25


class ScanPlan:
    """What is known of the scans of a repository's images, one chunk of images at a time.

    Args:
        repository: its name.
        run: the id of the run.
        memory: of scans.
        pool: for writes.
        settings: of the images scanner.
        now: aware.
        enhanced: whether the registry uses enhanced scanning.

    Attributes:
        available: whether every call to the memory table succeeded so far. Without it, every image is looked up.
        findings: what is remembered of the findings of the chunk's images, and of all others in its range; None if
            memory is not available.
        overdue: the digests of the chunk's images with a finding whose deadline has passed, and that was not yet
            reported as overdue.
    """

    def __init__(
        self,
        repository: str,
        run: str,
        memory: ScanMemory,
        pool: Executor,
        settings: ImagesScannerSettings,
        now: datetime,
        *,
        enhanced: bool = False,
    ) -> None:
        self._enhanced = enhanced
        self._repository, self._run, self._memory, self._pool = repository, run, memory, pool
        self._settings, self._now, self._today = settings, now, f"{now:%Y-%m-%d}"
        self.available = True
        self._remembered: dict[str, RememberedScan] = {}
        self.findings: RepositorySummary | None = None
        self.overdue: list[str] = []
        self._spot_checks = 0

    def read(self, chunk: Chunk, candidates: Candidates) -> None:
        """Read what is remembered of the next images, and forget the ones before.

        Of their findings, only sums are kept.

        Args:
            chunk: the next images.
            candidates: all images of the repository.
        """
        self._remembered, self.findings, self.overdue = {}, None, []
        if not self.available:
            return
        wanted = frozenset(candidate.digest for candidate in chunk.images)
        scans, findings = dict[str, RememberedScan](), RepositorySummary(self._repository, self._now)
        try:
            for digest, scan, reported in self._memory.scans(self._repository, chunk.after, chunk.until):
                if digest in wanted:
                    scans[digest] = scan
                    if 0 < number(reported, "due_at") <= to_seconds(self._now):
                        self.overdue.append(digest)
                if reported:
                    self._add_findings(findings, digest, reported, candidates)
        except AwsError as error:
            self._give_up(error)
        else:
            self._remembered, self.findings = scans, findings

    def _add_findings(self, findings: RepositorySummary, digest: str, reported: Item, candidates: Candidates) -> None:
        try:
            findings.add_image(reported, candidates.name(digest))
        except UNREADABLE as error:
            extra = {"repository": self._repository, "digest": digest, "reason": repr(error)}
            logger.warning("the remembered findings of an image cannot be read; they are not counted", extra=extra)

    def known(self, chunk: Iterable[Candidate]) -> dict[str, Scan]:
        """Return the last scans that need no look-up: DescribeImages named them, or memory shows that none is due."""
        known: dict[str, Scan] = {}
        for candidate in chunk:
            if candidate.last_scan:
                known[candidate.digest] = candidate.last_scan
                continue
            remembered = self._remembered.get(candidate.digest)
            if remembered and remembered.scan and not self._is_due(candidate.digest, remembered.scan, self._now):
                known[candidate.digest] = remembered.scan
        checked = [digest for digest in known if self._is_spot_check(digest)]
        for digest in checked[: _MAX_SPOT_CHECKS - self._spot_checks]:
            if self._remembered.get(digest):
                del known[digest]
                self._spot_checks += 1
        return known

    def dated(self, scans: Mapping[str, Scan | None]) -> dict[str, Scan | None]:
        """Give scans without a date the remembered one: ECR gives most failed scans none.

        An image that ECR refused to scan because of its type has no scan in ECR. It is remembered as unsupported.
        """
        return {digest: self._dated(digest, scan) for digest, scan in scans.items()}

    @contextmanager
    def remembering(
        self, scans: Mapping[str, Scan | None], looked_up: Collection[str], due: Collection[str], tally: Tally
    ) -> Iterator[None]:
        """Remember what ECR said while a `with` block starts the scans that are due.

        What is asked for is remembered before the block begins, the rest by the end of it. What ECR did not start is
        remembered as before, so that it is neither skipped for a day nor taken for this run's when someone else starts
        it later.

        Args:
            scans: as ECR named them, by digest.
            looked_up: the digests of those that ECR was asked about.
            due: the digests of those that are asked for next.
            tally: knows at the end of the block which scans were started.
        """
        # ECR names no scan of an image whose type it refused, also if there is no time to ask for it again.
        asked = {digest: scans[digest] or _of_unsupported(self._remembered.get(digest)) for digest in due}
        others = {digest: scans[digest] for digest in looked_up if digest not in asked}
        in_progress = {digest: scan for digest, scan in others.items() if self._is_unknown_in_progress(digest, scan)}
        ended = {digest: scan for digest, scan in others.items() if self._saves_look_up(digest, scan)}
        self._wait(self._write(asked, asked=True))
        writes = self._write(ended, asked=False) + self._write(in_progress, asked=True, run="")
        try:
            yield
        finally:
            unsupported, not_started = dict[str, Scan | None](), dict[str, Scan | None]()
            for digest, scan in asked.items():
                outcome = tally.rejected.get(digest)
                if outcome is StartOutcome.UNSUPPORTED_TYPE:
                    unsupported[digest] = UNSUPPORTED_TYPE
                elif digest not in tally.started and outcome is not StartOutcome.SCANNED_WITHIN_24_HOURS:
                    not_started[digest] = scan
            writes += self._write(unsupported, asked=True, run="") + self._write(not_started, asked=False)
            self._wait(writes)

    def sums(
        self,
        images: Collection[Candidate],
        scans: Mapping[str, Scan | None],
        started: Container[str],
        *,
        quota_reached: bool = False,
        decisions: Iterable[Decision] = (),
    ) -> ChunkSums:
        """Return the sums over images of the chunk.

        Args:
            images: of the chunk.
            scans: by digest; what is missing is as it is remembered.
            started: the digests of images whose scan was started now.
            quota_reached: whether the daily quota is why what is due was not started.
            decisions: of the images.
        """
        oldest = min(self._dates(images, scans, started), default=None)
        waiting_since = min(filter(None, self._waits(images, scans, started)), default=0)
        coverage = self._coverage(images, scans, started, quota_reached=quota_reached)
        return ChunkSums(oldest, waiting_since, coverage, decisions)

    def _dates(
        self, images: Iterable[Candidate], scans: Mapping[str, Scan | None], started: Container[str]
    ) -> Iterator[int]:
        """Yield when images were last scanned, in Unix seconds; 0 if that is not known.

        An image that enhanced scanning monitors is as if it were scanned now. One that cannot be scanned, and has no
        date, is left out: it would put its repository first in every run.
        """
        for image in images:
            scan = self._last_scan(image.digest, scans)
            if self._is_scanned_now(image, scan, started):
                yield to_seconds(self._now)
            elif scan is None or scan.completed_at or not _cannot_be_scanned(scan):
                yield to_seconds(scan.completed_at) if scan else 0

    def _waits(
        self, images: Iterable[Candidate], scans: Mapping[str, Scan | None], started: Container[str]
    ) -> Iterator[int]:
        """Yield since when images have waited for a scan, in Unix seconds: since the last one, or else since the push.

        0 stands for an image without any date, and for one that waits for none: an archived or an unsupported one.
        """
        for image in images:
            remembered, scan = self._remembered.get(image.digest), self._last_scan(image.digest, scans)
            if self._is_scanned_now(image, scan, started):
                yield to_seconds(self._now)
            elif scan:
                waits = not scan.archived and (scan.completed_at or not scan.unsupported)
                dated = self._dated(image.digest, scan) if waits else None
                yield to_seconds(dated.completed_at) if dated else 0
            elif image.digest in scans:
                yield image.pushed_at
            elif remembered:
                # Memory knows of no scan. One that was asked for may have ended since then.
                yield to_seconds(remembered.asked_at) or image.pushed_at

    def _is_scanned_now(self, image: Candidate, scan: Scan | None, started: Container[str]) -> bool:
        return image.digest in started or bool(self._enhanced and scan and scan.status == scan_statuses.ACTIVE)

    def _coverage(
        self,
        images: Iterable[Candidate],
        scans: Mapping[str, Scan | None],
        started: Container[str],
        *,
        quota_reached: bool,
    ) -> Coverage:
        """Return the coverage of images; a scan that was started now has no result yet."""
        coverage, cutoff = Coverage(), self._settings.max_age.before(self._now)
        for image in images:
            remembered = self._remembered.get(image.digest)
            if image.digest in scans or remembered:
                scan = self._last_scan(image.digest, scans)
                reason = coverage_reason(scan, remembered, cutoff, enhanced=self._enhanced)
                waits = quota_reached and reason is not CoverageReason.IN_TIME and image.digest not in started
                if waits and self._is_due(image.digest, self._dated(image.digest, scan), self._now):
                    reason = CoverageReason.QUOTA
            else:
                reason = CoverageReason.UNKNOWN
            coverage = coverage.add(reason, image.name)
        return coverage

    def finish(self, tally: Tally, images: int, asked: int, *, unscheduled: bool = False) -> None:
        """Remember the repository after the run.

        Args:
            tally: of all images.
            images: how many images are to be scanned.
            asked: how many scans the run asked for in this repository.
            unscheduled: whether the runs of the schedule leave the repository out.
        """
        if not self.available:
            return
        coverage, summary = tally.coverage, tally.summary
        oldest_scan = self._now if tally.oldest is None else to_time(tally.oldest)
        waiting_since = to_time(tally.waiting_since)
        try:
            state = RepositoryState(
                self._repository, oldest_scan, images, asked, self._run, None, waiting_since, unscheduled
            )
            item = None
            if summary:
                summary.coverage = {IMAGES: coverage.images} | {
                    str(reason): number for reason, number in coverage.counts.items()
                }
                summary.examples = {str(reason): names for reason, names in coverage.names.items()}
                item = summary_item(summary, self._now)
            self._memory.remember_state(state, self._now, item)
        except AwsError as error:
            self._give_up(error)

    def _write(self, scans: Mapping[str, Scan | None], *, asked: bool, run: str | None = None) -> list[Future[None]]:
        """Begin to remember scans, and, if `asked`, that they are asked for now, by `run` (this run by default)."""
        if not self.available:
            return []
        run = self._run if run is None else run
        parts = map(dict, chunked(list(scans.items()), _IMAGES_PER_WRITE))
        return [
            self._pool.submit(
                self._memory.remember, self._repository, part, part if asked else (), run, self._now, self._remembered
            )
            for part in parts
        ]

    def _wait(self, writes: Iterable[Future[None]]) -> None:
        """Wait for writes to end; give memory up if one of them failed."""
        errors = [error for write in writes if (error := write.exception())]
        for error in errors:
            if not isinstance(error, AwsError):
                raise error
            if self.available:
                self._give_up(error)

    def _last_scan(self, digest: str, scans: Mapping[str, Scan | None]) -> Scan | None:
        """Return the last scan of an image as ECR named it, or as it is remembered where ECR was not asked."""
        remembered = self._remembered.get(digest)
        if digest in scans:
            return scans[digest] or _of_unsupported(remembered)
        return remembered.scan or remembered.named if remembered else None

    def _saves_look_up(self, digest: str, scan: Scan | None) -> bool:
        """Return whether a scan is worth remembering: memory is wrong, or the next run would save the look-up."""
        if scan is None or scan.completed_at is None:
            return False
        remembered = self._remembered.get(digest)
        known = remembered.scan if remembered else None
        if known:
            return to_seconds(known.completed_at) != to_seconds(scan.completed_at)
        return not self._is_due(digest, scan, self._now + self._settings.run_interval)

    def _is_unknown_in_progress(self, digest: str, scan: Scan | None) -> bool:
        """Return whether a scan is in progress that nobody knows the beginning of, so that it is remembered now."""
        remembered = self._remembered.get(digest)
        undated = scan is not None and scan.in_progress and scan.completed_at is None
        return undated and not self._enhanced and not (remembered and _unanswered(remembered))

    def _dated(self, digest: str, scan: Scan | None) -> Scan | None:
        remembered = self._remembered.get(digest)
        scan = scan or _of_unsupported(remembered)
        if scan is None or scan.completed_at or remembered is None:
            return scan
        if remembered.scan and remembered.scan.status == scan.status:
            return scan._replace(completed_at=remembered.scan.completed_at)
        return scan._replace(completed_at=_unanswered(remembered) if scan.in_progress else remembered.asked_at)

    def _is_due(self, digest: str, scan: Scan | None, now: datetime) -> bool:
        return decide(digest, scan, self._settings.max_age, self._settings.run_interval, now).due

    def _is_spot_check(self, digest: str) -> bool:
        return crc32(f"{digest}{self._today}".encode()) % _SPOT_CHECK == 0

    def _give_up(self, error: AwsError) -> None:
        self.available = False
        extra = {"repository": self._repository, "reason": str(error)}
        logger.warning("memory is not available; this invocation goes on without it", extra=extra)


def _unanswered(remembered: RememberedScan) -> datetime | None:
    """Return when the scan was asked for that did not end yet; None if it did, so that one in progress is another."""
    ended_at = remembered.scan.completed_at if remembered.scan else None
    answered = ended_at and remembered.asked_at and ended_at >= remembered.asked_at
    return None if answered else remembered.asked_at


def _of_unsupported(remembered: RememberedScan | None) -> Scan | None:
    """Return the remembered scan of an image that ECR cannot scan; None for any other."""
    return remembered.named if remembered and remembered.named and remembered.named.unsupported else None


def _cannot_be_scanned(scan: Scan) -> bool:
    return scan.archived or scan.unsupported
