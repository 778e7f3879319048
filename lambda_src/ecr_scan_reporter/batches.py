"""A batch of messages from SQS: each is handled by itself, and what fails comes back alone."""

import logging
from collections.abc import Callable
from typing import TypedDict

logger = logging.getLogger(__name__)


class Record(TypedDict):
    """One message, as Lambda's event source mapping hands it over."""

    messageId: str
    body: str


class SqsEvent(TypedDict):
    """https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html"""

    Records: list[Record]


class ItemFailure(TypedDict):
    """Names one message that was not handled."""

    itemIdentifier: str


class BatchResponse(TypedDict):
    """https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html"""

    batchItemFailures: list[ItemFailure]


def handle_each(event: SqsEvent, handle: Callable[[str], None]) -> BatchResponse:
    """Give the body of every message to `handle`; one that raises is reported back, and its neighbours are not.

    SQS delivers a failed message again, and moves it to the dead letters after the queue's maximum of receives.
    """
    failures: list[ItemFailure] = []
    for record in event["Records"]:
        try:
            handle(record["body"])
        except Exception as error:
            # Whatever it was, the message must not be lost: the log tells, and the queue keeps it.
            logger.exception("message not handled", extra={"message_id": record["messageId"], "reason": str(error)})
            failures.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": failures}
