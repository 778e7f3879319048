"""Counts the outcomes for the images of a repository, for its log line and its metrics."""

import logging
import threading
from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import chain
from typing import Any

from ecr_scan_reporter.aws.metrics import embed
from ecr_scan_reporter.errors import RegistryError
from ecr_scan_reporter.models.scans import StartOutcome
from ecr_scan_reporter.scanning.decisions import Decision
from ecr_scan_reporter.settings import ImagesScannerSettings

logger = logging.getLogger(__name__)

# How many digests the summary names per reason; all failures have a log line of their own.
_NAMED_DIGESTS = 5
# The metrics of the images that were skipped, by decision or by the outcome of the request to start the scan.
_METRIC_OF_SKIPPED: Mapping[str, str] = {
    Decision.SCANNED_RECENTLY: "SkippedScannedRecently",
    StartOutcome.SCANNED_WITHIN_24_HOURS: "SkippedScannedRecently",
    Decision.NOT_SELECTED: "SkippedNotSelected",
    Decision.UNSUPPORTED: "SkippedUnsupported",
    StartOutcome.UNSUPPORTED_TYPE: "SkippedUnsupported",
    Decision.ARCHIVED: "SkippedArchived",
    StartOutcome.ARCHIVED: "SkippedArchived",
}
_SKIPPED_OTHER = "SkippedOther"


class Tally:
    """Outcomes and failures of one invocation, counted by many threads.

    Attributes:
        answers: ECR's answers to requests to start scans, by digest.
        throttled: how many calls ECR rejected because of their rate.
        memory_available: whether every call to the memory table succeeded.
    """

    def __init__(self, repository: str) -> None:
        self.repository = repository
        self.answers: dict[str, StartOutcome] = {}
        self.throttled = 0
        self.memory_available = True
        self._decisions: Counter[Decision] = Counter()
        self._rejections: Counter[StartOutcome] = Counter()
        self._outcomes: Counter[str] = Counter()
        self._failures: dict[str, list[str]] = {}
        self._lock = threading.Lock()

    @property
    def started(self) -> int:
        """How many scans were started."""
        return self._outcomes[StartOutcome.STARTED]

    def count(self, outcome: str) -> None:
        """Count an outcome of one image, or of the whole repository."""
        with self._lock:
            self._outcomes[outcome] += 1

    def count_start(self, digest: str, outcome: StartOutcome) -> None:
        """Count the outcome of a request to start a scan."""
        self.answers[digest] = outcome
        self.count(outcome)

    def fail(self, digest: str, error: RegistryError) -> None:
        """Record that one image could not be processed; the others go on."""
        with self._lock:
            self._failures.setdefault(error.code, []).append(digest)
        extra = {"repository": self.repository, "digest": digest, "reason": error.code, "detail": str(error)}
        logger.warning("image failed", extra=extra)

    def count_decisions(self, decisions: Mapping[Decision, int], digests: Iterable[str] = ()) -> None:
        """Count the decisions for images, and the rejections among `digests`, once they are processed for good."""
        self._decisions.update(decisions)
        answers = (self.answers[digest] for digest in digests if digest in self.answers)
        self._rejections.update(answer for answer in answers if answer is not StartOutcome.STARTED)

    def memory_failed(self) -> None:
        """Record that a call to the memory table failed."""
        self.memory_available = False

    def throttle(self) -> None:
        """Count a call that ECR rejected because of its rate."""
        with self._lock:
            self.throttled += 1

    def log(self, settings: ImagesScannerSettings, values: Mapping[str, Any]) -> None:
        """Log the summary line with its metrics, and with further values."""
        failures = {
            reason: {"count": len(digests), "digests": sorted(digests)[:_NAMED_DIGESTS]}
            for reason, digests in self._failures.items()
        }
        extra = {
            "repository": self.repository,
            "outcomes": dict(Counter[str](self._decisions) + self._outcomes),
            "failures": failures,
            **values,
            **embed(self._metrics(), settings.name, detailed=settings.detailed_metrics),
        }
        logger.log(logging.WARNING if failures else logging.INFO, "repository processed", extra=extra)

    def _metrics(self) -> dict[str, float]:
        skipped: Counter[str] = Counter()
        for outcome, number in chain(self._decisions.items(), self._rejections.items()):
            if not (isinstance(outcome, Decision) and outcome.due):
                skipped[_METRIC_OF_SKIPPED.get(outcome, _SKIPPED_OTHER)] += number
        return {
            # Each image has exactly one decision.
            "ImagesSeen": self._decisions.total(),
            "ScansStarted": self.started,
            **{name: skipped[name] for name in dict.fromkeys((*_METRIC_OF_SKIPPED.values(), _SKIPPED_OTHER))},
            "ImagesFailed": sum(map(len, self._failures.values())),
            "Throttled": self.throttled,
            "QuotaReached": self._outcomes["quota_exceeded"],
            "MemoryUnavailable": int(not self.memory_available),
        }
