"""The operations of ECR's API: decoded requests in, answers in ECR's shapes out."""

import contextlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from local_aws.fake_ecr.errors import AwsError, invalid_parameter
from local_aws.fake_ecr.faults import raise_fault
from local_aws.fake_ecr.images import FakeImage, digest_of
from local_aws.fake_ecr.listing import read_token, write_token
from local_aws.fake_ecr.registry import FakeRegistry, FakeRepository, ScanRequest

# botocore defines the shapes of requests and answers.
Params = Mapping[str, Any]
Answer = dict[str, Any]

# https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_DescribeImages.html
_MAX_RESULTS = 1000
_DEFAULT_RESULTS = 100
_MAX_IDS = 100
# ECR answers with at most this number of enhanced findings, whatever maxResults is.
_MAX_ENHANCED_FINDINGS = 100


class EcrApi:
    """ECR's API of one registry."""

    def __init__(self, registry: FakeRegistry) -> None:
        self._registry = registry
        self._operations: dict[str, Callable[[Params], Answer]] = {
            "BatchGetImage": self._batch_get_image,
            "CreateRepository": self._create_repository,
            "DescribeImages": self._describe_images,
            "DescribeImageScanFindings": self._describe_image_scan_findings,
            "DescribeRegistry": self._describe_registry,
            "DescribeRepositories": self._describe_repositories,
            "GetRegistryScanningConfiguration": self._get_registry_scanning_configuration,
            "PutImage": self._put_image,
            "PutRegistryScanningConfiguration": self._put_registry_scanning_configuration,
            "StartImageScan": self._start_image_scan,
        }

    def call(self, operation: str, params: Params) -> Answer:
        """Answer one call.

        Raises:
            AwsError: ECR rejects the call.
        """
        if operation not in self._operations:
            raise AwsError("UnknownOperationException", f"the fake does not implement {operation}")
        self._registry.calls[operation] += 1
        try:
            raise_fault(self._registry.faults, operation, params, self.action(operation), self.resource(params))
        except AwsError as error:
            if operation == "StartImageScan":
                digest = params["imageId"].get("imageDigest", "")
                request = ScanRequest(
                    params["repositoryName"], digest, self._registry.clock(), error.code, error.message
                )
                self._registry.scan_requests.append(request)
            raise
        return self._operations[operation](params)

    def action(self, operation: str) -> str:
        """Return the IAM action of an operation."""
        return f"ecr:{operation}"

    def resource(self, params: Params) -> str:
        """Return the ARN of the repository of a call; "*" for the registry."""
        name = params.get("repositoryName")
        return self._registry.arn(name) if name else "*"

    # Repositories

    def _create_repository(self, params: Params) -> Answer:
        repository = self._registry.add(params["repositoryName"])
        repository.created_at = self._registry.clock()
        repository.scan_on_push = bool((params.get("imageScanningConfiguration") or {}).get("scanOnPush"))
        return {"repository": self._repository_json(repository)}

    def _describe_repositories(self, params: Params) -> Answer:
        if names := params.get("repositoryNames"):
            _check_ids(params, "repositoryNames", names)
            return {"repositories": [self._repository_json(self._registry.repository(name)) for name in names]}
        start = self._start(params, "repositories")
        found, following = self._registry.listing.page(start, _size(params), lambda _: True)
        answer = {"repositories": [self._repository_json(repository) for repository in found]}
        return answer | self._next_token("repositories", following)

    def _repository_json(self, repository: FakeRepository) -> Answer:
        registry = self._registry
        return {
            "repositoryArn": registry.arn(repository.name),
            "registryId": registry.account,
            "repositoryName": repository.name,
            "repositoryUri": f"{registry.account}.dkr.ecr.{registry.region}.amazonaws.com/{repository.name}",
            "createdAt": repository.created_at,
            "imageTagMutability": "MUTABLE",
            "imageScanningConfiguration": {"scanOnPush": repository.scan_on_push},
            "encryptionConfiguration": {"encryptionType": "AES256"},
        }

    # Images

    def _put_image(self, params: Params) -> Answer:
        repository = self._registry.repository(params["repositoryName"])
        text, tag = params["imageManifest"], params.get("imageTag")
        manifest, digest = json.loads(text), digest_of(text)
        if params.get("imageDigest", digest) != digest:
            message = f"The digest {params['imageDigest']} does not match the digest {digest} of the manifest"
            raise AwsError("ImageDigestDoesNotMatchException", message)
        tags = (tag,) if tag else ()
        known = repository.get(digest)
        if known:
            if not tag or tag in known.tags:
                message = f"Image with digest '{digest}' and tag '{tag}' already exists in {repository.name}"
                raise AwsError("ImageAlreadyExistsException", message)
            image = replace(known, tags=(*known.tags, *tags))
        else:
            image = FakeImage(
                digest,
                tags,
                params.get("imageManifestMediaType") or manifest["mediaType"],
                manifest.get("artifactType") or manifest.get("config", {}).get("mediaType"),
                self._registry.clock(),
                subject=manifest.get("subject", {}).get("digest"),
                size=sum(part["size"] for part in manifest.get("layers", [])),
                manifest=text,
            )
        repository.put(image)
        if not known and self._registry.scans_on_push(repository):
            # ECR reports no error for an image that it cannot scan on push.
            with contextlib.suppress(AwsError):
                self._registry.start_scan(repository, image)
        return {"image": self._manifest_json(repository, image, {"imageTag": tag} if tag else {})}

    def _batch_get_image(self, params: Params) -> Answer:
        repository = self._registry.repository(params["repositoryName"])
        _check_ids({}, "imageIds", params["imageIds"])
        images: list[Answer] = []
        failures: list[Answer] = []
        for image_id in params["imageIds"]:
            try:
                image = self._registry.image(repository, image_id)
            except AwsError:
                reason = {"failureCode": "ImageNotFound", "failureReason": "Requested image not found"}
                failures.append({"imageId": image_id} | reason)
            else:
                # ECR counts this call as a pull.
                repository.put(replace(image, last_pull=self._registry.clock()))
                images.append(self._manifest_json(repository, image, image_id))
        return {"images": images, "failures": failures}

    def _describe_images(self, params: Params) -> Answer:
        repository = self._registry.repository(params["repositoryName"])
        if image_ids := params.get("imageIds"):
            _check_ids(params, "imageIds", image_ids)
            images = [self._registry.image(repository, image_id) for image_id in image_ids]
            return {"imageDetails": [self._image_json(repository, image) for image in images]}
        selected = params.get("filter") or {}
        status, tagged = selected.get("imageStatus", "ACTIVE"), selected.get("tagStatus", "ANY")
        scope = f"images|{repository.name}|{status}|{tagged}"
        start = self._start(params, scope)
        images, following = repository.listing.page(start, _size(params), lambda image: _matches(image, status, tagged))
        answer = {"imageDetails": [self._image_json(repository, image) for image in images]}
        return answer | self._next_token(scope, following)

    def _image_json(self, repository: FakeRepository, image: FakeImage) -> Answer:
        detail: Answer = {
            "registryId": self._registry.account,
            "repositoryName": repository.name,
            "imageDigest": image.digest,
            "imageSizeInBytes": image.size,
            "imagePushedAt": image.pushed_at,
            "imageManifestMediaType": image.media_type,
            "imageStatus": image.status,
        }
        optional = {
            "imageTags": list(image.tags),
            "artifactMediaType": image.artifact_media_type,
            "lastRecordedPullTime": image.last_pull,
            "subjectManifestDigest": image.subject,
        }
        detail |= {name: value for name, value in optional.items() if value}
        if self._registry.summaries and (scan := self._registry.known_scan(repository, image.digest)):
            detail["imageScanStatus"] = scan.status_json()
            if summary := scan.summary_json():
                detail["imageScanFindingsSummary"] = summary
        return detail

    def _manifest_json(self, repository: FakeRepository, image: FakeImage, image_id: Params) -> Answer:
        return {
            "registryId": self._registry.account,
            "repositoryName": repository.name,
            "imageId": {**image_id, "imageDigest": image.digest},
            "imageManifest": image.manifest_json(),
            "imageManifestMediaType": image.media_type,
        }

    # Scans

    def _start_image_scan(self, params: Params) -> Answer:
        repository = self._registry.repository(params["repositoryName"])
        image = self._registry.image(repository, params["imageId"])
        self._registry.start_scan(repository, image)
        return self._scan_json(repository, image, params) | {"imageScanStatus": {"status": "IN_PROGRESS"}}

    def _describe_image_scan_findings(self, params: Params) -> Answer:
        repository = self._registry.repository(params["repositoryName"])
        image = self._registry.image(repository, params["imageId"])
        self._registry.look_ups[image.digest] += 1
        scan = self._registry.scan(repository, params["imageId"])
        answer = self._scan_json(repository, image, params) | {"imageScanStatus": scan.status_json()}
        summary = scan.summary_json()
        if summary is None:
            return answer
        findings, member, size = scan.findings, "findings", _size(params)
        if scan.enhanced_findings:
            findings, member, size = scan.enhanced_findings, "enhancedFindings", min(size, _MAX_ENHANCED_FINDINGS)
        scope = f"findings|{repository.name}|{image.digest}"
        start = self._start(params, scope)
        end = start + size
        answer["imageScanFindings"] = summary | {member: list(findings[start:end])}
        return answer | self._next_token(scope, end if end < len(findings) else None)

    def _scan_json(self, repository: FakeRepository, image: FakeImage, params: Params) -> Answer:
        image_id = {**params["imageId"], "imageDigest": image.digest}
        return {"registryId": self._registry.account, "repositoryName": repository.name, "imageId": image_id}

    # The registry

    def _describe_registry(self, _: Params) -> Answer:
        return {"registryId": self._registry.account, "replicationConfiguration": {"rules": []}}

    def _get_registry_scanning_configuration(self, _: Params) -> Answer:
        return {"registryId": self._registry.account, "scanningConfiguration": self._scanning_configuration()}

    def _put_registry_scanning_configuration(self, params: Params) -> Answer:
        self._registry.scan_type = params.get("scanType", "BASIC")
        self._registry.scan_rules = list(params.get("rules") or [])
        return {"registryScanningConfiguration": self._scanning_configuration()}

    def _scanning_configuration(self) -> Answer:
        return {"scanType": self._registry.scan_type, "rules": self._registry.scan_rules}

    # Pages

    def _start(self, params: Params, scope: str) -> int:
        token = params.get("nextToken")
        return read_token(token, scope, self._registry.clock(), self._registry.token_lifetime) if token else 0

    def _next_token(self, scope: str, position: int | None) -> Answer:
        return {} if position is None else {"nextToken": write_token(scope, position, self._registry.clock())}


def _matches(image: FakeImage, status: str, tagged: str) -> bool:
    return status in ("ANY", image.status) and tagged in ("ANY", "TAGGED" if image.tags else "UNTAGGED")


def _size(params: Params) -> int:
    size = int(params.get("maxResults") or _DEFAULT_RESULTS)
    if not 1 <= size <= _MAX_RESULTS:
        raise invalid_parameter("maxResults", f"Member must have value between 1 and {_MAX_RESULTS}")
    return size


def _check_ids(params: Params, name: str, ids: Sequence[object]) -> None:
    """Reject more than 100 ids in a call, and pages of named items."""
    if len(ids) > _MAX_IDS:
        raise invalid_parameter(name, f"Member must have length less than or equal to {_MAX_IDS}")
    for paging in ("maxResults", "nextToken"):
        if params.get(paging):
            raise invalid_parameter(paging, f"cannot be combined with {name}")
