"""Access to Amazon SQS: the queue of repositories to scan."""

from collections.abc import Iterable
from itertools import islice
from typing import TYPE_CHECKING

import boto3

from .messages import RepositoryMessage

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import SendMessageBatchRequestEntryTypeDef

# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html
_BATCH = 10


class QueueError(Exception):
    """Amazon SQS did not take every message."""


def sqs_client() -> "SQSClient":
    """A client in the function's own Region."""
    return boto3.client("sqs")


class ImagesQueue:
    """The queue that the images scanner reads from."""

    def __init__(self, client: "SQSClient", url: str) -> None:
        self._sqs = client
        self._url = url

    def send(self, messages: Iterable[RepositoryMessage]) -> int:
        """Send messages, ten a call; returns how many.

        Raises:
            QueueError: SQS refused some. It answers 200 all the same, with the refused ones in `Failed`.
        """
        rest, sent = iter(messages), 0
        while batch := list(islice(rest, _BATCH)):
            self._send_batch(batch)
            sent += len(batch)
        return sent

    def _send_batch(self, batch: list[RepositoryMessage]) -> None:
        entries: list[SendMessageBatchRequestEntryTypeDef] = [
            {"Id": str(index), "MessageBody": message.to_json()} for index, message in enumerate(batch)
        ]
        failed = self._sqs.send_message_batch(QueueUrl=self._url, Entries=entries).get("Failed", [])
        if failed:
            names = ", ".join(batch[int(entry["Id"])].repository for entry in failed)
            raise QueueError(f"SQS refused the messages for {names}: {failed[0]['Code']}: {failed[0].get('Message')}")
