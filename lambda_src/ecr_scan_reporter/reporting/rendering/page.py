"""The values that every format renders."""

from collections.abc import Mapping
from dataclasses import dataclass

from ecr_scan_reporter.reporting.triage import ImageResult


@dataclass(frozen=True, slots=True)
class Detail:
    """How much of one image is shown.

    Args:
        findings: in the JSON document.
        packages: in the email and in chat.
        tags: in the JSON document.
    """

    findings: int
    packages: int
    tags: int


@dataclass(frozen=True, slots=True)
class Page:
    """What one message reports: images over a threshold and failed scans of one group, worst first."""

    account: str
    region: str
    group: str | None
    images: tuple[ImageResult, ...]
    failed: tuple[ImageResult, ...]
    detail: Detail
    part: int = 1
    parts: int = 1

    @property
    def results(self) -> tuple[ImageResult, ...]:
        """All results of the page."""
        return self.images + self.failed


@dataclass(frozen=True, slots=True)
class Context:
    """What all pages have in common: the instance's name, the partition of its account, and the thresholds."""

    name: str
    partition: str
    thresholds: Mapping[str, int]
