"""Access to Amazon SQS: the queue of repositories to scan."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config

from .messages import RepositoryMessage

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import SendMessageBatchRequestEntryTypeDef

# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html
_BATCH = 10
# Times that a message which SQS refuses in an answer of 200 is sent; botocore retries calls that fail as a whole.
_ATTEMPTS = 3


class QueueError(Exception):
    """Amazon SQS did not take every message."""


def sqs_client(threads: int = 1) -> "SQSClient":
    """A client for `threads` threads, in the function's own Region."""
    return boto3.client("sqs", config=Config(max_pool_connections=threads, connect_timeout=5, read_timeout=20))


class ImagesQueue:
    """The queue that the images scanner reads from. `threads`: how many calls may be under way."""

    def __init__(self, client: "SQSClient", url: str, threads: int = 1) -> None:
        self._sqs, self._url, self._threads = client, url, threads

    def send(self, messages: Iterable[RepositoryMessage], delay: int = 0) -> int:
        """Send messages, ten a call and the calls side by side; `delay` (seconds, at most 900) hides them for so long.

        Returns:
            How many were sent.

        Raises:
            QueueError: SQS refused some, again and again. It answers 200 all the same, with the refused in `Failed`.
        """
        rest = iter(messages)
        batches = iter(lambda: list(islice(rest, _BATCH)), [])
        with ThreadPoolExecutor(self._threads) as pool:
            return sum(pool.map(lambda batch: self._send_batch(batch, delay), batches))

    def _send_batch(self, batch: list[RepositoryMessage], delay: int) -> int:
        entries: list[SendMessageBatchRequestEntryTypeDef] = [
            {"Id": str(index), "MessageBody": message.to_json(), "DelaySeconds": delay}
            for index, message in enumerate(batch)
        ]
        for _ in range(_ATTEMPTS):
            failed = self._sqs.send_message_batch(QueueUrl=self._url, Entries=entries).get("Failed", [])
            if not failed:
                return len(batch)
            refused = {entry["Id"] for entry in failed}
            entries = [entry for entry in entries if entry["Id"] in refused]
        names = ", ".join(batch[int(entry["Id"])].repository for entry in failed)
        raise QueueError(f"SQS refused the messages for {names}: {failed[0]['Code']}: {failed[0].get('Message')}")
