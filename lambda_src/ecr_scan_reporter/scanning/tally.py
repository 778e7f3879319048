"""Counts what happened to the images of one repository."""

import logging
import threading
from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from itertools import chain

from ecr_scan_reporter.memory.summaries import RepositorySummary
from ecr_scan_reporter.models import StartOutcome
from ecr_scan_reporter.scanning.coverage import Coverage
from ecr_scan_reporter.scanning.decisions import Decision
from ecr_scan_reporter.scanning.messages import RepositoryMessage
from ecr_scan_reporter.scanning.selection import Chunk
from ecr_scan_reporter.shared.metrics import embed

logger = logging.getLogger(__name__)

# How many digests the summary names per reason; all failures have a log line of their own.
_NAMED_DIGESTS = 5


class Tally:
    """Outcomes and failures of one invocation, counted by many threads, and the sum of what was processed so far.

    Args:
        message: which images the invocations before have processed, and what they summed up.
        now: aware.

    Attributes:
        repository: its name.
        resume_after: the digest of the last image that was processed.
        oldest: of the images processed so far, as in the message.
        coverage: of the images processed so far; in the end, of all images.
        summary: what memory knows of the findings of the images processed so far; None if it was not available.
        complete: whether all images were processed.
        unscanned_since: of the images processed so far, as in the message.
        started: the digests of images whose scan was started.
        throttled: how many calls ECR rejected because of their rate.
    """

    def __init__(self, message: RepositoryMessage, now: datetime) -> None:
        self.repository = message.repository
        self.resume_after = self._started_after = message.after
        self.oldest, self.coverage = message.oldest, message.coverage
        self.unscanned_since = message.unscanned_since
        self.summary = message.summary or (None if message.after else RepositorySummary(self.repository, now))
        if self.summary:
            self.summary.updated_at = now
        self.complete = False
        self._outcomes: Counter[str] = Counter()
        self._failures: dict[str, list[str]] = {}
        self.started: set[str] = set()
        self.throttled = 0
        self._lock = threading.Lock()

    def count(self, outcome: str, number: int = 1) -> None:
        """Count an outcome of one or more images."""
        with self._lock:
            self._outcomes[outcome] += number

    def fail(self, digest: str, reason: str, message: str) -> None:
        """Record that one image could not be processed; the others go on."""
        with self._lock:
            self._failures.setdefault(reason, []).append(digest)
        extra = {"repository": self.repository, "digest": digest, "reason": reason, "detail": message}
        logger.warning("image failed", extra=extra)

    def advance(
        self,
        chunk: Chunk,
        dates: Iterable[int],
        unscanned_since: int,
        coverage: Coverage,
        findings: RepositorySummary | None,
    ) -> None:
        """Add images that were processed for good.

        Args:
            chunk: of these images.
            dates: of their last scans, in Unix seconds; 0 if an image was never scanned.
            unscanned_since: when the first of them was pushed that was never scanned, in Unix seconds; 0 for none.
            coverage: of these images.
            findings: what memory knows of them; None if it was not available.
        """
        if chunk.images:
            self.resume_after = chunk.images[-1].digest
        self.complete = not chunk.until
        self.unscanned_since = min(filter(None, (self.unscanned_since, unscanned_since)), default=0)
        if self.summary and findings:
            self.summary.merge(findings)
        else:
            self.summary = None
        self.oldest = min(dates if self.oldest is None else chain(dates, [self.oldest]), default=None)
        self.coverage = self.coverage.merge(coverage)

    def throttle(self) -> None:
        """Count a call that ECR rejected because of its rate."""
        with self._lock:
            self.throttled += 1

    @property
    def progressed(self) -> bool:
        """Whether this invocation started a scan or processed an image for good."""
        return bool(self._outcomes[StartOutcome.STARTED]) or self.resume_after != self._started_after

    def log(self, interrupted: str | None, instance: str) -> None:
        """Log the summary line with its metrics; `interrupted` says why the repository is not done."""
        failures = {
            reason: {"count": len(digests), "digests": sorted(digests)[:_NAMED_DIGESTS]}
            for reason, digests in self._failures.items()
        }
        extra = {
            "repository": self.repository,
            "outcomes": dict(self._outcomes),
            "failures": failures,
            "coverage": self.coverage.to_json(),
        }
        if interrupted:
            extra |= {"resume_after": self.resume_after, "interrupted": interrupted}
        metrics = {
            # Each image has one decision, whatever came of it.
            "ImagesSeen": sum(number for outcome, number in self._outcomes.items() if outcome in set(Decision)),
            "ScansStarted": self._outcomes[StartOutcome.STARTED],
            "ImagesFailed": sum(map(len, self._failures.values())),
            "Throttled": self.throttled,
            "QuotaReached": self._outcomes["quota_exceeded"],
        }
        extra |= embed(metrics, instance)
        logger.log(logging.WARNING if failures else logging.INFO, "repository processed", extra=extra)
