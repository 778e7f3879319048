"""The values of a registry: images, and the results of their scans."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256

from local_aws.fake_ecr.findings import COMPLETE, Finding, severity_counts

DOCKER_IMAGE = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_INDEX = "application/vnd.docker.distribution.manifest.list.v2+json"
OCI_IMAGE = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"

_DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
_PUSHED_AT = datetime(2024, 1, 1, tzinfo=UTC)
_DESCRIPTIONS = {
    COMPLETE: "The scan was completed.",
    "ACTIVE": "Continuous scan is selected for image.",
}


@dataclass(frozen=True, slots=True)
class FakeImage:
    """An image, an index or another artifact. To change one, `put` a replaced copy.

    Attributes:
        artifact_media_type: media type of the config; ECR scans the config of an image only, not of a Helm chart.
        pushed_at: UTC, like all times here.
        size: bytes.
        subject: digest that a signature, an SBOM or an attestation refers to.
        manifest: JSON that BatchGetImage returns; a minimal manifest if empty.
    """

    digest: str
    tags: tuple[str, ...] = ()
    media_type: str = OCI_IMAGE
    artifact_media_type: str | None = OCI_CONFIG
    pushed_at: datetime = _PUSHED_AT
    last_pull: datetime | None = None
    archived: bool = False
    subject: str | None = None
    size: int = 10_000_000
    manifest: str = ""

    @property
    def status(self) -> str:
        """ECR's imageStatus."""
        return "ARCHIVED" if self.archived else "ACTIVE"

    @property
    def unscannable_type(self) -> str | None:
        """The media type that ECR cannot scan; None for an image that ECR can scan."""
        if self.media_type in (OCI_INDEX, DOCKER_INDEX):
            return self.media_type
        # AWS documents which artifacts are images. That ECR rejects the others like an index is an assumption.
        if self.artifact_media_type in (OCI_CONFIG, _DOCKER_CONFIG, None):
            return None
        return self.artifact_media_type

    def manifest_json(self) -> str:
        """Return the manifest as BatchGetImage shows it."""
        return self.manifest or json.dumps({"schemaVersion": 2, "mediaType": self.media_type})


@dataclass(frozen=True, slots=True)
class FakeScan:
    """The last scan of an image, or the result of its next scans.

    Attributes:
        status: ECR's status, such as COMPLETE, FAILED or ACTIVE.
        completed_at: ECR's imageScanCompletedAt. Without it and without findings there is no `imageScanFindings`.
        description: description of the status; ECR's own if empty.
        findings: findings of basic scanning in ECR's shape.
        enhanced_findings: findings of enhanced scanning in ECR's shape.
        severity_counts: counted from the findings if None.
        started_at: start of the scan, where the 24 hours to the next scan begin; `completed_at` if None.
        ends_at: until then the scan is IN_PROGRESS; `completed_at` if None.
    """

    status: str = COMPLETE
    completed_at: datetime | None = None
    description: str = ""
    findings: Sequence[Mapping[str, object]] = ()
    enhanced_findings: Sequence[Mapping[str, object]] = ()
    severity_counts: Mapping[str, int] | None = None
    started_at: datetime | None = None
    ends_at: datetime | None = None

    def at(self, now: datetime) -> "FakeScan":
        """Return the scan as ECR shows it at a time."""
        ends_at = self.ends_at or self.completed_at
        return FakeScan("IN_PROGRESS", started_at=self.started_at) if ends_at and ends_at > now else self

    def status_json(self) -> dict[str, str]:
        """Return ECR's imageScanStatus."""
        description = self.description or _DESCRIPTIONS.get(self.status)
        return {"status": self.status} | ({"description": description} if description else {})

    def summary_json(self) -> dict[str, object] | None:
        """Return ECR's imageScanFindings without the findings; None if ECR has no result to show."""
        if self.completed_at is None and not self.findings and not self.enhanced_findings:
            return None
        summary: dict[str, object] = {"findingSeverityCounts": self.counts()}
        if self.completed_at:
            summary |= {"imageScanCompletedAt": self.completed_at, "vulnerabilitySourceUpdatedAt": self.completed_at}
        return summary

    def counts(self) -> Mapping[str, int]:
        """Return ECR's findingSeverityCounts."""
        if self.severity_counts is not None:
            return self.severity_counts
        return severity_counts([*self.findings, *self.enhanced_findings])


def digest_of(text: str) -> str:
    """Return the digest of a text."""
    return f"sha256:{sha256(text.encode()).hexdigest()}"


def finding(name: str, severity: str, package: str = "openssl", version: str = "3.0.1") -> dict[str, object]:
    """Return a finding of basic scanning in ECR's shape."""
    return Finding(name, severity, package, version, uri=f"https://example.com/{name}").to_api()


def index_image(digest: str, platforms: Mapping[str, str], tags: tuple[str, ...] = ()) -> FakeImage:
    """Return an OCI index.

    Args:
        digest: digest of the index.
        platforms: platform of each child by its digest, such as "linux/arm64/v8"; buildx's attestations are
            "unknown/unknown".
        tags: tags of the index.
    """
    children = [
        {"mediaType": OCI_IMAGE, "digest": child, "size": 1000, "platform": _platform(platform)}
        for child, platform in platforms.items()
    ]
    manifest = json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": children})
    return FakeImage(digest, tags, OCI_INDEX, artifact_media_type=None, manifest=manifest)


def plain_images(count: int, seed: str = "image", pushed_at: datetime = _PUSHED_AT) -> Iterator[FakeImage]:
    """Yield images, each with its own digest and the tag "1.0.N"."""
    for number in range(count):
        yield FakeImage(digest_of(f"{seed}/{number}"), (f"1.0.{number}",), pushed_at=pushed_at)


def _platform(text: str) -> dict[str, str]:
    return dict(zip(("os", "architecture", "variant"), text.split("/"), strict=False))
