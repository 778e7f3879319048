"""Scans one repository: lists its images, looks up their last scans and starts the scans that are due.

Images are processed in the order of their digests, so that a continuation can say where the next invocation resumes,
whatever was pushed or deleted in between.
"""

import logging
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from itertools import takewhile

from ecr_scan_reporter.aws.dynamodb import Table
from ecr_scan_reporter.aws.ecr import EcrRegistry
from ecr_scan_reporter.aws.sqs import SqsQueue
from ecr_scan_reporter.errors import (
    DeadlineExceededError,
    ImageNotFoundError,
    ImageRejectedError,
    ManualScanningDisabledError,
    RepositoryNotFoundError,
    ScanQuotaExceededError,
    ThrottledError,
    TransientError,
)
from ecr_scan_reporter.memory.indexes import index_children
from ecr_scan_reporter.memory.overdue import OverdueMessage
from ecr_scan_reporter.memory.scans import ScanMemory
from ecr_scan_reporter.models import Scan, StartOutcome
from ecr_scan_reporter.scanning.coverage import Coverage
from ecr_scan_reporter.scanning.decisions import Decision
from ecr_scan_reporter.scanning.due import KNOWN_STATUSES, decide, scan_priority
from ecr_scan_reporter.scanning.messages import RepositoryMessage
from ecr_scan_reporter.scanning.plan import ScanPlan
from ecr_scan_reporter.scanning.rate_limiter import AdaptiveRateLimiter
from ecr_scan_reporter.scanning.selection import Candidate, Candidates, ImageSelector
from ecr_scan_reporter.scanning.tally import Tally
from ecr_scan_reporter.settings import ImagesScannerSettings
from ecr_scan_reporter.shared.concurrency import concurrent_map
from ecr_scan_reporter.shared.deadline import Deadline

logger = logging.getLogger(__name__)

# Images whose last scans are looked up before the due ones among them are started, the most urgent first.
CHUNK_SIZE = 2000
# Seconds that a continuation waits, so that ECR's rate limits recover: by how many invocations in a row made no
# progress. After as many as there are numbers here, the message fails.
CONTINUATION_DELAYS = (30, 120, 480)
# Calls per second to begin with; the limiters find the rates that ECR allows.
FIRST_LOOK_UP_RATE, _FIRST_START_RATE = 800.0, 100.0
# A call that fails is repeated after all others were made. After this many rounds in which no call succeeded, the
# failures are those of the images. Before each of these rounds there is a pause; seconds, doubled each time.
_ROUNDS_WITHOUT_SUCCESS = 5
RETRY_PAUSE = 0.2
# If at most this share of the calls in a round failed, ECR is well, and the failures concern these images alone.
_FEW = 0.1


@dataclass(frozen=True, slots=True)
class Dependencies:
    """What the images scanner works with: settings, clients, and threads for calls to ECR and for writes of memory."""

    settings: ImagesScannerSettings
    ecr: EcrRegistry
    images_queue: SqsQueue
    reports_queue: SqsQueue
    table: Table
    pool: Executor
    writers: Executor


def process_message(body: str, deps: Dependencies, deadline: Deadline) -> None:
    """Scan the repository that a message names, and queue a continuation if the time was too short.

    Raises:
        MessageError: the message is invalid.
        DeadlineExceededError: this invocation and the ones before made no progress.
        AwsError: ECR or SQS rejected a call for a reason that concerns the whole repository.
    """
    continuation = scan_repository(RepositoryMessage.from_json(body), deps, deadline)
    if continuation:
        deps.images_queue.send([continuation.to_json()], delay=CONTINUATION_DELAYS[continuation.stalled])


def scan_repository(message: RepositoryMessage, deps: Dependencies, deadline: Deadline) -> RepositoryMessage | None:
    """Start the due scans of one repository.

    Returns:
        The continuation, None if the repository is done.

    Raises:
        DeadlineExceededError: this invocation and the ones before made no progress.
        AwsError: ECR rejected a call for a reason that concerns the whole repository.
    """
    now = datetime.now(UTC)
    tally = Tally(message, now)
    interrupted = None
    try:
        _scan_images(message, deps, deadline, tally, now)
    except (DeadlineExceededError, TransientError) as error:
        interrupted = str(error)
    except RepositoryNotFoundError:
        tally.count("repository_not_found")
    except ScanQuotaExceededError as error:
        tally.count("quota_exceeded")
        logger.warning("daily quota of scans exceeded", extra={"repository": message.repository, "reason": str(error)})
    except ManualScanningDisabledError as error:
        tally.count("manual_scanning_disabled")
        logger.warning("manual scanning is disabled", extra={"repository": message.repository, "reason": str(error)})
    tally.log(interrupted, deps.settings.name)
    return _continuation(message, tally, interrupted) if interrupted else None


def _continuation(message: RepositoryMessage, tally: Tally, reason: str) -> RepositoryMessage:
    stalled = 0 if tally.progressed else message.stalled + 1
    if stalled == len(CONTINUATION_DELAYS):
        raise DeadlineExceededError(f"{message.repository} made no progress in {stalled} invocations: {reason}")
    return replace(
        message,
        after=tally.resume_after,
        stalled=stalled,
        asked=message.asked + len(tally.started),
        oldest=tally.oldest,
        coverage=tally.coverage,
        summary=tally.summary if tally.resume_after else None,
        unscanned_since=tally.unscanned_since,
    )


def _scan_images(
    message: RepositoryMessage, deps: Dependencies, deadline: Deadline, tally: Tally, now: datetime
) -> None:
    memory = ScanMemory(deps.table)
    plan = ScanPlan(
        message.repository, message.run, memory, deps.writers, deps.settings, now, enhanced=message.enhanced
    )
    candidates, skipped, stopped = Candidates(), Coverage(), None
    try:
        candidates, skipped = list_candidates(message, deps, now, deadline, tally)
        _scan_candidates(candidates, message, deps, deadline, tally, plan, now)
    except (ScanQuotaExceededError, ManualScanningDisabledError, RepositoryNotFoundError) as error:
        # Nothing more can be done in this run. What memory knows of the other images completes the sum.
        stopped, quota_reached = error, isinstance(error, ScanQuotaExceededError)
        for chunk in () if tally.complete else candidates.chunks(CHUNK_SIZE, tally.resume_after):
            plan.read(chunk, candidates)
            named = {candidate.digest: candidate.last_scan for candidate in chunk.images if candidate.last_scan}
            dates = plan.dates(chunk.images, named, ())
            unscanned_since = plan.unscanned_since(chunk.images, named, ())
            coverage = plan.coverage(chunk.images, named, (), quota_reached=quota_reached)
            _queue_overdue(plan.overdue, message, deps)
            tally.advance(chunk, dates, unscanned_since, coverage, plan.findings)
    tally.coverage = tally.coverage.merge(skipped)
    plan.finish(tally, len(candidates), message.asked + len(tally.started))
    if stopped:
        raise stopped


def _scan_candidates(
    candidates: Candidates,
    message: RepositoryMessage,
    deps: Dependencies,
    deadline: Deadline,
    tally: Tally,
    plan: ScanPlan,
    now: datetime,
) -> None:
    look_up_limiter = AdaptiveRateLimiter(FIRST_LOOK_UP_RATE, deadline.clock)
    start_limiter = AdaptiveRateLimiter(_FIRST_START_RATE, deadline.clock)
    start = _scan_starter(message.repository, deps.ecr, tally)
    for chunk in candidates.chunks(CHUNK_SIZE, message.after):
        images = chunk.images
        plan.read(chunk, candidates)
        known = plan.known(images)
        # At most half of the remaining time, so that what is due is started as well.
        calls = ConcurrentCalls(deps.pool, look_up_limiter, deadline.halfway(), tally)
        looked_up = look_up_scans(images, known, message.repository, deps.ecr, calls)
        scans = {**known, **looked_up.scans}
        due = find_due({**known, **plan.dated(looked_up.scans)}, deps.settings, now, tally)
        if message.enhanced:
            due = []  # ECR starts all scans itself
        stopped = None
        try:
            with plan.remembering(scans, looked_up.scans, due):
                ConcurrentCalls(deps.pool, start_limiter, deadline, tally).run(start, due)
        except (ScanQuotaExceededError, ManualScanningDisabledError) as error:
            stopped = error
        interrupted = looked_up.done < len(images)
        if looked_up.done or not images:
            done = [candidate for candidate in images[: looked_up.done] if candidate.digest not in looked_up.gone]
            dates = list(plan.dates(done, scans, tally.started))
            unscanned_since = plan.unscanned_since(done, scans, tally.started)
            quota_reached = isinstance(stopped, ScanQuotaExceededError)
            coverage = plan.coverage(done, scans, tally.started, quota_reached=quota_reached)
            if interrupted:
                # What memory knows of the others of the chunk is added up with them.
                chunk = chunk.first(looked_up.done)
                plan.read(chunk, candidates)
            _queue_overdue(plan.overdue, message, deps)
            tally.advance(chunk, dates, unscanned_since, coverage, plan.findings)
        if stopped:
            raise stopped
        if interrupted:
            raise DeadlineExceededError(f"the time was enough to look up {looked_up.done} of {len(images)} images")


def _queue_overdue(digests: Iterable[str], message: RepositoryMessage, deps: Dependencies) -> None:
    """Let the reporter look at images with a deadline that has passed; it reports each finding once."""
    bodies = [OverdueMessage(message.repository, digest, message.run).to_json() for digest in digests]
    if bodies:
        deps.reports_queue.send(bodies)


def list_candidates(
    message: RepositoryMessage,
    deps: Dependencies,
    now: datetime,
    deadline: Deadline,
    tally: Tally,
    skipped: list[tuple[str, str, Decision]] | None = None,
) -> tuple[Candidates, Coverage]:
    """Return the selected images, and the coverage of those that ECR could scan but that are skipped.

    Args:
        message: names the repository.
        deps: the settings and clients.
        now: aware.
        deadline: of the listing.
        tally: counts the skipped images by reason, if the message is no continuation.
        skipped: takes the digest, the first tag and the reason of each skipped image, if it is a list.

    Raises:
        DeadlineExceededError: the repository has too many images to list in the remaining time.
    """
    selector = ImageSelector(deps.settings.selection, now, skipped)
    for page in deps.ecr.image_pages(message.repository):
        selector.add(page)
        deadline.check(f"listing {message.repository}")
    children = (
        index_children(deps.ecr, deps.table, message.repository, list(selector.index_tags), now)
        if selector.has_untagged and selector.index_tags
        else []
    )
    candidates = selector.select(children)
    if not message.after:
        for reason, number in selector.skipped.items():
            tally.count(reason, number)
    return candidates, selector.skipped_coverage


@dataclass(frozen=True, slots=True)
class LookUps:
    """What came of looking up the last scans of a chunk of images.

    Args:
        scans: the last scan (None: never scanned) by digest of every image that was read in time.
        gone: the digests of images that were deleted meanwhile.
        done: how many images from the start of the chunk are known, were read, or failed for good.
    """

    scans: dict[str, Scan | None]
    gone: set[str]
    done: int


def look_up_scans(
    chunk: Sequence[Candidate],
    known: Mapping[str, Scan],
    repository: str,
    ecr: EcrRegistry,
    calls: "ConcurrentCalls",
) -> LookUps:
    """Look up the last scans of images that are not known."""
    scans: dict[str, Scan | None] = {}
    gone: set[str] = set()
    failed: set[str] = set()

    def look_up(digest: str) -> None:
        try:
            scans[digest] = ecr.last_scan(repository, digest)
        except ImageNotFoundError:
            calls.tally.count(StartOutcome.IMAGE_NOT_FOUND)
            gone.add(digest)
        except ImageRejectedError as error:
            calls.tally.fail(digest, error.code, str(error))
            failed.add(digest)

    digests = [candidate.digest for candidate in chunk]
    with suppress(DeadlineExceededError):  # what was read in time is enough to go on with
        failed |= calls.run(look_up, [digest for digest in digests if digest not in known])
    done = takewhile(lambda digest: any(digest in part for part in (known, scans, gone, failed)), digests)
    return LookUps(scans, gone, len(list(done)))


def find_due(
    scans: Mapping[str, Scan | None], settings: ImagesScannerSettings, now: datetime, tally: Tally
) -> list[str]:
    """Return the digests of the images that are due, the most urgent first."""
    due = []
    for digest, scan in scans.items():
        if scan and scan.status not in KNOWN_STATUSES:
            extra = {"repository": tally.repository, "digest": digest, "status": scan.status}
            logger.warning("unknown scan status; the scan date decides", extra=extra)
        decision = decide(digest, scan, settings.max_age, settings.run_interval, now)
        tally.count(decision)
        if decision.due:
            due.append(digest)
    return sorted(due, key=lambda digest: scan_priority(scans[digest]))


def _scan_starter(repository: str, ecr: EcrRegistry, tally: Tally) -> Callable[[str], None]:
    """Return the function that starts the scan of one image and counts the outcome."""
    quota = QuotaDetector()

    def start(digest: str) -> None:
        try:
            outcome = ecr.start_scan(repository, digest)
        except ImageRejectedError as error:
            tally.fail(digest, error.code, str(error))
            return
        except ScanQuotaExceededError as error:
            if quota.rejected():
                raise
            tally.fail(digest, error.code, str(error))
            return
        if outcome is StartOutcome.STARTED:
            quota.accepted()
            tally.started.add(digest)
        tally.count(outcome)
        extra = {"repository": repository, "digest": digest, "outcome": outcome}
        logger.info("scan requested", extra=extra)

    return start


class QuotaDetector:
    """Tells the account's daily quota of scans from a limit that concerns one image.

    ECR returns LimitExceededException for both, and AWS documents only the message of the limit per image. The quota
    is assumed once this many images in a row were rejected.
    """

    _REJECTIONS = 3

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._in_a_row = 0

    def accepted(self) -> None:
        """Record a scan that was started."""
        with self._lock:
            self._in_a_row = 0

    def rejected(self) -> bool:
        """Record a rejected scan; return whether the quota is the reason."""
        with self._lock:
            self._in_a_row += 1
            return self._in_a_row >= self._REJECTIONS


@dataclass(frozen=True, slots=True)
class ConcurrentCalls:
    """Calls ECR for many images concurrently, at the rate of a limiter, until a deadline."""

    pool: Executor
    limiter: AdaptiveRateLimiter
    deadline: Deadline
    tally: Tally

    def run(self, call: Callable[[str], None], digests: Sequence[str]) -> set[str]:
        """Call `call` for each digest; repeat calls that fail, after all others were made.

        Returns:
            The digests whose calls failed again and again; they are in the tally as failures.

        Raises:
            DeadlineExceededError: the time was too short; calls in flight have ended.
            Exception: the first one that `call` raised, except `TransientError`.
        """

        def attempt(digest: str, adapt: bool) -> TransientError | None:
            try:
                self.limiter.call(partial(call, digest), self.deadline, adapt=adapt)
            except TransientError as error:
                if isinstance(error, ThrottledError):
                    self.tally.throttle()
                return error
            return None

        pending, failures, rounds_without_success, adapt = digests, dict[str, TransientError](), 0, True
        while pending and rounds_without_success < _ROUNDS_WITHOUT_SUCCESS:
            errors = concurrent_map(self.pool, partial(attempt, adapt=adapt), pending)
            failures = {digest: error for digest, error in zip(pending, errors, strict=True) if error}
            adapt = adapt and len(failures) > _FEW * len(pending)
            if len(failures) == len(pending):
                self.limiter.pause(RETRY_PAUSE * 2**rounds_without_success)
                rounds_without_success += 1
            else:
                rounds_without_success = 0
            pending = list(failures)
        for digest in pending:
            self.tally.fail(digest, failures[digest].code, str(failures[digest]))
        return set(pending)
