"""Amazon SQS on the wire: AWS JSON 1.0 in front of queues that take every name."""

import re
from collections import Counter, defaultdict, deque
from collections.abc import Callable
from hashlib import md5
from typing import NamedTuple
from uuid import uuid4

from .behavior import QueueFaults
from .errors import AwsError
from .protocol import Params, encode, json_refusal

# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html
_MOST_ENTRIES = 10
_MOST_BYTES = 1_048_576
_MOST_DELAY = 900
_ENTRY_ID = re.compile(r"[A-Za-z0-9_-]{1,80}")


class QueueMessage(NamedTuple):
    """A message that a queue took. `delay` is its DelaySeconds."""

    queue: str
    body: str
    delay: int
    message_id: str


class Sqs:
    """The operations of SQS that move messages.

    A message can be received at once whatever its delay, and once: it does not come back when it is not deleted.
    """

    content_type = "application/x-amz-json-1.0"

    def __init__(self, faults: QueueFaults, arn_prefix: str) -> None:
        self._faults = faults
        self._arn_prefix = arn_prefix
        self._operations: dict[str, Callable[[Params], dict[str, object]]] = {
            "SendMessage": self._send_message,
            "SendMessageBatch": self._send_message_batch,
            "ReceiveMessage": self._receive_message,
            "DeleteMessage": self._delete_message,
        }
        self.reset()

    def reset(self) -> None:
        """Forget all messages."""
        self.messages: list[QueueMessage] = []
        self._waiting: defaultdict[str, deque[QueueMessage]] = defaultdict(deque)
        self._received: set[str] = set()
        self._attempts: Counter[str] = Counter()

    def call(self, operation: str, params: Params) -> bytes:
        """The body of the answer. Raises AwsError where SQS refuses."""
        if operation not in self._operations:
            raise AwsError("UnknownOperationException", f"the fake does not know {operation}")
        return encode(self._operations[operation](params))

    def refusal(self, error: AwsError) -> tuple[bytes, dict[str, str]]:
        """An error in AWS JSON, with the header that keeps the codes of the query protocol."""
        fault = "Sender" if error.status < 500 else "Receiver"
        return json_refusal(error), {"x-amzn-query-error": f"{error.code};{fault}"}

    def action(self, operation: str) -> str:
        """The IAM action, which a batch shares with a single message."""
        return f"sqs:{operation.removesuffix('Batch').lower()}"

    def resource(self, params: Params) -> str:
        """The queue's ARN."""
        return f"{self._arn_prefix}:{_queue(params)}"

    def _send_message(self, params: Params) -> dict[str, object]:
        message = self._message(_queue(params), params)
        if _bytes(params) > _MOST_BYTES:
            reason = f"Message must be shorter than {_MOST_BYTES} bytes."
            raise AwsError("InvalidParameterValue", f"One or more parameters are invalid. Reason: {reason}")
        return self._take(message)

    def _send_message_batch(self, params: Params) -> dict[str, object]:
        entries = params["Entries"]
        _check_batch(entries)
        answer: dict[str, list[dict[str, object]]] = {"Successful": [], "Failed": []}
        for entry in entries:
            try:
                self._fail_on_purpose(entry["MessageBody"])
                taken = self._take(self._message(_queue(params), entry))
            except AwsError as error:
                failed = {"Code": error.code, "Message": error.message, "SenderFault": error.status < 500}
                answer["Failed"].append({"Id": entry["Id"]} | failed)
            else:
                answer["Successful"].append({"Id": entry["Id"]} | taken)
        return {name: results for name, results in answer.items() if results}

    def _message(self, queue: str, params: Params) -> QueueMessage:
        delay = int(params.get("DelaySeconds", 0))
        if not 0 <= delay <= _MOST_DELAY:
            reason = f"Reason: DelaySeconds must be >= 0 and <= {_MOST_DELAY}."
            words = f"Value {delay} for parameter DelaySeconds is invalid. {reason}"
            raise AwsError("InvalidParameterValue", words)
        return QueueMessage(queue, params["MessageBody"], delay, str(uuid4()))

    def _take(self, message: QueueMessage) -> dict[str, object]:
        self.messages.append(message)
        self._waiting[message.queue].append(message)
        return {"MessageId": message.message_id, "MD5OfMessageBody": _md5(message.body)}

    def _fail_on_purpose(self, body: str) -> None:
        faults = self._faults
        if faults.containing and faults.containing in body:
            raise AwsError("InternalError", "The fake refuses this body.", 500)
        if not faults.first_attempt_every:
            return
        self._attempts[body] += 1
        if self._attempts[body] == 1 and len(self._attempts) % faults.first_attempt_every == 0:
            raise AwsError("InternalError", "The fake refuses the first attempt.", 500)

    def _receive_message(self, params: Params) -> dict[str, object]:
        waiting = self._waiting[_queue(params)]
        count = min(int(params.get("MaxNumberOfMessages", 1)), len(waiting))
        messages = [waiting.popleft() for _ in range(count)]
        self._received |= {message.message_id for message in messages}
        return {"Messages": [_received_json(message) for message in messages]} if messages else {}

    def _delete_message(self, params: Params) -> dict[str, object]:
        handle = params["ReceiptHandle"]
        if handle not in self._received:
            words = f'The input receipt handle "{handle}" is not a valid receipt handle.'
            raise AwsError("ReceiptHandleIsInvalid", words)
        return {}


def _check_batch(entries: list[Params]) -> None:
    prefix = "AWS.SimpleQueueService."
    ids = [entry["Id"] for entry in entries]
    if not entries:
        words = "There should be at least one SendMessageBatchRequestEntry in the request."
        raise AwsError(f"{prefix}EmptyBatchRequest", words)
    if len(entries) > _MOST_ENTRIES:
        words = f"Maximum number of entries per request are {_MOST_ENTRIES}. You have sent {len(entries)}."
        raise AwsError(f"{prefix}TooManyEntriesInBatchRequest", words)
    if not all(_ENTRY_ID.fullmatch(entry_id) for entry_id in ids):
        words = "A batch entry id can only contain alphanumeric characters, hyphens and underscores."
        raise AwsError(f"{prefix}InvalidBatchEntryId", f"{words} It can be at most 80 letters long.")
    if len(set(ids)) < len(ids):
        twice = next(entry_id for entry_id, count in Counter(ids).items() if count > 1)
        raise AwsError(f"{prefix}BatchEntryIdsNotDistinct", f"Id {twice} repeated.")
    size = sum(_bytes(entry) for entry in entries)
    if size > _MOST_BYTES:
        words = f"Batch requests cannot be longer than {_MOST_BYTES} bytes. You have sent {size} bytes."
        raise AwsError(f"{prefix}BatchRequestTooLong", words)


def _bytes(params: Params) -> int:
    return len(params["MessageBody"].encode())


def _queue(params: Params) -> str:
    return str(params["QueueUrl"]).rsplit("/", 1)[-1]


def _md5(body: str) -> str:
    return md5(body.encode(), usedforsecurity=False).hexdigest()


def _received_json(message: QueueMessage) -> dict[str, object]:
    # The receipt handle is opaque to the client, so the id serves.
    return {
        "MessageId": message.message_id,
        "ReceiptHandle": message.message_id,
        "MD5OfBody": _md5(message.body),
        "Body": message.body,
    }
