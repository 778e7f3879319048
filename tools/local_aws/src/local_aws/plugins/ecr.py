"""ECR for LocalStack: the model of `local_aws.fake_ecr` behind LocalStack's gateway."""

import functools
import logging
import threading
from typing import Any

from localstack.aws.api import CommonServiceException, RequestContext
from localstack.aws.connect import connect_to
from localstack.aws.skeleton import Skeleton
from localstack.aws.spec import load_service
from localstack.http import Request, Response
from localstack.services.plugins import Service, aws_provider

from local_aws import clock
from local_aws.fake_ecr import AwsError, EcrApi, FakeRegistry, control

LOG = logging.getLogger(__name__)

Json = dict[str, Any]

# A scan mostly ends after its run has visited all repositories, as at ECR, so that its result is the last of the run.
SCAN_SECONDS = 3.0
# Limit of PutEvents: https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html
EVENTS_PER_CALL = 10


class Ecr:
    """ECR of every account and Region."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._registries: dict[tuple[str, str], FakeRegistry] = {}
        self._scan_started = threading.Event()
        threading.Thread(target=self._send_scan_events, name="ecr-scan-events", daemon=True).start()

    def service(self) -> Service:
        """Return the service that LocalStack serves."""
        spec = load_service("ecr")
        table = {name: functools.partial(self._dispatch, name) for name in spec.operation_names}
        return Service(name="ecr", skeleton=Skeleton(spec, table))

    def add_control_api(self, router: Any) -> None:
        """Serve the control API. Every request names the account and the Region."""
        router.add("/_local_aws/ecr/<resource>", self._control, methods=["GET", "PUT"])

    def _dispatch(self, operation: str, context: RequestContext, request: Json) -> Json:
        try:
            with self._lock:
                answer = EcrApi(self._registry(context.account_id, context.region)).call(operation, request)
        except AwsError as error:
            sender_fault = error.status < 500
            raise CommonServiceException(error.code, error.message, error.status, sender_fault) from error
        # PutImage starts a scan as well, if the repository is scanned on push.
        if operation in ("PutImage", "StartImageScan"):
            self._scan_started.set()
        return answer

    def _registry(self, account: str, region: str) -> FakeRegistry:
        key = account, region
        if key not in self._registries:
            self._registries[key] = FakeRegistry(account, region, scan_seconds=SCAN_SECONDS, clock=clock.shared().now)
        return self._registries[key]

    def _control(self, request: Request, resource: str) -> Response:
        body: Json = request.get_json(force=True) if request.method == "PUT" else request.args.to_dict()
        try:
            with self._lock:
                answer = control(self._registry(body["account"], body["region"]), resource, body)
        except (AwsError, KeyError, ValueError) as error:
            return Response.for_json({"error": f"{type(error).__name__}: {error}"}, status=400)
        if resource == "findings":
            self._scan_started.set()
        return Response.for_json(answer)

    def _send_scan_events(self) -> None:
        while True:
            self._scan_started.wait(self._seconds_to_next_completion())
            self._scan_started.clear()
            with self._lock:
                events = {key: registry.take_events() for key, registry in self._registries.items()}
            for (account, region), entries in events.items():
                client = connect_to(aws_access_key_id=account, region_name=region).events
                for start in range(0, len(entries), EVENTS_PER_CALL):
                    try:
                        client.put_events(Entries=entries[start : start + EVENTS_PER_CALL])
                    except Exception:
                        # AWS sends these events on a best-effort basis too. Later events must still be sent.
                        LOG.exception("could not send the events of scans")

    def _seconds_to_next_completion(self) -> float | None:
        with self._lock:
            ends = [
                (ends_at - registry.clock()).total_seconds()
                for registry in self._registries.values()
                if (ends_at := registry.next_completion())
            ]
        return max(0.0, min(ends)) if ends else None


@functools.cache
def shared() -> Ecr:
    """Return the ECR that AWS's API and the control API share."""
    return Ecr()


@aws_provider(api="ecr", name="default")
def ecr() -> Service:
    """Make the service when LocalStack loads it."""
    return shared().service()
