"""The fake as a test sees it: started and stopped, in a thread or in a process of its own."""

import asyncio
import json
import multiprocessing
import signal
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from datetime import datetime
from http.client import HTTPConnection
from multiprocessing.connection import Connection
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self, overload

import boto3
from botocore.config import Config

from .behavior import Behavior, Fault, QueueFaults, Rate
from .call_log import Start
from .registry import FakeRegistry
from .server import CONTROL, Server, serve
from .sns import Publication
from .sqs import QueueMessage

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sqs import SQSClient

# A large registry takes its time to be built in the child process.
_START_SECONDS = 120
_STOP_SECONDS = 10


class FakeAws:
    """A local endpoint for ECR, SQS and SNS, running while its `with` block does.

    In a thread, `registry` and `behavior` may be looked at and changed at any time. With `process=True` they live
    in a child process, which ends when this one does, and are what they were at the start.

    Args:
        registry: the ECR registry, or a function that builds it; for `process=True` a function that can be
            pickled, of a module that the child can import (pytest's importlib mode keeps it from test modules).
        latency: seconds per call, for every operation or by operation; a throttled call is refused at once.
        rates: by operation; without one an operation is never throttled.
        faults: rules that refuse calls, the first that fits.
        queue_faults: which entries of a SendMessageBatch fail.
        process: serve from a child process, so that a benchmark does not share its interpreter with the server.
    """

    def __init__(
        self,
        registry: FakeRegistry | Callable[[], FakeRegistry],
        latency: float | Mapping[str, float] = 0.0,
        rates: Mapping[str, Rate] | None = None,
        faults: Sequence[Fault] = (),
        queue_faults: QueueFaults | None = None,
        *,
        process: bool = False,
    ) -> None:
        self._registry_factory = registry
        self.behavior = Behavior(latency, dict(rates or {}), list(faults), queue_faults or QueueFaults())
        self._host: _Thread | _Process = _Process() if process else _Thread()
        self._port = 0

    def __enter__(self) -> Self:
        self._port = self._host.start(self._registry_factory, self.behavior)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._host.stop()

    @property
    def registry(self) -> FakeRegistry:
        """The registry being served. Raises TypeError where it lives in another process."""
        if not isinstance(self._host, _Thread):
            raise TypeError("the registry lives in the fake's own process")
        return self._host.registry

    @property
    def endpoint(self) -> str:
        """The URL for `endpoint_url`, the same for all services."""
        return f"http://127.0.0.1:{self._port}"

    def queue_url(self, name: str = "images") -> str:
        """The URL of a queue; every name exists."""
        return f"{self.endpoint}/123456789012/{name}"

    def environment(self) -> dict[str, str]:
        """Environment variables that point any boto3 client of a handler here."""
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
    def client(self, service: Literal["sqs"], **config: Any) -> "SQSClient": ...
    @overload
    def client(self, service: Literal["sns"], **config: Any) -> "SNSClient": ...
    def client(self, service: Literal["ecr", "sqs", "sns"], **config: Any) -> Any:
        """A boto3 client with made-up keys, which tries once unless `config`, botocore's options, says otherwise."""
        once = {"mode": "standard", "total_max_attempts": 1}
        return boto3.client(
            service,
            region_name="eu-west-1",
            endpoint_url=self.endpoint,
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
            # No proxy of the environment stands between a test and its own loopback interface.
            config=Config(**{"retries": once, "proxies": {}, **config}),
        )

    def calls(self) -> dict[str, int]:
        """How many calls came, by operation, the refused ones included."""
        return dict(self._record("calls"))

    def refused(self) -> dict[str, dict[str, int]]:
        """How many calls were refused, by operation and error code."""
        return dict(self._record("refused"))

    def starts(self) -> list[Start]:
        """The scans that were started, in order."""
        return [Start(name, digest, datetime.fromisoformat(time)) for name, digest, time in self._record("starts")]

    def max_in_flight(self) -> int:
        """How many calls were being answered at the same time, at most."""
        return int(self._record("max_in_flight"))

    def messages(self) -> list[QueueMessage]:
        """The messages that queues took, in order, received since or not."""
        return [QueueMessage(*fields) for fields in self._record("messages")]

    def publications(self) -> list[Publication]:
        """The messages that topics took, in order."""
        return [
            Publication(
                topic, subject, message, structure, {name: (kind, text) for name, (kind, text) in pairs.items()}
            )
            for topic, subject, message, structure, pairs in self._record("publications")
        ]

    def reset(self) -> None:
        """Forget all records, messages and publications. The registry stays as it is."""
        self._record("reset")

    def _record(self, name: str) -> Any:
        connection = HTTPConnection("127.0.0.1", self._port)
        try:
            connection.request("GET", CONTROL + name)
            return json.loads(connection.getresponse().read())
        finally:
            connection.close()


class _Thread:
    """Serves from a thread of this process."""

    def start(self, registry_factory: FakeRegistry | Callable[[], FakeRegistry], behavior: Behavior) -> int:
        """Returns the port."""
        self.registry = _built(registry_factory)
        self._port: Future[int] = Future()
        self._thread = threading.Thread(target=self._run, args=(behavior,), name="fake-aws", daemon=True)
        self._thread.start()
        return self._port.result(_START_SECONDS)

    def stop(self) -> None:
        """Returns when the thread has ended."""
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
        await serve(Server(self.registry, behavior), self._port.set_result, self._stop.wait)


class _Process:
    """Serves from a child process. The child ends when its end of the pipe does, so also when this process dies."""

    def start(self, registry_factory: FakeRegistry | Callable[[], FakeRegistry], behavior: Behavior) -> int:
        """Returns the port. Raises RuntimeError if the child could not serve."""
        # A forked child would inherit the threads' locks of this process, and the other end of its own pipe.
        context = multiprocessing.get_context("spawn")
        self._pipe, childs_end = context.Pipe()
        self._process = context.Process(target=_serve_child, args=(registry_factory, behavior, childs_end), daemon=True)
        self._process.start()
        childs_end.close()
        try:
            if self._pipe.poll(_START_SECONDS):
                return int(self._pipe.recv())
        except EOFError:
            pass
        self.stop()
        raise RuntimeError("the fake's process did not come to serve; its own error says why")

    def stop(self) -> None:
        """Returns when the child has ended."""
        self._pipe.close()
        self._process.join(_STOP_SECONDS)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()


def _serve_child(
    registry_factory: FakeRegistry | Callable[[], FakeRegistry], behavior: Behavior, pipe: Connection
) -> None:
    # Ctrl-C reaches the whole group; the parent decides when this ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    asyncio.run(_serve_until_closed(Server(_built(registry_factory), behavior), pipe))


async def _serve_until_closed(server: Server, pipe: Connection) -> None:
    closed = asyncio.Event()
    asyncio.get_running_loop().add_reader(pipe.fileno(), closed.set)
    await serve(server, pipe.send, closed.wait)


def _built(registry_factory: FakeRegistry | Callable[[], FakeRegistry]) -> FakeRegistry:
    return registry_factory if isinstance(registry_factory, FakeRegistry) else registry_factory()
