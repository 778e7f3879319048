"""Answers a request: it decodes a call, applies the behavior, and calls the service."""

import asyncio
import json
import os
from collections.abc import Awaitable, Callable, Generator
from datetime import datetime
from typing import NamedTuple
from urllib.parse import parse_qsl

from aiohttp import web
from local_aws.fake_ecr import AwsError, EcrApi, FakeRegistry, control, raise_fault

from .behavior import Behavior, TokenBucket
from .call_log import CallLog, Start
from .dynamodb import DynamoDb
from .protocol import Ecr, Params, Service, encode_json_error
from .sns import Sns
from .sqs import Sqs

MEMORY_TABLE = "memory"
RECORDS = "/_fake_aws/"
# The control API of LocalAws: with it, local_aws.RegistryClient works here as well.
STATUS = "/_local_aws"
CONTROL = "/_local_aws/ecr/"


class Answer(NamedTuple):
    """What a request is answered with."""

    status: int
    headers: dict[str, str]
    body: bytes


class Server:
    """All services behind one function. Whoever calls it does the waiting, and advances one answer at a time."""

    def __init__(self, registry: FakeRegistry, behavior: Behavior) -> None:
        self._registry = registry
        self._behavior = behavior
        self._log = CallLog()
        self._buckets: dict[str, TokenBucket] = {}
        self._clock = [behavior.clock.monotonic] if behavior.clock else []
        self._sqs = Sqs(behavior.queue_faults, f"arn:aws:sqs:{registry.region}:{registry.account}")
        self._sns = Sns()
        self._dynamodb = DynamoDb(f"arn:aws:dynamodb:{registry.region}:{registry.account}")
        self._json: dict[str, Service] = {
            "AmazonEC2ContainerRegistry_V20150921": Ecr(EcrApi(registry)),
            "AmazonSQS": self._sqs,
            "DynamoDB_20120810": self._dynamodb,
        }

    def answer(self, target: str | None, body: bytes) -> Generator[str, None, Answer]:
        """Answer one call.

        Args:
            target: the header X-Amz-Target; None in AWS's query protocol.
            body: of the request.

        Yields:
            The operation, when the call is to wait for as long as the behavior says.
        """
        if target is None:
            params = dict(parse_qsl(body.decode(), keep_blank_values=True))
            return (yield from self._answer(self._sns, str(params.get("Action")), params))
        prefix, _, operation = target.partition(".")
        if prefix not in self._json:
            unknown = AwsError("UnknownOperationException", f"the fake does not implement {target}")
            return Answer(unknown.status, {}, encode_json_error(unknown))
        return (yield from self._answer(self._json[prefix], operation, json.loads(body)))

    def control(self, path: str, params: Params) -> object:
        """Answer a request that is not of AWS. Raises ValueError if there is no such path."""
        if path.startswith(RECORDS):
            return self.record(path.removeprefix(RECORDS))
        if path.startswith(CONTROL):
            return control(self._registry, path.removeprefix(CONTROL), params)
        if path == STATUS:
            return {"pid": os.getpid()}
        raise ValueError(f"path is {path!r}; expected one of {RECORDS}, {CONTROL}, {STATUS}")

    def _answer(self, service: Service, operation: str, params: Params) -> Generator[str, None, Answer]:
        status, headers = 200, {"Content-Type": service.content_type}
        with self._log.call(operation):
            try:
                self._throttle(operation)
                yield operation
                action, resource = service.action(operation), service.resource(params)
                faults = self._behavior.faults
                raise_fault([fault for fault in faults if not fault.lost], operation, params, action, resource)
                body = service.call(operation, params)
                raise_fault([fault for fault in faults if fault.lost], operation, params, action, resource)
            except AwsError as error:
                self._log.refused[operation][error.code] += 1
                status = error.status
                body, error_headers = service.encode_error(error)
                headers |= error_headers
        return Answer(status, headers, body)

    def _throttle(self, operation: str) -> None:
        rate = self._behavior.rates.get(operation)
        if rate is None:
            return
        bucket = self._buckets.get(operation)
        if bucket is None or bucket.rate != rate:
            bucket = self._buckets[operation] = TokenBucket(rate, *self._clock)
        if not bucket.take():
            raise AwsError("ThrottlingException", "Rate exceeded")

    def record(self, name: str) -> object:
        """Return a record, in values that JSON can write. Raises ValueError if there is no record of this name."""
        match name:
            case "calls":
                return self._log.calls
            case "refused":
                return self._log.refused
            case "starts":
                return [Start(*request[:3]) for request in self._registry.scan_requests if request.code is None]
            case "max_in_flight":
                return self._log.max_in_flight
            case "messages":
                return self._sqs.messages
            case "visibility":
                return self._sqs.visibility
            case "publications":
                return self._sns.publications
            case "capacity":
                return self._dynamodb.capacity.reads, self._dynamodb.capacity.writes
            case "new_table":
                self._dynamodb.tables.create(MEMORY_TABLE)
                return None
            case "reset":
                self._log.reset()
                self._dynamodb.capacity.reset()
                self._registry.scan_requests.clear()
                self._sqs.reset()
                self._sns.reset()
                return None
        raise ValueError(f"record is {name!r}; expected the name of a record")


async def serve(
    server: Server, behavior: Behavior, ready: Callable[[int], None], stopped: Callable[[], Awaitable[object]]
) -> None:
    """Serve over HTTP on a free loopback port until `stopped` returns; pass the port to `ready`."""

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        # request.read() stops at 1 MiB; the limits here are those of the services.
        body = await request.content.read()
        if request.path.startswith("/_"):
            params = json.loads(body) if body else dict(request.query)
            return web.json_response(server.control(request.path, params), dumps=dumps)
        call = server.answer(request.headers.get("X-Amz-Target"), body)
        try:
            while True:
                await asyncio.sleep(behavior.latency_of(next(call)))
        except StopIteration as end:
            status, headers, body = end.value
            return web.Response(status=status, headers=headers, body=body)

    # A call that still sleeps must not delay the end of a test.
    runner = web.ServerRunner(web.Server(handle, access_log=None), shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        ready(runner.addresses[0][1])
        await stopped()
    finally:
        await runner.cleanup()


def dumps(record: object) -> str:
    """Return a record as JSON."""
    return json.dumps(record, default=_iso)


def _iso(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} is not a type of the records")
