"""The values that every format of a report renders."""

from typing import NamedTuple

from ecr_scan_reporter.reporting.reports.grouping import Group, RepositoryInventory
from ecr_scan_reporter.reporting.reports.image_report import ImageReport


class FindingLimits(NamedTuple):
    """How many findings and tags of one image the JSON document names."""

    findings: int
    tags: int


class Page(NamedTuple):
    """One message of a report.

    Args:
        group: what the whole report says. The email and the chat message of the first page say all of it.
        images: those that the JSON document of this page has.
        failed: failed scans, in the same way.
        repositories: of the inventory, in the same way.
        detail: of the JSON document.
        part: the number of the page, from 1.
        parts: how many pages there are.
    """

    group: Group
    images: tuple[ImageReport, ...]
    failed: tuple[ImageReport, ...]
    repositories: tuple[RepositoryInventory, ...]
    detail: FindingLimits
    part: int = 1
    parts: int = 1
