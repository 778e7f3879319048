"""Finds the tags of untagged images: those of the image index that they are part of."""

import logging
from collections.abc import Iterable
from concurrent.futures import Executor
from dataclasses import dataclass, replace

from ecr_scan_reporter.aws.ecr import EcrRegistry
from ecr_scan_reporter.errors import AwsError
from ecr_scan_reporter.models import IndexChild, inherited_tags
from ecr_scan_reporter.reporting.triage import ImageResult
from ecr_scan_reporter.shared.concurrency import concurrent_map
from ecr_scan_reporter.shared.deadline import Deadline

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Member:
    """What the indexes of a repository say about one image."""

    tags: tuple[str, ...]
    platform: str
    attestation: bool


def with_index_tags(
    results: Iterable[ImageResult], ecr: EcrRegistry, pool: Executor, deadline: Deadline
) -> list[ImageResult]:
    """Give untagged images the tags of their index, and their platform; leave attestations out.

    An attestation is no image, so its failed scan is no failure. Repositories that cannot be read in time keep their
    images as they are.
    """
    results = list(results)
    repositories = sorted({result.event.repository for result in results if not result.tags})

    def read(repository: str) -> dict[str, _Member]:
        if deadline.remaining <= 0:
            return {}
        try:
            return _members(repository, ecr)
        except AwsError as error:
            logger.warning("could not read indexes", extra={"repository": repository, "reason": str(error)})
            return {}

    members = dict(zip(repositories, concurrent_map(pool, read, repositories), strict=True))
    named = []
    for result in results:
        member = None if result.tags else members[result.event.repository].get(result.event.digest)
        if member is None:
            named.append(result)
        elif not (member.attestation and result.failed):
            named.append(replace(result, tags=member.tags, platform=member.platform))
    return named


def _members(repository: str, ecr: EcrRegistry) -> dict[str, _Member]:
    index_tags = {image.digest: image.tags for page in ecr.image_pages(repository) for image in page if image.is_index}
    children: list[IndexChild] = ecr.index_children(repository, list(index_tags)) if index_tags else []
    tags = inherited_tags(children, index_tags)
    return {child.digest: _Member(tags[child.digest], child.platform, child.attestation) for child in children}
