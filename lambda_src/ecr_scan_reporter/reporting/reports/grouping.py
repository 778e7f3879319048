"""Groups what waits to be reported: who gets which images, which images are one entry, and what to fix first."""

import heapq
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from ecr_scan_reporter.memory.images import Update
from ecr_scan_reporter.models.images import ImageId
from ecr_scan_reporter.models.severities import severity_key
from ecr_scan_reporter.reporting.comparison.changes import NEWS, OPEN, KnownFinding
from ecr_scan_reporter.reporting.groups import captured_group
from ecr_scan_reporter.reporting.reports.combine import combine_reports
from ecr_scan_reporter.reporting.reports.image_report import ImageReport, ReportReason, image_sort_key

_MAX_FIXES = 5
# How many images of an inventory are named.
_MAX_WORST = 20


@dataclass(slots=True)
class RepositoryInventory:
    """What the first scans of a repository's images found."""

    repository: str
    images: int = 0
    failed: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    ignored_by: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True)
class Inventory:
    """What the first scans found in images that existed before memory did: by repository, and the worst images."""

    repositories: dict[str, RepositoryInventory] = field(default_factory=dict)
    _worst: list[ImageReport] = field(default_factory=list)

    def add(self, image: ImageReport) -> None:
        """Add one image."""
        entry = self.repositories.setdefault(image.repository, RepositoryInventory(image.repository))
        entry.images += 1
        entry.counts.update(image.counts)
        entry.ignored_by.update(image.ignored_by)
        if image.failure:
            entry.failed += 1
            return
        self._worst.append(image)
        if len(self._worst) > 10 * _MAX_WORST:
            self._worst = heapq.nsmallest(_MAX_WORST, self._worst, key=image_sort_key)

    @property
    def worst(self) -> list[ImageReport]:
        """The worst images, the worst one first; only those with findings."""
        images = heapq.nsmallest(_MAX_WORST, self._worst, key=image_sort_key)
        return [image for image in images if any(image.counts.values())]

    @property
    def images(self) -> int:
        """How many images there are."""
        return sum(entry.images for entry in self.repositories.values())

    @property
    def failed(self) -> int:
        """How many scans failed."""
        return sum(entry.failed for entry in self.repositories.values())

    @property
    def counts(self) -> Counter[str]:
        """Open findings by severity."""
        return sum((entry.counts for entry in self.repositories.values()), Counter())

    def sorted_repositories(self) -> list[RepositoryInventory]:
        """Return the repositories, the one with the most severe findings first."""
        return sorted(self.repositories.values(), key=lambda entry: (severity_key(entry.counts), entry.repository))


class GroupKey(NamedTuple):
    """What the images of one group have in common; sorts groups without a name last."""

    account: str
    region: str
    unnamed: bool
    name: str


class Group(NamedTuple):
    """What one report says: the images of one account, Region and value of `group_by`, the worst one first.

    `name` is None where the repository does not match `group_by`. `failed` has the images whose scan failed.
    """

    account: str
    region: str
    name: str | None
    images: tuple[ImageReport, ...]
    failed: tuple[ImageReport, ...]
    inventory: Inventory | None = None

    @property
    def ignored_by(self) -> Counter[str]:
        """By rule, how many findings it ignores."""
        ignored: Counter[str] = Counter()
        for image in self.images:
            for rule, number in image.ignored_by.items():
                ignored[rule] += number * image.images
        for entry in self.inventory.repositories.values() if self.inventory else ():
            ignored.update(entry.ignored_by)
        return ignored

    @property
    def overdue(self) -> int:
        """How many findings are reported as overdue."""
        return sum(sum(image.overdue_counts.values()) * image.images for image in self.images)

    def fixes(self, severities: Collection[str]) -> list[Update]:
        """Return the updates that solve the most severe news, or of what is open if there is no news.

        Args:
            severities: only findings of these count.
        """
        fixes: dict[object, Update] = {}
        for image in self.images:
            for update in _updates(image, severities):
                known = fixes.get(update.key)
                fixes[update.key] = known + update if known else update
        return heapq.nsmallest(_MAX_FIXES, fixes.values(), key=_fix_sort_key)


def _updates(image: ImageReport, severities: Collection[str]) -> Iterator[Update]:
    """Yield the updates that solve what the report of an image is about."""
    if image.reason is ReportReason.FIXED:
        return
    counts: defaultdict[tuple[str, tuple[str, ...], tuple[str, ...]], Counter[str]] = defaultdict(Counter)
    for change in NEWS if image.reason is ReportReason.NEWS else OPEN:
        for known in image.changes.get(change, ()):
            finding = known.finding
            if finding.package and finding.severity in severities:
                update = finding.package, finding.installed_versions, finding.fixed_versions
                counts[update][finding.severity] += image.images
    for update, solved in counts.items():
        yield Update(*update, solved, image.images)


def _fix_sort_key(fix: Update) -> tuple[object, ...]:
    """Sort what can be done now first, then what solves most."""
    return not fix.fixed_versions, severity_key(fix.counts), -fix.images, fix.package, fix.installed_versions


def group_key(image: ImageReport, group_by: re.Pattern[str] | None) -> GroupKey:
    """Return the key of the group that an image belongs to."""
    captured = captured_group(image.repository, group_by)
    return GroupKey(image.account, image.region, captured is None, captured or "")


def make_group(key: GroupKey, images: Iterable[ImageReport], inventory: Inventory | None) -> Group:
    """Make a group of images with the same key; each has one entry, and one more if its scan failed."""
    merged = sorted(merge_platforms(images), key=image_sort_key)
    return Group(
        key.account,
        key.region,
        None if key.unnamed else key.name,
        tuple(image for image in merged if not image.failed),
        tuple(image for image in merged if image.failed),
        inventory,
    )


def merge_scans(images: Iterable[ImageReport]) -> list[ImageReport]:
    """Combine several scans of one image into one entry; a failed scan has its own, unless a later scan succeeded."""
    combined: dict[ImageId, ImageReport] = {}
    since: dict[ImageId, datetime] = {}
    failed: dict[ImageId, ImageReport] = {}
    for image in sorted(images, key=lambda image: image.scanned_at):
        key = ImageId(image.account, image.region, image.repository, image.digest)
        if image.failed:
            failed[key] = image
            continue
        failed.pop(key, None)
        since.setdefault(key, image.scanned_at)
        combined[key] = combine_reports(combined[key], image, since[key]) if key in combined else image
    return [*combined.values(), *failed.values()]


def merge_platforms(images: Iterable[ImageReport]) -> list[ImageReport]:
    """Merge the platforms of one index into one entry if they have the same changes."""
    merged: dict[object, ImageReport] = {}
    for image in images:
        is_platform = image.platforms and image.tags and not image.failed
        key = _news_key(image) if is_platform else (image.repository, image.digest, image.failed)
        image = image._replace(digests=(image.digest,))
        if other := merged.get(key):
            image = other._replace(
                platforms=tuple(sorted({*other.platforms, *image.platforms})),
                digests=(*other.digests, image.digest),
                scanned_at=max(other.scanned_at, image.scanned_at),
            )
        merged[key] = image
    return list(merged.values())


def _news_key(image: ImageReport) -> tuple[object, ...]:
    """Return what the platforms of one index have in common if there is the same to say of them."""
    return (
        image.repository,
        image.tags,
        image.reason,
        image.predecessor,
        frozenset(image.counts.items()),
        frozenset(image.overdue_counts.items()),
        frozenset(image.ignored_by.items()),
        # The findings that are not kept may differ.
        frozenset((change, *pair) for change, found in image.totals.items() for pair in found.items()),
        frozenset((change, *_names(known)) for change, found in image.changes.items() for known in found),
        frozenset(_names(known) for known, _ in image.overdue),
    )


def _names(known: KnownFinding) -> tuple[str, str]:
    return known.finding.package, known.finding.id
