"""The reporter: publishes what scans found, and the overview; makes the export and the daily pass.

It decides which messages are retried and when, and what goes into the log and the metrics.
"""

import logging
import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from math import ceil
from typing import Any, NamedTuple

from ecr_scan_reporter.aws.clients import create_client
from ecr_scan_reporter.aws.deadline import Deadline, LambdaContext
from ecr_scan_reporter.aws.dynamodb import Table
from ecr_scan_reporter.aws.ecr import EcrRegistry
from ecr_scan_reporter.aws.metrics import embed
from ecr_scan_reporter.aws.sns import Publication, ReportPublisher
from ecr_scan_reporter.aws.sqs import (
    EARLY,
    MAX_DELAY,
    SqsBatchResponse,
    SqsQueue,
    SqsRecord,
    batch_response,
    receive_count,
    records,
)
from ecr_scan_reporter.errors import (
    AwsError,
    ConditionError,
    DeadlineExceededError,
    FindingsNotReadError,
    InputError,
    MessageError,
    QueueError,
)
from ecr_scan_reporter.memory.exploited import CatalogMemory
from ecr_scan_reporter.memory.outbox import Outbox
from ecr_scan_reporter.memory.rules import RuleMemory
from ecr_scan_reporter.memory.runs import RunMemory
from ecr_scan_reporter.messages.own_registry import check_registry
from ecr_scan_reporter.messages.rejected_publication import parse_publication
from ecr_scan_reporter.messages.reports_queue import (
    DailyPassMessage,
    DueMessage,
    ExportMessage,
    LookMessage,
    MissedMessage,
    parse_message,
    to_body,
)
from ecr_scan_reporter.models.images import ImageId
from ecr_scan_reporter.reporting.comparison.ignored import RuleMatcher
from ecr_scan_reporter.reporting.dependencies import ReporterDependencies
from ecr_scan_reporter.reporting.image_processor import ImageProcessor, Outcome, Step
from ecr_scan_reporter.reporting.intake.events import ReceivedEvent, ScanEvent, latest_per_image, load, parse
from ecr_scan_reporter.reporting.looks import look, read_missed
from ecr_scan_reporter.settings import ReporterSettings, parse_settings
from ecr_scan_reporter.shared import clock

logger = logging.getLogger(__name__)

_THREADS = 16
_EXPECTED = 'a batch of the reports queue, {"overview": true} or {"export": true}'
# Seconds until a failed message is retried, for the first attempts: COMPLETE can precede the findings by seconds. Later
# attempts wait for the queue's visibility timeout, so an outage of an hour moves nothing to the DLQ.
_RETRY_DELAY, _RETRIES_WITH_DELAY = 60, 2
# How often a step is done if other invocations are faster each time.
_ATTEMPTS_AGAINST_OTHERS = 4
# Of messages that this module sends itself. One without a version, such as all of this release, has the first one.
MESSAGE_VERSION = 1
# The metric of each severity's new findings.
_METRIC_OF_NEW = {"CRITICAL": "NewCritical", "HIGH": "NewHigh", "MEDIUM": "NewMedium", "LOW": "NewLow"}
# How many lost events are counted: from two on, it is an alarm.
_MAX_LOST = 100


def handler(event: Mapping[str, Any], context: LambdaContext) -> Mapping[str, Any]:
    """Report what a batch of scan events changed, make the overview, or export what is open.

    Args:
        event: a batch of the reports queue, `{"overview": true}` or `{"export": true}`. Each body of a batch is one of
            these: an EventBridge event of ECR or Amazon Inspector; a message of the reporter itself, which asks to
            publish a report that SNS rejected, to check whether something is to be published, or to judge an image in
            which something is due; a part of the daily pass, or of an export after a run; a message of the images
            scanner about an image whose event was lost. `{"overview": true}` publishes the overview; with
            `"publish": false` it is only returned. `{"export": true}` writes what is open to the bucket; without one,
            or for a repository, as in `{"export": {"repository": "team-a/app"}}`, it is only returned.

    Returns:
        The messages that SQS is to deliver again; for the overview, how many messages were published, or the overview;
        for an export, where it is, or the findings.

    Raises:
        SettingError: an environment variable is invalid.
        InputError: the input is invalid.
        AwsError: the overview or the export could not be made.
    """
    deadline = Deadline.of_invocation(context)
    if isinstance(event, Mapping) and "overview" in event:
        # Not at the top: an overview is rare, and its modules would be a fifth of what every cold start imports.
        from ecr_scan_reporter.reporting.overviews.publishing import OverviewRequest, make_overviews

        now = clock.now()
        return make_overviews(OverviewRequest.parse(event, now), dependencies(), deadline, now)
    if isinstance(event, Mapping) and "export" in event:
        from ecr_scan_reporter.reporting.export.run import export_on_demand

        return export_on_demand(event, dependencies(), deadline, clock.now())
    batch = records(event, _EXPECTED)
    if batch is None:
        raise InputError(f"the input is {', '.join(map(str, event))!r}; expected {_EXPECTED}")
    return report_batch(batch, dependencies(), deadline)


@cache
def dependencies() -> ReporterDependencies:
    """Create settings, clients and threads, once per cold start."""
    settings = parse_settings(ReporterSettings, os.environ)
    topics = settings.topic_arn, settings.chat_topic_arn, settings.alarms_topic_arn
    publisher = ReportPublisher(create_client("sns"), *topics)
    sqs = create_client("sqs")
    queue = SqsQueue(sqs, settings.reports_queue_url)
    dlqs = {url.rsplit("/", 1)[-1]: SqsQueue(sqs, url) for url in settings.dlq_urls}
    table = Table(create_client("dynamodb", threads=_THREADS), settings.memory_table)
    ecr = EcrRegistry(settings.registry.account, create_client("ecr", threads=_THREADS))
    pool = ThreadPoolExecutor(_THREADS)
    rules, runs = RuleMemory(table), RunMemory(table, ecr.id)
    exploited = CatalogMemory(table) if settings.known_exploited else None
    return ReporterDependencies(settings, ecr, table, rules, runs, publisher, queue, pool, dlqs, exploited)


def report_batch(
    records: Sequence[SqsRecord], deps: ReporterDependencies, deadline: Deadline, now: datetime | None = None
) -> SqsBatchResponse:
    """Remember what a batch of scan events found, and publish what is due; return the messages to redeliver."""
    now = now or clock.now()
    try:
        ignore_rules, catalog = deps.rules.read(now), deps.catalog(now)
    except AwsError:
        # Without the rules, what they ignore would look like news; without the catalog, deadlines would be forgotten.
        logger.exception("could not read ignored_findings, or the catalog; the messages are retried")
        return batch_response(record["messageId"] for record in records)
    batch = Batch(records, deps, deadline, now)
    batch.receive()
    images = [work.image for work in (*batch.scanned, *batch.missed, *batch.due)]
    names = [image.repository for image in images]
    rules = RuleMatcher(ignore_rules, now, names, ignore_kernel_headers=deps.settings.ignore_kernel_headers)
    batch.process(ImageProcessor(deps, images, rules, catalog, now))
    pages, waiting = 0, timedelta()
    try:
        if batch.open_windows():
            # Not at the top: where nothing has changed, nothing is published.
            from ecr_scan_reporter.reporting.reports.publishing import publish_what_is_due

            pages, waiting = publish_what_is_due(deps, now, deadline)
    except AwsError:
        # What was remembered stays in the outbox, and the messages will cause another check.
        logger.exception("could not check what is to be published")
        batch.retried |= batch.done | batch.checks
    batch.do_parts(rules)
    if deadline.remaining > 0:
        deps.rules.remember(rules.matched, rules.used, rules.ended, now, deps.pool)
    batch.retry_soon()
    _log(batch, pages, waiting)
    return batch_response(sorted(batch.invalid | batch.retried | batch.unpublished))


class Work(NamedTuple):
    """One image of a batch.

    Args:
        image: to be processed.
        message_ids: of all messages about it.
        steps: what is to be done, in this order.
        repeated: whether an earlier invocation may have processed one of the messages.
    """

    image: ImageId
    message_ids: tuple[str, ...]
    steps: tuple[Step, ...]
    repeated: bool


class Batch:
    """The messages of a batch, by what they ask for, and what became of them.

    Attributes:
        events: scan events.
        scanned: the images with scan events, of matching repositories.
        missed: the images of whose last result no event came.
        due: the images that are to be judged again.
        parts: the parts of the daily pass and of exports that are to be done, by message id.
        checks: the ids of messages that ask to check whether something is to be published.
        unpublished: the ids of messages with a report that SNS rejected again.
        invalid: the ids of messages that are invalid, or that failed unexpectedly.
        outcomes: of the steps of images.
        done: the ids of messages that are done.
        retried: the ids of messages that are to be retried.
        unstarted: the ids of messages that there was no time for.
    """

    def __init__(
        self, records: Sequence[SqsRecord], deps: ReporterDependencies, deadline: Deadline, now: datetime
    ) -> None:
        self.records, self.deps, self.deadline, self.now = records, deps, deadline, now
        self.events, self.outcomes = list[ReceivedEvent](), list[Outcome]()
        self.scanned, self.missed, self.due = list[Work](), list[Work](), list[Work]()
        self.parts = dict[str, DailyPassMessage | ExportMessage]()
        self.checks, self.unpublished, self.invalid = set[str](), set[str](), set[str]()
        self.done, self.retried, self.unstarted = set[str](), set[str](), set[str]()

    def receive(self) -> None:
        """Parse the messages, keep the last events of each image, and publish again what SNS rejected before."""
        deadline = self.deadline.halfway()
        for record in self.records:
            message_id, receives = record["messageId"], receive_count(record)
            try:
                message = load(record["body"])
                if not self._receive_own(message_id, message, receives, deadline):
                    event = parse(message)
                    # A time in the future would let the events that come until then look like older ones.
                    event = event._replace(time=min(event.time, self.now))
                    self.events.append(ReceivedEvent(message_id, receives, event))
            except MessageError as error:
                self.invalid.add(message_id)
                logger.error("invalid message", extra={"message_id": message_id, "reason": str(error)})
            except Exception as error:  # one message's trouble stays its own
                self.invalid.add(message_id)
                logger.exception("message failed", extra={"message_id": message_id, "reason": str(error)})
        matches = self.deps.settings.repositories.matches
        found = [images for images in latest_per_image(self.events) if matches(images.image.repository)]
        # What has failed before comes first: it cannot be sent again as if it had not.
        for images in sorted(found, key=lambda images: images.receives, reverse=True):
            steps = tuple(_step(event, images.receives) for event in images.events)
            self.scanned.append(Work(images.image, images.message_ids, steps, images.repeated))

    def _receive_own(self, message_id: str, message: object, receives: int, deadline: Deadline) -> bool:
        """Note what a message of this module asks for; return whether it is one."""
        match message:
            case {"version": int() as version} if version > MESSAGE_VERSION:
                raise MessageError(f"version is {version}; expected at most {MESSAGE_VERSION}, or no value")
            case {"check": True}:
                self.checks.add(message_id)
            case {"publish": publish}:
                if not _publish_again(*parse_publication(publish), self.deps, deadline, self.now):
                    self.unpublished.add(message_id)
            case {"due": due}:
                image = parse_message(DueMessage, due).image
                check_registry(image.registry, self.deps.ecr.id)
                step: Step = partial(ImageProcessor.judge_again, image=image)
                self.due.append(Work(image, (message_id,), (step,), receives > 1))
            case {"pass": part}:
                start = parse_message(DailyPassMessage, part)
                check_registry(start.registry, self.deps.ecr.id)
                self.parts[message_id] = start
            case {"export": export}:
                self.parts[message_id] = parse_message(ExportMessage, export)
            case {"missed": value}:
                missed = parse_message(MissedMessage, value)
                check_registry(missed.image.registry, self.deps.ecr.id)
                step = partial(read_missed, missed=missed, receives=receives)
                self.missed.append(Work(missed.image, (message_id,), (step,), receives > 1))
            case {"look": value}:
                asked = parse_message(LookMessage, value)
                check_registry(asked.image.registry, self.deps.ecr.id)
                at = datetime.fromtimestamp(asked.at, UTC) if asked.at else self.now
                if at > self.now + EARLY:
                    send_later([(to_body(asked), at)], self.deps, self.now)
                    return True
                self.events.append(ReceivedEvent(message_id, receives, ScanEvent.of_look(asked.image, at)))
            case _:
                return False
        return True

    def process(self, processor: ImageProcessor) -> None:
        """Process images concurrently, while there is time, and send again the messages that time ran out for."""
        deadline = self.deadline.halfway()
        for images in (self.scanned, self.missed, self.due):
            attempts = [self.deps.pool.submit(_attempt, work, processor, deadline) for work in images]
            wait(attempts)
            for work, attempt in zip(images, attempts, strict=True):
                if isinstance(result := attempt.result(), Exception):
                    unstarted = isinstance(result, DeadlineExceededError)
                    (self.unstarted if unstarted else self.retried).update(work.message_ids)
                    expected = unstarted or isinstance(result, FindingsNotReadError)
                    logger.log(
                        logging.INFO if expected else logging.ERROR,
                        "image not processed; the message is retried",
                        extra={"repository": work.image.repository, "digest": work.image.digest, "reason": str(result)},
                        exc_info=None if expected else result,
                    )
                else:
                    self.done.update(work.message_ids)
                    self.outcomes += result
        send_later((outcome.again for outcome in self.outcomes if outcome.again), self.deps, self.now)
        self.retried |= self._send_again() if self.done else self.unstarted

    def _send_again(self) -> set[str]:
        """Send again the messages that time ran out for: they did not fail, and must not end in the DLQ.

        Returns:
            The ids of those that SQS is to deliver again instead: what an earlier invocation may have begun to process.
        """
        unstarted = {record["messageId"]: record for record in self.records if record["messageId"] in self.unstarted}
        first = {id_: record["body"] for id_, record in unstarted.items() if receive_count(record) == 1}
        try:
            self.deps.reports_queue.send(first.values())
        except QueueError:
            logger.exception("could not send messages again that there was no time for")
            return set(unstarted)
        return unstarted.keys() - first.keys()

    def do_parts(self, rules: RuleMatcher) -> None:
        """Do parts of the daily pass and of exports."""
        for message_id, message in self.parts.items():
            what = "the daily pass" if isinstance(message, DailyPassMessage) else "the export"
            try:
                # Not at the top: both are rare.
                if isinstance(message, DailyPassMessage):
                    from ecr_scan_reporter.reporting.daily_pass import walk

                    walk(message, rules, self.deps, self.deadline, self.now)
                else:
                    from ecr_scan_reporter.reporting.export.run import export_run

                    export_run(message, self.deps, self.deadline, self.now)
            except Exception:  # one message's trouble stays its own
                # Its registry is that of the function.
                asked = {name: str(value) for name, value in message._asdict().items() if name != "registry"}
                logger.exception(f"{what} failed; its message is retried", extra=asked)
                self.retried.add(message_id)

    def open_windows(self) -> bool:
        """Open the windows of the outbox to which something was added; return whether something may be due.

        Raises:
            AwsError: DynamoDB rejected a call.
        """
        windows = dict[str, str]()
        results = Counter(outcome.run for outcome in self.outcomes if outcome.run)
        for outcome in self.outcomes:
            for window in outcome.windows:
                windows[window] = outcome.run or windows.get(window, "")
        for run, number in results.items():
            self.deps.runs.add_results(run, number, self.now)
        for window, run in windows.items():
            Outbox(self.deps.table).touch(window, run, self.now)
        return bool(results or windows or self.checks)

    def retry_soon(self) -> None:
        """Let SQS deliver messages soon that are retried for the first times."""
        soon = [
            record.get("receiptHandle", "")
            for record in self.records
            if record["messageId"] in self.retried and receive_count(record) <= _RETRIES_WITH_DELAY
        ]
        self.deps.reports_queue.retry_in(_RETRY_DELAY, filter(None, soon))


def _log(batch: Batch, pages: int, waiting: timedelta) -> None:
    """Write the log line of a batch, with its metrics."""
    counts = {
        "events": len(batch.events),
        "images": len(batch.scanned),
        "changed": sum(outcome.added for outcome in batch.outcomes),
        "pages": pages,
        "invalid": len(batch.invalid),
        "retried": len(batch.retried),
    }
    new: Counter[str] = sum((Counter(outcome.new) for outcome in batch.outcomes), Counter())
    metrics: dict[str, float] = {
        "EventsProcessed": sum(event.message_id not in batch.retried for event in batch.events),
        **{name: new[severity] for severity, name in _METRIC_OF_NEW.items()},
        "ReportsPublished": pages,
        "OldestUnpublished": int(waiting.total_seconds()),
    }
    if any(outcome.lost for outcome in batch.outcomes):
        metrics["LostEvents"] = _lost_events(batch.deps, batch.now)
    settings = batch.deps.settings
    logger.info("batch processed", extra=counts | embed(metrics, settings.name, detailed=settings.detailed_metrics))


def _lost_events(deps: ReporterDependencies, now: datetime) -> int:
    """Return how many events were lost lately, as far as they are counted; one if memory does not tell."""
    # Not at the top: events are lost rarely.
    from ecr_scan_reporter.memory.lost_events import lost_events

    max_age, run_interval = deps.settings.max_age, deps.settings.run_interval
    try:
        return len(lost_events(deps.table, deps.ecr.id, max_age, run_interval, now, _MAX_LOST))
    except AwsError:
        logger.exception("could not count lost events")
        return 1


def _publish_again(
    id_: str, publication: Publication, deps: ReporterDependencies, deadline: Deadline, now: datetime
) -> bool:
    """Publish what SNS rejected before, unless another copy of the message did; return whether it is out."""
    outbox = Outbox(deps.table)
    if deadline.remaining <= 0:
        return False
    try:
        lease = outbox.claim_message(id_, now, now + timedelta(seconds=deadline.seconds + 60))
        if lease and deps.publisher.publish(publication, deadline):
            outbox.release_message(id_, lease)
            return False
    except AwsError:
        logger.exception("could not note that a message is to be published again")
        return False
    try:
        outbox.note_message(id_, now)
    except AwsError:
        # It is out: only another copy of the message would publish it again.
        logger.exception("could not note that a message was published again")
    return True


def send_later(messages: Iterable[tuple[str, datetime]], deps: ReporterDependencies, now: datetime) -> None:
    """Send messages with a delay until their times, or with the longest delay of SQS.

    A failure is only logged: the images scanner asks ECR about each image once within the promised age.
    """
    delays: defaultdict[int, list[str]] = defaultdict(list)
    for body, at in dict.fromkeys(messages):
        delays[ceil(max(min(at - now, MAX_DELAY).total_seconds(), 0))].append(body)
    for delay, bodies in delays.items():
        try:
            deps.reports_queue.send(bodies, delay)
        except QueueError:
            logger.exception("could not plan to read findings again")


def _step(event: ScanEvent, receives: int) -> Step:
    return partial(look if event.is_look else ImageProcessor.process, event=event, receives=receives)


def _attempt(work: Work, processor: ImageProcessor, deadline: Deadline) -> list[Outcome] | Exception:
    """Do the steps of an image. One is repeated if another invocation has written the image in the meantime."""
    outcomes = list[Outcome]()
    try:
        deadline.check("reading findings")
        for step in work.steps:
            for _ in range(_ATTEMPTS_AGAINST_OTHERS - 1):
                with suppress(ConditionError):
                    outcomes.append(step(processor))
                    break
            else:
                outcomes.append(step(processor))
        if work.repeated or any(outcome.repeated for outcome in outcomes):
            outcomes.append(processor.waiting(work.image))
        return outcomes
    except Exception as error:  # one image's trouble stays its own
        return error
