"""Images and their ids, the kinds of images by media type and tag, and the tags that children of an index inherit."""

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import NamedTuple

from ecr_scan_reporter.models.scans import Scan

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


class RegistryId(NamedTuple):
    """Identifies a registry: each account has one in each Region."""

    account: str
    region: str

    def image(self, repository: str, digest: str) -> "ImageId":
        """Return the id of one of its images."""
        return ImageId(self.account, self.region, repository, digest)


class ImageId(NamedTuple):
    """Identifies an image among those of all registries."""

    account: str
    region: str
    repository: str
    digest: str

    @property
    def registry(self) -> RegistryId:
        """The registry that the image is in."""
        return RegistryId(self.account, self.region)


class Image(NamedTuple):
    """One image of a repository: a digest with all its tags.

    `media_type` is the manifest's, `artifact_media_type` the config's. `subject_digest` is the image that a signature
    or an SBOM refers to. `last_scan` is set where DescribeImages returns it, which saves a call.
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
        is_of_cosign = self.tags and all(map(_COSIGN_TAG.fullmatch, self.tags))
        return bool(self.subject_digest or other_type or is_of_cosign)


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
