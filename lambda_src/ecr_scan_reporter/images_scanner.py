"""The images scanner: starts the due scans of one repository per message, or says what it would do.

It lists the images of the repository, looks up those that memory does not settle, in chunks, warns of unknown statuses,
and repeats failed calls in rounds. The rest that does not fit into one invocation goes on in the next one, through a
continuation.

Images are processed in the order of their digests, so that a continuation can say where the next invocation resumes,
even if images are pushed or deleted in between.
"""

import json
import logging
import os
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import cache, partial
from itertools import chain
from typing import Any

from ecr_scan_reporter.aws.clients import create_client
from ecr_scan_reporter.aws.deadline import Deadline, LambdaContext
from ecr_scan_reporter.aws.dynamodb import Table
from ecr_scan_reporter.aws.ecr import EcrRegistry
from ecr_scan_reporter.aws.sqs import SqsQueue, process_batch, records
from ecr_scan_reporter.errors import (
    DeadlineExceededError,
    ImageNotFoundError,
    ImageRejectedError,
    InputError,
    ManualScanningDisabledError,
    RegistryError,
    RepositoryNotFoundError,
    ScanQuotaExceededError,
    ThrottledError,
    TransientError,
)
from ecr_scan_reporter.memory.indexes import index_children
from ecr_scan_reporter.memory.items import to_seconds, to_time
from ecr_scan_reporter.memory.runs import RepositoryState
from ecr_scan_reporter.messages.own_registry import check_registry
from ecr_scan_reporter.messages.reports_queue import DueMessage, MissedMessage, to_body
from ecr_scan_reporter.messages.repository import RepositoryMessage
from ecr_scan_reporter.models.scan_statuses import ARCHIVED, KNOWN_STATUSES, UNSUPPORTED_TYPE
from ecr_scan_reporter.models.scans import BASIC, ENHANCED, Scan, StartOutcome
from ecr_scan_reporter.scanning.context import ScanContext, ScanDependencies
from ecr_scan_reporter.scanning.decisions import Decision, scan_priority
from ecr_scan_reporter.scanning.known_scans import ImageStanding, KnownScans, ScannedChunk, ScanSums
from ecr_scan_reporter.scanning.lost_events import READ_AFTER
from ecr_scan_reporter.scanning.quota import QuotaDetector
from ecr_scan_reporter.scanning.rate_limiter import FIRST_LOOK_UP_RATE, FIRST_START_RATE, AdaptiveRateLimiter
from ecr_scan_reporter.scanning.selection import Candidate, Candidates, ImageSelector, SkippedImage
from ecr_scan_reporter.scanning.tally import Tally
from ecr_scan_reporter.settings import ImagesScannerSettings, parse_settings
from ecr_scan_reporter.shared import clock
from ecr_scan_reporter.shared.concurrency import concurrent_map

logger = logging.getLogger(__name__)

# How many images are looked up before the scans that are due among them are started, the most urgent first.
CHUNK_SIZE = 2000
# Seconds that a continuation waits, so that ECR's rate limits recover: by the number of invocations in a row without
# progress. After as many invocations as there are numbers here, the message fails.
CONTINUATION_DELAYS = (30, 120, 480)
# A call that fails is repeated after all others were made. After this many rounds in which no call succeeded, the
# failures are those of the images. After each of these rounds there is a pause; seconds, doubled each time.
_ROUNDS_WITHOUT_SUCCESS = 5
RETRY_PAUSE = 0.2
# If at most this share of the calls in a round failed, ECR is healthy, and the failures concern these images alone.
_FAILED_SHARE_OF_HEALTHY_ROUND = 0.1
# The outcome that is counted, and the warning, when no further scan can be started in the repository.
_STOP_REASONS: Mapping[type[RegistryError], tuple[str, str]] = {
    RepositoryNotFoundError: ("repository_not_found", ""),
    ScanQuotaExceededError: ("quota_exceeded", "daily quota of scans exceeded"),
    ManualScanningDisabledError: ("manual_scanning_disabled", "manual scanning is disabled"),
}
# What a rejected request to start a scan says about the last scan of an image that cannot be scanned.
_SCAN_OF_REJECTION: Mapping[StartOutcome | None, Scan] = {
    StartOutcome.UNSUPPORTED_TYPE: Scan(UNSUPPORTED_TYPE),
    StartOutcome.ARCHIVED: Scan(ARCHIVED),
}
# How many writes to the memory table may be in flight, and how many calls that send messages to the reporter. Writes
# have their own threads, because the threads that call ECR spend their time waiting for the next call that the rate
# permits.
_WRITES_IN_FLIGHT = 8
# How often calls are tried, except those whose rate the scanner controls. See the timeouts in aws/clients.py.
_ATTEMPTS_PER_CALL = 2
_EXPECTED = 'a batch of the images queue, or {"repository": "<name>", "dryRun": true}'
# Bytes of the images in an answer. https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html has 6 MB.
_MAX_ANSWER = 5_000_000


def handler(event: Mapping[str, Any], context: LambdaContext) -> Mapping[str, Any]:
    """Scan one repository per message, or say what a run would do with the images of one.

    Args:
        event: a batch of the images queue; a body is a `RepositoryMessage`. Or
            `{"repository": "team-a/app", "dryRun": true}`, which starts nothing.

    Returns:
        The messages that SQS is to deliver again; or, for a dry run, the decision for each image and its reason.

    Raises:
        SettingError: an environment variable is invalid.
        InputError: the input is invalid.
        DeadlineExceededError: the repository of a dry run has too many images to list in time.
        AwsError: AWS rejected a call of a dry run.
    """
    deadline, now = Deadline.of_invocation(context), clock.now()
    batch = records(event, _EXPECTED)
    if batch is None:
        return dry_run(event, dependencies(), deadline, now)
    process = partial(process_message, deps=dependencies(), deadline=deadline, now=now)
    return process_batch(batch, process)


@cache
def dependencies() -> ScanDependencies:
    """Create settings, clients and threads, once per cold start."""
    settings = parse_settings(ImagesScannerSettings, os.environ)
    # A listing that fails is repeated by a continuation, so its calls need not be tried for long.
    client = create_client("ecr", threads=settings.threads, attempts=_ATTEMPTS_PER_CALL)
    ecr = EcrRegistry(settings.account, client, create_client("ecr", threads=settings.threads, attempts=1))
    sqs = create_client("sqs", threads=_WRITES_IN_FLIGHT, attempts=_ATTEMPTS_PER_CALL)
    images_queue = SqsQueue(sqs, settings.images_queue_url)
    reports_queue = SqsQueue(sqs, settings.reports_queue_url, _WRITES_IN_FLIGHT)
    table = Table(create_client("dynamodb", threads=_WRITES_IN_FLIGHT), settings.memory_table)
    pool, writers = ThreadPoolExecutor(settings.threads), ThreadPoolExecutor(_WRITES_IN_FLIGHT)
    return ScanDependencies(settings, ecr, images_queue, reports_queue, table, pool, writers, QuotaDetector())


def process_message(body: str, deps: ScanDependencies, deadline: Deadline, now: datetime) -> None:
    """Scan the repository that a message names, and queue a continuation if the time was too short.

    Raises:
        MessageError: the message is invalid.
        DeadlineExceededError: this invocation and the ones before made no progress.
        AwsError: ECR or SQS rejected a call for a reason that concerns the whole repository.
    """
    message = RepositoryMessage.from_json(body)
    check_registry(message.registry, deps.ecr.id)
    scan = RepositoryScan(ScanContext(message, deps, deadline, now, Tally(message.repository)))
    interrupted = None
    try:
        scan.run()
    except (DeadlineExceededError, TransientError) as error:
        interrupted = str(error)
    scan.log(interrupted)
    if interrupted is not None:
        continuation = scan.continuation(interrupted)
        deps.images_queue.send([continuation.to_json()], delay=CONTINUATION_DELAYS[continuation.stalled])


class RepositoryScan:
    """The scan of one repository in one invocation.

    Args:
        skipped: takes each skipped image, if it is a list.

    Attributes:
        selector: of the images of the repository.
        candidates: those that are selected, once they are listed.
        stopped: why no further scan can be started; None if nothing prevents it. What memory knows of the other images
            is still summed up.
    """

    def __init__(self, context: ScanContext, skipped: list[SkippedImage] | None = None) -> None:
        self._context, self._message, self._rules, self._tally = context, context.message, context.rules, context.tally
        # Each operation has a limiter of its own in each repository, so that no registry slows down another.
        self._look_ups, self._starts = AdaptiveRateLimiter(FIRST_LOOK_UP_RATE), AdaptiveRateLimiter(FIRST_START_RATE)
        self._known = KnownScans(context)
        self._resume_after = context.message.after
        self._sums = ScanSums(context.message.oldest, context.message.waiting_since, context.message.coverage)
        self.selector = ImageSelector(context.deps.settings.selection, context.now, skipped)
        self.candidates = Candidates()
        self.stopped: RegistryError | None = None

    def run(self) -> None:
        """Start the scans that are due.

        Raises:
            DeadlineExceededError: the time was too short; a continuation goes on with the other images.
            TransientError: the same; ECR did not answer.
            AwsError: ECR or SQS rejected a call for a reason that concerns the whole repository.
        """
        with self._until_stopped():
            self.list_images()
        for chunk in self.chunks():
            if not self.stopped:
                with self._until_stopped():
                    self.look_up(chunk)
                    self._start(chunk)
            self._settle(chunk)
        if self.stopped:
            outcome, warning = _STOP_REASONS[type(self.stopped)]
            self._tally.count(outcome)
            if warning:
                extra = {"repository": self._context.repository, "reason": str(self.stopped)}
                logger.warning(warning, extra=extra)
        self._known.complete_summary(self.candidates)
        self._finish()

    @contextmanager
    def _until_stopped(self) -> Iterator[None]:
        try:
            yield
        except tuple(_STOP_REASONS) as error:
            self.stopped = error

    def list_images(self) -> None:
        """List the images of the repository.

        Raises:
            DeadlineExceededError: the repository has too many images to list in the remaining time.
            AwsError: ECR rejected a call.
        """
        context, name = self._context, self._context.repository
        deps, selector = context.deps, self.selector
        for page in deps.ecr.image_pages(name):
            selector.add(page)
            context.deadline.check(f"listing {name}")
        indexes = list(selector.index_tags) if selector.has_untagged else []
        children = index_children(
            deps.ecr, deps.table, name, indexes, context.now, context.deadline, self._tally.memory_failed
        )
        self.candidates = selector.select(children)

    def chunks(self) -> Iterator[ScannedChunk]:
        """Yield the selected images, chunk by chunk, with what memory knows of them.

        Raises:
            DeadlineExceededError: the remaining time is too short for the other images.
        """
        candidates = self.candidates
        for images in candidates.chunks(CHUNK_SIZE, self._message.after):
            chunk = self._known.read(images, candidates.name)
            yield chunk
            number = len(chunk.standings)
            if chunk.read_until < number and not self.stopped:
                raise DeadlineExceededError(f"there was time to look up only {chunk.read_until} of {number} images")
            # Only one chunk at a time is kept.
            chunk.standings.clear()

    def look_up(self, chunk: ScannedChunk) -> None:
        """Look up the last scans that memory does not settle, and decide which images are due.

        Raises:
            AwsError: ECR rejected a call for a reason that concerns the whole repository.
        """
        scans: dict[str, Scan | None] = {}
        failed: set[str] = set()

        def look_up(digest: str) -> None:
            try:
                scans[digest] = self._context.deps.ecr.last_scan(self._context.repository, digest)
            except ImageNotFoundError:
                self._tally.count(StartOutcome.IMAGE_NOT_FOUND)
                chunk.gone.add(digest)
            except ImageRejectedError as error:
                self._tally.fail(digest, error)
                failed.add(digest)

        unknown = [digest for digest, standing in chunk.standings.items() if not standing.source]
        with suppress(DeadlineExceededError):  # go on with what was read in half of the remaining time
            failed.update(self._call_each(self._look_ups, look_up, unknown, self._context.deadline.halfway()))
        for digest, scan in scans.items():
            chunk.standings[digest] = self._known.standing(chunk.standings[digest].image, "ECR", scan)
        for digest, standing in chunk.standings.items():
            self._warn_of_unknown_status(standing)
            if self._rules.enhanced and standing.decision.due:
                # ECR starts all scans itself.
                chunk.standings[digest] = standing._replace(decision=Decision.ENHANCED_SCANNING)
        ended = chunk.gone | failed
        settled = [bool(standing.source) or digest in ended for digest, standing in chunk.standings.items()]
        chunk.read_until = [*settled, False].index(False)

    def _warn_of_unknown_status(self, standing: ImageStanding) -> None:
        scan = standing.scan
        if standing.source and scan and scan.status not in KNOWN_STATUSES:
            digest = standing.image.digest
            extra = {"repository": self._context.repository, "digest": digest, "status": scan.status}
            logger.warning("unknown scan status; the scan date decides", extra=extra)

    def _start(self, chunk: ScannedChunk) -> None:
        """Start the scans that are due, the most urgent first.

        Raises:
            DeadlineExceededError: the time was too short.
            AwsError: ECR rejected a call for a reason that concerns the whole repository.
        """
        context, repository, quota = self._context, self._context.repository, self._context.deps.quota

        def start(digest: str) -> None:
            try:
                outcome = context.deps.ecr.start_scan(repository, digest)
            except (ImageRejectedError, ScanQuotaExceededError) as error:
                if isinstance(error, ScanQuotaExceededError) and quota.rejected(context.registry):
                    raise
                self._tally.fail(digest, error)
                return
            if outcome is StartOutcome.STARTED:
                quota.accepted(context.registry)
            self._tally.count_start(digest, outcome)
            logger.info("scan requested", extra={"repository": repository, "digest": digest, "outcome": outcome})

        standings = chunk.standings.values()
        due = sorted(
            (standing for standing in standings if standing.due), key=lambda standing: scan_priority(standing.dated)
        )
        looked_up = (standing for standing in standings if standing.source == "ECR")
        with self._known.starting(due, looked_up):
            digests = [standing.image.digest for standing in due]
            self._call_each(self._starts, start, digests, self._context.deadline)

    def _call_each(
        self, limiter: AdaptiveRateLimiter, call: Callable[[str], None], digests: Sequence[str], deadline: Deadline
    ) -> Collection[str]:
        """Call ECR concurrently for each digest; repeat the calls that fail, after all others were made.

        Returns:
            The digests whose calls failed again and again; they are in the tally as failures.

        Raises:
            DeadlineExceededError: the time was too short; calls in flight have ended.
            Exception: what `call` raised, except `TransientError`; of several, the one for the earliest digest.
        """

        def attempt(digest: str, adapt: bool) -> TransientError | None:
            try:
                with limiter.slot(deadline, adapt=adapt):
                    call(digest)
            except TransientError as error:
                if isinstance(error, ThrottledError):
                    self._tally.throttle()
                return error
            return None

        pending, failures, rounds_without_success, adapt = digests, dict[str, TransientError](), 0, True
        while pending and rounds_without_success < _ROUNDS_WITHOUT_SUCCESS:
            errors = concurrent_map(self._context.deps.pool, partial(attempt, adapt=adapt), pending)
            failures = {digest: error for digest, error in zip(pending, errors, strict=True) if error}
            adapt = adapt and len(failures) > _FAILED_SHARE_OF_HEALTHY_ROUND * len(pending)
            if len(failures) == len(pending):
                limiter.pause(RETRY_PAUSE * 2**rounds_without_success)
                rounds_without_success += 1
            else:
                rounds_without_success = 0
            pending = list(failures)
        for digest in pending:
            self._tally.fail(digest, failures[digest])
        return pending

    def _settle(self, chunk: ScannedChunk) -> None:
        """Finish the images that are processed for good: all of the chunk if no further scan can be started.

        Raises:
            QueueError: SQS rejected a message.
        """
        processed = list(chunk.standings.values()) if self.stopped else chunk.read
        if chunk.standings and not processed:
            return
        self._tell_reporter(processed)
        # Only now do decisions and rejections count: other images are decided on, and asked for, again.
        self._count(chunk, processed)
        self._sum_up(chunk, processed)
        if processed:
            self._resume_after = processed[-1].image.digest

    def _tell_reporter(self, processed: Sequence[ImageStanding]) -> None:
        """Let the reporter judge again the images that have their deadlines back, and read results without an event."""
        queue, answers = self._context.deps.reports_queue, self._tally.answers
        image_id = partial(self._context.registry.image, self._context.repository)
        digests = (standing.image.digest for standing in processed)
        queue.send(to_body(DueMessage(image_id(digest))) for digest in digests if digest in self._known.given_back)
        scanner, delay = (ENHANCED, READ_AFTER) if self._rules.enhanced else (BASIC, 0)
        missed_messages = (
            MissedMessage(image_id(standing.image.digest), scanner, to_seconds(missed.ended_at), missed.is_lost)
            for standing in processed
            # The event of a scan that is started now tells of an image that nothing is known of.
            if (missed := standing.missed) and (missed.is_lost or standing.image.digest not in answers)
        )
        queue.send(map(to_body, missed_messages), delay=delay)

    def _count(self, chunk: ScannedChunk, processed: Sequence[ImageStanding]) -> None:
        """Count the decisions; with those of the first images, what is skipped in the whole repository."""
        if not self._resume_after:
            self._tally.count_decisions(self.selector.skipped)
        decisions = Counter(standing.decision for standing in chunk.read if standing.source)
        self._tally.count_decisions(decisions, [standing.image.digest for standing in processed])

    def _sum_up(self, chunk: ScannedChunk, processed: Sequence[ImageStanding]) -> None:
        """Add the images that still exist to the sums over the repository."""
        answers = self._tally.answers
        present = [
            self._after_request(standing)
            for standing in processed
            if (digest := standing.image.digest) not in chunk.gone
            and answers.get(digest) is not StartOutcome.IMAGE_NOT_FOUND
        ]
        quota_reached = isinstance(self.stopped, ScanQuotaExceededError)
        self._sums = self._sums.add(present, self._rules, quota_reached=quota_reached)

    def _after_request(self, standing: ImageStanding) -> ImageStanding:
        """Return how an image stands after the request to start its scan, if there was one."""
        answer = self._tally.answers.get(standing.image.digest)
        if named := _SCAN_OF_REJECTION.get(answer):
            standing = self._known.standing(standing.image, standing.source, named)
        return standing._replace(started=answer is StartOutcome.STARTED)

    def _finish(self) -> None:
        """Remember the repository after the run."""
        coverage = self._sums.coverage.merge(self.selector.skipped_coverage)
        self._sums = self._sums._replace(coverage=coverage)
        oldest, message = self._sums.oldest, self._message
        state = RepositoryState(
            repository=self._context.repository,
            oldest_scan=self._context.now if oldest is None else to_time(oldest),
            images=len(self.candidates),
            asked=message.asked + self._tally.started,
            run=message.run,
            waiting_since=to_time(self._sums.waiting_since),
            unscheduled=message.unscheduled,
        )
        self._known.finish(state, coverage)

    def log(self, interrupted: str | None) -> None:
        """Log what happened to the images; `interrupted` says why others are left, None if none are."""
        values: dict[str, Any] = {"coverage": self._sums.coverage.to_json()}
        if interrupted is not None:
            values |= {"resume_after": self._resume_after, "interrupted": interrupted}
        self._tally.log(self._context.deps.settings, values)

    def continuation(self, reason: str) -> RepositoryMessage:
        """Return the message with which the next invocation goes on.

        Raises:
            DeadlineExceededError: this invocation and the ones before made no progress, for this reason.
        """
        message, started = self._message, self._tally.started
        stalled = 0 if started or self._resume_after != message.after else message.stalled + 1
        if stalled == len(CONTINUATION_DELAYS):
            raise DeadlineExceededError(f"{message.repository} made no progress in {stalled} invocations: {reason}")
        return message._replace(
            after=self._resume_after,
            stalled=stalled,
            asked=message.asked + started,
            **self._sums._asdict(),
        )


def dry_run(event: Mapping[str, Any], deps: ScanDependencies, deadline: Deadline, now: datetime) -> dict[str, Any]:
    """Return what a run would do with each image of a repository now; starts nothing.

    It does remember what image indexes consist of, because ECR counts each read of an index as a pull.

    Args:
        event: names the repository: `{"repository": "team-a/app", "dryRun": true}`.

    Returns:
        The images: first those that can be scanned, then the others, each in the order of their digests. And how many
        images were left out of the answer, because it would be too large or the time was too short.

    Raises:
        InputError: the input is something else.
        DeadlineExceededError: the repository has too many images to list in the remaining time.
        AwsError: ECR rejected a call for a reason that concerns the whole repository.
    """
    match event:
        case {"repository": str() as name, "dryRun": True, **rest} if name and not rest:
            message = RepositoryMessage(deps.ecr.id, name, enhanced=not deps.ecr.supports_manual_scans())
        case _:
            given = json.dumps(event, default=str)[:200]
            raise InputError(f"the input is {given!r}; expected {_EXPECTED}")
    skipped: list[SkippedImage] = []
    scan = RepositoryScan(ScanContext(message, deps, deadline, now, Tally(name)), skipped)
    scan.list_images()
    images: list[dict[str, Any]] = []
    size = 0
    others = (_entry(image, "skip", image.reason, "DescribeImages") for image in sorted(skipped))
    for entry in chain(_entries(scan), others):
        size += len(json.dumps(entry)) + 2
        if size > _MAX_ANSWER:
            break
        images.append(entry)
    omitted = len(scan.candidates) + len(skipped) - len(images)
    return {"repository": name, "dryRun": True, "images": images, "omitted": omitted}


def _entries(scan: RepositoryScan) -> Iterator[dict[str, Any]]:
    with suppress(DeadlineExceededError):
        for chunk in scan.chunks():
            scan.look_up(chunk)
            for standing in chunk.read:
                image, last = standing.image, standing.dated
                if standing.source:
                    yield _entry(image, "scan" if standing.due else "skip", standing.decision, standing.source, last)
                else:
                    gone = image.digest in chunk.gone
                    yield _entry(image, "unknown", StartOutcome.IMAGE_NOT_FOUND if gone else "look_up_failed")


def _entry(
    image: Candidate | SkippedImage, decision: str, reason: str, source: str | None = None, last: Scan | None = None
) -> dict[str, Any]:
    time = f"{last.completed_at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" if last and last.completed_at else None
    return {
        "digest": image.digest,
        "tag": image.tag or None,
        "decision": decision,
        "reason": str(reason),
        "last_scan": {"status": last.status, "time": time} if last else None,
        "known_from": source,
    }
