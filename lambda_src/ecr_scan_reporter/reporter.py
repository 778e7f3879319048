"""Handler: gathers finished scans, and tells people of those that are worth it."""

import logging
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import replace
from functools import cache

from . import scan_events
from .batches import BatchResponse, SqsEvent
from .due import INDEX_TYPES
from .errors import MessageError, RegistryError
from .gathering import ImageReport, groups, latest, with_findings, worth_telling
from .models import Image, IndexChild
from .registry import INDEXES_A_CALL, Registry, ecr_client
from .reports import reports
from .settings import ReporterSettings
from .side_by_side import batches, side_by_side
from .topics import ReportsTopics, sns_client

logger = logging.getLogger(__name__)

_THREADS = 16


def handler(event: SqsEvent, context: object) -> BatchResponse:
    """Handle a gathering of scan events from the reports queue.

    Raises:
        SettingError: a setting is not accepted.
    """
    settings, registry, topics, pool = _environment()
    return Reporter(settings, registry, topics, pool).tell(event)


@cache
def _environment() -> tuple[ReporterSettings, Registry, ReportsTopics, Executor]:
    """Settings, clients and threads, made once per cold start."""
    settings = ReporterSettings.read(os.environ)
    topics = ReportsTopics(sns_client(), settings.topic_arn, settings.chat_topic_arn)
    return settings, Registry(ecr_client(_THREADS)), topics, ThreadPoolExecutor(_THREADS)


class Reporter:
    """Tells of one gathering."""

    def __init__(self, settings: ReporterSettings, registry: Registry, topics: ReportsTopics, pool: Executor) -> None:
        self._settings, self._registry, self._topics, self._pool = settings, registry, topics, pool

    def tell(self, event: SqsEvent) -> BatchResponse:
        """Publish what is worth telling; what was no scan event, or could not be published, is reported back."""
        failed: set[str] = set()
        events: list[tuple[str, scan_events.ScanEvent]] = []
        for record in event["Records"]:
            try:
                events.append((record["messageId"], scan_events.read(record["body"])))
            except MessageError as error:
                failed.add(record["messageId"])
                extra = {"message_id": record["messageId"], "reason": str(error)}
                logger.error("message not handled", extra=extra)
        images = latest(events)
        over = [image for image in images if worth_telling(image, self._settings)]
        read = side_by_side(self._pool, self._with_findings, over)
        told = self._named([image for image in read if worth_telling(image, self._settings)])
        published = 0
        for group, members in groups(told, self._settings.group_by):
            for report in reports(members, group, self._settings):
                try:
                    self._topics.publish(report)
                    published += 1
                except Exception as error:
                    # Its events must not be lost: they come back, and with them this part alone.
                    failed.update(message for image in report.images for message in image.messages)
                    logger.exception("report not published", extra={"subject": report.subject, "reason": str(error)})
        counts = {"events": len(events), "images": len(images), "told": len(told), "published": published}
        logger.info("gathering told", extra=counts)
        return {"batchItemFailures": [{"itemIdentifier": message} for message in sorted(failed)]}

    def _with_findings(self, image: ImageReport) -> ImageReport:
        """The image with what its scan found, or why it failed; as the event has it where ECR cannot say any more."""
        try:
            result = self._registry.scan_result(image.event.repository, image.event.digest)
        except RegistryError as error:
            extra = {"repository": image.event.repository, "digest": image.event.digest, "reason": str(error)}
            logger.warning("findings not read: the event's counts serve", extra=extra)
            return image
        if image.event.failed:
            return replace(image, reason=result.description)
        return with_findings(image, result.findings, self._settings.fixable_only)

    def _named(self, images: list[ImageReport]) -> list[ImageReport]:
        """Untagged images that are part of an index take its tags, and their platform."""
        untagged = {image.event.repository for image in images if not image.tags}
        children: dict[tuple[str, str], tuple[IndexChild, tuple[str, ...]]] = {}
        for repository in sorted(untagged):
            try:
                children |= self._children(repository)
            except RegistryError as error:
                logger.warning("indexes not read", extra={"repository": repository, "reason": str(error)})
        return [_called(image, children) for image in images]

    def _children(self, repository: str) -> Mapping[tuple[str, str], tuple[IndexChild, tuple[str, ...]]]:
        indexes = [image for image in self._registry.images(repository) if image.media_type in INDEX_TYPES]
        tags = {index.digest: index.tags for index in indexes}
        found: list[list[IndexChild]] = side_by_side(
            self._pool, self._index_children, list(batches(indexes, INDEXES_A_CALL))
        )
        return {(repository, child.digest): (child, tags[child.index]) for batch in found for child in batch}

    def _index_children(self, indexes: Sequence[Image]) -> list[IndexChild]:
        return list(self._registry.index_children(indexes))


def _called(image: ImageReport, children: Mapping[tuple[str, str], tuple[IndexChild, tuple[str, ...]]]) -> ImageReport:
    known = children.get((image.event.repository, image.event.digest))
    if image.tags or known is None:
        return image
    child, tags = known
    return replace(image, tags=tags, platform=child.platform)
