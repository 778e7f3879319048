"""Decides from memory which images ECR has to be asked about, so that the calls follow what is due."""

import logging
from collections.abc import Collection, Container, Iterable, Iterator, Mapping
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from zlib import crc32

from ecr_scan_reporter.errors import AwsError
from ecr_scan_reporter.memory.items import number, to_seconds, to_time
from ecr_scan_reporter.memory.scans import RememberedScan, RepositoryState, ScanMemory
from ecr_scan_reporter.memory.summaries import IMAGES, RepositorySummary, summary_item
from ecr_scan_reporter.models import Scan
from ecr_scan_reporter.scanning.coverage import Coverage, Reason, coverage_reason
from ecr_scan_reporter.scanning.due import decide
from ecr_scan_reporter.scanning.selection import Candidate, Candidates, Chunk
from ecr_scan_reporter.scanning.tally import Tally
from ecr_scan_reporter.settings import ImagesScannerSettings
from ecr_scan_reporter.shared.concurrency import chunked

logger = logging.getLogger(__name__)

# One in so many images is looked up in spite of memory each day, in case that memory is wrong; at most so many of a
# repository in one invocation. What memory says also ends by itself when the scan is older than promised.
_SPOT_CHECK, _MAX_SPOT_CHECKS = 100, 25
# DynamoDB takes this many in one call.
_IMAGES_PER_WRITE = 25


class ScanPlan:
    """What is known of the scans of a repository's images, one chunk of images at a time.

    Without the memory table, every image is looked up in ECR.

    Args:
        repository: its name.
        run: the id of the run.
        memory: of scans.
        pool: for writes.
        settings: of the images scanner.
        now: aware.
        enhanced: whether the registry uses enhanced scanning.

    Attributes:
        findings: what is remembered of the findings of the chunk's images, and of all others in its range; None if
            memory is not available.
        overdue: the digests of the chunk's images with a finding whose deadline has passed, and that was not reported
            as overdue yet.
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
        self._available = True
        self._remembered: dict[str, RememberedScan] = {}
        self.findings: RepositorySummary | None = None
        self.overdue: list[str] = []
        self._spot_checks = 0

    def read(self, chunk: Chunk, candidates: Candidates) -> None:
        """Read what is remembered of the next images, and forget the ones before.

        Only sums are kept of their findings.

        Args:
            chunk: the next images.
            candidates: all images of the repository.
        """
        self._remembered, self.findings, self.overdue = {}, None, []
        if not self._available:
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
                    findings.add_image(reported, candidates.name(digest))
        except AwsError as error:
            self._give_up(error)
        else:
            self._remembered, self.findings = scans, findings

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
        """Give scans without a date the one that is remembered: ECR gives most failed scans none."""
        return {digest: self._dated(digest, scan) for digest, scan in scans.items()}

    @contextmanager
    def remembering(
        self, scans: Mapping[str, Scan | None], looked_up: Collection[str], due: Collection[str]
    ) -> Iterator[None]:
        """Remember what ECR said while a `with` block starts the scans that are due.

        What is asked for is remembered before the block begins, the rest by the end of it.

        Args:
            scans: as ECR named them, by digest.
            looked_up: the digests of those that ECR was asked about.
            due: the digests of those that are asked for next.
        """
        asked = {digest: scans[digest] for digest in due}
        others = {
            digest: scans[digest]
            for digest in looked_up
            if digest not in asked and self._saves_look_up(digest, scans[digest])
        }
        self._wait(self._write(asked, asked))
        writes = self._write(others, ())
        try:
            yield
        finally:
            self._wait(writes)

    def dates(
        self, images: Iterable[Candidate], scans: Mapping[str, Scan | None], started: Container[str]
    ) -> Iterator[int]:
        """Yield when images of the chunk were last scanned, in Unix seconds; 0 if that is not known.

        An image that enhanced scanning monitors is as if it were scanned now.

        Args:
            images: of the chunk.
            scans: by digest; what is missing is as it is remembered.
            started: the digests of images whose scan was started now.
        """
        for image in images:
            scan = self._last_scan(image.digest, scans)
            if image.digest in started or (self._enhanced and scan and scan.status == "ACTIVE"):
                yield to_seconds(self._now)
            else:
                yield to_seconds(scan.completed_at) if scan else 0

    def unscanned_since(
        self, images: Iterable[Candidate], scans: Mapping[str, Scan | None], started: Container[str]
    ) -> int:
        """Return when the first image of the chunk was pushed that was never scanned, in Unix seconds; 0 for none.

        Args:
            images: of the chunk.
            scans: by digest; what is missing is as it is remembered.
            started: the digests of images whose scan was started now.
        """
        return min(
            (
                image.pushed_at
                for image in images
                if image.pushed_at
                and image.digest not in started
                and (image.digest in scans or image.digest in self._remembered)
                and self._last_scan(image.digest, scans) is None
            ),
            default=0,
        )

    def coverage(
        self,
        images: Iterable[Candidate],
        scans: Mapping[str, Scan | None],
        started: Container[str],
        *,
        quota_reached: bool,
    ) -> Coverage:
        """Return the coverage of images of the chunk; a scan that was started now has no result yet.

        Args:
            images: of the chunk.
            scans: by digest; what is missing is as it is remembered.
            started: the digests of images whose scan was started now.
            quota_reached: whether the daily quota is why what is due was not started.
        """
        coverage, cutoff = Coverage(), self._settings.max_age.before(self._now)
        for image in images:
            remembered = self._remembered.get(image.digest)
            if image.digest in scans or remembered:
                scan = self._last_scan(image.digest, scans)
                reason = coverage_reason(scan, remembered, cutoff, enhanced=self._enhanced)
                waits = quota_reached and reason is not Reason.IN_TIME and image.digest not in started
                if waits and self._is_due(image.digest, self._dated(image.digest, scan), self._now):
                    reason = Reason.QUOTA
            else:
                reason = Reason.UNKNOWN
            coverage = coverage.add(reason, image.name)
        return coverage

    def finish(self, tally: Tally, images: int, asked: int) -> None:
        """Remember the repository after the run.

        Args:
            tally: of all images.
            images: how many images are to be scanned.
            asked: how many scans the run asked for in this repository.
        """
        if not self._available:
            return
        coverage, summary = tally.coverage, tally.summary
        oldest_scan = self._now if tally.oldest is None else to_time(tally.oldest)
        unscanned_since = to_time(tally.unscanned_since)
        try:
            state = RepositoryState(
                self._repository, oldest_scan, images, asked, self._run, unscanned_since=unscanned_since
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

    def _write(self, scans: Mapping[str, Scan | None], asked: Collection[str]) -> list[Future[None]]:
        """Begin to remember scans."""
        if not self._available:
            return []
        return [
            self._pool.submit(self._memory.remember, self._repository, dict(part), asked, self._run, self._now)
            for part in chunked(list(scans.items()), _IMAGES_PER_WRITE)
        ]

    def _wait(self, writes: Iterable[Future[None]]) -> None:
        """Wait for the end of writes; memory is given up if one of them failed."""
        errors = [error for write in writes if (error := write.exception())]
        for error in errors:
            if not isinstance(error, AwsError):
                raise error
            if self._available:
                self._give_up(error)

    def _last_scan(self, digest: str, scans: Mapping[str, Scan | None]) -> Scan | None:
        """Return the last scan of an image as ECR named it, or as it is remembered where ECR was not asked."""
        if digest in scans:
            return scans[digest]
        remembered = self._remembered.get(digest)
        return remembered.scan or remembered.named if remembered else None

    def _saves_look_up(self, digest: str, scan: Scan | None) -> bool:
        """Return whether a scan is worth remembering: memory is wrong, or the next run need not look the scan up."""
        if scan is None or scan.completed_at is None:
            return False
        remembered = self._remembered.get(digest)
        known = remembered.scan if remembered else None
        if known:
            return to_seconds(known.completed_at) != to_seconds(scan.completed_at)
        return not self._is_due(digest, scan, self._now + self._settings.run_interval)

    def _dated(self, digest: str, scan: Scan | None) -> Scan | None:
        remembered = self._remembered.get(digest)
        if scan is None or scan.completed_at or remembered is None:
            return scan
        if remembered.scan and remembered.scan.status == scan.status:
            return replace(scan, completed_at=remembered.scan.completed_at)
        return replace(scan, completed_at=remembered.asked_at)

    def _is_due(self, digest: str, scan: Scan | None, now: datetime) -> bool:
        return decide(digest, scan, self._settings.max_age, self._settings.run_interval, now).due

    def _is_spot_check(self, digest: str) -> bool:
        return crc32(f"{digest}{self._today}".encode()) % _SPOT_CHECK == 0

    def _give_up(self, error: AwsError) -> None:
        self._available = False
        extra = {"repository": self._repository, "reason": str(error)}
        logger.warning("memory is not available; ECR is asked about every image", extra=extra)
