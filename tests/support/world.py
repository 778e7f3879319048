"""The reporter with AWS in memory, without clients: a table, a queue, topics and a registry, at a time that tests set.

It is fast enough for thousands of histories, and its queue behaves like SQS: it delays messages, delivers them again
after their visibility timeout, and moves them to the DLQ, also after the function was killed at one of its writes.
`reporter_harness`, with real clients, has neither. The real classes of `ecr_scan_reporter.aws` talk to doubles of
boto3's clients; only the registry's class is a double itself.
"""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from botocore.exceptions import ClientError
from ecr_scan_reporter.aws.deadline import Deadline
from ecr_scan_reporter.aws.dynamodb import Table
from ecr_scan_reporter.aws.sns import ReportPublisher
from ecr_scan_reporter.aws.sqs import SqsQueue
from ecr_scan_reporter.errors import ImageNotFoundError
from ecr_scan_reporter.memory.codec import unpack_as
from ecr_scan_reporter.memory.exploited import CatalogMemory
from ecr_scan_reporter.memory.images import ImageMemory
from ecr_scan_reporter.memory.rules import RuleMemory
from ecr_scan_reporter.memory.runs import RunMemory
from ecr_scan_reporter.models.findings import Finding
from ecr_scan_reporter.models.images import Image, IndexChild
from ecr_scan_reporter.models.scans import ScanResult
from ecr_scan_reporter.reporter import report_batch
from ecr_scan_reporter.reporting.baseline import Findings
from ecr_scan_reporter.reporting.comparison.changes import KnownFinding
from ecr_scan_reporter.reporting.dependencies import ReporterDependencies
from ecr_scan_reporter.settings import ReporterSettings, parse_settings
from fake_aws import MEMORY_TABLE, DynamoDbError, Tables
from support.configuration import CHAT as CHAT
from support.configuration import DEFAULTS
from support.configuration import TOPIC as TOPIC
from support.invocations import REGISTRY
from support.invocations import scan_event as scan_event
from support.killer import Killed, Killer

START, HOUR = datetime(2026, 3, 1, 12, tzinfo=UTC), timedelta(hours=1)
# Of the reports queue and the function, as the module sets them.
_VISIBILITY, _MAX_RECEIVES = timedelta(seconds=1820), 5
_INVOCATION = 280


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
    """A double of DynamoDB's client: one table, all reads consistent."""

    query: Callable[..., Any]

    def __init__(self, faults: Faults, tables: Tables | None = None) -> None:
        self._faults, self._lock, self._tables = faults, threading.RLock(), tables or Tables()
        if not tables:
            self._tables.create(MEMORY_TABLE)

    def undisturbed(self) -> Any:
        """Return another client of the same table, as other functions have it: without faults."""
        return TableClient(Faults(), self._tables)

    def __getattr__(self, method: str) -> Callable[..., Any]:
        return partial(self._call, method.title().replace("_", ""))

    def _call(self, operation: str, **params: Any) -> Any:
        with self._lock:
            if operation in ("GetItem", "BatchGetItem", "Query"):
                self._faults.read(operation)
                return self._answer(operation, params)
            return self._faults.write(operation, partial(self._answer, operation, params))

    def _answer(self, operation: str, params: Any) -> Any:
        try:
            return self._tables.call(operation, params)
        except DynamoDbError as error:
            answer: Any = {"Error": {"Code": error.code, "Message": error.message}, **error.more}
            raise ClientError(answer, operation) from error


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
    """A double of `EcrRegistry` and `EcrFindings`: images, what indexes consist of, and the results of last scans.

    Nobody sees an image before it is pushed.
    """

    id = REGISTRY

    def __init__(self, now: Callable[[], datetime] | None = None) -> None:
        self._now = now
        self.images: dict[str, Image] = {}
        self.indexes: dict[str, list[IndexChild]] = {}
        self.results: dict[str, ScanResult | Exception] = {}
        self.findings = self

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
        memory = Table(table, MEMORY_TABLE)
        rules_and_runs = RuleMemory(memory), RunMemory(memory, REGISTRY)
        exploited = CatalogMemory(memory) if settings.known_exploited else None
        deps = ReporterDependencies(settings, registry, memory, *rules_and_runs, publisher, queue, _Inline())
        return deps._replace(exploited=exploited)

    def scanned(
        self, name: str, *ids: str, repository: str = "app", status: str = "COMPLETE", pushed: timedelta = HOUR
    ) -> dict[str, Any]:
        """Let ECR have scanned an image now, which was pushed so long ago at its first scan; return the event.

        Args:
            name: of the image, as `digest_of` takes it; it has one tag.
            ids: of what the scan found, each of HIGH severity.
            repository: of the image.
            status: of the scan.
            pushed: how long before now.
        """
        digest, tags = digest_of(name), (f"{name}.0",)
        findings = tuple(Finding(id_, "HIGH", "openssl", ("1.0",)) for id_ in ids)
        self.registry.images.setdefault(digest, Image(repository, digest, tags, pushed_at=self.now - pushed))
        result = ScanResult(status, "No space.", findings if status == "COMPLETE" else (), self.now)
        self.registry.results[digest] = result
        return scan_event(digest, self.now, {"HIGH": len(result.findings)}, tags, status, repository)

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
        return unpack_as(Findings, findings) if findings else ()


def digest_of(name: str) -> str:
    """Return the digest of an image of `World.scanned`: unlike those of ECR, digests are in the order of the names."""
    return f"sha256:{name:0>64}"


def documents(published: list[tuple[str, dict[str, Any]]]) -> list[dict[str, Any]]:
    """Return the reports among publications, as JSON documents."""
    return [json.loads(json.loads(message["Message"])["default"]) for arn, message in published if arn == TOPIC]
