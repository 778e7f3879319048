"""The HTTP server: it decodes a call, lets the behavior have its say, and asks the service's model."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import datetime
from urllib.parse import parse_qsl

from aiohttp import web

from .behavior import Behavior, TokenBucket
from .call_log import CallLog
from .ecr import Ecr
from .errors import AwsError
from .protocol import Params, Service, json_refusal
from .registry import FakeRegistry
from .sns import Sns
from .sqs import Sqs

CONTROL = "/_fake_aws/"

_DENIED = ("AccessDenied", "AccessDeniedException", "AuthorizationError")


class Server:
    """All services behind one handler."""

    def __init__(self, registry: FakeRegistry, behavior: Behavior) -> None:
        self._account = registry.account
        self._behavior = behavior
        self._log = CallLog()
        self._buckets: dict[str, TokenBucket] = {}
        self._sqs = Sqs(behavior.queue_faults, f"arn:aws:sqs:{registry.region}:{registry.account}")
        self._sns = Sns()
        self._json: dict[str, Service] = {
            "AmazonEC2ContainerRegistry_V20150921": Ecr(registry, self._log),
            "AmazonSQS": self._sqs,
        }

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one HTTP request."""
        # Not request.read(), which stops at 1 MiB: the limits are the services' own.
        body = await request.content.read()
        if request.path.startswith(CONTROL):
            return web.json_response(self._control(request.path.removeprefix(CONTROL)), dumps=_dumps)
        target = request.headers.get("X-Amz-Target")
        if target is None:
            params: Params = dict(parse_qsl(body.decode(), keep_blank_values=True))
            return await self._answer(self._sns, str(params.get("Action")), params)
        prefix, _, operation = target.partition(".")
        if prefix not in self._json:
            unknown = AwsError("UnknownOperationException", f"the fake does not know {target}")
            return web.Response(status=unknown.status, body=json_refusal(unknown))
        return await self._answer(self._json[prefix], operation, json.loads(body))

    async def _answer(self, service: Service, operation: str, params: Params) -> web.Response:
        status, headers = 200, {"Content-Type": service.content_type}
        with self._log.call(operation):
            try:
                self._throttle(operation)
                latency = self._behavior.latency_of(operation)
                if latency:
                    await asyncio.sleep(latency)
                self._fail_on_purpose(service, operation, params)
                body = service.call(operation, params)
            except AwsError as error:
                self._log.refused[operation][error.code] += 1
                status = error.status
                body, more = service.refusal(error)
                headers |= more
        return web.Response(status=status, headers=headers, body=body)

    def _throttle(self, operation: str) -> None:
        rate = self._behavior.rates.get(operation)
        if rate is None:
            return
        bucket = self._buckets.get(operation)
        if bucket is None or bucket.rate != rate:
            bucket = self._buckets[operation] = TokenBucket(rate)
        if not bucket.take():
            raise AwsError("ThrottlingException", "Rate exceeded")

    def _fail_on_purpose(self, service: Service, operation: str, params: Params) -> None:
        for fault in self._behavior.faults:
            if fault.matches(operation, params):
                words = fault.message or self._words(fault.code, service, operation, params)
                raise AwsError(fault.code, words, fault.status)

    def _words(self, code: str, service: Service, operation: str, params: Params) -> str:
        if code not in _DENIED:
            return code
        user = f"arn:aws:sts::{self._account}:assumed-role/scanner/scanner"
        action = service.action(operation)
        words = f"User: {user} is not authorized to perform: {action} on resource: {service.resource(params)}"
        return f"{words} because no identity-based policy allows the {action} action"

    def _control(self, name: str) -> object:
        match name:
            case "calls":
                return self._log.calls
            case "refused":
                return self._log.refused
            case "starts":
                return self._log.starts
            case "max_in_flight":
                return self._log.max_in_flight
            case "messages":
                return self._sqs.messages
            case "publications":
                return self._sns.publications
            case "reset":
                self._log.reset()
                self._sqs.reset()
                self._sns.reset()
                return None
        raise web.HTTPNotFound(text=f"no such record: {name}")


async def serve(server: Server, ready: Callable[[int], None], stopped: Callable[[], Awaitable[object]]) -> None:
    """Serve on a free port of the loopback interface, which `ready` is told, until `stopped` returns."""
    web_server = web.Server(server.handle, access_log=None)
    # A call that still sleeps does not hold up the end of a test.
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
    raise TypeError(f"{type(value).__name__} has no place in a record")
