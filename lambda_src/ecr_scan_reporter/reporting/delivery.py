"""Delivers one message to the topics. What SNS rejects waits in the reports queue."""

import logging
from collections.abc import Collection
from typing import NamedTuple

from ecr_scan_reporter.aws.deadline import Deadline
from ecr_scan_reporter.aws.sns import Publication, ReportMessage, ReportPublisher, publications
from ecr_scan_reporter.aws.sqs import SqsQueue
from ecr_scan_reporter.errors import DeadlineExceededError, PublishError
from ecr_scan_reporter.messages.publication import encode_publication

logger = logging.getLogger(__name__)

# Seconds to wait with what SNS rejected.
RETRY = 60
_NOT_PUBLISHED = "report not published"


class Delivery(NamedTuple):
    """Which publications of a message SNS accepted, and which it rejected or there was no time for."""

    accepted: list[Publication]
    rejected: list[Publication]


def deliver(
    message: ReportMessage, publisher: ReportPublisher, deadline: Deadline, failure: str = _NOT_PUBLISHED
) -> Delivery:
    """Publish a message to each of its topics; one topic does not hold back the other.

    Args:
        message: one page.
        publisher: to the topics.
        deadline: after which nothing is published.
        failure: what is logged of a publication that is rejected.
    """
    delivery = Delivery([], [])
    for publication in publications(message):
        try:
            deadline.check("publishing")
            publisher.publish(publication)
            delivery.accepted.append(publication)
        except (DeadlineExceededError, PublishError) as error:
            delivery.rejected.append(publication)
            extra = {"topic": publication.topic, "subject": message.subject, "reason": str(error)}
            logger.error(failure, extra=extra)
    return delivery


def publish_later(rejected: Collection[Publication], queue: SqsQueue) -> None:
    """Let the reporter publish again what SNS rejected, each publication by itself.

    Raises:
        QueueError: SQS rejected a message.
    """
    if rejected:
        queue.send(map(encode_publication, rejected), delay=RETRY)


def publish_again(publication: Publication, publisher: ReportPublisher) -> bool:
    """Publish what SNS rejected before; return whether SNS accepts it now."""
    try:
        publisher.publish(publication)
    except PublishError as error:
        logger.error(_NOT_PUBLISHED, extra={"topic": publication.topic, "reason": str(error)})
        return False
    return True
