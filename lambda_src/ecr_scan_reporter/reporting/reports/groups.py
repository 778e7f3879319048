"""Gathers the entries of the outbox into groups: the images of each group, and the updates to install first."""

import heapq
import logging
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from itertools import chain, groupby
from typing import NamedTuple

from ecr_scan_reporter.aws.dynamodb import Key
from ecr_scan_reporter.errors import UnreadableItemError
from ecr_scan_reporter.memory.images import ImageRecord, Update, UpdateKey
from ecr_scan_reporter.memory.outbox import INVENTORY, Note, Outbox, Window, entry_checksum, entry_image, is_readable
from ecr_scan_reporter.models.images import ImageId
from ecr_scan_reporter.models.severities import severity_key
from ecr_scan_reporter.reporting.comparison.changes import NEWS, OPEN, Change, KnownFinding
from ecr_scan_reporter.reporting.formatting import captured_group
from ecr_scan_reporter.reporting.reports.combine import combine_reports
from ecr_scan_reporter.reporting.reports.encoding import decode_report
from ecr_scan_reporter.reporting.reports.image_report import (
    MAX_FINDINGS,
    ImageReport,
    ReportReason,
    cut,
    image_report,
    image_sort_key,
)
from ecr_scan_reporter.reporting.reports.sums import Sums, add_up

logger = logging.getLogger(__name__)

# Updates, and images of an inventory and reminders, that are named.
_MAX_FIXES, _MAX_WORST = 5, 20
# The images that are reported for these reasons have a section of their own.
_APART = (ReportReason.SCAN_FAILED, ReportReason.REMINDER)
# Entries of the outbox, and their bytes, that are published at once; the others follow in further reports.
_MAX_ENTRIES, _MAX_BYTES = 20_000, 64 * 1024 * 1024
# Findings that are kept in memory for one report, about a kilobyte each.
_MAX_KEPT, _MIN_KEPT_PER_IMAGE = 60_000, 3
# Images, and failed scans, that a report names; it counts the others by repository.
_MAX_NAMED = 5000

_Entry = tuple[Key, bytes]
# The changes whose findings are to be fixed first, by the reason of the report; for other reasons, those of open ones.
_FIXED_FIRST: dict[ReportReason, tuple[Change, ...]] = {ReportReason.NEWS: NEWS, ReportReason.FIXED: ()}


@dataclass(slots=True)
class RepositoryInventory:
    """The findings of the first scans of a repository's images."""

    repository: str
    images: int = 0
    failed: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    ignored_by: Counter[str] = field(default_factory=Counter)
    exploited: int = 0


class UnnamedImages(RepositoryInventory):
    """The images of a repository that a report counts, because it has too many to name all of them."""


@dataclass(slots=True)
class Inventory:
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
        entry = self.repositories.setdefault(image.repository, RepositoryInventory(image.repository))
        entry.images += 1
        entry.counts.update(image.counts)
        entry.ignored_by.update(image.ignored_by)
        entry.exploited += sum(image.exploited_counts.values())
        if image.failure:
            entry.failed += 1
            if len(self.failures) < _MAX_WORST:
                self.failures.append(image)
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
    def exploited(self) -> int:
        """How many open findings are known to be exploited."""
        return sum(entry.exploited for entry in self.repositories.values())

    @property
    def counts(self) -> Counter[str]:
        """Open findings by severity."""
        return sum((entry.counts for entry in self.repositories.values()), Counter())

    def sorted_repositories(self) -> list[RepositoryInventory]:
        """Return the repositories, the one with the most severe findings first."""
        return sorted(self.repositories.values(), key=lambda entry: (severity_key(entry.counts), entry.repository))


class GroupKey(NamedTuple):
    """The account, Region and name that the images of one group share. Groups without a name are last."""

    account: str
    region: str
    unnamed: bool
    name: str


@dataclass(frozen=True)
class Group:
    """The content of one report: the images of one account, Region and value of `group_by`, the worst one first.

    `name` is None where the repository does not match `group_by`. `failed` has the images whose scan failed, and
    `reminders` those that are only named again because they were last reported long ago. `id` is that of the report.
    """

    account: str
    region: str
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
        for entry in self.inventory.repositories.values() if self.inventory else ():
            ignored.update(entry.ignored_by)
        return ignored

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

    def unnamed(self) -> list[UnnamedImages]:
        """Return how many images the report does not name, by repository, the worst repository first."""
        counted: dict[str, UnnamedImages] = {}
        for image in (*self.images[_MAX_NAMED:], *self.failed[_MAX_NAMED:]):
            entry = counted.setdefault(image.repository, UnnamedImages(image.repository))
            entry.images += image.images
            entry.failed += image.failed
            entry.counts.update({severity: number * image.images for severity, number in image.counts.items()})
        return sorted(counted.values(), key=lambda entry: (severity_key(entry.counts), entry.repository))

    def fixes(self, severities: Collection[str]) -> list[Update]:
        """Return the updates that solve the most severe news, or of what is open if there is no news.

        Args:
            severities: only findings of these count.
        """
        # Every page asks for them in each of its formats.
        wanted = frozenset(severities)
        if wanted not in self._fixes:
            self._fixes[wanted] = heapq.nsmallest(_MAX_FIXES, _updates(self.images, wanted), key=_fix_sort_key)
        return self._fixes[wanted]


def _updates(images: Iterable[ImageReport], severities: Collection[str]) -> Iterator[Update]:
    """Yield the updates that solve what the reports of images are about."""
    counts: defaultdict[UpdateKey, Counter[str]] = defaultdict(Counter)
    needed_by: Counter[UpdateKey] = Counter()
    for image in images:
        own: set[UpdateKey] = set()
        for change in _FIXED_FIRST.get(image.reason, OPEN):
            for known in image.changes.get(change, ()):
                finding = known.finding
                if finding.package and finding.severity in severities:
                    update = UpdateKey(finding.package, finding.installed_versions, finding.fixed_versions)
                    counts[update][finding.severity] += image.images
                    own.add(update)
        needed_by.update(dict.fromkeys(own, image.images))
    for update, solved in counts.items():
        yield Update(*update, solved, needed_by[update])


def _fix_sort_key(fix: Update) -> tuple[object, ...]:
    """Sort what can be done now first, then what solves most."""
    return not fix.fixed_versions, severity_key(fix.counts), -fix.images, fix.package, fix.installed_versions


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


class Waiting(NamedTuple):
    """The images and the inventory that wait for one group, and the keys of their entries in the outbox."""

    images: list[ImageReport]
    inventory: Inventory
    keys: list[Key]


class Gathered(NamedTuple):
    """What waits to be reported, by group.

    Args:
        groups: with what is to be published now, by their keys and the id of the report that was begun before; "" if
            none was.
        published: the keys of entries that were published before.
        whole: whether that is all.
        unreadable: how many entries cannot be read.
    """

    groups: dict[tuple[GroupKey, str], Waiting]
    published: list[Key]
    whole: bool
    unreadable: int


def gather(
    windows: Collection[Window],
    outbox: Outbox,
    group_by: re.Pattern[str] | None,
    notes: Iterable[Note] = (),
    inventory_until: datetime | None = None,
) -> Gathered:
    """Return the images that wait in windows: as many as one invocation can publish.

    A report that was begun before is a group of its own, with the same images, so that its messages can be recognized.

    Args:
        windows: that are due.
        outbox: with their entries.
        group_by: captures the group in the name of a repository.
        notes: of reports that were begun, or published.
        inventory_until: when the publication of the inventory began (aware): what came later is part of the next one.

    Raises:
        AwsError: DynamoDB rejected a call.
    """
    groups: defaultdict[tuple[GroupKey, str], Waiting] = defaultdict(lambda: Waiting([], Inventory(), []))
    entries = _Entries(outbox, notes)
    found, is_whole = entries.first(window.name for window in windows if window.name != INVENTORY)
    kept = max(_MIN_KEPT_PER_IMAGE, min(MAX_FINDINGS, _MAX_KEPT // max(len(found), 1)))
    found.sort(key=lambda entry: (entries.report(entry), _sort_key(entry)))
    for report, keys, scans in entries.by_image(found):
        group = groups[group_key(scans[-1], group_by), report]
        for image in merge_scans(scans):
            number = 0 if image.reason is ReportReason.REMINDER else kept
            group.images.append(cut(image, number)._replace(left_out={}))
        group.keys.extend(keys)
    inventory = [INVENTORY] if any(window.name == INVENTORY for window in windows) else []
    for report, keys, scans in entries.by_image(entries.of(inventory, inventory_until)):
        # A failed scan may have been repeated since: the last one counts.
        group = groups[group_key(scans[-1], group_by), report]
        group.inventory.add(scans[-1])
        group.keys.extend(keys)
    return Gathered(dict(groups), entries.published, is_whole, entries.unreadable)


class _Entries:
    """Reads entries of the outbox, without those that were published before."""

    def __init__(self, outbox: Outbox, notes: Iterable[Note]) -> None:
        self._outbox, notes = outbox, list(notes)
        self._notes = {checksum: note for note in notes for checksum in note.entries}
        self._is_any_begun = not all(note.done for note in notes)
        self.published: list[Key] = []
        self.unreadable = 0

    def report(self, entry: _Entry) -> str:
        """Return the id of the report that was begun with an entry; "" if none was."""
        note = self._note(entry)
        return note.id if note else ""

    def _note(self, entry: _Entry) -> Note | None:
        return self._notes.get(entry_checksum(entry[0])) if self._notes else None

    def first(self, windows: Iterable[str]) -> tuple[list[_Entry], bool]:
        """Return as many entries as can be published at once, and whether that is all; a report is never divided."""
        found, begun, room = list[_Entry](), list[_Entry](), _MAX_BYTES
        is_whole = True
        for entry in self.of(windows):
            if self._note(entry):
                begun.append(entry)
            elif len(found) < _MAX_ENTRIES and room >= 0:
                found.append(entry)
                room -= len(entry[1])
            else:
                is_whole = False
                if not self._is_any_begun:
                    break
        return begun + found, is_whole

    def of(self, windows: Iterable[str], until: datetime | None = None) -> Iterator[_Entry]:
        for entry in chain.from_iterable(self._outbox.entries(window, until) for window in windows):
            if (note := self._note(entry)) and note.done:
                self.published.append(entry[0])
            else:
                yield entry

    def by_image(self, entries: Iterable[_Entry]) -> Iterator[tuple[str, list[Key], list[ImageReport]]]:
        """Decode entries, which are in the order of their sort keys; yield those of each image, the earliest one first.

        An entry of a newer release stays in the outbox. Of one that is damaged, it is said that it could not be read.

        Yields:
            The id of the report that was begun with them, their keys, and what they say.
        """
        by_image = groupby(entries, key=lambda entry: (self.report(entry), _sort_key(entry).split("#")[:4]))
        for (report, _), found in by_image:
            keys, scans = [], []
            for key, data in found:
                if not is_readable(key):
                    self.unreadable += 1
                    logger.error("a report of another release waits for it", extra={"entry": key[1]})
                    continue
                keys.append(key)
                try:
                    scans.append(decode_report(data))
                except UnreadableItemError as error:
                    logger.error("could not read a report that waits", extra={"entry": key[1], "reason": repr(error)})
                    scans.append(_damaged(key))
            if scans:
                yield report, keys, scans


def _damaged(key: Key) -> ImageReport:
    """Return what is said of an image if the entry with this key cannot be read."""
    image, at = entry_image(key)
    report = image_report(image, at, ImageRecord(), ReportReason.FINDINGS_NOT_READ)
    return report._replace(failure="What this report was to say could not be read from the memory table.")


def _sort_key(entry: _Entry) -> str:
    return entry[0][1]


def group_key(image: ImageReport, group_by: re.Pattern[str] | None) -> GroupKey:
    """Return the key of the group that an image belongs to."""
    captured = captured_group(image.repository, group_by)
    return GroupKey(image.account, image.region, captured is None, captured or "")


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


def make_group(key: GroupKey, images: Iterable[ImageReport], inventory: Inventory | None, report: str = "") -> Group:
    """Make a group of images with the same key.

    Each image has one entry, and one more if its scan failed. Platforms of one index with the same changes are one
    entry.
    """
    merged: dict[object, ImageReport] = {}
    for image in images:
        is_platform = image.platforms and image.tags and not image.failed
        entry = _news_key(image) if is_platform else (image.repository, image.digest, image.failed)
        image = image._replace(digests=(image.digest,))
        if other := merged.get(entry):
            image = other._replace(
                platforms=tuple(sorted({*other.platforms, *image.platforms})),
                digests=(*other.digests, image.digest),
                scanned_at=max(other.scanned_at, image.scanned_at),
            )
        merged[entry] = image
    entries = sorted(merged.values(), key=image_sort_key)
    return Group(
        key.account,
        key.region,
        None if key.unnamed else key.name,
        tuple(image for image in entries if image.reason not in _APART),
        tuple(image for image in entries if image.failed),
        inventory if inventory and inventory.repositories else None,
        tuple(image for image in entries if image.reason is ReportReason.REMINDER),
        report,
    )


def _news_key(image: ImageReport) -> tuple[object, ...]:
    """Return a key that two platforms of one index share if their reports say the same."""
    return (
        image.repository,
        image.tags,
        image.reason,
        image.predecessor,
        image.shorter,
        frozenset(image.counts.items()),
        frozenset(image.overdue_counts.items()),
        frozenset(image.exploited_counts.items()),
        frozenset(image.ignored_by.items()),
        # The findings that are not kept may differ.
        frozenset((change, *pair) for change, found in image.totals.items() for pair in found.items()),
        frozenset((change, *_names(known)) for change, found in image.changes.items() for known in found),
        frozenset(_names(known) for known, _ in image.overdue),
        frozenset(map(_names, image.exploited)),
    )


def _names(known: KnownFinding) -> tuple[str, str]:
    return known.finding.package, known.finding.id
