"""Groups what waits to be reported: who gets which images, which images are one entry, and what to fix first."""

import heapq
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from ecr_scan_reporter.models.severities import severity_key
from ecr_scan_reporter.reporting.comparison.changes import NEWS, OPEN
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
    _worst: list[tuple["_Reversed", int, ImageReport]] = field(default_factory=list)
    _added: int = 0

    def add(self, image: ImageReport) -> None:
        """Add one image."""
        entry = self.repositories.setdefault(image.repository, RepositoryInventory(image.repository))
        entry.images += 1
        entry.counts.update(image.counts)
        entry.ignored_by.update(image.ignored_by)
        if image.failure:
            entry.failed += 1
            return
        self._added += 1
        item = _Reversed(image_sort_key(image)), self._added, image
        if len(self._worst) < _MAX_WORST:
            heapq.heappush(self._worst, item)
        else:
            heapq.heappushpop(self._worst, item)

    @property
    def worst(self) -> list[ImageReport]:
        """The worst images, the worst one first; only those with findings."""
        images = sorted((image for _, _, image in self._worst), key=image_sort_key)
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


@dataclass(frozen=True, slots=True)
class _Reversed:
    """Sorts in the reverse order of `key`."""

    key: tuple[object, ...]

    def __lt__(self, other: "_Reversed") -> bool:
        return other.key < self.key


class Fix(NamedTuple):
    """An update that solves findings. `fixed_versions` is empty where none is known."""

    package: str
    installed_versions: tuple[str, ...]
    fixed_versions: tuple[str, ...]
    images: int
    counts: Mapping[str, int]


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

    def fixes(self, severities: Collection[str]) -> list[Fix]:
        """Return the updates that solve the most severe news, or of what is open if there is no news.

        Args:
            severities: only findings of these count.
        """
        images: Counter[tuple[str, tuple[str, ...], tuple[str, ...]]] = Counter()
        counts: defaultdict[tuple[str, tuple[str, ...], tuple[str, ...]], Counter[str]] = defaultdict(Counter)
        for image in self.images:
            updates = set()
            if image.reason is ReportReason.FIXED:
                continue
            for change in NEWS if image.reason is ReportReason.NEWS else OPEN:
                for known in image.changes.get(change, ()):
                    finding = known.finding
                    update = finding.package, finding.installed_versions, finding.fixed_versions
                    if finding.package and finding.severity in severities:
                        updates.add(update)
                        counts[update][finding.severity] += image.images
            images.update(dict.fromkeys(updates, image.images))
        fixes = [Fix(*update, images[update], counts[update]) for update in counts]
        fixes.sort(
            key=lambda fix: (
                not fix.fixed_versions,
                severity_key(fix.counts),
                -fix.images,
                fix.package,
                fix.installed_versions,
            )
        )
        return fixes[:_MAX_FIXES]


def group_key(image: ImageReport, group_by: re.Pattern[str] | None) -> tuple[str, str, bool, str]:
    """Return what the images of one group have in common; sorts groups without a name last."""
    captured = captured_group(image.repository, group_by)
    return image.account, image.region, captured is None, captured or ""


def make_group(key: tuple[str, str, bool, str], images: Sequence[ImageReport], inventory: Inventory | None) -> Group:
    """Make a group of images with the same key; each has one entry, and one more if its scan failed."""
    account, region, unnamed, name = key
    merged = sorted(merge_platforms(images), key=image_sort_key)
    return Group(
        account,
        region,
        None if unnamed else name,
        tuple(image for image in merged if not image.failed),
        tuple(image for image in merged if image.failed),
        inventory,
    )


def merge_scans(images: Iterable[ImageReport]) -> list[ImageReport]:
    """Combine several scans of one image into one entry; a failed scan has its own, unless a later scan succeeded."""
    combined: dict[tuple[str, str], ImageReport] = {}
    since: dict[tuple[str, str], datetime] = {}
    failed: dict[tuple[str, str], ImageReport] = {}
    for image in sorted(images, key=lambda image: image.scanned_at):
        key = image.repository, image.digest
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
        key: object = image.repository, image.digest, image.failed
        if image.platforms and image.tags and not image.failed:
            changes = frozenset(
                (change, known.finding.package, known.finding.id)
                for change, found in image.changes.items()
                for known in found
            )
            counts = frozenset(image.counts.items())
            overdue = frozenset((known.finding.package, known.finding.id) for known, _ in image.overdue)
            ignored = frozenset(image.ignored_by.items())
            # The findings that are not kept may differ.
            numbers = frozenset((change, *pair) for change, found in image.totals.items() for pair in found.items())
            same = counts, numbers, changes, overdue, frozenset(image.overdue_counts.items()), ignored
            key = image.repository, image.tags, image.reason, image.predecessor, *same
        image = image._replace(digests=(image.digest,))
        if other := merged.get(key):
            image = other._replace(
                platforms=tuple(sorted({*other.platforms, *image.platforms})),
                digests=(*other.digests, image.digest),
                scanned_at=max(other.scanned_at, image.scanned_at),
            )
        merged[key] = image
    return list(merged.values())
