"""Tells images, image indexes and other artifacts apart."""

import re
from collections.abc import Collection

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


def is_artifact(media_type: str | None, artifact_media_type: str | None, tags: Collection[str]) -> bool:
    """Return whether this is an artifact, such as a Helm chart or a signature, and neither an image nor an index.

    Args:
        media_type: of the manifest.
        artifact_media_type: of the config.
        tags: the image's own.
    """
    if media_type in INDEX_MEDIA_TYPES:
        return False
    other_type = (media_type and media_type not in _IMAGE_MEDIA_TYPES) or (
        artifact_media_type and artifact_media_type not in _CONFIG_MEDIA_TYPES
    )
    return bool(other_type or (tags and all(map(_COSIGN_TAG.fullmatch, tags))))
