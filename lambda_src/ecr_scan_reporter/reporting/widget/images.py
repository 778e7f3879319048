"""The images of a repository on the widget: how many are read, which are listed, and their order."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import islice
from typing import NamedTuple

from ecr_scan_reporter.memory.images import ImageRecord
from ecr_scan_reporter.models.severities import severity_key
from ecr_scan_reporter.shared.durations import Duration

# How many images of a repository are read, in the order of their digests: about 12 MB of items and two seconds.
MAX_IMAGES = 25_000


class RepositoryImages(NamedTuple):
    """The images of a repository that the reporter remembers.

    Args:
        recent: those with a complete or failed scan within the promised age, the worst first; digest and record.
        older: how many others there are; most were deleted, and are forgotten 400 days after their last write.
        more: whether the repository has more images than are read.
    """

    recent: Sequence[tuple[str, ImageRecord]]
    older: int
    more: bool


def repository_images(records: Iterable[tuple[str, ImageRecord]], max_age: Duration, now: datetime) -> RepositoryImages:
    """Sort a repository's images, the worst first."""
    read = list(islice(records, MAX_IMAGES + 1))
    since = max_age.before(now)
    recent = [(digest, record) for digest, record in read[:MAX_IMAGES] if _is_recent(record, since)]
    recent.sort(key=lambda image: (*severity_key(image[1].counts), image[1].tags, image[0]))
    return RepositoryImages(recent, min(len(read), MAX_IMAGES) - len(recent), len(read) > MAX_IMAGES)


def _is_recent(record: ImageRecord, since: datetime) -> bool:
    last = record.event_at or record.scanned_at
    return last is not None and last >= since
