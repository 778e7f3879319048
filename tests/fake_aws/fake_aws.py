"""The fake as tests use it: in this process, with HTTP or without, or in a child process."""

import asyncio
import itertools
import json
import multiprocessing
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from datetime import datetime
from http.client import HTTPConnection
from io import BytesIO
from multiprocessing.connection import Connection
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self, overload
from urllib.parse import urlsplit

import boto3
import botocore.handlers
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.config import Config
from local_aws.fake_ecr import FakeRegistry, Fault

from .behavior import Behavior, Clock, Rate
from .call_log import Start
from .server import MEMORY_TABLE as MEMORY_TABLE
from .server import RECORDS, Answer, Server, dumps, serve
from .sns import Publication
from .sqs import QueueMessage

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_ecr import ECRClient
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sqs import SQSClient

# The child process may need this long to build a large registry.
_START_SECONDS = 600
_STOP_SECONDS = 60


class FakeAws:
    """An endpoint for ECR, SQS, SNS and DynamoDB for as long as its `with` block.

    It answers botocore's requests in the thread that sends them, without a connection, and tests can read and change
    `registry` and `behavior` at any time. `serve` has it answer over HTTP, for other processes as well: from a thread,
    or from a child process, where the two live then, and stay as they were at the start. The child ends with this
    process.

    Args:
        registry: the ECR registry, or a factory that builds it. A child process needs a factory that can be pickled, in
            a module that the child can import; pytest's importlib mode rules out test modules.
        latency: seconds per call, for every operation or by operation; a throttled call has no latency.
        rates: rate limit by operation; an operation without one is never throttled.
        faults: rules that reject calls; the first rule that matches applies.
        serve: "thread" or "process", so that a benchmark does not share its interpreter with the server; None without
            HTTP.
        clock: measures rates and latency, in place of real time.
    """

    def __init__(
        self,
        registry: FakeRegistry | Callable[[], FakeRegistry],
        latency: float | Mapping[str, float] = 0.0,
        rates: Mapping[str, Rate] | None = None,
        faults: Sequence[Fault] = (),
        *,
        serve: Literal["thread", "process"] | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._registry_factory = registry
        self.behavior = Behavior(latency, dict(rates or {}), list(faults), clock=clock)
        hosts: dict[str | None, type[_Here | _Thread | _Process]] = {"thread": _Thread, "process": _Process}
        self._server = hosts.get(serve, _Here)()
        self._clients: dict[str, Any] = {}

    def __enter__(self) -> Self:
        self._server.start(self._registry_factory, self.behavior)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.stop()

    @property
    def registry(self) -> FakeRegistry:
        """The registry. Raises TypeError if it lives in another process."""
        if isinstance(self._server, _Process):
            raise TypeError("registry is in a child process; expected another value of serve")
        return self._server.registry

    @property
    def endpoint(self) -> str:
        """The `endpoint_url` of all services."""
        return self._server.endpoint

    def queue_url(self, name: str = "images") -> str:
        """Return the URL of a queue. Every queue exists."""
        return f"{self.endpoint}/123456789012/{name}"

    def environment(self) -> dict[str, str]:
        """Return the environment variables that direct the boto3 clients of a handler to this endpoint."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_DEFAULT_REGION": "eu-west-1",
            "AWS_REGION": "eu-west-1",
            "NO_PROXY": "127.0.0.1",
        }

    @overload
    def client(self, service: Literal["ecr"], **config: Any) -> "ECRClient": ...
    @overload
    def client(self, service: Literal["dynamodb"], **config: Any) -> "DynamoDBClient": ...
    @overload
    def client(self, service: Literal["sqs"], **config: Any) -> "SQSClient": ...
    @overload
    def client(self, service: Literal["sns"], **config: Any) -> "SNSClient": ...
    def client(self, service: Literal["dynamodb", "ecr", "sqs", "sns"], **config: Any) -> Any:
        """Return a boto3 client that does not retry unless `config`, the options of botocore, sets retries."""
        if (made := self._clients.get(service)) and not config:
            return made
        once = {"mode": "standard", "total_max_attempts": 1}
        made = boto3.client(
            service,
            region_name="eu-west-1",
            endpoint_url=self.endpoint,
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
            # Calls to the loopback interface must not pass through a proxy of the environment.
            config=Config(**{"retries": once, "proxies": {}, **config}),
        )
        if not config:
            self._clients[service] = made
        return made

    def create_memory_table(self) -> str:
        """Create the memory table, in place of an earlier one; return its name."""
        self._server.record("new_table")
        return MEMORY_TABLE

    def calls(self) -> dict[str, int]:
        """Return the number of calls by operation, refused calls included."""
        return dict(self._server.record("calls"))

    def refused(self) -> dict[str, dict[str, int]]:
        """Return the number of refused calls by operation and error code."""
        return dict(self._server.record("refused"))

    def starts(self) -> list[Start]:
        """Return the scans that were started, oldest first."""
        return [
            Start(name, digest, datetime.fromisoformat(time)) for name, digest, time in self._server.record("starts")
        ]

    def max_in_flight(self) -> int:
        """Return the largest number of concurrent calls."""
        return int(self._server.record("max_in_flight"))

    def messages(self) -> list[QueueMessage]:
        """Return the messages that the queues accepted, oldest first, whether received since or not."""
        return [QueueMessage(*fields) for fields in self._server.record("messages")]

    def visibility(self) -> dict[str, int]:
        """Return the visibility timeouts (seconds) that were set, by receipt handle."""
        return dict(self._server.record("visibility"))

    def publications(self) -> list[Publication]:
        """Return the messages that the topics accepted, oldest first."""
        return [
            Publication(
                topic, subject, message, structure, {name: (kind, text) for name, (kind, text) in pairs.items()}
            )
            for topic, subject, message, structure, pairs in self._server.record("publications")
        ]

    def capacity(self) -> tuple[float, int]:
        """Return the read units and the write units that calls of DynamoDB consumed."""
        reads, writes = self._server.record("capacity")
        return float(reads), int(writes)

    def start_over(self) -> None:
        """Empty the registry and the memory table, and discard faults, events and records."""
        for repository in self.registry.repositories:
            self.registry.remove(repository.name)
        self.registry.take_events()
        self.behavior.faults.clear()
        self.create_memory_table()
        self.reset()

    def reset(self) -> None:
        """Discard all records, messages and publications, and keep the images and scans of the registry."""
        self._server.record("reset")


class _Body(BytesIO):
    """The body of an answer, as botocore reads it."""

    def stream(self, **_: Any) -> list[bytes]:
        return [self.read()]


def response(url: str, answer: Answer) -> AWSResponse:
    """Return an answer as botocore takes it from a `before-send` handler."""
    headers: Any = {name.lower(): value for name, value in answer.headers.items()}
    return AWSResponse(url, answer.status, headers, _Body(answer.body))


class _Here:
    """The fake in this process. Its host name exists for botocore alone."""

    _numbers = itertools.count(1)
    _running: ClassVar[dict[str, "_Here"]] = {}

    def start(self, registry_factory: FakeRegistry | Callable[[], FakeRegistry], behavior: Behavior) -> None:
        """Answer requests from now on."""
        self.registry = _build(registry_factory)
        self._behavior = behavior
        self._server = Server(self.registry, behavior)
        self._lock = threading.Lock()
        self._barriers: dict[str, threading.Barrier] = {}
        self._host = f"fake-aws-{next(self._numbers)}.localhost"
        self._running[self._host] = self
        self.endpoint = f"http://{self._host}"

    def stop(self) -> None:
        """Answer no more requests."""
        del self._running[self._host]

    def record(self, name: str) -> Any:
        """Return a record of the server, as it comes over HTTP."""
        with self._lock:
            return json.loads(dumps(self._server.record(name)))

    @classmethod
    def send(cls, request: AWSPreparedRequest, **_: Any) -> AWSResponse | None:
        """Answer a request of botocore to a fake of this process; None sends it over the network."""
        here = cls._running.get(urlsplit(request.url).hostname or "")
        return here._answer(request) if here else None

    def _answer(self, request: AWSPreparedRequest) -> AWSResponse:
        target, body = request.headers.get("X-Amz-Target"), request.body
        call = self._server.answer(_text(target), (_text(body) or "").encode())
        try:
            while True:
                with self._lock:
                    operation = next(call)
                self._wait(operation)
        except StopIteration as end:
            return response(request.url, end.value)

    def _wait(self, operation: str) -> None:
        if number := self._behavior.together.get(operation):
            self._barriers.setdefault(operation, threading.Barrier(number)).wait()
        if latency := self._behavior.latency_of(operation):
            (self._behavior.clock or time).sleep(latency)


def _text(value: Any) -> str | None:
    return value.decode() if isinstance(value, bytes | bytearray) else value


# Each session of botocore that is created from now on asks this before it sends a request.
_handlers = botocore.handlers.BUILTIN_HANDLERS
# Each client copies all handlers; those of the documentation are a quarter.
_handlers[:] = [handler for handler in _handlers if not handler[0].startswith("docs.")]
_handlers.append(("before-send", _Here.send))


class _Served:
    """A fake that answers over HTTP."""

    endpoint: str

    def record(self, name: str) -> Any:
        """Return a record of the server."""
        connection = HTTPConnection(urlsplit(self.endpoint).netloc)
        try:
            connection.request("GET", RECORDS + name)
            return json.loads(connection.getresponse().read())
        finally:
            connection.close()


class _Thread(_Served):
    """A server in a thread of this process."""

    def start(self, registry_factory: FakeRegistry | Callable[[], FakeRegistry], behavior: Behavior) -> None:
        """Start the server."""
        self.registry = _build(registry_factory)
        self._port: Future[int] = Future()
        # A thread that answers a call would wait 5 ms, the default, for a thread of the test that computes.
        sys.setswitchinterval(0.0005)
        self._thread = threading.Thread(target=self._run, args=(behavior,), name="fake-aws", daemon=True)
        self._thread.start()
        self.endpoint = f"http://127.0.0.1:{self._port.result(_START_SECONDS)}"

    def stop(self) -> None:
        """Stop the server and wait for the thread."""
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(_STOP_SECONDS)

    def _run(self, behavior: Behavior) -> None:
        try:
            asyncio.run(self._serve(behavior))
        except Exception as error:
            if self._port.done():
                raise
            self._port.set_exception(error)

    async def _serve(self, behavior: Behavior) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        await serve(Server(self.registry, behavior), behavior, self._port.set_result, self._stop.wait)


class _Process(_Served):
    """A server in a child process. The child ends when its pipe closes, so also when this process dies."""

    def start(self, registry_factory: FakeRegistry | Callable[[], FakeRegistry], behavior: Behavior) -> None:
        """Start the server. Raises RuntimeError if the child does not start to serve."""
        # A forked child would inherit the locks of this process's threads and the parent's end of the pipe.
        context = multiprocessing.get_context("spawn")
        self._pipe, child_end = context.Pipe()
        self._process = context.Process(target=_serve_child, args=(registry_factory, behavior, child_end), daemon=True)
        self._process.start()
        child_end.close()
        try:
            if self._pipe.poll(_START_SECONDS):
                self.endpoint = f"http://127.0.0.1:{self._pipe.recv()}"
                return
        except EOFError:
            pass
        self.stop()
        raise RuntimeError("the child process of the fake did not start to serve; see its own error on stderr")

    def stop(self) -> None:
        """Stop the server and wait for the child process."""
        self._pipe.close()
        self._process.join(_STOP_SECONDS)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()


def _serve_child(
    registry_factory: FakeRegistry | Callable[[], FakeRegistry], behavior: Behavior, pipe: Connection
) -> None:
    # Ctrl-C signals the whole process group, but the parent decides when the child ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    asyncio.run(_serve_until_closed(Server(_build(registry_factory), behavior), behavior, pipe))


async def _serve_until_closed(server: Server, behavior: Behavior, pipe: Connection) -> None:
    closed = asyncio.Event()
    asyncio.get_running_loop().add_reader(pipe.fileno(), closed.set)
    await serve(server, behavior, pipe.send, closed.wait)


def _build(registry_factory: FakeRegistry | Callable[[], FakeRegistry]) -> FakeRegistry:
    return registry_factory if isinstance(registry_factory, FakeRegistry) else registry_factory()
