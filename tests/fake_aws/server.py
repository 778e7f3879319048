"""The HTTP server: it decodes a call, applies the behavior, and calls the service."""

import asyncio
import json
import os
from collections.abc import Awaitable, Callable
from datetime import datetime
from urllib.parse import parse_qsl

from aiohttp import web
from local_aws.fake_ecr import AwsError, EcrApi, FakeRegistry, control, raise_fault

from .behavior import Behavior, TokenBucket
from .call_log import CallLog, Start
from .dynamodb import DynamoDb
from .protocol import Ecr, Params, Service, encode_json_error
from .sns import Sns
from .sqs import Sqs

RECORDS = "/_fake_aws/"
# The control API of LocalAws: with it, local_aws.RegistryClient works here as well.
STATUS = "/_local_aws"
CONTROL = "/_local_aws/ecr/"


class Server:
    """All services behind one request handler."""

    def __init__(self, registry: FakeRegistry, behavior: Behavior) -> None:
        self._registry = registry
        self._behavior = behavior
        self._log = CallLog()
        self._buckets: dict[str, TokenBucket] = {}
        self._clock = [behavior.clock.monotonic] if behavior.clock else []
        self._barriers: dict[str, asyncio.Barrier] = {}
        self._sqs = Sqs(behavior.queue_faults, f"arn:aws:sqs:{registry.region}:{registry.account}")
        self._sns = Sns()
        self._dynamodb = DynamoDb(registry.account, registry.region)
        self._json: dict[str, Service] = {
            "AmazonEC2ContainerRegistry_V20150921": Ecr(EcrApi(registry)),
            "AmazonSQS": self._sqs,
            "DynamoDB_20120810": self._dynamodb,
        }

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one HTTP request."""
        # request.read() stops at 1 MiB; the limits here are those of the services.
        body = await request.content.read()
        params: Params
        if request.path.startswith(RECORDS):
            return web.json_response(self._record(request.path.removeprefix(RECORDS)), dumps=_dumps)
        if request.path.startswith(CONTROL):
            params = json.loads(body) if body else dict(request.query)
            return web.json_response(control(self._registry, request.path.removeprefix(CONTROL), params))
        if request.path == STATUS:
            return web.json_response({"pid": os.getpid()})
        target = request.headers.get("X-Amz-Target")
        if target is None:
            params = dict(parse_qsl(body.decode(), keep_blank_values=True))
            return await self._answer(self._sns, str(params.get("Action")), params)
        prefix, _, operation = target.partition(".")
        if prefix not in self._json:
            unknown = AwsError("UnknownOperationException", f"the fake does not implement {target}")
            return web.Response(status=unknown.status, body=encode_json_error(unknown))
        return await self._answer(self._json[prefix], operation, json.loads(body))

    async def _answer(self, service: Service, operation: str, params: Params) -> web.Response:
        status, headers = 200, {"Content-Type": service.content_type}
        with self._log.call(operation):
            try:
                self._throttle(operation)
                await self._wait(operation)
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
        return web.Response(status=status, headers=headers, body=body)

    async def _wait(self, operation: str) -> None:
        number = self._behavior.together.get(operation)
        if number:
            await self._barriers.setdefault(operation, asyncio.Barrier(number)).wait()
        latency = self._behavior.latency_of(operation)
        if latency and self._behavior.clock:
            self._behavior.clock.sleep(latency)
        elif latency:
            await asyncio.sleep(latency)

    def _throttle(self, operation: str) -> None:
        rate = self._behavior.rates.get(operation)
        if rate is None:
            return
        bucket = self._buckets.get(operation)
        if bucket is None or bucket.rate != rate:
            bucket = self._buckets[operation] = TokenBucket(rate, *self._clock)
        if not bucket.take():
            raise AwsError("ThrottlingException", "Rate exceeded")

    def _record(self, name: str) -> object:
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
            case "reset":
                self._log.reset()
                self._dynamodb.capacity.reset()
                self._registry.scan_requests.clear()
                self._sqs.reset()
                self._sns.reset()
                return None
        raise web.HTTPNotFound(text=f"record is {name!r}; expected the name of a record")


async def serve(server: Server, ready: Callable[[int], None], stopped: Callable[[], Awaitable[object]]) -> None:
    """Serve on a free loopback port until `stopped` returns; pass the port to `ready`."""
    web_server = web.Server(server.handle, access_log=None)
    # A call that still sleeps must not delay the end of a test.
    runner = web.ServerRunner(web_server, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        ready(runner.addresses[0][1])
        await stopped()
    finally:
        await runner.cleanup()


def _dumps(record: object) -> str:
    return json.dumps(record, default=_iso)


def _iso(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} is not a type of the records")
