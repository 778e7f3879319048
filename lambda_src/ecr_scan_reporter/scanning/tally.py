"""Counts what happened to the images of one repository."""

import logging
import threading
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from itertools import chain
from typing import NamedTuple

from ecr_scan_reporter.aws.metrics import embed
from ecr_scan_reporter.memory.coverage import Coverage
from ecr_scan_reporter.memory.summaries import RepositorySummary
from ecr_scan_reporter.messages.repository import RepositoryMessage
from ecr_scan_reporter.models.scans import StartOutcome
from ecr_scan_reporter.scanning.decisions import Decision
from ecr_scan_reporter.scanning.selection import Chunk

logger = logging.getLogger(__name__)

# How many digests the summary names per reason; all failures have a log line of their own.
_NAMED_DIGESTS = 5
# The metrics of the images that were skipped, by decision or by the outcome of the request to start the scan.
_SKIPPED: Mapping[str, str] = {
    Decision.SCANNED_RECENTLY: "SkippedScannedRecently",
    StartOutcome.SCANNED_WITHIN_24_HOURS: "SkippedScannedRecently",
    Decision.NOT_SELECTED: "SkippedNotSelected",
    Decision.UNSUPPORTED: "SkippedUnsupported",
    StartOutcome.UNSUPPORTED_TYPE: "SkippedUnsupported",
    Decision.ARCHIVED: "SkippedArchived",
    StartOutcome.ARCHIVED: "SkippedArchived",
}
_SKIPPED_OTHER = "SkippedOther"


class ChunkSums(NamedTuple):
    """Sums over images of a chunk. Times are Unix seconds.

    Args:
        oldest: when the image was scanned whose last scan is oldest; 0 if an image has no date, None if there is none.
        waiting_since: when the image was last scanned, or pushed if it was never scanned, that has waited longest for
            a scan; images without any date are left out. 0 if no image has one.
        coverage: of the images.
        decisions: of the images; none for an image whose last scan could not be looked up.
    """

    oldest: int | None
    waiting_since: int
    coverage: Coverage
    decisions: Iterable[Decision] = ()


class Tally:
    """Outcomes and failures of one invocation, counted by many threads, and the sums over the images processed so far.

    Args:
        message: names the images that the invocations before have processed, and has their sums.
        now: aware.

    Attributes:
        repository: its name.
        resume_after: the digest of the last image that was processed.
        oldest: of the images processed so far, as in the message.
        waiting_since: of the images processed so far, as in the message.
        coverage: of the images processed so far; in the end, of all images.
        summary: what memory knows of the findings of the images processed so far; None if it was not available.
        complete: whether all images were processed.
        started: the digests of images whose scan was started.
        rejected: by digest, why ECR did not start the scans of other images.
        throttled: how many calls ECR rejected because of their rate.
        memory_available: whether every call to the memory table succeeded.
    """

    def __init__(self, message: RepositoryMessage, now: datetime) -> None:
        self.repository = message.repository
        self.resume_after = self._started_after = message.after
        self.oldest, self.coverage = message.oldest, message.coverage
        self.waiting_since = message.waiting_since
        self.summary = message.summary or (None if message.after else RepositorySummary(self.repository, now))
        if self.summary:
            self.summary.updated_at = now
        self.complete = False
        self._decisions: Counter[Decision] = Counter()
        self._skipped: Counter[Decision] = Counter()
        self._outcomes: Counter[str] = Counter()
        self._failures: dict[str, list[str]] = {}
        self.started: set[str] = set()
        self.rejected: dict[str, StartOutcome] = {}
        self._rejections: Counter[StartOutcome] = Counter()
        self.throttled = 0
        self.memory_available = True
        self._lock = threading.Lock()

    def count(self, outcome: str) -> None:
        """Count an outcome of one image, or of the whole repository."""
        with self._lock:
            self._outcomes[outcome] += 1

    def count_start(self, digest: str, outcome: StartOutcome) -> None:
        """Count the outcome of a request to start a scan."""
        with self._lock:
            self._outcomes[outcome] += 1
            if outcome is StartOutcome.STARTED:
                self.started.add(digest)
            else:
                self.rejected[digest] = outcome

    def is_gone(self, digest: str) -> bool:
        """Return whether the image was deleted before its scan could be started."""
        return self.rejected.get(digest) is StartOutcome.IMAGE_NOT_FOUND

    def skip(self, images: Mapping[Decision, int]) -> None:
        """Count images that the listing skipped, as soon as the first chunk is processed for good."""
        self._skipped.update(images)

    def fail(self, digest: str, reason: str, message: str) -> None:
        """Record that one image could not be processed; the others go on."""
        with self._lock:
            self._failures.setdefault(reason, []).append(digest)
        extra = {"repository": self.repository, "digest": digest, "reason": reason, "detail": message}
        logger.warning("image failed", extra=extra)

    def advance(self, chunk: Chunk, sums: ChunkSums, findings: RepositorySummary | None) -> None:
        """Add images that were processed for good.

        Only now do their decisions and rejections count: others are decided on, and asked for, again.

        Args:
            chunk: of these images.
            sums: over these images.
            findings: what memory knows of them; None if it was not available.
        """
        if chunk.images:
            self.resume_after = chunk.images[-1].digest
        self.complete = not chunk.until
        self._decisions.update(sums.decisions)
        self._decisions.update(self._skipped)
        self._rejections.update(self.rejected[image.digest] for image in chunk.images if image.digest in self.rejected)
        self._skipped.clear()
        self.waiting_since = min(filter(None, (self.waiting_since, sums.waiting_since)), default=0)
        if self.summary and findings:
            self.summary.merge(findings)
        else:
            self.summary = None
        self.oldest = min((date for date in (self.oldest, sums.oldest) if date is not None), default=None)
        self.coverage = self.coverage.merge(sums.coverage)

    def memory_failed(self) -> None:
        """Record that a call to the memory table failed."""
        self.memory_available = False

    def throttle(self) -> None:
        """Count a call that ECR rejected because of its rate."""
        with self._lock:
            self.throttled += 1

    @property
    def progressed(self) -> bool:
        """Whether this invocation started a scan or processed an image for good."""
        return bool(self.started) or self.resume_after != self._started_after

    def log(self, interrupted: str | None, instance: str) -> None:
        """Log the summary line with its metrics; `interrupted` says why the repository is not done."""
        failures = {
            reason: {"count": len(digests), "digests": sorted(digests)[:_NAMED_DIGESTS]}
            for reason, digests in self._failures.items()
        }
        extra = {
            "repository": self.repository,
            "outcomes": dict(Counter[str](self._decisions) + self._outcomes),
            "failures": failures,
            "coverage": self.coverage.to_json(),
        }
        if interrupted:
            extra |= {"resume_after": self.resume_after, "interrupted": interrupted}
        extra |= embed(self._metrics(), instance)
        logger.log(logging.WARNING if failures else logging.INFO, "repository processed", extra=extra)

    def _metrics(self) -> dict[str, float]:
        skipped: Counter[str] = Counter()
        for outcome, number in chain(self._decisions.items(), self._rejections.items()):
            if not (isinstance(outcome, Decision) and outcome.due):
                skipped[_SKIPPED.get(outcome, _SKIPPED_OTHER)] += number
        return {
            # Each image has exactly one decision.
            "ImagesSeen": self._decisions.total(),
            "ScansStarted": self._outcomes[StartOutcome.STARTED],
            **{name: skipped[name] for name in dict.fromkeys((*_SKIPPED.values(), _SKIPPED_OTHER))},
            "ImagesFailed": sum(map(len, self._failures.values())),
            "Throttled": self.throttled,
            "QuotaReached": self._outcomes["quota_exceeded"],
            "MemoryUnavailable": int(not self.memory_available),
        }
