"""Domain values: which repositories and images are selected, images, scans, findings, outcomes of scan requests."""

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from ecr_scan_reporter.shared.durations import Duration

# Most severe first: those of basic scanning, and UNTRIAGED, which Inspector uses in place of UNDEFINED.
SEVERITIES = ("CRITICAL", "HIGH", "MEDIUM", "LOW", "INFORMATIONAL", "UNDEFINED", "UNTRIAGED")

# The key, in place of a severity, of the deadline for findings with a known exploit.
EXPLOITED = "EXPLOITED"

INDEX_MEDIA_TYPES = frozenset(
    {
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
    }
)

# The media types that scanning supports; https://docs.aws.amazon.com/inspector/latest/user/scanning-ecr.html
_IMAGE_MEDIA_TYPES = frozenset(
    {
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.v2+json",
    }
)
_CONFIG_MEDIA_TYPES = frozenset(
    {
        "application/vnd.oci.image.config.v1+json",
        "application/vnd.docker.container.image.v1+json",
    }
)
# Cosign stores signatures, attestations and SBOMs as images, tagged with the digest of the image they describe.
_COSIGN_TAG = re.compile(r"sha256-[0-9a-f]{64}(\.\w+)?")

# The text in the status description of a scan that failed because ECR does not support the operating system.
UNSUPPORTED_IMAGE = "UnsupportedImageError"


class RepositoryFilter(NamedTuple):
    """Selects repositories by name: those that match `include`, except those that match `exclude`."""

    include: re.Pattern[str]
    exclude: re.Pattern[str] | None = None

    def matches(self, repository: str) -> bool:
        """Return whether a repository is selected; both expressions match from the start of its name."""
        return bool(self.include.match(repository)) and not (self.exclude and self.exclude.match(repository))


class Selection(NamedTuple):
    """Selects images of a repository. An image must meet every condition that is set.

    Args:
        tagged_only: only images with a tag; a child of a tagged index counts as tagged.
        tag_regexp: only images with a tag (their own or their index's) that matches from its start.
        newest: only this many images of each repository, those pushed last.
        pushed_within: only images pushed within this time.
        pulled_within: only images pulled within this time, as ECR recorded it; for an image that was never pulled, the
            time of its push counts.
    """

    tagged_only: bool = False
    tag_regexp: re.Pattern[str] | None = None
    newest: int | None = None
    pushed_within: Duration | None = None
    pulled_within: Duration | None = None


class Scan(NamedTuple):
    """The last scan of an image.

    `status` is ECR's: COMPLETE, FAILED, IN_PROGRESS, PENDING and others, to which ECR may add. `completed_at` (aware)
    is None while a scan is in progress and after most scans that failed. `description` is ECR's reason for the status.
    """

    status: str
    completed_at: datetime | None = None
    description: str = ""


class Image(NamedTuple):
    """One image of a repository: a digest with all its tags.

    `media_type` is the manifest's, `artifact_media_type` the config's. `subject_digest` is the image that a signature
    or an SBOM refers to. `last_scan` is set where DescribeImages returns it, which saves a call. Times are aware.
    """

    repository: str
    digest: str
    tags: tuple[str, ...] = ()
    media_type: str | None = None
    artifact_media_type: str | None = None
    subject_digest: str | None = None
    archived: bool = False
    pushed_at: datetime | None = None
    pulled_at: datetime | None = None
    last_scan: Scan | None = None

    @property
    def is_index(self) -> bool:
        """Whether this is an image index, which cannot be scanned itself."""
        return self.media_type in INDEX_MEDIA_TYPES

    @property
    def is_artifact(self) -> bool:
        """Whether this is an artifact, such as a Helm chart, a signature or an SBOM, and not a container image."""
        if self.is_index:
            return False
        other_type = (self.media_type and self.media_type not in _IMAGE_MEDIA_TYPES) or (
            self.artifact_media_type and self.artifact_media_type not in _CONFIG_MEDIA_TYPES
        )
        cosign = bool(self.tags) and all(map(_COSIGN_TAG.fullmatch, self.tags))
        return bool(other_type or self.subject_digest or cosign)


class IndexChild(NamedTuple):
    """One manifest of an image index: the image of a platform, or an attestation about such an image.

    `parent` is the digest of the index.
    """

    parent: str
    digest: str
    platform: str
    attestation: bool


def inherited_tags(
    children: Iterable[IndexChild], index_tags: Mapping[str, tuple[str, ...]]
) -> dict[str, tuple[str, ...]]:
    """Return the tags that the children of indexes inherit, by digest.

    A child of several indexes inherits the tags of all of them. An index inside an index inherits those of the outer
    one.

    Args:
        children: of the indexes.
        index_tags: each index's own tags, by digest.
    """
    parents: dict[str, list[str]] = {}
    for child in children:
        parents.setdefault(child.digest, []).append(child.parent)

    def tags_of(digest: str) -> tuple[str, ...]:
        # A loop, not recursion: manifests are untrusted, and their nesting has no limit.
        seen, queue = {digest}, list(parents[digest])
        tags: dict[str, None] = {}
        for index in queue:
            if index not in seen:
                seen.add(index)
                tags.update(dict.fromkeys(index_tags.get(index, ())))
                queue += parents.get(index, ())
        return tuple(tags)

    return {digest: tags_of(digest) for digest in parents}


class StartOutcome(StrEnum):
    """The result of a StartImageScan request."""

    STARTED = "started"
    SCANNED_WITHIN_24_HOURS = "scanned_within_24_hours"
    UNSUPPORTED_TYPE = "unsupported_type"
    ARCHIVED = "archived"
    IMAGE_NOT_FOUND = "image_not_found"


class Finding(NamedTuple):
    """One vulnerability of one package in an image.

    A package may be installed in several versions and places; `installed_versions` and `paths` name them. `aliases` are
    other ids of the same vulnerability, such as the GHSA id of a CVE. Aliases, fixed versions, `fix_available` and
    `exploit_available` are known with enhanced scanning only. `cvss_score` is 0 to 10; 0 if it is unknown.
    """

    id: str
    severity: str
    package: str = ""
    installed_versions: tuple[str, ...] = ()
    fixed_versions: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    fix_available: bool = False
    exploit_available: bool = False
    cvss_score: float = 0.0
    url: str = ""
    aliases: tuple[str, ...] = ()


class ScanResult(NamedTuple):
    """The status of an image's last scan, ECR's reason for it, and the findings as ECR lists them.

    `completed_at` (aware) is None after most scans that failed. `operating_system` is the image's, such as
    `ALPINE_LINUX_3_20`; "" if ECR does not name it, as with basic scanning.
    """

    status: str
    description: str
    findings: tuple[Finding, ...]
    completed_at: datetime | None = None
    operating_system: str = ""


def severity_rank(severity: str) -> int:
    """Return 0 for CRITICAL, 1 for HIGH and so on; an unknown severity comes last."""
    return SEVERITIES.index(severity) if severity in SEVERITIES else len(SEVERITIES)
