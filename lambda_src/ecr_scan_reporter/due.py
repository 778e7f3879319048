"""Which images are due for a scan, and why: by what they are, by what was selected, and by their last scan."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from .durations import Duration
from .models import Image, IndexChild, Scan

INDEX_TYPES = frozenset(
    {
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
    }
)
# What a scan can read; https://docs.aws.amazon.com/inspector/latest/user/scanning-ecr.html
_IMAGE_TYPES = frozenset(
    {
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.v2+json",
    }
)
_CONFIG_TYPES = frozenset(
    {
        "application/vnd.oci.image.config.v1+json",
        "application/vnd.docker.container.image.v1+json",
    }
)
# Cosign stores signatures, attestations and SBOMs as images of their own, tagged with the digest they are about.
_COSIGN_TAG = re.compile(r"sha256-[0-9a-f]{64}(\.\w+)?")

_RUNNING = frozenset({"IN_PROGRESS", "PENDING"})
_UNSUPPORTED = frozenset({"UNSUPPORTED_IMAGE", "IMAGE_SIZE_EXCEEDED"})
_DATED = frozenset({"COMPLETE", "ACTIVE", "SCAN_ELIGIBILITY_EXPIRED", "FINDINGS_UNAVAILABLE", "LIMIT_EXCEEDED"})
KNOWN_STATUSES = _RUNNING | _UNSUPPORTED | _DATED | {"FAILED", "IMAGE_ARCHIVED"}

# ECR scans an image once in 24 hours; https://docs.aws.amazon.com/AmazonECR/latest/userguide/service-quotas.html
_ECR_INTERVAL = timedelta(hours=24)


class Decision(StrEnum):
    """Why an image is scanned now, or is not."""

    NEVER_SCANNED = "never_scanned"
    SCAN_TOO_OLD = "scan_too_old"
    LAST_SCAN_FAILED = "last_scan_failed"

    SCANNED_RECENTLY = "scanned_recently"
    SCAN_IN_PROGRESS = "scan_in_progress"
    FAILED_TODAY = "failed_today"
    UNSUPPORTED = "unsupported"

    INDEX = "index"
    ARTIFACT = "artifact"
    ATTESTATION = "attestation"
    ARCHIVED = "archived"
    NOT_SELECTED = "not_selected"

    @property
    def due(self) -> bool:
        """Whether the image is to be scanned now."""
        return self in (Decision.NEVER_SCANNED, Decision.SCAN_TOO_OLD, Decision.LAST_SCAN_FAILED)


@dataclass(frozen=True, slots=True)
class Selection:
    """Which of the images that could be scanned are wanted; each part that is set must hold.

    Args:
        tagged_only: those with a tag; a child of a tagged index counts as tagged.
        tag_regexp: those with a tag that matches from its start, their index's included.
        newest: in each repository the ones pushed last, this many.
        pushed_within: those pushed within this time.
        pulled_within: those pulled within this time, as ECR recorded it.
    """

    tagged_only: bool = False
    tag_regexp: re.Pattern[str] | None = None
    newest: int | None = None
    pushed_within: Duration | None = None
    pulled_within: Duration | None = None

    def wants(self, image: Image, tags: tuple[str, ...], now: datetime) -> bool:
        """Whether `image`, that goes by these tags, is selected at `now`; leaves `newest` aside."""
        if (self.tagged_only or self.tag_regexp) and not tags:
            return False
        if self.tag_regexp and not any(map(self.tag_regexp.match, tags)):
            return False
        return _within(image.pushed_at, self.pushed_within, now) and _within(image.pulled_at, self.pulled_within, now)


def not_scannable(image: Image) -> Decision | None:
    """Why ECR cannot scan this, by what DescribeImages says; None if it can."""
    if image.media_type in INDEX_TYPES:
        return Decision.INDEX
    if image.archived:
        return Decision.ARCHIVED
    foreign = (image.media_type and image.media_type not in _IMAGE_TYPES) or (
        image.artifact_type and image.artifact_type not in _CONFIG_TYPES
    )
    signature = bool(image.tags) and all(map(_COSIGN_TAG.fullmatch, image.tags))
    return Decision.ARTIFACT if foreign or image.subject or signature else None


def select(
    images: list[Image],
    children: Mapping[str, IndexChild],
    index_tags: Mapping[str, tuple[str, ...]],
    selection: Selection,
    now: datetime,
) -> tuple[list[Image], list[Decision]]:
    """Narrow scannable images down to those that are wanted.

    Args:
        images: of one repository.
        children: what the indexes say of some of them, by digest.
        index_tags: the tags of each index, by its digest.
        selection: what is wanted.
        now: aware.

    Returns:
        The wanted images, in the order given, and the decision on each of the others.
    """
    wanted, others = [], []
    for image in images:
        child = children.get(image.digest)
        tags = image.tags + (index_tags.get(child.index, ()) if child else ())
        if child and child.attestation:
            others.append(Decision.ATTESTATION)
        elif selection.wants(image, tags, now):
            wanted.append(image)
        else:
            others.append(Decision.NOT_SELECTED)
    if selection.newest is not None and len(wanted) > selection.newest:
        long_ago = datetime.min.replace(tzinfo=UTC)
        newest = sorted(wanted, key=lambda image: image.pushed_at or long_ago, reverse=True)[: selection.newest]
        kept = {image.digest for image in newest}
        others += [Decision.NOT_SELECTED] * (len(wanted) - len(kept))
        wanted = [image for image in wanted if image.digest in kept]
    return wanted, others


def decide(scan: Scan | None, duration: Duration, now: datetime) -> Decision:
    """Whether an image is due at `now` (aware), given its last scan (None: never scanned) and the promised age.

    A status that is not known yet is no obstacle: the date decides.
    """
    if scan is None:
        return Decision.NEVER_SCANNED
    if scan.status in _RUNNING:
        return Decision.SCAN_IN_PROGRESS
    if scan.status == "IMAGE_ARCHIVED":
        return Decision.ARCHIVED
    if scan.status in _UNSUPPORTED or "UnsupportedImageError" in scan.description:
        return Decision.UNSUPPORTED
    if scan.status == "FAILED":
        today = scan.completed_at is not None and now - scan.completed_at < _ECR_INTERVAL
        return Decision.FAILED_TODAY if today else Decision.LAST_SCAN_FAILED
    if scan.completed_at is None:
        return Decision.NEVER_SCANNED
    if scan.completed_at <= duration.before(now):
        return Decision.SCAN_TOO_OLD
    return Decision.SCANNED_RECENTLY


def urgency(scan: Scan | None) -> datetime:
    """A sort key for due images: never scanned first, then the oldest scan first."""
    return (scan and scan.completed_at) or datetime.min.replace(tzinfo=UTC)


def _within(moment: datetime | None, duration: Duration | None, now: datetime) -> bool:
    return duration is None or (moment is not None and moment >= duration.before(now))
