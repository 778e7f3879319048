"""ECR for LocalStack: repositories and images are moto's, in process; scanning, paging and refusals are ours."""

import contextlib
import functools
import json
import logging
import threading
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from localstack.aws.api import CommonServiceException, RequestContext
from localstack.aws.connect import connect_to
from localstack.aws.skeleton import Skeleton
from localstack.aws.spec import load_service
from localstack.http import Request, Response
from localstack.services import moto
from localstack.services.plugins import Service, aws_provider
from moto.ecr.models import ECRBackend, Repository, ecr_backends
from moto.ecr.models import Image as MotoImage

from local_aws.basic_scanning import (
    BASIC,
    BasicScanning,
    EcrError,
    Fault,
    Image,
    Outcome,
    event_entry,
    scans_on_push,
)
from local_aws.findings import COMPLETE, severity_counts
from local_aws.paging import page

LOG = logging.getLogger(__name__)

Json = dict[str, Any]

CONTROL_API = "/_local_aws/ecr"
# Of PutEvents: https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html
EVENTS_PER_CALL = 10


class Ecr:
    """ECR of every account and Region."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._scanning: dict[tuple[str, str], BasicScanning] = {}
        self._started = threading.Event()
        self._handlers: dict[str, Callable[[RequestContext, Json], Json]] = {
            "BatchDeleteImage": self._batch_delete_image,
            "DeleteRepository": self._delete_repository,
            "DescribeImages": self._describe_images,
            "DescribeImageScanFindings": self._describe_image_scan_findings,
            "DescribeRepositories": self._describe_repositories,
            "ListImages": self._list_images,
            "PutImage": self._put_image,
            "StartImageScan": self._start_image_scan,
        }
        threading.Thread(target=self._send_scan_events, name="ecr-scan-events", daemon=True).start()

    def service(self) -> Service:
        """Return the service that LocalStack serves."""
        spec = load_service("ecr")
        table = {name: functools.partial(self._dispatch, name) for name in spec.operation_names}
        return Service(name="ecr", skeleton=Skeleton(spec, table))

    def add_control_api(self, router: Any) -> None:
        """Serve what tests say to this registry, and ask of it, beside AWS's API."""
        for path, method, answer in (
            ("image", "PUT", self._control_image),
            ("fault", "PUT", self._control_fault),
            ("delay", "PUT", self._control_delay),
            ("requests", "GET", self._control_requests),
        ):
            router.add(f"{CONTROL_API}/{path}", functools.partial(self._control, answer), methods=[method])

    def _dispatch(self, operation: str, context: RequestContext, request: Json) -> Json:
        try:
            with self._lock:
                # A scan that is refused is noted for the image, so its model looks for the fault itself.
                if operation != "StartImageScan":
                    self._scanning_of(context.account_id, context.region).check(operation)
                return self._handlers.get(operation, _pass_to_moto)(context, request)
        except EcrError as error:
            raise CommonServiceException(error.code, error.message, sender_fault=True) from error

    def _scanning_of(self, account: str, region: str) -> BasicScanning:
        return self._scanning.setdefault((account, region), BasicScanning())

    # Operations

    def _describe_repositories(self, context: RequestContext, request: Json) -> Json:
        _refuse_paging_of_named(request, "repositoryNames")
        response = _ask_moto(context)
        if request.get("repositoryNames"):
            return response
        repositories, token = page(response["repositories"], request, "DescribeRepositories")
        return {"repositories": repositories, **token}

    def _describe_images(self, context: RequestContext, request: Json) -> Json:
        _refuse_paging_of_named(request, "imageIds")
        name = request["repositoryName"]
        scanning = self._scanning_of(context.account_id, context.region)
        details = _ask_moto(context)["imageDetails"]
        manifests = {image.image_digest: image.image_manifest for image in _repository(context, name).images}
        for detail in details:
            digest = detail["imageDigest"]
            detail["imageStatus"] = "ARCHIVED" if scanning.is_archived(name, digest) else "ACTIVE"
            manifest = json.loads(manifests[digest])
            if artifact := _artifact_media_type(manifest):
                detail["artifactMediaType"] = artifact
            if subject := manifest.get("subject"):
                detail["subjectManifestDigest"] = subject["digest"]
        if request.get("imageIds"):
            return {"imageDetails": details}
        wanted = _filter(details, request, tagged=lambda detail: bool(detail.get("imageTags")))
        details, token = page(wanted, request, f"DescribeImages {name}")
        return {"imageDetails": details, **token}

    def _list_images(self, context: RequestContext, request: Json) -> Json:
        name = request["repositoryName"]
        scanning = self._scanning_of(context.account_id, context.region)
        entries = [
            {
                **image_id,
                "imageStatus": "ARCHIVED" if scanning.is_archived(name, image_id["imageDigest"]) else "ACTIVE",
            }
            for image_id in _ask_moto(context)["imageIds"]
        ]
        wanted = _filter(entries, request, tagged=lambda image_id: bool(image_id.get("imageTag")))
        image_ids, token = page(wanted, request, f"ListImages {name}")
        for image_id in image_ids:
            del image_id["imageStatus"]
        return {"imageIds": image_ids, **token}

    def _put_image(self, context: RequestContext, request: Json) -> Json:
        name, tag = request["repositoryName"], request.get("imageTag")
        repository = _repository(context, name)
        if tag and not repository.is_tag_immutable():
            for image in repository.images:
                # moto deletes an image that loses its last tag to another; ECR leaves it, untagged.
                if tag in image.image_tags and image.image_manifest != request["imageManifest"]:
                    image.remove_tag(tag)
        known = {image.image_digest for image in repository.images}
        response = _ask_moto(context)
        digest = response["image"]["imageId"]["imageDigest"]
        if digest not in known and self._is_scanned_on_push(context, repository):
            # ECR says nothing about what it cannot scan on push; the list of requests has the refusal.
            with contextlib.suppress(EcrError):
                self._start(context, _scannable(_find(repository, {"imageDigest": digest}), name))
        return response

    def _start(self, context: RequestContext, image: Image) -> None:
        scan_type = str(_backend(context).registry_scanning_configuration.get("scanType", BASIC))
        self._scanning_of(context.account_id, context.region).start(image, _now(), scan_type)
        self._started.set()

    def _is_scanned_on_push(self, context: RequestContext, repository: Repository) -> bool:
        configuration = _backend(context).registry_scanning_configuration
        if configuration.get("scanType", BASIC) != BASIC:
            return False
        setting = repository.image_scanning_configuration
        by_repository = isinstance(setting, dict) and setting.get("scanOnPush", False)
        return by_repository or scans_on_push(repository.name, configuration)

    def _batch_delete_image(self, context: RequestContext, request: Json) -> Json:
        name = request["repositoryName"]
        before = {image.image_digest for image in _repository(context, name).images}
        response = _ask_moto(context)
        after = {image.image_digest for image in _repository(context, name).images}
        self._scanning_of(context.account_id, context.region).forget(name, list(before - after))
        return response

    def _delete_repository(self, context: RequestContext, request: Json) -> Json:
        name = request["repositoryName"]
        digests = [image.image_digest for image in _repository(context, name).images]
        response = _ask_moto(context)
        self._scanning_of(context.account_id, context.region).forget(name, digests)
        return response

    def _start_image_scan(self, context: RequestContext, request: Json) -> Json:
        repository = _repository(context, request["repositoryName"])
        image = _scannable(_find(repository, request["imageId"]), repository.name)
        self._start(context, image)
        return {
            "registryId": repository.registry_id,
            "repositoryName": repository.name,
            "imageId": {**request["imageId"], "imageDigest": image.digest},
            "imageScanStatus": {"status": "IN_PROGRESS"},
        }

    def _describe_image_scan_findings(self, context: RequestContext, request: Json) -> Json:
        repository = _repository(context, request["repositoryName"])
        image = _scannable(_find(repository, request["imageId"]), repository.name)
        scan = self._scanning_of(context.account_id, context.region).describe(image, _now())
        response: Json = {
            "registryId": repository.registry_id,
            "repositoryName": repository.name,
            "imageId": {**request["imageId"], "imageDigest": image.digest},
        }
        if scan is None:
            return {**response, "imageScanStatus": {"status": "IN_PROGRESS"}}
        response["imageScanStatus"] = {"status": scan.outcome.status, "description": scan.outcome.description}
        if scan.outcome.status != COMPLETE:
            return response
        subject = f"DescribeImageScanFindings {repository.name} {image.digest}"
        findings, token = page(scan.outcome.findings, request, subject)
        response["imageScanFindings"] = {
            "imageScanCompletedAt": scan.completes_at,
            "vulnerabilitySourceUpdatedAt": scan.completes_at,
            "findingSeverityCounts": severity_counts(scan.outcome.findings),
            "findings": findings,
        }
        return {**response, **token}

    # Events

    def _send_scan_events(self) -> None:
        while True:
            self._started.wait(self._seconds_to_next_completion())
            self._started.clear()
            for (account, region), entries in self._take_events().items():
                events = connect_to(aws_access_key_id=account, region_name=region).events
                for start in range(0, len(entries), EVENTS_PER_CALL):
                    try:
                        events.put_events(Entries=entries[start : start + EVENTS_PER_CALL])
                    except Exception:
                        # One batch is lost, as AWS's best effort allows; the events of later scans are not.
                        LOG.exception("could not put the events of scans")

    def _seconds_to_next_completion(self) -> float | None:
        with self._lock:
            times = [time for scanning in self._scanning.values() if (time := scanning.next_completion())]
        return max(0.0, (min(times) - _now()).total_seconds()) if times else None

    def _take_events(self) -> dict[tuple[str, str], list[Any]]:
        events: dict[tuple[str, str], list[Any]] = {}
        with self._lock:
            for (account, region), scanning in self._scanning.items():
                repositories = ecr_backends[account][region].repositories
                for scan in scanning.take_finished(_now()):
                    repository = repositories[scan.image.repository]
                    tags = _find(repository, {"imageDigest": scan.image.digest}).image_tags
                    events.setdefault((account, region), []).append(event_entry(scan, repository.arn, tags))
        return events

    # The control API. Every request names the account and the Region.

    def _control(self, answer: Callable[[BasicScanning, ECRBackend, Json], Json], request: Request) -> Response:
        body: Json = request.get_json(force=True) if request.method == "PUT" else request.args.to_dict()
        try:
            with self._lock:
                account, region = body["account"], body["region"]
                return Response.for_json(
                    answer(self._scanning_of(account, region), ecr_backends[account][region], body)
                )
        except EcrError as error:
            return Response.for_json({"error": str(error)}, status=400)
        except (KeyError, ValueError) as error:
            return Response.for_json({"error": f"{type(error).__name__}: {error}"}, status=400)

    def _control_image(self, scanning: BasicScanning, backend: ECRBackend, body: Json) -> Json:
        repository = _named(backend, body["repositoryName"])
        image = _scannable(_find(repository, {"imageDigest": body["imageDigest"]}), repository.name)
        if planned := body.get("outcome"):
            outcome = Outcome(planned["status"], planned["description"], planned["findings"])
            scanned_at = body.get("scannedAt")
            scanning.plan(image, outcome, datetime.fromisoformat(scanned_at) if scanned_at else None)
        if fault := body.get("startError"):
            scanning.fail_start(image, Fault(fault["code"], fault["message"], fault["times"]))
        if body.get("archived"):
            scanning.archive(image)
        return {}

    def _control_fault(self, scanning: BasicScanning, _backend: ECRBackend, body: Json) -> Json:
        scanning.fail_operation(body["operation"], Fault(body["code"], body["message"], body["times"]))
        return {}

    def _control_delay(self, scanning: BasicScanning, _backend: ECRBackend, body: Json) -> Json:
        scanning.delay = timedelta(seconds=body["seconds"])
        return {}

    def _control_requests(self, scanning: BasicScanning, _backend: ECRBackend, _body: Json) -> Json:
        return {
            "requests": [
                {
                    "repositoryName": request.repository,
                    "imageDigest": request.digest,
                    "at": request.at.isoformat(),
                    "code": request.code,
                    "message": request.message,
                }
                for request in scanning.requests
            ]
        }


@functools.cache
def shared() -> Ecr:
    """Return the one ECR that AWS's API and the control API share."""
    return Ecr()


@aws_provider(api="ecr", name="default")
def ecr() -> Service:
    """Make the service, when LocalStack loads it."""
    return shared().service()


def _now() -> datetime:
    return datetime.now(UTC)


def _ask_moto(context: RequestContext) -> Json:
    response: Json = moto.call_moto(context)
    return response


def _pass_to_moto(context: RequestContext, _request: Json) -> Json:
    return _ask_moto(context)


def _backend(context: RequestContext) -> ECRBackend:
    return ecr_backends[context.account_id][context.region]


def _repository(context: RequestContext, name: str) -> Repository:
    return _named(_backend(context), name)


def _named(backend: ECRBackend, name: str) -> Repository:
    try:
        return backend.repositories[name]
    except KeyError:
        raise EcrError(
            "RepositoryNotFoundException",
            f"The repository with name '{name}' does not exist in the registry with id '{backend.account_id}'",
        ) from None


def _find(repository: Repository, image_id: Json) -> MotoImage:
    digest, tag = image_id.get("imageDigest"), image_id.get("imageTag")
    for image in repository.images:
        if (digest or tag) and digest in (None, image.image_digest) and (tag is None or tag in image.image_tags):
            return image
    raise EcrError(
        "ImageNotFoundException",
        f"The image with imageId {{imageDigest:'{digest or 'null'}', imageTag:'{tag or 'null'}'}} does not exist "
        f"within the repository with name '{repository.name}' in the registry with id '{repository.registry_id}'",
    )


def _scannable(image: MotoImage, repository: str) -> Image:
    manifest = json.loads(image.image_manifest)
    media_type = image.image_manifest_media_type or manifest["mediaType"]
    return Image(repository, image.image_digest, media_type, _artifact_media_type(manifest))


def _artifact_media_type(manifest: Json) -> str | None:
    media_type: str | None = manifest.get("artifactType") or manifest.get("config", {}).get("mediaType")
    return media_type


def _refuse_paging_of_named(request: Json, names: str) -> None:
    if request.get(names) and (request.get("maxResults") or request.get("nextToken")):
        raise EcrError(
            "InvalidParameterException", f"Invalid parameter: maxResults and nextToken are not allowed with '{names}'"
        )


def _filter(entries: Iterable[Json], request: Json, tagged: Callable[[Json], bool]) -> list[Json]:
    wanted = request.get("filter") or {}
    tag_status, image_status = wanted.get("tagStatus", "ANY"), wanted.get("imageStatus", "ACTIVE")
    return [
        entry
        for entry in entries
        if tag_status in ("ANY", "TAGGED" if tagged(entry) else "UNTAGGED")
        and image_status in ("ANY", entry["imageStatus"])
    ]
