"""The steps from a batch of messages to published reports."""

import logging
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from math import ceil
from typing import NamedTuple, TypeVar

from ecr_scan_reporter.aws.deadline import Deadline
from ecr_scan_reporter.aws.metrics import embed
from ecr_scan_reporter.aws.sns import Publication
from ecr_scan_reporter.aws.sqs import EARLY, MAX_DELAY, SqsBatchResponse, SqsRecord, batch_response, receive_count
from ecr_scan_reporter.errors import AwsError, DeadlineExceededError, FindingsNotReadError, MessageError, QueueError
from ecr_scan_reporter.memory.outbox import Outbox
from ecr_scan_reporter.messages.publication import parse_publication
from ecr_scan_reporter.messages.reports_queue import (
    DueMessage,
    ExportMessage,
    LookMessage,
    MissedMessage,
    PassMessage,
    parse_message,
    to_body,
)
from ecr_scan_reporter.models.images import ImageId
from ecr_scan_reporter.models.scans import ENHANCED
from ecr_scan_reporter.reporting.comparison.ignored import RuleMatcher
from ecr_scan_reporter.reporting.dependencies import ReporterDependencies
from ecr_scan_reporter.reporting.image_processor import ImageProcessor, Judges, Outcome
from ecr_scan_reporter.reporting.intake.events import (
    ImageEvents,
    ReceivedEvent,
    ScanEvent,
    latest_per_image,
    load,
    parse,
)
from ecr_scan_reporter.shared import clock
from ecr_scan_reporter.shared.concurrency import concurrent_map

logger = logging.getLogger(__name__)

_Message = TypeVar("_Message", PassMessage, ExportMessage)

# Seconds until a failed message is retried, for the first attempts: COMPLETE can precede the findings by seconds. Later
# attempts wait for the queue's visibility timeout, so an outage of an hour moves nothing to the DLQ.
_RETRY_DELAY, _SOON_RETRIED = 60, 2
# Of messages that this module sends itself. One without a version, such as all of this release, has the first one.
VERSION = 1
# The metric of each severity's new findings.
_NEW = {"CRITICAL": "NewCritical", "HIGH": "NewHigh", "MEDIUM": "NewMedium", "LOW": "NewLow"}
# How many lost events are counted: from two on, it is an alarm.
_MAX_LOST = 100


class Batch(NamedTuple):
    """The messages of a batch, by what they ask for.

    Args:
        events: scan events.
        due: the images that are to be judged again, each with its message's id and how often SQS has delivered that.
        passes: the parts of the daily pass, by message id.
        exports: the exports that are to begin, or to go on, by message id.
        missed: the images of whose last result no event came, with how often SQS has delivered the message, by its id.
        checks: the ids of messages that ask to check whether something is to be published.
        unpublished: the ids of messages with a report that SNS rejected again.
        invalid: the ids of messages that are invalid, or that failed unexpectedly.
    """

    events: list[ReceivedEvent]
    due: list[tuple[ImageId, str, int]]
    passes: dict[str, PassMessage]
    exports: dict[str, ExportMessage]
    missed: dict[str, tuple[int, MissedMessage]]
    checks: set[str]
    unpublished: set[str]
    invalid: set[str]


class Processed(NamedTuple):
    """What became of the images of a batch.

    Args:
        outcomes: of their steps.
        done: the ids of messages that are done.
        retried: the ids of messages that are to be retried.
        unstarted: the ids of messages that there was no time for.
        looks: when the findings of images are to be read again (aware), by image.
    """

    outcomes: list[Outcome]
    done: set[str]
    retried: set[str]
    unstarted: set[str]
    looks: dict[ImageId, datetime]


class _Work(NamedTuple):
    """One image of a batch.

    Args:
        image: to be processed.
        message_ids: of all messages about it.
        steps: what is to be done, in this order.
        repeated: whether an earlier invocation may have processed one of the messages.
    """

    image: ImageId
    message_ids: tuple[str, ...]
    steps: tuple[Callable[[], Outcome], ...]
    repeated: bool = False


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
    batch = receive(records, deps, deadline.halfway(), now)
    images = _selected(batch.events, deps)
    repositories = [image.image.repository for image in images] + [image.repository for image, _, _ in batch.due]
    repositories += [message.repository for _, message in batch.missed.values()]
    rules = RuleMatcher(ignore_rules, now, repositories, ignore_kernel_headers=deps.settings.ignore_kernel_headers)
    judges = Judges(rules, catalog)
    outcomes, done, retried, unstarted, looks = process(images, batch, judges, deps, deadline.halfway(), now)
    plan_looks(looks, deps, now)
    wait_for_scans(outcomes, deps)
    retried |= send_again(records, unstarted, deps) if done else unstarted
    try:
        pages, waiting = publish(outcomes, batch, deps, deadline, now)
    except AwsError:
        # What was remembered stays in the outbox, and the messages will cause another check.
        logger.exception("could not check what is to be published")
        retried |= done | batch.checks
        pages, waiting = 0, timedelta()
    retried |= _walk(batch.passes, rules, deps, deadline, now) | _export(batch.exports, deps, deadline, now)
    if deadline.remaining > 0:
        deps.rules.remember(rules.matched, rules.used, rules.ended, now, deps.pool)
    _retry_soon(records, retried, deps)
    counts = {"events": len(batch.events), "images": len(images), "changed": sum(o.added for o in outcomes)}
    counts |= {"pages": pages, "invalid": len(batch.invalid), "retried": len(retried)}
    metrics = _metrics(batch, retried, outcomes) | {
        "ReportsPublished": pages,
        "OldestUnpublished": int(waiting.total_seconds()),
    }
    if any(outcome.lost for outcome in outcomes):
        metrics["LostEvents"] = _lost_events(deps, now)
    extra = counts | embed(metrics, deps.settings.name, detailed=deps.settings.detailed_metrics)
    logger.info("batch processed", extra=extra)
    return batch_response(sorted(batch.invalid | retried | batch.unpublished))


def _selected(events: Sequence[ReceivedEvent], deps: ReporterDependencies) -> list[ImageEvents]:
    """Return the images of matching repositories, with their events.

    What has failed before comes first: it cannot be sent again as if it had not.
    """
    matches = deps.settings.repositories.matches
    images = [image for image in latest_per_image(events) if matches(image.image.repository)]
    return sorted(images, key=lambda image: image.receives, reverse=True)


def _retry_soon(records: Iterable[SqsRecord], message_ids: Collection[str], deps: ReporterDependencies) -> None:
    soon = [
        record for record in records if record["messageId"] in message_ids and receive_count(record) <= _SOON_RETRIED
    ]
    handles = [record.get("receiptHandle", "") for record in soon]
    deps.reports_queue.retry_in(_RETRY_DELAY, filter(None, handles))


def _lost_events(deps: ReporterDependencies, now: datetime) -> int:
    """Return how many events were lost lately, as far as they are counted; one if memory does not tell."""
    # Not at the top: events are lost rarely.
    from ecr_scan_reporter.memory.lost_events import LostEventMemory

    memory, settings = LostEventMemory(deps.table, deps.ecr.id), deps.settings
    try:
        return len(memory.lately(settings.max_age, settings.run_interval, now, _MAX_LOST))
    except AwsError:
        logger.exception("could not count lost events")
        return 1


def _metrics(batch: Batch, retried: Collection[str], outcomes: Iterable[Outcome]) -> dict[str, float]:
    new: Counter[str] = sum((Counter(outcome.new) for outcome in outcomes), Counter())
    return {
        "EventsProcessed": sum(event.message_id not in retried for event in batch.events),
        **{name: new[severity] for severity, name in _NEW.items()},
    }


def receive(records: Iterable[SqsRecord], deps: ReporterDependencies, deadline: Deadline, now: datetime) -> Batch:
    """Parse the messages of a batch, and publish again what SNS rejected before, while there is time."""
    batch = Batch([], [], {}, {}, {}, set(), set(), set())
    for record in records:
        message_id = record["messageId"]
        try:
            _receive(record, batch, deps, deadline, now)
        except MessageError as error:
            batch.invalid.add(message_id)
            logger.error("invalid message", extra={"message_id": message_id, "reason": str(error)})
        except Exception as error:  # one message's trouble stays its own
            batch.invalid.add(message_id)
            logger.exception("message failed", extra={"message_id": message_id, "reason": str(error)})
    return batch


def _receive(record: SqsRecord, batch: Batch, deps: ReporterDependencies, deadline: Deadline, now: datetime) -> None:
    message_id, message = record["messageId"], load(record["body"])
    match message:
        case {"version": int() as version} if version > VERSION:
            raise MessageError(f"version is {version}; expected at most {VERSION}, or no value")
        case {"check": True}:
            batch.checks.add(message_id)
        case {"publish": publish}:
            if not _publish_again(*parse_publication(publish), deps, deadline, now):
                batch.unpublished.add(message_id)
        case {"due": due}:
            image = deps.ecr.id.image(*parse_message(DueMessage, due))
            batch.due.append((image, message_id, receive_count(record)))
        case {"pass": part}:
            batch.passes[message_id] = parse_message(PassMessage, part)
        case {"export": export}:
            batch.exports[message_id] = parse_message(ExportMessage, export)
        case {"missed": missed}:
            batch.missed[message_id] = receive_count(record), parse_message(MissedMessage, missed)
        case {"look": look}:
            event = _look_event(parse_message(LookMessage, look), deps, now)
            if event.time > now + EARLY:
                plan_looks({event.image: event.time}, deps, now)
            else:
                batch.events.append(ReceivedEvent(message_id, receive_count(record), event))
        case _:
            event = parse(message)
            # A time in the future would let the events that come until then look like older ones.
            event = event._replace(time=min(event.time, now))
            batch.events.append(ReceivedEvent(message_id, receive_count(record), event))


def _publish_again(
    id_: str, publication: Publication, deps: ReporterDependencies, deadline: Deadline, now: datetime
) -> bool:
    """Publish what SNS rejected before, unless another copy of the message did; return whether it is out."""
    outbox = Outbox(deps.table)
    if deadline.remaining <= 0:
        return False
    try:
        lease = outbox.claim_message(id_, now, now + timedelta(seconds=deadline.seconds + 60))
        if lease and deps.publisher.publish([publication], deadline):
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


def process(
    images: Sequence[ImageEvents],
    batch: Batch,
    judges: Judges,
    deps: ReporterDependencies,
    deadline: Deadline,
    now: datetime,
) -> Processed:
    """Process images concurrently.

    Args:
        images: with scan events.
        batch: the images that are to be judged again after the events, and those of whose last result none came.
        judges: the rules and the catalog.
        deps: the settings and clients.
        deadline: after which no image is started.
        now: aware.
    """
    all_images = [*(image.image for image in images), *(image for image, _, _ in batch.due)]
    processor = ImageProcessor(deps.settings, deps.ecr, deps.table, all_images, judges, now)
    events = [_events_work(image, processor) for image in images]
    missed = [_missed_work(message_id, *message, processor) for message_id, message in batch.missed.items()]
    judged = [
        _Work(image, (message_id,), (partial(processor.judge_again, image),), receives > 1)
        for image, message_id, receives in batch.due
    ]
    processed = Processed([], set(), set(), set(), {})
    for works in (events, missed, judged):
        results = concurrent_map(deps.pool, partial(_attempt, processor=processor, deadline=deadline), works)
        for work, result in zip(works, results, strict=True):
            if isinstance(result, Exception):
                unstarted = isinstance(result, DeadlineExceededError)
                (processed.unstarted if unstarted else processed.retried).update(work.message_ids)
                _log_failure(work.image, result)
            else:
                processed.done.update(work.message_ids)
                processed.outcomes.extend(result)
                processed.looks.update((work.image, outcome.look_at) for outcome in result if outcome.look_at)
    return processed


def send_again(records: Iterable[SqsRecord], message_ids: Collection[str], deps: ReporterDependencies) -> set[str]:
    """Send messages again that there was no time for: that is no failure of theirs, and must not move them to the DLQ.

    Returns:
        The ids of those that SQS is to deliver again instead: what an earlier invocation may have begun to process.
    """
    unstarted = {record["messageId"]: record for record in records if record["messageId"] in message_ids}
    first = {id_: record["body"] for id_, record in unstarted.items() if receive_count(record) == 1}
    try:
        deps.reports_queue.send(first.values())
    except QueueError:
        logger.exception("could not send messages again that there was no time for")
        return set(unstarted)
    return unstarted.keys() - first.keys()


def plan_looks(looks: Mapping[ImageId, datetime], deps: ReporterDependencies, now: datetime) -> None:
    """Let the findings of images be read again at a time (aware), or as late as SQS allows before it.

    A failure is only logged: the images scanner asks ECR about each image once within the promised age.
    """
    delays: defaultdict[int, list[str]] = defaultdict(list)
    for image, at in looks.items():
        message = LookMessage(image.repository, image.digest, ceil(at.timestamp()))
        delays[max(ceil(min(at - now, MAX_DELAY).total_seconds()), 0)].append(to_body(message))
    for delay, messages in delays.items():
        try:
            deps.reports_queue.send(messages, delay)
        except QueueError:
            logger.exception("could not plan to read findings again")


def wait_for_scans(outcomes: Iterable[Outcome], deps: ReporterDependencies) -> None:
    """Send the messages about images that are being scanned again; a failure is only logged, as above."""
    try:
        messages = [to_body(outcome.missed) for outcome in outcomes if outcome.missed]
        deps.reports_queue.send(messages, int(MAX_DELAY.total_seconds()))
    except QueueError:
        logger.exception("could not plan to read results again")


def _look_event(message: LookMessage, deps: ReporterDependencies, now: datetime) -> ScanEvent:
    image = deps.ecr.id.image(message.repository, message.digest)
    at = datetime.fromtimestamp(message.at, UTC) if message.at else now
    return ScanEvent(image, (), at, failed=False, counts=None, scanner=ENHANCED, is_look=True)


def _events_work(events: ImageEvents, processor: ImageProcessor) -> _Work:
    steps = (partial(processor.process, event, events.receives) for event in events.events)
    return _Work(events.image, events.message_ids, tuple(steps), events.repeated)


def _walk(
    passes: Mapping[str, PassMessage], rules: RuleMatcher, deps: ReporterDependencies, deadline: Deadline, now: datetime
) -> set[str]:
    """Do parts of the daily pass; return the ids of messages that are to be retried."""
    if not passes:
        return set()
    # Not at the top: a pass is rare.
    from ecr_scan_reporter.reporting.daily_pass.walk import walk

    return _do_each(passes, lambda message: walk(message, rules, deps, deadline, now), "the daily pass failed")


def _export(
    exports: Mapping[str, ExportMessage], deps: ReporterDependencies, deadline: Deadline, now: datetime
) -> set[str]:
    """Begin exports, or let them go on; return the ids of messages that are to be retried."""
    if not exports:
        return set()
    # Not at the top: an export is rare.
    from ecr_scan_reporter.reporting.export.run import export_run

    return _do_each(exports, lambda message: export_run(message, deps, deadline, now), "the export failed")


def _do_each(messages: Mapping[str, _Message], do: Callable[[_Message], None], failure: str) -> set[str]:
    """Do what messages ask for; return the ids of those that failed, and are to be retried."""
    failed = set[str]()
    for message_id, message in messages.items():
        try:
            do(message)
        except Exception:  # one message's trouble stays its own
            asked = {name: str(value) for name, value in message._asdict().items()}
            logger.exception(f"{failure}; its message is retried", extra=asked)
            failed.add(message_id)
    return failed


def _missed_work(message_id: str, receives: int, message: MissedMessage, processor: ImageProcessor) -> _Work:
    image = processor.own.image(message.repository, message.digest)
    return _Work(image, (message_id,), (partial(processor.process_missed, image, message, receives),), receives > 1)


def _attempt(work: _Work, processor: ImageProcessor, deadline: Deadline) -> list[Outcome] | Exception:
    try:
        deadline.check("reading findings")
        outcomes = [step() for step in work.steps]
        if work.repeated or any(outcome.repeated for outcome in outcomes):
            outcomes.append(processor.waiting(work.image))
        return outcomes
    except Exception as error:  # one image's trouble stays its own
        return error


def _log_failure(image: ImageId, error: Exception) -> None:
    expected = isinstance(error, FindingsNotReadError | DeadlineExceededError)
    logger.log(
        logging.INFO if expected else logging.ERROR,
        "image not processed; the message is retried",
        extra={"repository": image.repository, "digest": image.digest, "reason": str(error)},
        exc_info=None if expected else error,
    )


def publish(
    outcomes: Sequence[Outcome], batch: Batch, deps: ReporterDependencies, deadline: Deadline, now: datetime
) -> tuple[int, timedelta]:
    """Note what was added to the outbox, and publish what is due.

    Returns:
        How many pages were published, and for how long something has waited that was due before.

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
        deps.runs.add_results(run, number, now)
    for window, run in windows.items():
        outbox.touch(window, run, now)
    if not (results or windows or batch.checks):
        return 0, timedelta()
    # Not at the top: where nothing has changed, nothing is published.
    from ecr_scan_reporter.reporting.reports.publishing import publish_what_is_due

    return publish_what_is_due(deps, now, deadline)
