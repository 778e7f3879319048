"""The details of images in ECR besides findings: whether they exist, their pushes, tags and platforms."""

import threading
from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from ecr_scan_reporter.aws.dynamodb import Table
from ecr_scan_reporter.aws.ecr import EcrRegistry
from ecr_scan_reporter.errors import ImageNotFoundError, RepositoryNotFoundError
from ecr_scan_reporter.models.images import Image, ImageId, inherited_tags

# From this many images of a repository on, the repository is listed, 1,000 images a call; fewer take a call each.
_LIST_FROM = 3


class ImageDetails(NamedTuple):
    """The details of one image in ECR.

    Args:
        tags: the image's own, or those of the indexes that it is part of.
        platform: such as linux/arm64, if an index names it.
        pushed_at: None if the image was deleted.
        no_image: whether this is an attestation or another artifact, which has no packages.
        archived: whether ECR has archived it.
    """

    tags: tuple[str, ...] = ()
    platform: str = ""
    pushed_at: datetime | None = None
    no_image: bool = False
    archived: bool = False


class _Repository:
    """The parts of one repository that were read."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.listed = False
        self.details: dict[str, ImageDetails] = {}


class BatchDetails:
    """Reads details of images for one batch; lists each repository at most once. Safe for concurrent use."""

    def __init__(self, ecr: EcrRegistry, table: Table, images: Iterable[ImageId], now: datetime) -> None:
        self._ecr, self._table, self._now = ecr, table, now
        self._expected = Counter(image.repository for image in images)
        self._repositories = {name: _Repository() for name in self._expected}
        self._lock = threading.Lock()

    def read(self, image: ImageId, tags: tuple[str, ...]) -> ImageDetails:
        """Return the details of an image of this registry.

        Args:
            image: one of the batch.
            tags: its own, as its event names them.

        Raises:
            AwsError: ECR rejected a call.
        """
        # Only a list of the repository tells which index an image without tags is part of.
        return self._find(image, is_enough=bool(tags)) or ImageDetails(tags)

    def exists(self, image: ImageId) -> bool:
        """Return whether ECR has an image of this registry, and has not archived it.

        Raises:
            AwsError: ECR rejected a call.
        """
        found = self._find(image, is_enough=True)
        return found is not None and not found.archived

    def _find(self, image: ImageId, *, is_enough: bool) -> ImageDetails | None:
        """Return the details of an image, alone if that is enough and few are expected; None if ECR has none."""
        with self._lock:
            repository = self._repositories.setdefault(image.repository, _Repository())
        with repository.lock:
            try:
                if not repository.listed and is_enough and self._expected[image.repository] < _LIST_FROM:
                    return _own_details(self._ecr.image(image.repository, image.digest))
                if not repository.listed:
                    repository.details = self._list(image.repository)
            except (ImageNotFoundError, RepositoryNotFoundError):
                return None
            repository.listed = True
            return repository.details.get(image.digest)

    def _list(self, repository: str) -> dict[str, ImageDetails]:
        details: dict[str, ImageDetails] = {}
        untagged: set[str] = set()
        index_tags: dict[str, tuple[str, ...]] = {}
        for page in self._ecr.image_pages(repository):
            for image in page:
                if image.is_index:
                    index_tags[image.digest] = image.tags
                    continue
                details[image.digest] = _own_details(image)
                if not image.tags:
                    untagged.add(image.digest)
        # Not at the top: only a repository that is listed needs it.
        from ecr_scan_reporter.memory.indexes import index_children

        children = index_children(self._ecr, self._table, repository, list(index_tags), self._now) if untagged else []
        tags = inherited_tags(children, index_tags)
        for child in children:
            if child.digest in untagged:
                own = details[child.digest]
                details[child.digest] = ImageDetails(
                    tags[child.digest], child.platform, own.pushed_at, own.no_image or child.attestation
                )
        return details


def _own_details(image: Image) -> ImageDetails:
    return ImageDetails(image.tags, "", image.pushed_at, image.is_artifact, image.archived)
