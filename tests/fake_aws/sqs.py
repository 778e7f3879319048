"""Amazon SQS in AWS JSON 1.0. Every queue exists.

moto's queues do not serve here. A batch of ten costs 47 ms once 600 messages wait, and 0.07 ms here, because moto
counts all of them for each message that it adds. Delays and visibility pass in real time, one message over the limit
fails the whole batch, sizes are in characters, and no entry of a batch can be made to fail.
"""

import re
from collections import Counter, defaultdict, deque
from collections.abc import Callable
from hashlib import md5
from typing import NamedTuple
from uuid import uuid4

from local_aws.fake_ecr import AwsError

from .behavior import QueueFaults
from .protocol import Params, encode, encode_json_error

# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html
_MAX_ENTRIES = 10
_MAX_BYTES = 1_048_576
# Of one message: the module sets no other limit, and the provider's is below that of SQS.
# https://registry.terraform.io/providers/hashicorp/aws/5.100.0/docs/resources/sqs_queue
_MAX_MESSAGE_BYTES = 262_144
_MAX_DELAY = 900
_ENTRY_ID = re.compile(r"[A-Za-z0-9_-]{1,80}")


class QueueMessage(NamedTuple):
    """A message that a queue accepted. `delay` is its DelaySeconds."""

    queue: str
    body: str
    delay: int
    message_id: str


class Sqs:
    """The operations of SQS that move and count messages.

    A message can be received immediately, whatever its delay is, and only once: SQS does not redeliver it here.
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
            "ChangeMessageVisibilityBatch": self._change_message_visibility_batch,
            "GetQueueAttributes": self._get_queue_attributes,
        }
        self.reset()

    def reset(self) -> None:
        """Discard all messages."""
        self.messages: list[QueueMessage] = []
        self._waiting: defaultdict[str, deque[QueueMessage]] = defaultdict(deque)
        self._received: set[str] = set()
        self.visibility: dict[str, int] = {}
        self._attempts: Counter[str] = Counter()

    def call(self, operation: str, params: Params) -> bytes:
        """Answer a call with a body. Raises AwsError where SQS rejects the call."""
        if operation not in self._operations:
            raise AwsError("UnknownOperationException", f"the fake does not implement {operation}")
        return encode(self._operations[operation](params))

    def encode_error(self, error: AwsError) -> tuple[bytes, dict[str, str]]:
        """Return an error in AWS JSON, with the header that carries the error code of the query protocol."""
        fault = "Sender" if error.status < 500 else "Receiver"
        return encode_json_error(error), {"x-amzn-query-error": f"{error.code};{fault}"}

    def action(self, operation: str) -> str:
        """Return the IAM action of an operation. A batch has the action of a single message."""
        return f"sqs:{operation.removesuffix('Batch').lower()}"

    def resource(self, params: Params) -> str:
        """Return the ARN of the queue."""
        return f"{self._arn_prefix}:{_queue(params)}"

    def _send_message(self, params: Params) -> dict[str, object]:
        message = self._message(_queue(params), params)
        return self._accept(message)

    def _send_message_batch(self, params: Params) -> dict[str, object]:
        entries = params["Entries"]
        _check_batch(entries)
        answer: dict[str, list[dict[str, object]]] = {"Successful": [], "Failed": []}
        for entry in entries:
            try:
                self._raise_queue_fault(entry["MessageBody"])
                accepted = self._accept(self._message(_queue(params), entry))
            except AwsError as error:
                failed = {"Code": error.code, "Message": error.message, "SenderFault": error.status < 500}
                answer["Failed"].append({"Id": entry["Id"]} | failed)
            else:
                answer["Successful"].append({"Id": entry["Id"]} | accepted)
        return {name: results for name, results in answer.items() if results}

    def _message(self, queue: str, params: Params) -> QueueMessage:
        delay = int(params.get("DelaySeconds", 0))
        if not 0 <= delay <= _MAX_DELAY:
            reason = f"Reason: DelaySeconds must be >= 0 and <= {_MAX_DELAY}."
            message = f"Value {delay} for parameter DelaySeconds is invalid. {reason}"
            raise AwsError("InvalidParameterValue", message)
        if _bytes(params) > _MAX_MESSAGE_BYTES:
            reason = f"Message must be shorter than {_MAX_MESSAGE_BYTES} bytes."
            raise AwsError("InvalidParameterValue", f"One or more parameters are invalid. Reason: {reason}")
        return QueueMessage(queue, params["MessageBody"], delay, str(uuid4()))

    def _accept(self, message: QueueMessage) -> dict[str, object]:
        self.messages.append(message)
        self._waiting[message.queue].append(message)
        return {"MessageId": message.message_id, "MD5OfMessageBody": _md5(message.body)}

    def _raise_queue_fault(self, body: str) -> None:
        faults = self._faults
        if faults.containing and faults.containing in body:
            raise AwsError("InternalError", "The fake rejects this body.", 500)
        if not faults.first_attempt_every:
            return
        self._attempts[body] += 1
        if self._attempts[body] == 1 and len(self._attempts) % faults.first_attempt_every == 0:
            raise AwsError("InternalError", "The fake rejects the first attempt.", 500)

    def _receive_message(self, params: Params) -> dict[str, object]:
        waiting = self._waiting[_queue(params)]
        count = min(int(params.get("MaxNumberOfMessages", 1)), len(waiting))
        messages = [waiting.popleft() for _ in range(count)]
        self._received |= {message.message_id for message in messages}
        return {"Messages": [_received_json(message) for message in messages]} if messages else {}

    def _change_message_visibility_batch(self, params: Params) -> dict[str, object]:
        """Record the new timeouts; the fake itself delivers each message once, whatever its visibility."""
        self.visibility |= {entry["ReceiptHandle"]: entry["VisibilityTimeout"] for entry in params["Entries"]}
        return {"Successful": [{"Id": entry["Id"]} for entry in params["Entries"]], "Failed": []}

    def _get_queue_attributes(self, params: Params) -> dict[str, object]:
        counts = {
            "ApproximateNumberOfMessages": str(len(self._waiting[_queue(params)])),
            "ApproximateNumberOfMessagesNotVisible": "0",
        }
        return {"Attributes": {name: counts[name] for name in params["AttributeNames"]}}

    def _delete_message(self, params: Params) -> dict[str, object]:
        handle = params["ReceiptHandle"]
        if handle not in self._received:
            message = f'The input receipt handle "{handle}" is not a valid receipt handle.'
            raise AwsError("ReceiptHandleIsInvalid", message)
        return {}


def _check_batch(entries: list[Params]) -> None:
    prefix = "AWS.SimpleQueueService."
    ids = [entry["Id"] for entry in entries]
    if not entries:
        message = "There should be at least one SendMessageBatchRequestEntry in the request."
        raise AwsError(f"{prefix}EmptyBatchRequest", message)
    if len(entries) > _MAX_ENTRIES:
        message = f"Maximum number of entries per request are {_MAX_ENTRIES}. You have sent {len(entries)}."
        raise AwsError(f"{prefix}TooManyEntriesInBatchRequest", message)
    if not all(_ENTRY_ID.fullmatch(entry_id) for entry_id in ids):
        message = "A batch entry id can only contain alphanumeric characters, hyphens and underscores."
        raise AwsError(f"{prefix}InvalidBatchEntryId", f"{message} It can be at most 80 letters long.")
    if len(set(ids)) < len(ids):
        repeated = next(entry_id for entry_id, count in Counter(ids).items() if count > 1)
        raise AwsError(f"{prefix}BatchEntryIdsNotDistinct", f"Id {repeated} repeated.")
    size = sum(_bytes(entry) for entry in entries)
    if size > _MAX_BYTES:
        message = f"Batch requests cannot be longer than {_MAX_BYTES} bytes. You have sent {size} bytes."
        raise AwsError(f"{prefix}BatchRequestTooLong", message)


def _bytes(params: Params) -> int:
    return len(params["MessageBody"].encode())


def _queue(params: Params) -> str:
    return str(params["QueueUrl"]).rsplit("/", 1)[-1]


def _md5(body: str) -> str:
    return md5(body.encode(), usedforsecurity=False).hexdigest()


def _received_json(message: QueueMessage) -> dict[str, object]:
    # A receipt handle is opaque to the client: the message id can be one.
    return {
        "MessageId": message.message_id,
        "ReceiptHandle": message.message_id,
        "MD5OfBody": _md5(message.body),
        "Body": message.body,
    }
