"""Images for tests: pushes them to a local ECR, says what scanning finds in them, and asks which scans were started."""

import hashlib
import json
import os
import urllib.parse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

from local_aws import control_api
from local_aws.findings import COMPLETE, COMPLETE_DESCRIPTION, FAILED, Finding, severity_counts

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"

# moto keeps a result per wording of the image id (digest, tag, both, either order): one copy for each.
MOTO_COPIES = 4


class NotSupportedError(Exception):
    """The registry at the endpoint cannot do this; only that of LocalAws can."""


@dataclass(frozen=True)
class StartedScan:
    """A StartImageScan request that ECR accepted."""

    repository: str
    digest: str
    at: datetime | None
    """When; None where the registry does not tell."""


@dataclass(frozen=True)
class RefusedScan:
    """A StartImageScan request that ECR refused."""

    repository: str
    digest: str
    at: datetime
    code: str
    message: str


class Registry:
    """A local ECR registry: that of LocalAws, or moto's server, which can do less.

    Args:
        ecr: client of the registry.
    """

    def __init__(self, ecr: "ECRClient") -> None:
        self.ecr = ecr
        self._endpoint: str = ecr.meta.endpoint_url
        self._account: str = ecr.describe_registry()["registryId"]
        self.has_control_api = self._find_control_api()
        self.pushed: list[tuple[str, str]] = []
        """Repository and digest of every image pushed through this object."""

    @classmethod
    def connect(cls, environment: Mapping[str, str]) -> "Registry":
        """Connect to the registry that an environment (such as LocalAws.environment) names."""
        endpoint = environment.get("AWS_ENDPOINT_URL_ECR") or environment["AWS_ENDPOINT_URL"]
        session = boto3.Session(
            aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
            region_name=environment["AWS_REGION"],
        )
        # No retries: the errors that tests ask for are to be seen as they are.
        config = Config(retries={"mode": "standard", "total_max_attempts": 1}, proxies={})
        return cls(session.client("ecr", endpoint_url=endpoint, config=config))

    def create_repository(self, name: str, *, scan_on_push: bool = False) -> None:
        """Create a repository, unless there is one of that name."""
        try:
            self.ecr.create_repository(repositoryName=name, imageScanningConfiguration={"scanOnPush": scan_on_push})
        except self.ecr.exceptions.RepositoryAlreadyExistsException:
            return

    def push(
        self,
        repository: str,
        tag: str | None = None,
        *,
        findings: Sequence[Finding] = (),
        scanned_at: datetime | None = None,
        outcome: tuple[str, str] | None = None,
        start_error: tuple[str, str] | None = None,
        start_error_times: int | None = None,
        archived: bool = False,
        config_media_type: str = OCI_CONFIG,
        subject: str | None = None,
    ) -> str:
        """Push an image with a layer of its own.

        Args:
            repository: made if there is none.
            tag: of the image; none by default.
            findings: what every scan finds.
            scanned_at: let it have been scanned then.
            outcome: status and description of its scans, where they do not complete: see findings.UNSUPPORTED_OS.
            start_error: code and message with which StartImageScan refuses the image.
            start_error_times: how often; always by default.
            archived: move the image to the archive.
            config_media_type: another one makes it an artifact, such as a Helm chart.
            subject: digest of the image that this one refers to, as signatures and SBOMs do.

        Returns:
            The digest.

        Raises:
            NotSupportedError: the registry cannot do what is asked.
        """
        if archived or scanned_at or start_error:
            self._require_control_api("archived, scanned_at and start_error")
        self.create_repository(repository)
        layer = hashlib.sha256(os.urandom(16)).hexdigest()
        manifest: dict[str, Any] = {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": {"mediaType": config_media_type, "digest": f"sha256:{layer}", "size": 1024},
            "layers": [{"mediaType": OCI_LAYER, "digest": f"sha256:{layer}", "size": 4096}],
        }
        if subject:
            manifest["subject"] = {"mediaType": OCI_MANIFEST, "digest": subject, "size": 1024}
        digest = self._put(repository, manifest, tag)
        if findings or outcome or scanned_at:
            self._plan(repository, digest, tag, findings, outcome, scanned_at)
        if start_error:
            self.fail_start(repository, digest, *start_error, times=start_error_times)
        if archived:
            self._control("image", {"repositoryName": repository, "imageDigest": digest, "archived": True})
        return digest

    def push_index(self, repository: str, tag: str | None, children: Sequence[str]) -> str:
        """Push an image index (a multi-architecture image) over images of the same repository.

        Args:
            repository: that of the children.
            tag: of the index.
            children: digests of the images.

        Returns:
            The digest of the index.
        """
        architectures = ("amd64", "arm64", "arm", "s390x", "ppc64le")
        if len(children) > len(architectures):
            raise ValueError(f"an index of at most {len(architectures)} images, not {len(children)}")
        manifests = [
            {
                "mediaType": OCI_MANIFEST,
                "digest": child,
                "size": 1024,
                "platform": {"os": "linux", "architecture": architecture},
            }
            for child, architecture in zip(children, architectures, strict=False)
        ]
        return self._put(repository, {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": manifests}, tag)

    def retag(self, repository: str, digest: str, tag: str) -> None:
        """Give an image one more tag; an image that had it loses it."""
        images = self.ecr.batch_get_image(repositoryName=repository, imageIds=[{"imageDigest": digest}])["images"]
        if not images:
            raise ValueError(f"no image {digest} in repository {repository}")
        self._put_manifest(repository, images[0]["imageManifest"], images[0]["imageManifestMediaType"], tag)

    def set_scan_result(
        self,
        repository: str,
        digest: str,
        *,
        findings: Sequence[Finding] = (),
        scanned_at: datetime | None = None,
        outcome: tuple[str, str] | None = None,
    ) -> None:
        """Say what scans of an image find from now on; arguments as for push."""
        self._require_control_api("set_scan_result")
        self._plan(repository, digest, None, findings, outcome, scanned_at)

    def fail_start(self, repository: str, digest: str, code: str, message: str, *, times: int | None = None) -> None:
        """Have StartImageScan refuse an image, `times` times or always."""
        error = {"code": code, "message": message, "times": times}
        self._control("image", {"repositoryName": repository, "imageDigest": digest, "startError": error})

    def throttle(
        self, operation: str, times: int, *, code: str = "ThrottlingException", message: str = "Rate exceeded"
    ) -> None:
        """Have the next `times` calls of an operation, such as StartImageScan, fail for any image."""
        self._control("fault", {"operation": operation, "times": times, "code": code, "message": message})

    def set_scan_delay(self, seconds: float) -> None:
        """Say how long scans take that start from now on."""
        self._control("delay", {"seconds": seconds})

    def scans_started(self, repository: str | None = None) -> list[StartedScan]:
        """Return the scans that were started, oldest first, of one repository or of all.

        Where the registry does not tell, these are the images pushed through this object that have a scan, in the
        order of pushing and without times.
        """
        if not self.has_control_api:
            return [
                StartedScan(name, digest, None)
                for name, digest in self.pushed
                if repository in (None, name) and self.scan_result(name, digest)
            ]
        return [
            StartedScan(request["repositoryName"], request["imageDigest"], datetime.fromisoformat(request["at"]))
            for request in self._requests(repository)
            if request["code"] is None
        ]

    def refused(self, repository: str | None = None) -> list[RefusedScan]:
        """Return the StartImageScan requests that were refused, oldest first, of one repository or of all."""
        return [
            RefusedScan(
                request["repositoryName"],
                request["imageDigest"],
                datetime.fromisoformat(request["at"]),
                request["code"],
                request["message"],
            )
            for request in self._requests(repository)
            if request["code"] is not None
        ]

    def scan_result(self, repository: str, digest: str) -> Mapping[str, Any] | None:
        """Return DescribeImageScanFindings of an image, or None if it was never scanned."""
        try:
            return self.ecr.describe_image_scan_findings(repositoryName=repository, imageId={"imageDigest": digest})
        except self.ecr.exceptions.ScanNotFoundException:
            return None

    def tags(self, repository: str, digest: str) -> list[str]:
        """Return the tags of an image."""
        details = self.ecr.describe_images(repositoryName=repository, imageIds=[{"imageDigest": digest}])
        return details["imageDetails"][0].get("imageTags", [])

    def repository_arn(self, repository: str) -> str:
        """Return the ARN of a repository."""
        return self.ecr.describe_repositories(repositoryNames=[repository])["repositories"][0]["repositoryArn"]

    def _find_control_api(self) -> bool:
        # LocalAws is on the loopback interface alone; nothing else need be asked.
        if urllib.parse.urlsplit(self._endpoint).hostname != "127.0.0.1":
            return False
        try:
            return "pid" in control_api.call(self._endpoint, "/_local_aws")
        except control_api.ControlApiError:
            return False

    def _require_control_api(self, what: str) -> None:
        if not self.has_control_api:
            raise NotSupportedError(f"the registry at {self._endpoint} cannot do this, LocalAws can: {what}")

    @property
    def _registry(self) -> dict[str, str]:
        return {"account": self._account, "region": self.ecr.meta.region_name}

    def _control(self, what: str, body: Mapping[str, Any]) -> None:
        self._require_control_api(what)
        control_api.call(self._endpoint, f"/_local_aws/ecr/{what}", method="PUT", body={**self._registry, **body})

    def _requests(self, repository: str | None) -> list[dict[str, Any]]:
        self._require_control_api("the list of requests")
        answer = control_api.call(self._endpoint, "/_local_aws/ecr/requests", query=self._registry)
        return [request for request in answer["requests"] if repository in (None, request["repositoryName"])]

    def _put(self, repository: str, manifest: Mapping[str, Any], tag: str | None) -> str:
        digest = self._put_manifest(repository, json.dumps(manifest), manifest["mediaType"], tag)
        self.pushed.append((repository, digest))
        return digest

    def _put_manifest(self, repository: str, manifest: str, media_type: str, tag: str | None) -> str:
        digest = f"sha256:{hashlib.sha256(manifest.encode()).hexdigest()}"
        # moto would make a digest of the layers' digests, and none of an index: ECR's own is named instead.
        self.ecr.put_image(
            repositoryName=repository,
            imageManifest=manifest,
            imageManifestMediaType=media_type,
            imageDigest=digest,
            **({"imageTag": tag} if tag else {}),
        )
        return digest

    def _plan(
        self,
        repository: str,
        digest: str,
        tag: str | None,
        findings: Sequence[Finding],
        outcome: tuple[str, str] | None,
        scanned_at: datetime | None,
    ) -> None:
        if scanned_at is not None and scanned_at.tzinfo is None:
            raise ValueError(f"scanned_at needs a time zone: {scanned_at.isoformat()}")
        status, description = outcome or (COMPLETE, COMPLETE_DESCRIPTION)
        found = [finding.to_api() for finding in findings]
        if self.has_control_api:
            plan = {"status": status, "description": description, "findings": found}
            body = {"repositoryName": repository, "imageDigest": digest, "outcome": plan}
            self._control("image", body | ({"scannedAt": scanned_at.isoformat()} if scanned_at else {}))
        else:
            self._send_to_moto(repository, digest, tag, status, description, found)

    def _send_to_moto(
        self,
        repository: str,
        digest: str,
        tag: str | None,
        status: str,
        description: str,
        findings: Sequence[Mapping[str, Any]],
    ) -> None:
        result: dict[str, Any] = {
            "registryId": self._account,
            "repositoryName": repository,
            "imageId": {"imageDigest": digest} | ({"imageTag": tag} if tag else {}),
            "imageScanStatus": {"status": status, "description": description},
        }
        if status != FAILED:
            result["imageScanFindings"] = {
                "findings": list(findings),
                "findingSeverityCounts": severity_counts(findings),
            }
        body = {
            "results": [result] * MOTO_COPIES,
            "region": self.ecr.meta.region_name,
            "account_id": self._account,
        }
        try:
            control_api.call(self._endpoint, "/moto-api/static/ecr/scan-finding-results", method="POST", body=body)
        except control_api.ControlApiError as error:
            raise NotSupportedError(f"the registry at {self._endpoint} takes no findings: {error}") from error
