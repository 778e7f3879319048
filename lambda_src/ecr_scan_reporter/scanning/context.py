"""What the scan of one repository works with, and the tally of what happened to its images."""

import logging
import threading
from collections import Counter
from collections.abc import Iterable, Mapping
from concurrent.futures import Executor
from datetime import datetime
from itertools import chain
from typing import Any, NamedTuple

from ecr_scan_reporter.aws.deadline import Deadline
from ecr_scan_reporter.aws.dynamodb import Table
from ecr_scan_reporter.aws.ecr import EcrRegistry
from ecr_scan_reporter.aws.metrics import embed
from ecr_scan_reporter.aws.sqs import SqsQueue
from ecr_scan_reporter.errors import RegistryError
from ecr_scan_reporter.messages.repository import RepositoryMessage
from ecr_scan_reporter.models.images import RegistryId
from ecr_scan_reporter.models.scans import StartOutcome
from ecr_scan_reporter.scanning.images import Decision, ScanRules
from ecr_scan_reporter.settings import ImagesScannerSettings

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


class QuotaDetector:
    """Distinguishes an account's daily quota of scans from a limit that concerns one image.

    ECR returns LimitExceededException for both, and AWS documents only the message of the limit per image. The quota
    is assumed once this many images of a registry in a row were rejected, in whichever repositories. The detector is
    shared by all messages of an execution environment, because a repository may have only one due image.
    """

    _REJECTIONS = 3

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._in_a_row: Counter[RegistryId] = Counter()

    def accepted(self, registry: RegistryId) -> None:
        """Record a scan that was started."""
        with self._lock:
            self._in_a_row[registry] = 0

    def rejected(self, registry: RegistryId) -> bool:
        """Record a rejected scan; return whether the quota is the reason."""
        with self._lock:
            self._in_a_row[registry] += 1
            return self._in_a_row[registry] >= self._REJECTIONS


class Tally:
    """Outcomes and failures of one invocation, counted by many threads.

    Attributes:
        repository: its name.
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
                skipped[_SKIPPED.get(outcome, _SKIPPED_OTHER)] += number
        return {
            # Each image has exactly one decision.
            "ImagesSeen": self._decisions.total(),
            "ScansStarted": self.started,
            **{name: skipped[name] for name in dict.fromkeys((*_SKIPPED.values(), _SKIPPED_OTHER))},
            "ImagesFailed": sum(map(len, self._failures.values())),
            "Throttled": self.throttled,
            "QuotaReached": self._outcomes["quota_exceeded"],
            "MemoryUnavailable": int(not self.memory_available),
        }


class ScanDependencies(NamedTuple):
    """What the images scanner works with, for the life of its execution environment.

    Args:
        settings: of the images scanner.
        ecr: the registry.
        images_queue: takes continuations.
        reports_queue: takes images whose events were lost, and those that have their deadlines back.
        table: the memory table.
        pool: threads for calls to ECR.
        writers: threads for writes to the memory table.
        quota: recognizes the daily quotas of scans.
    """

    settings: ImagesScannerSettings
    ecr: EcrRegistry
    images_queue: SqsQueue
    reports_queue: SqsQueue
    table: Table
    pool: Executor
    writers: Executor
    quota: QuotaDetector


class ScanContext(NamedTuple):
    """One repository in one invocation.

    Args:
        message: names the repository.
        deps: the settings and clients.
        deadline: of the invocation.
        now: aware.
        tally: of the images.
    """

    message: RepositoryMessage
    deps: ScanDependencies
    deadline: Deadline
    now: datetime
    tally: Tally

    @property
    def registry(self) -> RegistryId:
        """The registry of the repository."""
        return self.message.registry

    @property
    def repository(self) -> str:
        """The name of the repository."""
        return self.message.repository

    @property
    def rules(self) -> ScanRules:
        """When an image of this registry is due."""
        settings = self.deps.settings
        return ScanRules(settings.max_age, settings.run_interval, self.now, self.message.enhanced)
