"""The steps from a batch of scan events to published reports."""

import logging
from collections.abc import Iterable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

from ecr_scan_reporter.aws.ecr import EcrRegistry
from ecr_scan_reporter.aws.sns import Publication, ReportMessage, ReportPublisher, publications
from ecr_scan_reporter.aws.sqs import SqsQueue
from ecr_scan_reporter.aws.sqs_batch import SqsBatchResponse, SqsRecord, batch_response, receive_count
from ecr_scan_reporter.errors import DeadlineExceededError, MessageError, PublishError, QueueError
from ecr_scan_reporter.reporting.enrichment import Enricher, FindingsNotReadError
from ecr_scan_reporter.reporting.events import ScanEvent, parse
from ecr_scan_reporter.reporting.index_tags import with_index_tags
from ecr_scan_reporter.reporting.rendering.messages import build_message, build_pages
from ecr_scan_reporter.reporting.rendering.page import Context, Page
from ecr_scan_reporter.reporting.triage import (
    ImageResult,
    group_results,
    is_candidate,
    is_reportable,
    latest_per_image,
)
from ecr_scan_reporter.settings import ReporterSettings
from ecr_scan_reporter.shared.concurrency import concurrent_map
from ecr_scan_reporter.shared.deadline import Deadline

logger = logging.getLogger(__name__)

# Seconds before a report that SNS rejected is published again.
_PUBLISH_DELAY = 60


@dataclass(frozen=True, slots=True)
class Dependencies:
    """What the reporter works with."""

    settings: ReporterSettings
    ecr: EcrRegistry
    publisher: ReportPublisher
    reports_queue: SqsQueue
    pool: Executor


def report_batch(records: Sequence[SqsRecord], deps: Dependencies, deadline: Deadline) -> SqsBatchResponse:
    """Publish what a batch of scan events found; return the messages to deliver again."""
    events, unpublished, invalid = receive(records, deps)
    results = latest_per_image(events)
    candidates = [result for result in results if is_candidate(result, deps.settings)]
    enriched, retried = enrich(candidates, deps, deadline.halfway())
    # Only the findings tell how many have a fix, and merged findings are fewer: filter again.
    reportable = [result for result in enriched if is_reportable(result, deps.settings)]
    named = with_index_tags(reportable, deps.ecr, deps.pool, deadline.halfway())
    groups = group_results(named, deps.settings.group_by)
    context = Context(deps.settings.name, deps.settings.partition, deps.settings.thresholds)
    pages = [page for group in groups for page in build_pages(group, context)]
    unpublished |= publish(pages, context, deps, deadline)
    counts = {"events": len(events), "images": len(results), "reported": len(named), "pages": len(pages)}
    logger.info("batch reported", extra={**counts, "invalid": len(invalid), "retried": len(retried)})
    return batch_response(sorted(invalid | retried | unpublished))


def receive(
    records: Iterable[SqsRecord], deps: Dependencies
) -> tuple[list[tuple[str, int, ScanEvent]], set[str], set[str]]:
    """Parse the messages of a batch, and publish again what SNS rejected before.

    Returns:
        The scan events with message id and number of receives; the ids of messages that SNS rejected again; and the
        ids of invalid messages.
    """
    events: list[tuple[str, int, ScanEvent]] = []
    unpublished, invalid = set(), set()
    for record in records:
        message_id = record["messageId"]
        try:
            if publication := Publication.from_json(record["body"]):
                if not publish_again(publication, deps.publisher):
                    unpublished.add(message_id)
            else:
                events.append((message_id, receive_count(record), parse(record["body"])))
        except MessageError as error:
            invalid.add(message_id)
            logger.error("invalid message", extra={"message_id": message_id, "reason": str(error)})
    return events, unpublished, invalid


def enrich(
    candidates: Sequence[ImageResult], deps: Dependencies, deadline: Deadline
) -> tuple[list[ImageResult], set[str]]:
    """Read findings concurrently; return the complete results, and the ids of messages to deliver again."""
    enricher = Enricher(deps.ecr, deps.settings, Enricher.max_findings_for(len(candidates)))

    def attempt(result: ImageResult) -> ImageResult | Exception | None:
        try:
            deadline.check("reading findings")
            return enricher.enrich(result)
        except Exception as error:  # one image's trouble stays its own
            return error

    enriched, retried = [], set[str]()
    for result, outcome in zip(candidates, concurrent_map(deps.pool, attempt, candidates), strict=True):
        if isinstance(outcome, ImageResult):
            enriched.append(outcome)
        elif isinstance(outcome, Exception):
            retried.update(result.message_ids)
            expected = isinstance(outcome, FindingsNotReadError | DeadlineExceededError)
            extra = {"repository": result.event.repository, "digest": result.event.digest, "reason": str(outcome)}
            logger.log(
                logging.INFO if expected else logging.ERROR,
                "findings not read; the message is retried",
                extra=extra,
                exc_info=None if expected else outcome,
            )
    return enriched, retried


def publish(pages: Iterable[Page], context: Context, deps: Dependencies, deadline: Deadline) -> set[str]:
    """Publish pages; return the ids of the messages whose page was not published at all."""
    unpublished: set[str] = set()
    for page in pages:
        if not publish_page(build_message(page, context), deps, deadline):
            # Only this page's messages are delivered again.
            unpublished.update(message_id for result in page.results for message_id in result.message_ids)
    return unpublished


def publish_page(message: ReportMessage, deps: Dependencies, deadline: Deadline) -> bool:
    """Publish one page to each topic; return whether it was published or queued on every topic.

    One topic does not hold back the other. If one of them fails, its publication goes to the reports queue by itself,
    so that the page is not published twice on the other one.
    """
    rejected = []
    messages = publications(message)
    for publication in messages:
        try:
            deadline.check("publishing")
            deps.publisher.publish(publication)
        except (DeadlineExceededError, PublishError) as error:
            rejected.append(publication)
            extra = {"topic": publication.topic, "subject": message.subject, "reason": str(error)}
            logger.error("report not published", extra=extra)
    if len(rejected) == len(messages) or not deps.settings.chat_topic_arn:
        return not rejected
    try:
        deps.reports_queue.send([publication.to_json() for publication in rejected], delay=_PUBLISH_DELAY)
    except QueueError:
        logger.exception("report not queued")
        return False
    return True


def publish_again(publication: Publication, publisher: ReportPublisher) -> bool:
    """Publish what SNS rejected before; return whether it accepted it now."""
    try:
        publisher.publish(publication)
    except PublishError as error:
        logger.error("report not published", extra={"topic": publication.topic, "reason": str(error)})
        return False
    return True
