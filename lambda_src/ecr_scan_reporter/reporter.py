"""Handler: tells people of finished scans that are worth telling."""

import logging
import os
from functools import cache

from . import scan_events
from .batches import BatchResponse, SqsEvent, handle_each
from .reports import report, worth_telling
from .settings import ReporterSettings
from .topics import ReportsTopic, sns_client

logger = logging.getLogger(__name__)


def handler(event: SqsEvent, context: object) -> BatchResponse:
    """Handle a batch of scan events from the reports queue.

    Raises:
        SettingError: a setting is not accepted.
    """
    settings, topic = _environment()
    return handle_each(event, lambda body: tell(body, settings, topic))


@cache
def _environment() -> tuple[ReporterSettings, ReportsTopic]:
    """Settings and clients, made once per cold start."""
    settings = ReporterSettings.read(os.environ)
    return settings, ReportsTopic(sns_client(), settings.topic_arn)


def tell(body: str, settings: ReporterSettings, topic: ReportsTopic) -> None:
    """Publish a report of the scan event in `body`, if it is worth telling.

    Raises:
        MessageError: `body` is no scan event.
    """
    scan = scan_events.read(body)
    told = settings.repositories.matches(scan.repository) and worth_telling(
        scan, settings.thresholds, settings.notify_on_scan_failure
    )
    if told:
        message = report(scan, partition=settings.topic_arn.split(":")[1], name=settings.name)
        topic.publish(message.subject, message.text)
    logger.info(
        "scan reported" if told else "scan not worth telling",
        extra={"repository": scan.repository, "digest": scan.digest, "failed": scan.failed, "counts": scan.counts},
    )
