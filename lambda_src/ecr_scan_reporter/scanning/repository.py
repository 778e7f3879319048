"""Scans one repository: lists its images, looks up their last scans and starts the scans that are due.

Images are processed in the order of their digests, so that a continuation can say where the next invocation resumes,
even if images are pushed or deleted in between.
"""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import suppress
from datetime import datetime
from functools import partial
from itertools import takewhile
from typing import NamedTuple

from ecr_scan_reporter.aws.deadline import Deadline
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
from ecr_scan_reporter.memory.coverage import Coverage
from ecr_scan_reporter.memory.indexes import index_children
from ecr_scan_reporter.memory.scans import ScanMemory
from ecr_scan_reporter.messages.overdue import OverdueMessage
from ecr_scan_reporter.messages.repository import RepositoryMessage
from ecr_scan_reporter.models.scan_statuses import ARCHIVED, KNOWN_STATUSES
from ecr_scan_reporter.models.scans import Scan, StartOutcome
from ecr_scan_reporter.scanning.decisions import Decision, decide, scan_priority
from ecr_scan_reporter.scanning.plan import UNSUPPORTED_TYPE, ScanPlan
from ecr_scan_reporter.scanning.quota import QuotaDetector
from ecr_scan_reporter.scanning.rate_limiter import AdaptiveRateLimiter
from ecr_scan_reporter.scanning.selection import Candidate, Candidates, ImageSelector
from ecr_scan_reporter.scanning.tally import Tally
from ecr_scan_reporter.settings import ImagesScannerSettings
from ecr_scan_reporter.shared import clock
from ecr_scan_reporter.shared.concurrency import concurrent_map

logger = logging.getLogger(__name__)

# How many images are looked up before the due ones among them are started, the most urgent first.
CHUNK_SIZE = 2000
# Seconds that a continuation waits, so that ECR's rate limits recover: by the number of invocations in a row without
# progress. After as many invocations as there are numbers here, the message fails.
CONTINUATION_DELAYS = (30, 120, 480)
# Calls per second to begin with. The limiters find the rates that ECR allows.
FIRST_LOOK_UP_RATE, _FIRST_START_RATE = 800.0, 100.0
# A call that fails is repeated after all others were made. After this many rounds in which no call succeeded, the
# failures are those of the images. Before each of these rounds there is a pause; seconds, doubled each time.
_ROUNDS_WITHOUT_SUCCESS = 5
RETRY_PAUSE = 0.2
# If at most this share of the calls in a round failed, ECR is healthy, and the failures concern these images alone.
_FEW = 0.1


class ScanDependencies(NamedTuple):
    """What the images scanner works with, for the life of its execution environment.

    Args:
        settings: of the images scanner.
        ecr: the registry.
        images_queue: takes continuations.
        reports_queue: takes images with an overdue finding.
        table: the memory table.
        pool: threads for calls to ECR.
        writers: threads for writes to the memory table.
        quota: recognizes the daily quota of scans.
    """

    settings: ImagesScannerSettings
    ecr: EcrRegistry
    images_queue: SqsQueue
    reports_queue: SqsQueue
    table: Table
    pool: Executor
    writers: Executor
    quota: QuotaDetector


def process_message(body: str, deps: ScanDependencies, deadline: Deadline) -> None:
    """Scan the repository that a message names, and queue a continuation if the time was too short.

    Raises:
        MessageError: the message is invalid.
        DeadlineExceededError: this invocation and the ones before made no progress.
        AwsError: ECR or SQS rejected a call for a reason that concerns the whole repository.
    """
    continuation = scan_repository(RepositoryMessage.from_json(body), deps, deadline)
    if continuation:
        deps.images_queue.send([continuation.to_json()], delay=CONTINUATION_DELAYS[continuation.stalled])


def scan_repository(message: RepositoryMessage, deps: ScanDependencies, deadline: Deadline) -> RepositoryMessage | None:
    """Start the due scans of one repository.

    Returns:
        The continuation, None if the repository is done.

    Raises:
        DeadlineExceededError: this invocation and the ones before made no progress.
        AwsError: ECR rejected a call for a reason that concerns the whole repository.
    """
    now = clock.now()
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
    return message._replace(
        after=tally.resume_after,
        stalled=stalled,
        asked=message.asked + len(tally.started),
        oldest=tally.oldest,
        coverage=tally.coverage,
        summary=tally.summary if tally.resume_after else None,
        waiting_since=tally.waiting_since,
    )


def _scan_images(
    message: RepositoryMessage, deps: ScanDependencies, deadline: Deadline, tally: Tally, now: datetime
) -> None:
    memory = ScanMemory(deps.table)
    plan = ScanPlan(
        message.repository, message.run, memory, deps.writers, deps.settings, now, enhanced=message.enhanced
    )
    candidates, skipped, stopped = Candidates(), Coverage(), None
    try:
        try:
            candidates, skipped = list_candidates(message, deps, now, deadline, tally)
            _scan_candidates(candidates, message, deps, deadline, tally, plan, now)
        except (ScanQuotaExceededError, ManualScanningDisabledError, RepositoryNotFoundError) as error:
            stopped, quota_reached = error, isinstance(error, ScanQuotaExceededError)
            _sum_up_the_rest(candidates, message, deps, deadline, tally, plan, quota_reached=quota_reached)
        tally.coverage = tally.coverage.merge(skipped)
        asked = message.asked + len(tally.started)
        plan.finish(tally, len(candidates), asked, unscheduled=message.unscheduled)
    finally:
        if not plan.available:
            tally.memory_failed()
    if stopped:
        raise stopped


def _sum_up_the_rest(
    candidates: Candidates,
    message: RepositoryMessage,
    deps: ScanDependencies,
    deadline: Deadline,
    tally: Tally,
    plan: ScanPlan,
    *,
    quota_reached: bool,
) -> None:
    """Complete the sums with what memory knows of the other images: this run can start no further scan.

    Raises:
        DeadlineExceededError: there are too many images for the remaining time.
        AwsError: SQS rejected a call.
    """
    for chunk in () if tally.complete else candidates.chunks(CHUNK_SIZE, tally.resume_after):
        deadline.check(f"what memory knows of {message.repository}")
        plan.read(chunk, candidates)
        named = {candidate.digest: candidate.last_scan for candidate in chunk.images if candidate.last_scan}
        sums = plan.sums(chunk.images, named, (), quota_reached=quota_reached)
        _queue_overdue(plan.overdue, message, deps)
        tally.advance(chunk, sums, plan.findings)


def _scan_candidates(
    candidates: Candidates,
    message: RepositoryMessage,
    deps: ScanDependencies,
    deadline: Deadline,
    tally: Tally,
    plan: ScanPlan,
    now: datetime,
) -> None:
    look_up_limiter = AdaptiveRateLimiter(FIRST_LOOK_UP_RATE, deadline.clock)
    start_limiter = AdaptiveRateLimiter(_FIRST_START_RATE, deadline.clock)
    start = _scan_starter(message.repository, deps.ecr, deps.quota, tally)
    for chunk in candidates.chunks(CHUNK_SIZE, message.after):
        images = chunk.images
        plan.read(chunk, candidates)
        known = plan.known(images)
        # Look-ups take at most half of the remaining time, so that there is time to start what is due.
        calls = ConcurrentCalls(deps.pool, look_up_limiter, deadline.halfway(), tally)
        looked_up = look_up_scans(images, known, message.repository, deps.ecr, calls)
        scans = {**known, **looked_up.scans}
        dated = {**known, **plan.dated(looked_up.scans)}
        decisions = decide_all(dated, message.repository, deps.settings, now, enhanced=message.enhanced)
        due = sorted(
            (digest for digest, decision in decisions.items() if decision.due),
            key=lambda digest: scan_priority(dated[digest]),
        )
        stopped = None
        try:
            with plan.remembering(scans, looked_up.scans, due, tally):
                ConcurrentCalls(deps.pool, start_limiter, deadline, tally).run(start, due)
        except (ScanQuotaExceededError, ManualScanningDisabledError) as error:
            stopped = error
        interrupted = looked_up.done < len(images)
        if looked_up.done or not images:
            done = [candidate for candidate in images[: looked_up.done] if candidate.digest not in looked_up.gone]
            decided = [decisions[candidate.digest] for candidate in done if candidate.digest in decisions]
            done = [candidate for candidate in done if not tally.is_gone(candidate.digest)]
            scans |= _named_by_rejection(tally.rejected, due)
            sums = plan.sums(
                done,
                scans,
                tally.started,
                quota_reached=isinstance(stopped, ScanQuotaExceededError),
                decisions=decided,
            )
            if interrupted:
                # What memory knows of the chunk's other images is added up with them, in the continuation.
                chunk = chunk.first(looked_up.done)
                plan.read(chunk, candidates)
            _queue_overdue(plan.overdue, message, deps)
            tally.advance(chunk, sums, plan.findings)
        if stopped:
            raise stopped
        if interrupted:
            raise DeadlineExceededError(f"there was time to look up only {looked_up.done} of {len(images)} images")


def _queue_overdue(digests: Iterable[str], message: RepositoryMessage, deps: ScanDependencies) -> None:
    """Ask the reporter to look at images with a deadline that has passed; it reports each finding once.

    Raises:
        QueueError: SQS rejected a message.
    """
    bodies = [OverdueMessage(message.repository, digest, message.run).to_json() for digest in digests]
    if bodies:
        deps.reports_queue.send(bodies)


def list_candidates(
    message: RepositoryMessage,
    deps: ScanDependencies,
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
        tally: counts the skipped images by reason, unless the message is a continuation.
        skipped: takes the digest, the first tag and the reason of each skipped image, if it is a list.

    Raises:
        DeadlineExceededError: the repository has too many images, or indexes, to read in the remaining time.
        AwsError: ECR rejected a call.
    """
    selector = ImageSelector(deps.settings.selection, now, skipped)
    for page in deps.ecr.image_pages(message.repository):
        selector.add(page)
        deadline.check(f"listing {message.repository}")
    children = (
        index_children(
            deps.ecr, deps.table, message.repository, list(selector.index_tags), now, deadline, tally.memory_failed
        )
        if selector.has_untagged and selector.index_tags
        else []
    )
    candidates = selector.select(children)
    if not message.after:
        tally.skip(selector.skipped)
    return candidates, selector.skipped_coverage


class LookUps(NamedTuple):
    """The results of looking up the last scans of a chunk of images.

    Args:
        scans: the last scan (None: never scanned) by digest of every image that was read in time.
        gone: the digests of images that were deleted in the meantime.
        done: how many images from the start of the chunk were known, looked up, deleted, or failed for good.
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
    """Look up the last scans of the images of a chunk that are not known.

    Raises:
        AwsError: ECR rejected a call for a reason that concerns the whole repository.
    """
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
    with suppress(DeadlineExceededError):  # go on with what was read in time
        failed |= calls.run(look_up, [digest for digest in digests if digest not in known])
    done = takewhile(lambda digest: any(digest in part for part in (known, scans, gone, failed)), digests)
    return LookUps(scans, gone, len(list(done)))


def decide_all(
    scans: Mapping[str, Scan | None],
    repository: str,
    settings: ImagesScannerSettings,
    now: datetime,
    *,
    enhanced: bool = False,
) -> dict[str, Decision]:
    """Decide which images are due, by digest. With `enhanced` scanning none are: ECR starts all scans itself."""
    decisions: dict[str, Decision] = {}
    for digest, scan in scans.items():
        if scan and scan.status not in KNOWN_STATUSES:
            extra = {"repository": repository, "digest": digest, "status": scan.status}
            logger.warning("unknown scan status; the scan date decides", extra=extra)
        decision = decide(digest, scan, settings.max_age, settings.run_interval, now)
        decisions[digest] = Decision.ENHANCED_SCANNING if enhanced and decision.due else decision
    return decisions


def _named_by_rejection(rejected: Mapping[str, StartOutcome], due: Iterable[str]) -> dict[str, Scan]:
    """Return what a rejected request to start a scan says about the last scan of an image that cannot be scanned."""
    named = {StartOutcome.UNSUPPORTED_TYPE: UNSUPPORTED_TYPE, StartOutcome.ARCHIVED: Scan(ARCHIVED)}
    return {digest: named[rejected[digest]] for digest in due if rejected.get(digest) in named}


def _scan_starter(repository: str, ecr: EcrRegistry, quota: QuotaDetector, tally: Tally) -> Callable[[str], None]:
    """Return the function that starts the scan of one image and counts the outcome."""

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
        tally.count_start(digest, outcome)
        extra = {"repository": repository, "digest": digest, "outcome": outcome}
        logger.info("scan requested", extra=extra)

    return start


class ConcurrentCalls:
    """Calls ECR for many images concurrently, at the rate of a limiter, until a deadline."""

    def __init__(self, pool: Executor, limiter: AdaptiveRateLimiter, deadline: Deadline, tally: Tally) -> None:
        self.pool, self.limiter, self.deadline, self.tally = pool, limiter, deadline, tally

    def run(self, call: Callable[[str], None], digests: Sequence[str]) -> set[str]:
        """Call `call` for each digest; repeat the calls that fail, after all others were made.

        Returns:
            The digests whose calls failed again and again; they are in the tally as failures.

        Raises:
            DeadlineExceededError: the time was too short; calls in flight have ended.
            Exception: what `call` raised, except `TransientError`; of several, the one for the earliest digest.
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
