"""The values that every format renders."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from ecr_scan_reporter.reporting.grouping import Group, RepositoryInventory
from ecr_scan_reporter.reporting.report import ImageReport

if TYPE_CHECKING:
    # A report needs no part of a digest.
    from ecr_scan_reporter.reporting.digest import Digest, RepositoryRow


class Detail(NamedTuple):
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
    detail: Detail
    part: int = 1
    parts: int = 1


class DigestPage(NamedTuple):
    """One message of a digest.

    Args:
        digest: what the whole digest says. The email and the chat message of the first page say all of it.
        repositories: those that the JSON document of this page has.
        part: the number of the page, from 1.
        parts: how many pages there are.
    """

    digest: "Digest"
    repositories: "tuple[RepositoryRow, ...]"
    part: int = 1
    parts: int = 1


class Context(NamedTuple):
    """What all pages have in common: the instance's name, the partition of its account, and the thresholds."""

    name: str
    partition: str
    thresholds: Mapping[str, int]
