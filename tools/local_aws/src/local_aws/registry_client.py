"""Client of a local ECR registry: pushes images, sets the results of their scans, and lists the scans."""

import hashlib
import json
import os
import urllib.parse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

from local_aws import control_api
from local_aws.fake_ecr import (
    COMPLETE,
    FAILED,
    OCI_CONFIG,
    OCI_IMAGE,
    OCI_INDEX,
    OCI_LAYER,
    EnhancedFinding,
    Finding,
    digest_of,
    severity_counts,
)

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient

ARCHITECTURES = ("amd64", "arm64", "arm", "s390x", "ppc64le")
# moto keeps one result for each form of the image id (digest, tag, both, both reversed), so it needs four copies.
MOTO_COPIES = 4


class NotSupportedError(Exception):
    """The registry at the endpoint cannot do this; the registry of LocalAws can."""


@dataclass(frozen=True)
class StartedScan:
    """A StartImageScan request that ECR accepted.

    Attributes:
        at: time of the request; None if the registry does not record it.
    """

    repository: str
    digest: str
    at: datetime | None


class RegistryClient:
    """Client of the registry of LocalAws, or of moto's server, which supports less.

    Attributes:
        ecr: boto3 client of the registry.
        has_control_api: whether this is the registry of LocalAws.
        pushed: repository and digest of every image that this object pushed.
    """

    def __init__(self, ecr: "ECRClient") -> None:
        self.ecr = ecr
        self._endpoint: str = ecr.meta.endpoint_url
        self._account: str = ecr.describe_registry()["registryId"]
        self.has_control_api = self._find_control_api()
        self.pushed: list[tuple[str, str]] = []

    @classmethod
    def connect(cls, environment: Mapping[str, str]) -> "RegistryClient":
        """Connect to the registry that an environment such as LocalAws.environment names."""
        endpoint = environment.get("AWS_ENDPOINT_URL_ECR") or environment["AWS_ENDPOINT_URL"]
        client = boto3.client(
            "ecr",
            endpoint_url=endpoint,
            aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
            region_name=environment["AWS_REGION"],
            # Without retries, a test sees the errors that it asked for.
            config=Config(retries={"mode": "standard", "total_max_attempts": 1}, proxies={}),
        )
        return cls(client)

    def create_repository(self, name: str, *, scan_on_push: bool = False) -> None:
        """Create a repository unless it exists."""
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
        pushed_at: datetime | None = None,
    ) -> str:
        """Push an image with a layer of its own.

        Args:
            repository: name of the repository, which is created if it does not exist.
            tag: tag of the image; none by default.
            findings: findings of every scan.
            scanned_at: time of an earlier scan.
            outcome: status and description of scans that do not complete, such as ("FAILED", UNSUPPORTED_OS).
            pushed_at: time of the push; now by default.

        Returns:
            The digest.

        Raises:
            NotSupportedError: the registry does not support one of the arguments.
        """
        if pushed_at or scanned_at:
            self._require_control_api("pushed_at and scanned_at")
        self.create_repository(repository)
        layer = hashlib.sha256(os.urandom(16)).hexdigest()
        manifest: dict[str, Any] = {
            "schemaVersion": 2,
            "mediaType": OCI_IMAGE,
            "config": {"mediaType": OCI_CONFIG, "digest": f"sha256:{layer}", "size": 1024},
            "layers": [{"mediaType": OCI_LAYER, "digest": f"sha256:{layer}", "size": 4096}],
        }
        digest = self._put(repository, manifest, tag)
        if findings or outcome or scanned_at:
            self._set_scan_result(repository, digest, tag, findings, outcome, scanned_at)
        if pushed_at:
            image = {"repositoryName": repository, "imageDigest": digest}
            self._control("image", {**image, "pushedAt": _iso("pushed_at", pushed_at)})
        return digest

    def archive(self, repository: str, digest: str) -> None:
        """Archive an image: it can no longer be scanned."""
        self._control("image", {"repositoryName": repository, "imageDigest": digest, "archived": True})

    def push_index(self, repository: str, tag: str | None, children: Sequence[str]) -> str:
        """Push an image index (a multi-architecture image) of images in the same repository.

        Args:
            repository: name of the repository.
            tag: tag of the index.
            children: digests of the images.

        Returns:
            The digest of the index.
        """
        if len(children) > len(ARCHITECTURES):
            raise ValueError(f"children has {len(children)} digests; expected at most {len(ARCHITECTURES)}")
        manifests = [
            {
                "mediaType": OCI_IMAGE,
                "digest": child,
                "size": 1024,
                "platform": {"os": "linux", "architecture": architecture},
            }
            for child, architecture in zip(children, ARCHITECTURES, strict=False)
        ]
        return self._put(repository, {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": manifests}, tag)

    def set_scan_result(
        self,
        repository: str,
        digest: str,
        *,
        findings: Sequence[Finding] = (),
        scanned_at: datetime | None = None,
        outcome: tuple[str, str] | None = None,
    ) -> None:
        """Set the result of all scans of an image that start from now on; the arguments are those of push."""
        self._require_control_api("set_scan_result")
        self._set_scan_result(repository, digest, None, findings, outcome, scanned_at)

    def set_enhanced_findings(self, repository: str, digest: str, findings: Sequence[EnhancedFinding]) -> None:
        """Set what Amazon Inspector finds in an image of a registry with enhanced scanning.

        The first time, Inspector scans the image, and sends the event of its first scan. Later, it sends an event for
        each finding that is new, different or missing: one that is missing is closed.
        """
        found = [finding.to_api() for finding in findings]
        self._control("findings", {"repositoryName": repository, "imageDigest": digest, "findings": found})

    def let_time_pass(self, by: timedelta) -> None:
        """Move the clock of the local AWS forward: for ECR and its events, and for the module's functions.

        Everything that they remember is then that much older. Other services, and those who wait, keep the real time.
        No function should be busy.
        """
        self._require_control_api("let_time_pass")
        control_api.call(self._endpoint, "/_local_aws/clock", method="PUT", body={"advance": by.total_seconds()})

    def now(self) -> datetime:
        """Return the current time (UTC), with the time that was let pass."""
        if not self.has_control_api:
            return datetime.now(UTC)
        return datetime.fromisoformat(control_api.call(self._endpoint, "/_local_aws/clock")["now"])

    def scans_started(self, repository: str | None = None) -> list[StartedScan]:
        """Return the scans that were started, oldest first, of one repository or of all.

        A registry without a control API has no list of scans: then the result is the images with a scan among those
        that this object pushed, in the order of pushing and without times.
        """
        if not self.has_control_api:
            return [
                StartedScan(name, digest, None)
                for name, digest in self.pushed
                if repository in (None, name) and self.scan_result(name, digest)
            ]
        return [
            StartedScan(request["repository"], request["digest"], datetime.fromisoformat(request["time"]))
            for request in self._requests(repository)
            if request["code"] is None
        ]

    def calls(self) -> dict[str, int]:
        """Return the number of requests so far by operation, such as DescribeImages."""
        calls: dict[str, int] = self._log()["calls"]
        return calls

    def look_ups(self) -> dict[str, int]:
        """Return the number of DescribeImageScanFindings so far by digest."""
        look_ups: dict[str, int] = self._log()["lookUps"]
        return look_ups

    def scan_result(self, repository: str, digest: str) -> Mapping[str, Any] | None:
        """Return DescribeImageScanFindings of an image; None if it was never scanned."""
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
        # LocalAws listens on the loopback interface only, so other hosts need no request.
        if urllib.parse.urlsplit(self._endpoint).hostname != "127.0.0.1":
            return False
        try:
            return "pid" in control_api.call(self._endpoint, "/_local_aws")
        except control_api.ControlApiError:
            return False

    def _require_control_api(self, feature: str) -> None:
        if not self.has_control_api:
            raise NotSupportedError(f"the registry at {self._endpoint} does not support {feature}; LocalAws does")

    @property
    def _registry(self) -> dict[str, str]:
        return {"account": self._account, "region": self.ecr.meta.region_name}

    def _control(self, resource: str, body: Mapping[str, Any]) -> None:
        self._require_control_api(resource)
        control_api.call(self._endpoint, f"/_local_aws/ecr/{resource}", method="PUT", body={**self._registry, **body})

    def _requests(self, repository: str | None) -> list[dict[str, Any]]:
        requests: list[dict[str, Any]] = self._log()["requests"]
        return [request for request in requests if repository in (None, request["repository"])]

    def _log(self) -> dict[str, Any]:
        self._require_control_api("the log of requests")
        return control_api.call(self._endpoint, "/_local_aws/ecr/requests", query=self._registry)

    def _put(self, repository: str, manifest: Mapping[str, Any], tag: str | None) -> str:
        digest = self._put_manifest(repository, json.dumps(manifest), manifest["mediaType"], tag)
        self.pushed.append((repository, digest))
        return digest

    def _put_manifest(self, repository: str, manifest: str, media_type: str, tag: str | None) -> str:
        digest = digest_of(manifest)
        # moto computes another digest than ECR unless the request has the digest.
        self.ecr.put_image(
            repositoryName=repository,
            imageManifest=manifest,
            imageManifestMediaType=media_type,
            imageDigest=digest,
            **({"imageTag": tag} if tag else {}),
        )
        return digest

    def _set_scan_result(
        self,
        repository: str,
        digest: str,
        tag: str | None,
        findings: Sequence[Finding],
        outcome: tuple[str, str] | None,
        scanned_at: datetime | None,
    ) -> None:
        status, description = outcome or (COMPLETE, "The scan was completed.")
        found = [finding.to_api() for finding in findings]
        if self.has_control_api:
            result = {"status": status, "description": description, "findings": found}
            body = {"repositoryName": repository, "imageDigest": digest, "result": result}
            self._control("image", body | ({"scannedAt": _iso("scanned_at", scanned_at)} if scanned_at else {}))
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
            message = f"the registry at {self._endpoint} does not accept results of scans: {error}"
            raise NotSupportedError(message) from error


def _iso(name: str, time: datetime) -> str:
    if time.tzinfo is None:
        raise ValueError(f"{name} is {time.isoformat()}; expected a time with a time zone")
    return time.isoformat()
