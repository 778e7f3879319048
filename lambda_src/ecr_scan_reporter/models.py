"""The values that the functions speak of: images, their scans, and what came of asking for one."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Scan:
    """The last scan of an image as ECR tells it.

    `status` is one of ECR's words (COMPLETE, FAILED, IN_PROGRESS, PENDING, ...; an open set).
    `completed_at` (aware) is absent while a scan runs and after most that failed.
    `description` is ECR's reason for the status.
    """

    status: str
    completed_at: datetime | None = None
    description: str = ""


@dataclass(frozen=True, slots=True)
class Image:
    """One image of a repository: a digest, with all the tags that point to it.

    `media_type` is the manifest's, `artifact_type` that of its config; `subject` is the digest that a signature or
    an SBOM refers to; `summary` is the last scan where DescribeImages tells of it, which saves a call. Times are aware.
    """

    repository: str
    digest: str
    tags: tuple[str, ...] = ()
    media_type: str | None = None
    artifact_type: str | None = None
    subject: str | None = None
    archived: bool = False
    pushed_at: datetime | None = None
    pulled_at: datetime | None = None
    summary: Scan | None = None


@dataclass(frozen=True, slots=True)
class IndexChild:
    """One manifest of an index: a platform's image, or an attestation about one."""

    index: str
    digest: str
    platform: str
    attestation: bool


class StartOutcome(StrEnum):
    """What ECR answered when a scan was asked for."""

    STARTED = "started"
    SCANNED_WITHIN_24_HOURS = "scanned_within_24_hours"
    UNSUPPORTED_TYPE = "unsupported_type"
    ARCHIVED = "archived"
    IMAGE_GONE = "image_gone"


@dataclass(frozen=True, slots=True)
class Finding:
    """One vulnerability of one package in an image.

    `fixed` is the version that mends it, where that is known; `fixable` whether there is one. `exploit` says whether an
    exploit is known. Only enhanced scanning tells these three. `score` is CVSS, 0 to 10.
    """

    name: str
    severity: str
    package: str = ""
    installed: str = ""
    fixed: str = ""
    fixable: bool = False
    exploit: bool = False
    score: float = 0.0
    link: str = ""


@dataclass(frozen=True, slots=True)
class ScanResult:
    """What the last scan of an image found, and ECR's words for its status."""

    status: str
    description: str
    findings: tuple[Finding, ...]
