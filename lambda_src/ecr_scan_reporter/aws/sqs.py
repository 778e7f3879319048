"""Sends messages to Amazon SQS, counts them, has them retried sooner, and processes a batch from Lambda."""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NotRequired, TypedDict

from botocore.exceptions import BotoCoreError, ClientError

from ecr_scan_reporter.errors import AwsError, InputError, QueueError
from ecr_scan_reporter.shared.concurrency import chunked

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import (
        ChangeMessageVisibilityBatchRequestEntryTypeDef,
        SendMessageBatchRequestEntryTypeDef,
    )

logger = logging.getLogger(__name__)

# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html
_BATCH_SIZE, _BATCH_BYTES = 10, 1024 * 1024
# Seconds for which SQS hides a message at most, and how much earlier it may arrive because clocks differ.
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
MAX_DELAY, EARLY = timedelta(seconds=900), timedelta(seconds=5)
# The messages that SQS is to deliver again; https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
SqsBatchResponse = dict[str, list[dict[str, str]]]
# How often a message that SQS rejects in a response of 200 is sent; botocore retries calls that fail as a whole.
_REJECTED_ATTEMPTS = 3


class SqsRecord(TypedDict):
    """One message of a batch; https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html."""

    messageId: str
    receiptHandle: NotRequired[str]
    body: str
    attributes: NotRequired[dict[str, str]]


class SqsQueue:
    """A queue to send messages to, with at most `threads` calls in flight."""

    def __init__(self, client: Any, url: str, threads: int = 1) -> None:
        self._sqs: SQSClient = client
        self._url, self._threads = url, threads

    def send(self, bodies: Iterable[str], delay: int = 0) -> int:
        """Send messages, at most ten a call, with concurrent calls; return how many were sent.

        Args:
            bodies: of the messages.
            delay: seconds (0 to 900) for which SQS hides the messages.

        Raises:
            QueueError: SQS rejected a message repeatedly.
        """
        with ThreadPoolExecutor(self._threads) as pool:
            sent = [pool.submit(self._send_batch, batch, delay) for batch in _batches(bodies)]
        # All batches were sent: a message that SQS rejects holds back no other.
        return sum(future.result() for future in sent)

    def retry_in(self, seconds: int, receipt_handles: Iterable[str]) -> None:
        """Let SQS deliver messages again after `seconds` instead of the queue's long visibility timeout.

        A failure is only logged: the messages then come back after the visibility timeout.
        """
        for handles in chunked(receipt_handles, _BATCH_SIZE):
            entries: list[ChangeMessageVisibilityBatchRequestEntryTypeDef] = [
                {"Id": str(index), "ReceiptHandle": handle, "VisibilityTimeout": seconds}
                for index, handle in enumerate(handles)
            ]
            warning = "could not make messages visible sooner"
            try:
                response = self._sqs.change_message_visibility_batch(QueueUrl=self._url, Entries=entries)
            except (ClientError, BotoCoreError) as error:
                logger.warning(warning, extra={"reason": str(error)})
                return
            # SQS answers 200 even if it rejects some entries.
            if failed := response.get("Failed"):
                extra = {"reason": f"{failed[0]['Code']}: {failed[0].get('Message')}", "messages": len(failed)}
                logger.warning(warning, extra=extra)

    def message_count(self) -> int:
        """Return approximately how many messages the queue holds, visible or not.

        Raises:
            AwsError: SQS rejected the call.
        """
        try:
            attributes = self._sqs.get_queue_attributes(
                QueueUrl=self._url,
                AttributeNames=["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"],
            )["Attributes"]
        except (ClientError, BotoCoreError) as error:
            raise AwsError(f"SQS did not count the messages of {self._url}: {error}") from error
        return sum(map(int, attributes.values()))

    def _send_batch(self, bodies: list[str], delay: int) -> int:
        entries: list[SendMessageBatchRequestEntryTypeDef] = [
            {"Id": str(index), "MessageBody": body, "DelaySeconds": delay} for index, body in enumerate(bodies)
        ]
        for _ in range(_REJECTED_ATTEMPTS):
            try:
                response = self._sqs.send_message_batch(QueueUrl=self._url, Entries=entries)
            except (ClientError, BotoCoreError) as error:
                raise QueueError(f"SQS rejected a batch of {len(entries)} messages: {error}") from error
            # SQS answers 200 even if it rejects some entries.
            failed = response.get("Failed", [])
            if not failed:
                return len(bodies)
            rejected = {entry["Id"] for entry in failed}
            entries = [entry for entry in entries if entry["Id"] in rejected]
        reason = f"{failed[0]['Code']}: {failed[0].get('Message')}"
        raise QueueError(f"SQS rejected {len(entries)} of {len(bodies)} messages {_REJECTED_ATTEMPTS} times: {reason}")


def _batches(bodies: Iterable[str]) -> Iterator[list[str]]:
    """Split messages into batches of as many messages and bytes as one call takes."""
    batch: list[str] = []
    room = _BATCH_BYTES
    for body in bodies:
        size = len(body.encode())
        if len(batch) == _BATCH_SIZE or (batch and size > room):
            yield batch
            batch, room = [], _BATCH_BYTES
        batch.append(body)
        room -= size
    if batch:
        yield batch


def batch_response(failed: Iterable[str]) -> SqsBatchResponse:
    """Build the response that returns these message ids to the queue."""
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}


def receive_count(record: SqsRecord) -> int:
    """Return how often SQS has delivered this message, including this time."""
    return int(record.get("attributes", {}).get("ApproximateReceiveCount", "1"))


def records(event: object, otherwise: str) -> list[SqsRecord] | None:
    """Return the messages of a batch; None if the input of an invocation is something else, but an object.

    Args:
        event: the input.
        otherwise: what else is expected.

    Raises:
        InputError: the input is no object, or has anything but a list of messages.
    """
    if not isinstance(event, Mapping):
        raise InputError(f"the input is {event!r:.200}; expected {otherwise}")
    if "Records" not in event:
        return None
    if unknown := sorted(map(str, event.keys() - {"Records"})):
        raise InputError(f"the input has {', '.join(map(repr, unknown))} beside Records; expected {otherwise}")
    found = event["Records"]
    if not isinstance(found, list) or not all(map(_is_message, found)):
        raise InputError(f"Records is {found!r:.200}; expected a list of messages of SQS with a messageId and a body")
    return found


def _is_message(record: object) -> bool:
    return isinstance(record, Mapping) and all(isinstance(record.get(name), str) for name in ("messageId", "body"))


def process_batch(records: Iterable[SqsRecord], process_message: Callable[[str], None]) -> SqsBatchResponse:
    """Call `process_message` with the body of each message.

    Messages whose processing raises are returned as batch item failures; the others are not affected. SQS delivers a
    failed message again, and moves it to the dead-letter queue after the queue's maximum number of receives.
    """
    failed = []
    for record in records:
        try:
            process_message(record["body"])
        except Exception as error:
            # Never lose a message: log the error and leave it on the queue.
            logger.exception("message failed", extra={"message_id": record["messageId"], "reason": str(error)})
            failed.append(record["messageId"])
    return batch_response(failed)
