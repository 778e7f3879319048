"""Amazon ECR on the wire: AWS JSON 1.1 in front of a FakeRegistry."""

from collections.abc import Callable
from itertools import islice

from .call_log import CallLog, Start
from .errors import AwsError
from .images import FakeImage
from .protocol import Params, encode, json_refusal
from .registry import FakeRegistry, FakeRepository, invalid, page

_MOST = 1000
_USUAL = 100
_MOST_IDS = 100
# ECR answers with at most so many enhanced findings, whatever maxResults says.
_MOST_ENHANCED = 100
# Bounds the cache to some 50 MB of pages with 1,000 images each.
_CACHED_PAGES = 128

_PageKey = tuple[FakeRepository, int, str, str, int, int]
_Page = tuple[bytes, int | None]


class Ecr:
    """The operations of ECR that scan or look at images."""

    content_type = "application/x-amz-json-1.1"

    def __init__(self, registry: FakeRegistry, log: CallLog) -> None:
        self._registry = registry
        self._log = log
        self._pages: dict[_PageKey, _Page] = {}
        self._operations: dict[str, Callable[[Params], bytes]] = {
            "DescribeRepositories": self._describe_repositories,
            "DescribeImages": self._describe_images,
            "DescribeImageScanFindings": self._describe_image_scan_findings,
            "StartImageScan": self._start_image_scan,
            "BatchGetImage": self._batch_get_image,
            "GetRegistryScanningConfiguration": self._get_registry_scanning_configuration,
        }

    def call(self, operation: str, params: Params) -> bytes:
        """The body of the answer. Raises AwsError where ECR refuses."""
        if operation not in self._operations:
            raise AwsError("UnknownOperationException", f"the fake does not know {operation}")
        return self._operations[operation](params)

    def refusal(self, error: AwsError) -> tuple[bytes, dict[str, str]]:
        """An error in AWS JSON."""
        return json_refusal(error), {}

    def action(self, operation: str) -> str:
        """The IAM action of the same name."""
        return f"ecr:{operation}"

    def resource(self, params: Params) -> str:
        """The repository's ARN; "*" for the registry."""
        name = params.get("repositoryName")
        return self._registry.arn(name) if name else "*"

    def _describe_repositories(self, params: Params) -> bytes:
        names = params.get("repositoryNames")
        if names:
            _check_ids(params, "repositoryNames", names)
            return encode({"repositories": [self._repository_json(self._registry.repository(n)) for n in names]})
        start = self._registry.position("repositories", params.get("nextToken"))
        found, rest = page(self._registry.slots, start, _size(params), lambda _: True)
        return encode(
            {"repositories": [self._repository_json(item) for item in found]} | self._next("repositories", rest)
        )

    def _repository_json(self, repository: FakeRepository) -> dict[str, object]:
        registry = self._registry
        host = f"{registry.account}.dkr.ecr.{registry.region}.amazonaws.com"
        return {
            "repositoryArn": registry.arn(repository.name),
            "registryId": registry.account,
            "repositoryName": repository.name,
            "repositoryUri": f"{host}/{repository.name}",
            "createdAt": repository.created_at,
            "imageTagMutability": "MUTABLE",
            "imageScanningConfiguration": {"scanOnPush": False},
            "encryptionConfiguration": {"encryptionType": "AES256"},
        }

    def _describe_images(self, params: Params) -> bytes:
        repository = self._registry.repository(params["repositoryName"])
        image_ids = params.get("imageIds")
        if image_ids:
            _check_ids(params, "imageIds", image_ids)
            images = [self._registry.image(repository, image_id) for image_id in image_ids]
            return encode({"imageDetails": [self._image_json(repository, image) for image in images]})
        chosen = params.get("filter") or {}
        status, tagged = chosen.get("imageStatus", "ACTIVE"), chosen.get("tagStatus", "ANY")
        scope = f"images|{repository.name}|{status}|{tagged}"
        start = self._registry.position(scope, params.get("nextToken"))
        if self._registry.summaries:
            # A summary changes with the clock, so these pages are made anew.
            details, rest = self._image_page(repository, status, tagged, start, _size(params))
        else:
            details, rest = self._cached_page(repository, status, tagged, start, _size(params))
        return b'{"imageDetails":' + details + self._next_bytes(scope, rest)

    def _cached_page(self, repository: FakeRepository, status: str, tagged: str, start: int, size: int) -> _Page:
        key = (repository, repository.version, status, tagged, start, size)
        if key not in self._pages:
            if len(self._pages) >= _CACHED_PAGES:
                self._pages.pop(next(iter(self._pages)))
            self._pages[key] = self._image_page(repository, status, tagged, start, size)
        return self._pages[key]

    def _image_page(self, repository: FakeRepository, status: str, tagged: str, start: int, size: int) -> _Page:
        found, rest = page(repository.slots, start, size, lambda image: _matches(image, status, tagged))
        return encode([self._image_json(repository, image) for image in found]), rest

    def _image_json(self, repository: FakeRepository, image: FakeImage) -> dict[str, object]:
        detail: dict[str, object] = {
            "registryId": self._registry.account,
            "repositoryName": repository.name,
            "imageDigest": image.digest,
            "imageSizeInBytes": image.size,
            "imagePushedAt": image.pushed_at,
            "imageManifestMediaType": image.media_type,
            "imageStatus": image.status,
        }
        optional = {
            "imageTags": image.tags,
            "artifactMediaType": image.artifact_media_type,
            "lastRecordedPullTime": image.last_pull,
            "subjectManifestDigest": image.subject,
        }
        detail |= {name: value for name, value in optional.items() if value}
        return detail | self._summary_json(repository, image)

    def _summary_json(self, repository: FakeRepository, image: FakeImage) -> dict[str, object]:
        scan = self._registry.known_scan(repository, image.digest) if self._registry.summaries else None
        if scan is None:
            return {}
        summary = scan.summary_json()
        return {"imageScanStatus": scan.status_json()} | ({"imageScanFindingsSummary": summary} if summary else {})

    def _describe_image_scan_findings(self, params: Params) -> bytes:
        repository = self._registry.repository(params["repositoryName"])
        image = self._registry.image(repository, params["imageId"])
        scan = self._registry.scan(repository, params["imageId"])
        answer = self._about(repository, image, params) | {"imageScanStatus": scan.status_json()}
        summary = scan.summary_json()
        if summary is None:
            return encode(answer)
        findings, member = scan.findings, "findings"
        size = _size(params)
        if scan.enhanced_findings:
            findings, member, size = scan.enhanced_findings, "enhancedFindings", min(size, _MOST_ENHANCED)
        scope = f"findings|{repository.name}|{image.digest}"
        start = self._registry.position(scope, params.get("nextToken"))
        end = start + size
        answer["imageScanFindings"] = summary | {member: list(islice(findings, start, end))}
        return encode(answer | self._next(scope, end if end < len(findings) else None))

    def _start_image_scan(self, params: Params) -> bytes:
        repository = self._registry.repository(params["repositoryName"])
        image = self._registry.start_scan(repository, params["imageId"])
        self._log.starts.append(Start(repository.name, image.digest, self._registry.clock()))
        answer = self._about(repository, image, params)
        return encode(answer | {"imageScanStatus": {"status": "IN_PROGRESS"}})

    def _about(self, repository: FakeRepository, image: FakeImage, params: Params) -> dict[str, object]:
        image_id = params["imageId"] | {"imageDigest": image.digest}
        return {"registryId": self._registry.account, "repositoryName": repository.name, "imageId": image_id}

    def _batch_get_image(self, params: Params) -> bytes:
        repository = self._registry.repository(params["repositoryName"])
        _check_ids({}, "imageIds", params["imageIds"])
        images: list[dict[str, object]] = []
        failures: list[dict[str, object]] = []
        for image_id in params["imageIds"]:
            try:
                image = self._registry.image(repository, image_id)
            except AwsError:
                reason = {"failureCode": "ImageNotFound", "failureReason": "Requested image not found"}
                failures.append({"imageId": image_id} | reason)
            else:
                images.append(self._manifest_json(repository, image, image_id))
        return encode({"images": images, "failures": failures})

    def _manifest_json(self, repository: FakeRepository, image: FakeImage, image_id: Params) -> dict[str, object]:
        return {
            "registryId": self._registry.account,
            "repositoryName": repository.name,
            "imageId": {**image_id, "imageDigest": image.digest},
            "imageManifest": image.manifest_json(),
            "imageManifestMediaType": image.media_type,
        }

    def _get_registry_scanning_configuration(self, _: Params) -> bytes:
        configuration = {"scanType": self._registry.scan_type, "rules": self._registry.scan_rules}
        return encode({"registryId": self._registry.account, "scanningConfiguration": configuration})

    def _next(self, scope: str, position: int | None) -> dict[str, object]:
        return {} if position is None else {"nextToken": self._registry.token(scope, position)}

    def _next_bytes(self, scope: str, position: int | None) -> bytes:
        if position is None:
            return b"}"
        return b',"nextToken":"' + self._registry.token(scope, position).encode() + b'"}'


def _matches(image: FakeImage, status: str, tagged: str) -> bool:
    return status in ("ANY", image.status) and tagged in ("ANY", "TAGGED" if image.tags else "UNTAGGED")


def _size(params: Params) -> int:
    size = int(params.get("maxResults", _USUAL))
    if not 1 <= size <= _MOST:
        raise invalid("maxResults", f"Member must have value between 1 and {_MOST}")
    return size


def _check_ids(params: Params, name: str, ids: list[object]) -> None:
    """ECR takes 100 ids or names a call, and then does not page."""
    if len(ids) > _MOST_IDS:
        raise invalid(name, f"Member must have length less than or equal to {_MOST_IDS}")
    for paging in ("maxResults", "nextToken"):
        if paging in params:
            raise invalid(paging, f"cannot be combined with {name}")
