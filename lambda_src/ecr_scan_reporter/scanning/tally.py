"""Counts what happened to the images of one repository."""

import logging
import threading
from collections import Counter

from ecr_scan_reporter.models import StartOutcome

logger = logging.getLogger(__name__)

# How many digests the summary names per reason; all failures have a log line of their own.
_NAMED_DIGESTS = 5


class Tally:
    """Outcomes and failures of one invocation, counted by many threads.

    Args:
        repository: its name.
        resume_after: the digest after which this invocation started; moves on with its progress.

    Attributes:
        started: the digests of images whose scan was started.
    """

    def __init__(self, repository: str, resume_after: str) -> None:
        self.repository = repository
        self.resume_after = self._started_after = resume_after
        self._outcomes: Counter[str] = Counter()
        self._failures: dict[str, list[str]] = {}
        self.started: set[str] = set()
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

    @property
    def progressed(self) -> bool:
        """Whether this invocation started a scan or processed an image for good."""
        return bool(self._outcomes[StartOutcome.STARTED]) or self.resume_after != self._started_after

    def log(self, interrupted: str | None) -> None:
        """Log the summary line; `interrupted` says why the repository is not done."""
        failures = {
            reason: {"count": len(digests), "digests": sorted(digests)[:_NAMED_DIGESTS]}
            for reason, digests in self._failures.items()
        }
        extra = {"repository": self.repository, "outcomes": dict(self._outcomes), "failures": failures}
        if interrupted:
            extra |= {"resume_after": self.resume_after, "interrupted": interrupted}
        logger.log(logging.WARNING if failures else logging.INFO, "repository processed", extra=extra)
