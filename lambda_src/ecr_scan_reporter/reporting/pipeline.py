"""The steps from a batch of messages to published reports."""

import logging
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from concurrent.futures import Executor
from datetime import datetime
from typing import NamedTuple

from ecr_scan_reporter.aws.deadline import Deadline
from ecr_scan_reporter.aws.dynamodb import Table
from ecr_scan_reporter.aws.ecr import EcrRegistry
from ecr_scan_reporter.aws.metrics import embed
from ecr_scan_reporter.aws.sns import ReportPublisher
from ecr_scan_reporter.aws.sqs import SqsQueue
from ecr_scan_reporter.aws.sqs_batch import SqsBatchResponse, SqsRecord, batch_response, receive_count
from ecr_scan_reporter.errors import AwsError, DeadlineExceededError, FindingsNotReadError, MessageError
from ecr_scan_reporter.memory.images import ImageMemory
from ecr_scan_reporter.memory.outbox import Outbox
from ecr_scan_reporter.memory.rules import RuleMemory
from ecr_scan_reporter.memory.scans import ScanMemory
from ecr_scan_reporter.messages.overdue import OverdueMessage
from ecr_scan_reporter.messages.publication import parse_publication
from ecr_scan_reporter.reporting.comparison.ignored import RuleMatcher
from ecr_scan_reporter.reporting.delivery import publish_again
from ecr_scan_reporter.reporting.intake.events import ScanEvent, load, parse
from ecr_scan_reporter.reporting.intake.image_facts import BatchFacts
from ecr_scan_reporter.reporting.intake.triage import ImageEvents, latest_per_image
from ecr_scan_reporter.reporting.processor import Outcome, Processor
from ecr_scan_reporter.reporting.reports.publishing import PublishingDependencies, publish_what_is_due
from ecr_scan_reporter.settings import ReporterSettings
from ecr_scan_reporter.shared import clock
from ecr_scan_reporter.shared.concurrency import concurrent_map

logger = logging.getLogger(__name__)

# Seconds until a failed message is retried, for the first attempts: COMPLETE can precede the findings by seconds. Later
# attempts wait for the queue's visibility timeout, so an outage of an hour moves nothing to the DLQ.
_RETRY_DELAY, _SOON_RETRIED = 60, 2
# The metric of each severity's new findings.
_NEW = {"CRITICAL": "NewCritical", "HIGH": "NewHigh", "MEDIUM": "NewMedium", "LOW": "NewLow"}


class ReporterDependencies(NamedTuple):
    """The settings and clients of the reporter."""

    settings: ReporterSettings
    ecr: EcrRegistry
    table: Table
    rules: RuleMemory
    publisher: ReportPublisher
    reports_queue: SqsQueue
    pool: Executor


class Batch(NamedTuple):
    """The messages of a batch, by what they ask for.

    Args:
        events: scan events with message id and number of receives.
        overdue: the images whose deadlines are to be checked, by message id.
        checks: the ids of messages that ask to check whether something is due.
        unpublished: the ids of messages with a report that SNS rejected again.
        invalid: the ids of messages that are invalid, or that failed unexpectedly.
    """

    events: list[tuple[str, int, ScanEvent]]
    overdue: dict[str, OverdueMessage]
    checks: set[str]
    unpublished: set[str]
    invalid: set[str]


def report_batch(
    records: Sequence[SqsRecord], deps: ReporterDependencies, deadline: Deadline, now: datetime | None = None
) -> SqsBatchResponse:
    """Remember what a batch of scan events found, and publish what is due; return the messages to redeliver."""
    now = now or clock.now()
    batch = receive(records, deps, deadline.halfway())
    images = [
        image for image in latest_per_image(batch.events) if deps.settings.repositories.matches(image.image.repository)
    ]
    rules = RuleMatcher(deps.rules.read(now), now)
    outcomes, retried = process(images, batch.overdue, rules, deps, deadline.halfway(), now)
    processed = {message_id for image in images for message_id in image.message_ids} | batch.overdue.keys()
    processed -= retried
    try:
        pages = publish(outcomes, batch, deps, deadline, now)
    except AwsError:
        # What was remembered stays in the outbox, and the messages will cause another check.
        logger.exception("could not check what is to be published")
        retried |= processed | batch.checks
        pages = 0
    if deadline.remaining > 0:
        deps.rules.remember(rules.matched, rules.used, rules.ended, now, deps.pool)
    soon = [record for record in records if record["messageId"] in retried and receive_count(record) <= _SOON_RETRIED]
    handles = [record.get("receiptHandle", "") for record in soon]
    deps.reports_queue.retry_in(_RETRY_DELAY, filter(None, handles))
    counts = {"events": len(batch.events), "images": len(images), "changed": sum(o.added for o in outcomes)}
    counts |= {"pages": pages, "invalid": len(batch.invalid), "retried": len(retried)}
    logger.info("batch processed", extra=counts | embed(_metrics(batch, retried, outcomes, pages), deps.settings.name))
    return batch_response(sorted(batch.invalid | retried | batch.unpublished))


def _metrics(batch: Batch, retried: Collection[str], outcomes: Iterable[Outcome], pages: int) -> dict[str, float]:
    new: Counter[str] = sum((Counter(outcome.new) for outcome in outcomes), Counter())
    return {
        "EventsProcessed": sum(message_id not in retried for message_id, _, _ in batch.events),
        "ReportsPublished": pages,
        **{name: new[severity] for severity, name in _NEW.items()},
    }


def receive(records: Iterable[SqsRecord], deps: ReporterDependencies, deadline: Deadline) -> Batch:
    """Parse the messages of a batch, and publish again what SNS rejected before, while there is time."""
    batch = Batch([], {}, set(), set(), set())
    for record in records:
        message_id = record["messageId"]
        try:
            _receive(record, batch, deps, deadline)
        except MessageError as error:
            batch.invalid.add(message_id)
            logger.error("invalid message", extra={"message_id": message_id, "reason": str(error)})
        except Exception as error:  # one message's trouble stays its own
            batch.invalid.add(message_id)
            logger.exception("message failed", extra={"message_id": message_id, "reason": str(error)})
    return batch


def _receive(record: SqsRecord, batch: Batch, deps: ReporterDependencies, deadline: Deadline) -> None:
    message_id, message = record["messageId"], load(record["body"])
    match message:
        case {"check": True}:
            batch.checks.add(message_id)
        case {"publish": publish}:
            publication = parse_publication(publish)
            if deadline.remaining <= 0 or not publish_again(publication, deps.publisher):
                batch.unpublished.add(message_id)
        case {"overdue": overdue}:
            batch.overdue[message_id] = OverdueMessage.parse(overdue)
        case _:
            batch.events.append((message_id, receive_count(record), parse(message)))


def process(
    images: Sequence[ImageEvents],
    overdue: Mapping[str, OverdueMessage],
    rules: RuleMatcher,
    deps: ReporterDependencies,
    deadline: Deadline,
    now: datetime,
) -> tuple[list[Outcome], set[str]]:
    """Process images concurrently; return what became of their events, and the ids of messages to redeliver.

    Args:
        images: with scan events.
        overdue: the images whose deadlines are to be checked after the events, by message id.
        rules: those for ignored findings.
        deps: the settings and clients.
        deadline: after which no image is started.
        now: aware.
    """
    registry = BatchFacts(deps.ecr, deps.table, (image.image for image in images), now)
    processor = Processor(deps.settings, deps.ecr, ImageMemory(deps.table), Outbox(deps.table), registry, rules, now)

    def attempt(work: ImageEvents | OverdueMessage) -> list[Outcome] | Exception:
        try:
            deadline.check("reading findings")
            if isinstance(work, OverdueMessage):
                outcomes = [processor.process_overdue(work)]
                repository, digest, repeated = work.repository, work.digest, False
            else:
                outcomes = [processor.process(event, work.receives) for event in work.events]
                repository, digest, repeated = processor.repository(work.image), work.image.digest, work.repeated
            if repeated or any(outcome.repeated for outcome in outcomes):
                outcomes.append(processor.waiting(repository, digest))
            return outcomes
        except Exception as error:  # one image's trouble stays its own
            return error

    message_ids = [set(image.message_ids) for image in images] + [{message_id} for message_id in overdue]
    named = [image.image for image in images] + list(overdue.values())
    results = concurrent_map(deps.pool, attempt, images) + concurrent_map(deps.pool, attempt, list(overdue.values()))
    outcomes: list[Outcome] = []
    retried: set[str] = set()
    for ids, image, result in zip(message_ids, named, results, strict=True):
        if isinstance(result, list):
            outcomes += result
            continue
        retried |= ids
        expected = isinstance(result, FindingsNotReadError | DeadlineExceededError)
        extra = {"repository": image.repository, "digest": image.digest, "reason": str(result)}
        logger.log(
            logging.INFO if expected else logging.ERROR,
            "image not processed; the message is retried",
            extra=extra,
            exc_info=None if expected else result,
        )
    return outcomes, retried


def publish(
    outcomes: Sequence[Outcome], batch: Batch, deps: ReporterDependencies, deadline: Deadline, now: datetime
) -> int:
    """Note what was added to the outbox, and publish what is due; return how many pages were published.

    Raises:
        AwsError: DynamoDB or SQS rejected a call.
    """
    outbox = Outbox(deps.table)
    results = Counter(outcome.run for outcome in outcomes if outcome.run)
    windows: dict[str, str] = {}
    for outcome in outcomes:
        for window in outcome.windows:
            windows[window] = outcome.run or windows.get(window, "")
    for run, number in results.items():
        outbox.add_results(run, number, now)
    for window, run in windows.items():
        outbox.touch(window, run, now)
    if not (results or windows or batch.checks):
        return 0
    publishing = PublishingDependencies(
        deps.settings, deps.publisher, deps.reports_queue, outbox, ScanMemory(deps.table)
    )
    return publish_what_is_due(publishing, now, deadline)
