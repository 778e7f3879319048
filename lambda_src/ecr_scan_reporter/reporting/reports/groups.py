"""The images of one report: their sums, how many of them are named, and the first inventory."""

import heapq
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from ecr_scan_reporter.memory.images import Update
from ecr_scan_reporter.models.images import RegistryId
from ecr_scan_reporter.models.severities import severity_key
from ecr_scan_reporter.reporting.comparison.changes import Change
from ecr_scan_reporter.reporting.reports.fixes import fix_first
from ecr_scan_reporter.reporting.reports.image_report import ImageReport, image_sort_key
from ecr_scan_reporter.reporting.reports.reasons import ReportReason

# Images of an inventory, and reminders, that are named.
_MAX_WORST = 20
# The images that are reported for these reasons have a section of their own.
APART = (ReportReason.SCAN_FAILED, ReportReason.REMINDER)
# Images, and failed scans, that a report names; it counts the others by repository.
_MAX_NAMED = 5000


@dataclass(slots=True)
class Sums:
    """Several images added up; each platform of an index is an image, with the findings of all of them.

    Attributes:
        images: how many there are.
        news: the findings that count for the subject, by severity.
        changes: findings by change.
        overdue: findings that are reported as overdue, by severity.
        late: how many images have such findings.
        ignored: how many findings each rule ignores.
        exploited: findings that are reported as known to be exploited, by severity.
        urgent: how many images have such findings.
    """

    images: int = 0
    news: Counter[str] = field(default_factory=Counter)
    changes: Counter[Change] = field(default_factory=Counter)
    overdue: Counter[str] = field(default_factory=Counter)
    late: int = 0
    ignored: Counter[str] = field(default_factory=Counter)
    exploited: Counter[str] = field(default_factory=Counter)
    urgent: int = 0

    def add(self, image: ImageReport) -> None:
        """Add one entry, which may be several images."""
        number = image.images
        self.images += number
        self.late += number if image.overdue_counts else 0
        self.urgent += number if image.exploited_counts else 0
        for counts, found in (
            (self.news, image.news),
            (self.overdue, image.overdue_counts),
            (self.ignored, image.ignored_by),
            (self.exploited, image.exploited_counts),
        ):
            for key, count in found.items():
                counts[key] += count * number
        for change, severities in image.totals.items():
            self.changes[change] += sum(severities.values()) * number


def add_up(images: Iterable[ImageReport]) -> Sums:
    """Add up images."""
    sums = Sums()
    for image in images:
        sums.add(image)
    return sums


@dataclass(slots=True)
class RepositoryInventory:
    """The findings of the first scans of a repository's images."""

    repository: str = ""
    images: int = 0
    failed: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    ignored_by: Counter[str] = field(default_factory=Counter)
    exploited: int = 0

    def count(self, image: ImageReport, *, failed: bool) -> None:
        """Add one entry, which may be several images, with whether its scan failed."""
        self.images += image.images
        self.failed += failed
        for counts, found in ((self.counts, image.counts), (self.ignored_by, image.ignored_by)):
            counts.update({key: number * image.images for key, number in found.items()})
        self.exploited += sum(image.exploited_counts.values()) * image.images


class UnnamedImages(RepositoryInventory):
    """The images of a repository that a report counts, because it has too many to name all of them."""


@dataclass
class Inventory(RepositoryInventory):
    """The findings of the first scans of images that existed before memory did, by repository, and the worst images.

    Attributes:
        repositories: by name.
        failures: the first of the images whose scans failed.
    """

    repositories: dict[str, RepositoryInventory] = field(default_factory=dict)
    failures: list[ImageReport] = field(default_factory=list)
    _worst: list[ImageReport] = field(default_factory=list)

    def add(self, image: ImageReport) -> None:
        """Add one image."""
        own = self.repositories.setdefault(image.repository, RepositoryInventory(image.repository))
        for sums in (self, own):
            sums.count(image, failed=bool(image.failure))
        if image.failure:
            self.failures += [image] if len(self.failures) < _MAX_WORST else []
            return
        self._worst.append(image)
        if len(self._worst) > 10 * _MAX_WORST:
            self._worst = heapq.nsmallest(_MAX_WORST, self._worst, key=image_sort_key)

    @property
    def worst(self) -> list[ImageReport]:
        """The worst images, the worst one first; only those with findings."""
        images = heapq.nsmallest(_MAX_WORST, self._worst, key=image_sort_key)
        return [image for image in images if any(image.counts.values())]


def worst_first(repositories: Iterable[RepositoryInventory]) -> list[RepositoryInventory]:
    """Return repositories, the one with the most severe findings first."""
    return sorted(repositories, key=lambda entry: (severity_key(entry.counts), entry.repository))


class GroupKey(NamedTuple):
    """The registry and name that the images of one group share. Groups without a name are last."""

    registry: RegistryId
    unnamed: bool
    name: str


@dataclass(frozen=True)
class Group:
    """The content of one report: the images of one registry and value of `group_by`, the worst one first.

    `name` is None where the repository does not match `group_by`. `failed` has the images whose scan failed, and
    `reminders` those that are only named again because they were last reported long ago. `id` is that of the report.
    """

    registry: RegistryId
    name: str | None
    images: tuple[ImageReport, ...]
    failed: tuple[ImageReport, ...]
    inventory: Inventory | None = None
    reminders: tuple[ImageReport, ...] = ()
    id: str = ""
    _fixes: dict[frozenset[str], list[Update]] = field(default_factory=dict, init=False, repr=False, compare=False)

    # Every page and each of its formats asks for these.
    @cached_property
    def by_reason(self) -> dict[ReportReason, Sums]:
        """The images by the reason why they are reported, added up."""
        sums: defaultdict[ReportReason, Sums] = defaultdict(Sums)
        for image in self.images:
            sums[image.reason].add(image)
        return dict(sums)

    @cached_property
    def sums(self) -> Sums:
        """All images, added up."""
        return add_up(self.images)

    @cached_property
    def reminded(self) -> Sums:
        """The reminders, added up."""
        return add_up(self.reminders)

    @cached_property
    def ignored_by(self) -> Counter[str]:
        """By rule, how many findings it ignores."""
        ignored = self.sums.ignored + self.reminded.ignored
        return ignored + self.inventory.ignored_by if self.inventory else ignored

    @property
    def worst_reminders(self) -> tuple[ImageReport, ...]:
        """The reminders that are named, the worst one first."""
        return self.reminders[:_MAX_WORST]

    @property
    def exploited(self) -> int:
        """How many findings are reported as known to be exploited, with those of the inventory."""
        return self.sums.exploited.total() + (self.inventory.exploited if self.inventory else 0)

    @property
    def named(self) -> tuple[ImageReport, ...]:
        """The images and the failed scans that the report names, the worst ones first."""
        return (*self.images[:_MAX_NAMED], *self.failed[:_MAX_NAMED])

    def unnamed(self) -> list[RepositoryInventory]:
        """Return how many images the report does not name, by repository, the worst repository first."""
        counted: dict[str, RepositoryInventory] = {}
        for image in (*self.images[_MAX_NAMED:], *self.failed[_MAX_NAMED:]):
            counted.setdefault(image.repository, UnnamedImages(image.repository)).count(image, failed=image.failed)
        return worst_first(counted.values())

    def fixes(self, severities: Collection[str]) -> list[Update]:
        """Return the updates that solve the most severe news, or open findings if there is no news.

        Args:
            severities: only findings of these count.
        """
        # Every page asks for them in each of its formats.
        wanted = frozenset(severities)
        if wanted not in self._fixes:
            self._fixes[wanted] = fix_first(self.images, wanted)
        return self._fixes[wanted]


Entry = ImageReport | RepositoryInventory


class FindingLimits(NamedTuple):
    """How many findings and tags, and how many digests and platforms, of one image the JSON document names."""

    findings: int
    tags: int


class Page(NamedTuple):
    """One message of a report.

    Args:
        group: the content of the whole report. The email and the chat message of the first page say all of it.
        entries: images, failed scans and repositories of the inventory; those in the JSON document of this page.
        detail: of the JSON document.
        part: the number of the page, from 1.
        parts: how many pages there are.
        omitted: how many entries are left out, and all that is not a count.
    """

    group: Group
    entries: Sequence[Entry]
    detail: FindingLimits
    part: int = 1
    parts: int = 1
    omitted: int = 0

    @property
    def id(self) -> str:
        """The id of the message, which is the same if it is published again."""
        return f"{self.group.id}-{self.part}"
