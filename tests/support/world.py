"""The reporter with AWS in memory, without clients: a table, a queue, topics and a registry, at a time that tests set.

It is fast enough for thousands of histories, and its queue behaves like SQS: it delays messages, delivers them again
after their visibility timeout, and moves them to the DLQ, also after the function was killed at one of its writes.
`reporter_harness`, with real clients, has neither. The real classes of `ecr_scan_reporter.aws` talk to doubles of
boto3's clients; only the registry's class is a double itself.
"""

import json
import re
import threading
from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError
from ecr_scan_reporter.aws.deadline import Deadline
from ecr_scan_reporter.aws.dynamodb import Table
from ecr_scan_reporter.aws.sns import ReportPublisher
from ecr_scan_reporter.aws.sqs import SqsQueue
from ecr_scan_reporter.errors import ImageNotFoundError
from ecr_scan_reporter.memory.exploited import CatalogMemory
from ecr_scan_reporter.memory.images import ImageMemory
from ecr_scan_reporter.memory.rules import RuleMemory
from ecr_scan_reporter.memory.runs import RunMemory
from ecr_scan_reporter.models.images import Image, IndexChild
from ecr_scan_reporter.models.scans import ScanResult
from ecr_scan_reporter.reporting.comparison.changes import KnownFinding
from ecr_scan_reporter.reporting.dependencies import ReporterDependencies
from ecr_scan_reporter.reporting.pipeline import report_batch
from ecr_scan_reporter.reporting.reports.encoding import decode_findings
from ecr_scan_reporter.settings import ReporterSettings, parse_settings
from support.configuration import CHAT as CHAT
from support.configuration import DEFAULTS
from support.configuration import TOPIC as TOPIC
from support.invocations import REGISTRY
from support.invocations import scan_event as scan_event
from support.killer import Killed, Killer

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
# Of the reports queue and the function, as the module sets them.
_VISIBILITY, _MAX_RECEIVES = timedelta(seconds=1820), 5
_INVOCATION = 280
_MAX_ITEM = 400 * 1024


class Faults(Killer):
    """Kills the function before or after one of its writes, and rejects calls.

    Attributes:
        rejected: error codes by operation.
    """

    def __init__(self) -> None:
        super().__init__()
        self.rejected: dict[str, str] = {}

    def read(self, operation: str) -> None:
        super().read(operation)
        if code := self.rejected.get(operation):
            raise ClientError({"Error": {"Code": code, "Message": code}}, operation)


class TableClient:
    """A double of DynamoDB's client, as far as `Table` uses it: one table, all reads consistent."""

    def __init__(self, faults: Faults) -> None:
        self._faults, self._lock = faults, threading.RLock()
        self.items: dict[str, dict[str, dict[str, Any]]] = {}
        self._order: dict[str, list[str]] = {}

    def undisturbed(self) -> Any:
        """Return another client of the same table, as other functions have it: without faults."""
        other = TableClient(Faults())
        other.items, other._order, other._lock = self.items, self._order, self._lock
        return other

    def get_item(self, **call: Any) -> dict[str, Any]:
        self._faults.read("GetItem")
        item = self._item(call["Key"])
        return {"Item": dict(item)} if item else {}

    def batch_get_item(self, RequestItems: Any) -> dict[str, Any]:
        self._faults.read("BatchGetItem")
        [(table, request)] = RequestItems.items()
        assert len(request["Keys"]) <= 100
        items = [self._item(key) for key in request["Keys"]]
        return {"Responses": {table: [dict(item) for item in items if item]}}

    def query(self, **call: Any) -> dict[str, Any]:
        self._faults.read("Query")
        assert call["KeyConditionExpression"] == "pk = :pk AND sk BETWEEN :first AND :last"
        values = call["ExpressionAttributeValues"]
        pk, first, last = (values[name]["S"] for name in (":pk", ":first", ":last"))
        with self._lock:
            order = self._order.get(pk, [])
            keys = order[bisect_left(order, first) : bisect_right(order, last)]
            keys = keys if call["ScanIndexForward"] else keys[::-1]
            return {"Items": [dict(self.items[pk][sk]) for sk in keys[: call.get("Limit")]]}

    def put_item(self, **call: Any) -> None:
        self._write("PutItem", lambda: self._put(call))

    def update_item(self, **call: Any) -> dict[str, Any]:
        def effect() -> dict[str, Any]:
            self._check(call, call["Key"])
            item = dict(self._item(call["Key"]) or call["Key"])
            _update(item, call)
            self._store(item)
            return {"Attributes": dict(item)}

        return dict(self._write("UpdateItem", effect))

    def delete_item(self, **call: Any) -> None:
        def effect() -> None:
            self._check(call, call["Key"])
            self._remove(call["Key"])

        self._write("DeleteItem", effect)

    def batch_write_item(self, RequestItems: Any) -> dict[str, Any]:
        def effect() -> dict[str, Any]:
            [requests] = RequestItems.values()
            assert len(requests) <= 25
            for request in requests:
                if "PutRequest" in request:
                    self._store(request["PutRequest"]["Item"])
                else:
                    self._remove(request["DeleteRequest"]["Key"])
            return {}

        return dict(self._write("BatchWriteItem", effect))

    def transact_write_items(self, TransactItems: Any) -> None:
        def effect() -> None:
            puts = [entry["Put"] for entry in TransactItems if "Put" in entry]
            reasons: list[Any] = [
                {"Code": "None"}
                if self._holds(put, put["Item"])
                else {"Code": "ConditionalCheckFailed", "Item": self._item(put["Item"])}
                for put in puts
            ]
            if any(reason["Code"] != "None" for reason in reasons):
                error: Any = {"Error": {"Code": "TransactionCanceledException", "Message": ""}}
                raise ClientError(error | {"CancellationReasons": reasons}, "TransactWriteItems")
            for put in puts:
                self._store(put["Item"])
            for entry in TransactItems:
                if "Delete" in entry:
                    self._remove(entry["Delete"]["Key"])
                if "Update" in entry:
                    item = dict(self._item(entry["Update"]["Key"]) or entry["Update"]["Key"])
                    _update(item, entry["Update"])
                    self._store(item)

        self._write("TransactWriteItems", effect)

    def _write(self, operation: str, effect: Callable[[], Any]) -> Any:
        with self._lock:
            return self._faults.write(operation, effect)

    def _item(self, key: Any) -> dict[str, Any] | None:
        return self.items.get(key["pk"]["S"], {}).get(key["sk"]["S"])

    def _put(self, call: Any) -> None:
        self._check(call, call["Item"])
        self._store(call["Item"])

    def _store(self, item: Any) -> None:
        size = sum(len(name) + len(next(iter(value.values()))) for name, value in item.items())
        assert size <= _MAX_ITEM, f"an item has {size} bytes"
        pk, sk = item["pk"]["S"], item["sk"]["S"]
        if sk not in self.items.setdefault(pk, {}):
            insort(self._order.setdefault(pk, []), sk)
        self.items[pk][sk] = dict(item)

    def _remove(self, key: Any) -> None:
        pk, sk = key["pk"]["S"], key["sk"]["S"]
        if self.items.get(pk, {}).pop(sk, None):
            self._order[pk].remove(sk)

    def _check(self, call: Any, key: Any) -> None:
        if not self._holds(call, key):
            error: Any = {"Error": {"Code": "ConditionalCheckFailedException", "Message": ""}, "Item": self._item(key)}
            raise ClientError(error, "Write")

    def _holds(self, call: Any, key: Any) -> bool:
        condition = call.get("ConditionExpression")
        item = self._item(key) or {}
        return not condition or all(_condition(part, item, call) for part in re.split(r" AND (?=\()", condition))


def _condition(text: str, item: Mapping[str, Any], call: Any) -> bool:
    if match := re.fullmatch(r"attribute_not_exists\((\w+)\)", text):
        return match[1] not in item
    if match := re.fullmatch(r"\(NOT (\w+) BETWEEN (:\w+) AND (:\w+)\)", text):
        number, bounds = (
            item.get(match[1], {}).get("N"),
            [call["ExpressionAttributeValues"][match[n]]["N"] for n in (2, 3)],
        )
        return number is None or not int(bounds[0]) <= int(number) <= int(bounds[1])
    match = re.fullmatch(r"(#?\w+) = (:\w+)", text)
    assert match, f"the double does not know the condition {text}"
    value = item.get(call.get("ExpressionAttributeNames", {}).get(match[1], match[1]))
    return bool(value == call["ExpressionAttributeValues"][match[2]])


def _update(item: dict[str, Any], call: Any) -> None:
    sets, _, adds = f" {call['UpdateExpression']}".partition(" ADD ")
    sets = sets.removeprefix(" SET ")
    names, values = call.get("ExpressionAttributeNames", {}), call["ExpressionAttributeValues"]
    for part in re.split(r", (?![^(]*\))", sets) if sets else ():
        match = re.fullmatch(r"(#?\w+) = (?:(:\w+)|if_not_exists\((#?\w+), (:\w+)\))", part)
        assert match, f"the double does not know the update {part}"
        name = names.get(match[1], match[1])
        item[name] = values[match[2]] if match[2] else item.get(name, values[match[4]])
    for part in adds.split(", ") if adds else ():
        name, value = part.split(" ")
        name = names.get(name, name)
        if "SS" in values[value]:
            item[name] = {"SS": sorted({*item.get(name, {"SS": []})["SS"], *values[value]["SS"]})}
        else:
            item[name] = {"N": str(int(item.get(name, {"N": "0"})["N"]) + int(values[value]["N"]))}


@dataclass
class Message:
    """A message of the reports queue."""

    number: int
    body: str
    visible_at: datetime
    receives: int = 0


class QueueClient:
    """A double of the client of SQS."""

    def __init__(self, world: "World") -> None:
        self._world = world

    def send_message_batch(self, QueueUrl: str, Entries: Any) -> dict[str, Any]:
        def effect() -> dict[str, Any]:
            for entry in Entries:
                assert 0 <= entry["DelaySeconds"] <= 900
                self._world.send(entry["MessageBody"], entry["DelaySeconds"])
            return {}

        return dict(self._world.faults.write("SendMessageBatch", effect))

    def change_message_visibility_batch(self, QueueUrl: str, Entries: Any) -> Any:
        seconds = {int(entry["ReceiptHandle"]): entry["VisibilityTimeout"] for entry in Entries}
        for message in self._world.queue:
            if message.number in seconds:
                message.visible_at = self._world.now + timedelta(seconds=seconds[message.number])
        return {"Successful": [{"Id": entry["Id"]} for entry in Entries]}


class TopicClient:
    """A double of the client of SNS."""

    def __init__(self, world: "World") -> None:
        self._world = world

    def publish(self, TopicArn: str, **message: Any) -> None:
        def effect() -> None:
            self._world.published.append((TopicArn, message))

        self._world.before_publish()
        if TopicArn in self._world.rejecting:
            raise ClientError({"Error": {"Code": "InternalError", "Message": ""}}, "Publish")
        self._world.faults.write("Publish", effect)

    def list_subscriptions_by_topic(self, TopicArn: str) -> dict[str, Any]:
        return {"Subscriptions": []}


class StubRegistry:
    """A double of `EcrRegistry`: images, what indexes consist of, and the results of images' last scans.

    Nobody sees an image before it is pushed.
    """

    id = REGISTRY

    def __init__(self, now: Callable[[], datetime] | None = None) -> None:
        self._now = now
        self.images: dict[str, Image] = {}
        self.indexes: dict[str, list[IndexChild]] = {}
        self.results: dict[str, ScanResult | Exception] = {}

    def scan_result(self, repository: str, digest: str) -> ScanResult:
        result = self.results[digest]
        if isinstance(result, Exception):
            raise result
        return result

    def image(self, repository: str, digest: str) -> Image:
        if digest not in self.images:
            raise ImageNotFoundError("no such image")
        return self.images[digest]

    def image_pages(self, repository: str) -> Iterator[list[Image]]:
        yield [image for image in self.images.values() if image.repository == repository and self._is_pushed(image)]

    def index_manifests(self, repository: str, indexes: list[str]) -> dict[str, list[IndexChild]]:
        return {index: self.indexes[index] for index in indexes}

    def _is_pushed(self, image: Image) -> bool:
        return not (self._now and image.pushed_at) or image.pushed_at <= self._now()


class _Inline(Executor):
    """Runs what is submitted at once, so that a history is the same every time."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except BaseException as error:
            future.set_exception(error)
        return future


@dataclass
class World:
    """The reporter and its surroundings.

    Attributes:
        settings: environment variables of the reporter, beyond the defaults here.
        now: the time.
        queue: the messages of the reports queue that are not processed yet.
        published: topic and message of what SNS accepted.
        rejecting: the ARNs of topics that reject messages.
        before_publish: is called before each publication.
    """

    settings: Mapping[str, str] = field(default_factory=dict)
    now: datetime = START
    queue: list[Message] = field(default_factory=list)
    published: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    rejecting: set[str] = field(default_factory=set)
    before_publish: Callable[[], object] = lambda: None

    def __post_init__(self) -> None:
        self.faults = Faults()
        self.table = TableClient(self.faults)
        self.registry = StubRegistry(lambda: self.now)
        self.dlq: list[Message] = []
        # What SNS accepted of invocations that were killed.
        self.unconfirmed: list[tuple[str, dict[str, Any]]] = []
        self._sent, self._lock = 0, threading.RLock()
        queue_url = "https://sqs.eu-west-1.amazonaws.com/123456789012/reports"
        self.deps = self.dependencies({**DEFAULTS, "REPORTS_QUEUE_URL": queue_url, **self.settings})

    def dependencies(self, environment: Mapping[str, str]) -> ReporterDependencies:
        settings = parse_settings(ReporterSettings, environment)
        clients: Any = TopicClient(self), QueueClient(self), self.table, self.registry
        topics, queue, table, registry = clients
        publisher = ReportPublisher(topics, settings.topic_arn, settings.chat_topic_arn)
        queue = SqsQueue(queue, settings.reports_queue_url)
        memory = Table(table, "memory")
        rules_and_runs = RuleMemory(memory), RunMemory(memory, REGISTRY)
        exploited = CatalogMemory(memory) if settings.known_exploited else None
        deps = ReporterDependencies(settings, registry, memory, *rules_and_runs, publisher, queue, _Inline())
        return deps._replace(exploited=exploited)

    def send(self, event: str | Mapping[str, Any], delay: int = 0) -> Message:
        """Put a message or an event into the reports queue."""
        body = event if isinstance(event, str) else json.dumps(event)
        with self._lock:
            self._sent += 1
            message = Message(self._sent, body, self.now + timedelta(seconds=delay))
            self.queue.append(message)
            return message

    def invoke(self, batch: list[Message]) -> None:
        """Invoke the function with messages, and do with them what SQS does."""
        self.faults.revive()
        published = len(self.published)
        for message in batch:
            message.receives += 1
            message.visible_at = self.now + _VISIBILITY
        records: Any = [
            {
                "messageId": str(message.number),
                "receiptHandle": str(message.number),
                "body": message.body,
                "attributes": {"ApproximateReceiveCount": str(message.receives)},
            }
            for message in batch
        ]
        try:
            response = report_batch(records, self.deps, Deadline(_INVOCATION), self.now)
        except Killed:
            # Of each message that SNS has accepted there is a note, but of the last one.
            self.unconfirmed += self.published[published:][-1:]
            failed = {str(message.number) for message in batch}
        else:
            failed = {failure["itemIdentifier"] for failure in response["batchItemFailures"]}
        done = [message for message in batch if str(message.number) not in failed]
        dead = [message for message in batch if message not in done and message.receives >= _MAX_RECEIVES]
        self.dlq += dead
        with self._lock:
            self.queue = [message for message in self.queue if message not in done and message not in dead]

    def process(self, event: Mapping[str, Any], copies: int = 1) -> None:
        """Send an event, and deliver it until it is processed; other messages stay in the queue."""
        sent = [self.send(event) for _ in range(copies)]
        while batch := [message for message in sent if message in self.queue]:
            self.now = max(self.now, *(message.visible_at for message in batch))
            self.invoke(batch)

    def deliver(self, until: datetime | None = None) -> None:
        """Deliver what is in the queue, each message once it is visible, until nothing is left or until a time."""
        for _ in range(1000):
            due = min((message.visible_at for message in self.queue), default=None)
            if due is None or (until and due > until):
                self.now = until or self.now
                return
            self.now = max(self.now, due)
            self.invoke([message for message in self.queue if message.visible_at <= self.now])
        raise AssertionError("messages remain in the queue")

    def documents(self) -> list[dict[str, Any]]:
        """Return the reports that were published, as JSON documents."""
        return documents(self.published)

    def findings(self, repository: str, digest: str) -> tuple[KnownFinding, ...]:
        """Return what is remembered of the findings of an image."""
        findings = ImageMemory(self.deps.table, self.now).read(REGISTRY.image(repository, digest)).findings
        return decode_findings(findings) if findings else ()


def documents(published: list[tuple[str, dict[str, Any]]]) -> list[dict[str, Any]]:
    """Return the reports among publications, as JSON documents."""
    return [json.loads(json.loads(message["Message"])["default"]) for arn, message in published if arn == TOPIC]
