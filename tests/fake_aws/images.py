"""The values that a registry holds: images, and the results of their scans."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256

DOCKER_IMAGE = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_INDEX = "application/vnd.docker.distribution.manifest.list.v2+json"
OCI_IMAGE = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"

_DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
_OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
_PUSHED_AT = datetime(2024, 1, 1, tzinfo=UTC)
_DESCRIPTIONS = {
    "COMPLETE": "The scan was completed.",
    "ACTIVE": "Continuous scan is selected for image.",
}


@dataclass(frozen=True, slots=True)
class FakeImage:
    """An image, an index or another artifact, by its digest. To change one, `put` a replaced copy.

    Args:
        artifact_media_type: of the config; anything but an image's config, such as a Helm chart's, cannot be scanned.
        pushed_at: UTC, as all moments here.
        size: in bytes.
        subject: the digest that a signature, SBOM or attestation refers to.
        manifest: JSON that BatchGetImage answers with; a minimal one where empty.
    """

    digest: str
    tags: tuple[str, ...] = ()
    media_type: str = OCI_IMAGE
    artifact_media_type: str | None = _OCI_CONFIG
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
        """The media type that keeps ECR from scanning this; None if it can."""
        if self.media_type in (OCI_INDEX, DOCKER_INDEX):
            return self.media_type
        if self.artifact_media_type in (_OCI_CONFIG, _DOCKER_CONFIG, None):
            return None
        return self.artifact_media_type

    def manifest_json(self) -> str:
        """The manifest as BatchGetImage shows it."""
        return self.manifest or json.dumps({"schemaVersion": 2, "mediaType": self.media_type})


@dataclass(frozen=True, slots=True)
class FakeScan:
    """The state of an image's last scan. A completion in the future reads as IN_PROGRESS until then.

    Args:
        status: ECR's, COMPLETE, FAILED, ACTIVE and so on.
        completed_at: None together with no findings means that ECR answers without `imageScanFindings`.
        description: ECR's words for the status where empty.
        findings: of basic scanning, in ECR's shape.
        enhanced_findings: of enhanced scanning, in ECR's shape.
        severity_counts: counted from the findings where None.
    """

    status: str = "COMPLETE"
    completed_at: datetime | None = None
    description: str = ""
    findings: Sequence[Mapping[str, object]] = ()
    enhanced_findings: Sequence[Mapping[str, object]] = ()
    severity_counts: Mapping[str, int] | None = None

    def status_json(self) -> dict[str, str]:
        """ECR's imageScanStatus."""
        description = self.description or _DESCRIPTIONS.get(self.status)
        return {"status": self.status} | ({"description": description} if description else {})

    def summary_json(self) -> dict[str, object] | None:
        """ECR's imageScanFindings without the findings; None where ECR has no result to show."""
        if self.completed_at is None and not self.findings and not self.enhanced_findings:
            return None
        summary: dict[str, object] = {"findingSeverityCounts": self._counts()}
        if self.completed_at:
            seconds = self.completed_at.timestamp()
            summary |= {"imageScanCompletedAt": seconds, "vulnerabilitySourceUpdatedAt": seconds}
        return summary

    def _counts(self) -> Mapping[str, int]:
        if self.severity_counts is not None:
            return self.severity_counts
        return Counter(str(entry["severity"]) for entry in (*self.findings, *self.enhanced_findings))


def digest_of(text: str) -> str:
    """A digest, the same for the same text."""
    return f"sha256:{sha256(text.encode()).hexdigest()}"


def finding(name: str, severity: str, package: str = "openssl", version: str = "3.0.1") -> dict[str, object]:
    """A finding of basic scanning."""
    attributes = [{"key": "package_name", "value": package}, {"key": "package_version", "value": version}]
    return {"name": name, "severity": severity, "uri": f"https://example.com/{name}", "attributes": attributes}


def index_image(digest: str, platforms: Mapping[str, str], tags: tuple[str, ...] = ()) -> FakeImage:
    """An OCI index.

    Args:
        platforms: of each child's digest, such as "linux/arm64/v8"; buildx's attestations are "unknown/unknown".
    """
    children = [
        {"mediaType": OCI_IMAGE, "digest": child, "size": 1000, "platform": _platform(platform)}
        for child, platform in platforms.items()
    ]
    manifest = json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": children})
    return FakeImage(digest, tags, OCI_INDEX, artifact_media_type=None, manifest=manifest)


def plain_images(count: int, seed: str = "image", pushed_at: datetime = _PUSHED_AT) -> Iterator[FakeImage]:
    """Many images, each with a digest of its own and the tag "1.0.N"."""
    for number in range(count):
        yield FakeImage(digest_of(f"{seed}/{number}"), (f"1.0.{number}",), pushed_at=pushed_at)


def _platform(text: str) -> dict[str, str]:
    return dict(zip(("os", "architecture", "variant"), text.split("/"), strict=False))
