"""The values that the functions speak of: images, their scans, and what came of asking for one."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Image:
    """One image of a repository: a digest, with all the tags that point to it."""

    repository: str
    digest: str
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Scan:
    """The last scan of an image as ECR tells it.

    `status` is one of ECR's words (COMPLETE, FAILED, IN_PROGRESS, PENDING, ...; an open set).
    `completed_at` (aware) is absent while a scan runs and after one that failed.
    """

    status: str
    completed_at: datetime | None = None


class StartOutcome(StrEnum):
    """What ECR answered when a scan was asked for."""

    STARTED = "started"
    SCANNED_WITHIN_24_HOURS = "scanned_within_24_hours"
    UNSUPPORTED_TYPE = "unsupported_type"
    ARCHIVED = "archived"
    IMAGE_GONE = "image_gone"
