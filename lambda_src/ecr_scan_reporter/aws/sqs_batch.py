"""Processes the messages of a batch that Lambda received from SQS, each by itself."""

import logging
from collections.abc import Callable, Iterable
from typing import NotRequired, TypedDict

logger = logging.getLogger(__name__)


class SqsRecord(TypedDict):
    """One message of a batch."""

    messageId: str
    receiptHandle: NotRequired[str]
    body: str
    attributes: NotRequired[dict[str, str]]


class SqsEvent(TypedDict):
    """The event of an SQS event source mapping; https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html."""

    Records: list[SqsRecord]


class SqsBatchItemFailure(TypedDict):
    """A message that SQS is to deliver again."""

    itemIdentifier: str


class SqsBatchResponse(TypedDict):
    """The response to SQS; https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html."""

    batchItemFailures: list[SqsBatchItemFailure]


def batch_response(failed: Iterable[str]) -> SqsBatchResponse:
    """Build the response that returns these message ids to the queue."""
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}


def receive_count(record: SqsRecord) -> int:
    """Return how often SQS has delivered this message, including this time."""
    return int(record.get("attributes", {}).get("ApproximateReceiveCount", "1"))


def process_batch(event: SqsEvent, process_message: Callable[[str], None]) -> SqsBatchResponse:
    """Call `process_message` with the body of each message.

    Messages whose processing raises are returned as batch item failures; the others are not affected. SQS delivers a
    failed message again, and moves it to the dead-letter queue after the queue's maximum number of receives.
    """
    failed = []
    for record in event["Records"]:
        try:
            process_message(record["body"])
        except Exception as error:
            # Never lose a message: log the error and leave it on the queue.
            logger.exception("message failed", extra={"message_id": record["messageId"], "reason": str(error)})
            failed.append(record["messageId"])
    return batch_response(failed)
