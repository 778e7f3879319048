"""Gathers what waits in the outbox, by group: what is one report, and how much one invocation publishes."""

import logging
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from datetime import datetime
from itertools import chain, groupby, takewhile
from typing import NamedTuple

from ecr_scan_reporter.aws.dynamodb import Key
from ecr_scan_reporter.errors import UnreadableItemError
from ecr_scan_reporter.memory.codec import unpack_as
from ecr_scan_reporter.memory.images import ImageRecord
from ecr_scan_reporter.memory.outbox import INVENTORY, Note, Outbox, Window, entry_checksum, entry_image, is_readable
from ecr_scan_reporter.reporting.formatting import captured_group
from ecr_scan_reporter.reporting.reports.combining import combine_scans, platform_key
from ecr_scan_reporter.reporting.reports.groups import APART, Group, GroupKey, Inventory
from ecr_scan_reporter.reporting.reports.image_report import (
    MAX_FINDINGS,
    ImageReport,
    cut,
    image_report,
    image_sort_key,
)
from ecr_scan_reporter.reporting.reports.reasons import ReportReason

logger = logging.getLogger(__name__)

# Entries of the outbox, and their bytes, that are published at once; the others follow in further reports.
_MAX_ENTRIES, _MAX_BYTES = 20_000, 64 * 1024 * 1024
# Findings that are kept in memory for all reports that are published at once, about a kilobyte each; and at least of
# each entry.
_MAX_KEPT, _MIN_KEPT_PER_IMAGE = 60_000, 3

_Entry = tuple[Key, bytes]
_NO_NOTE = Note("", frozenset())


class Waiting(NamedTuple):
    """The images and the inventory that wait for one group, and the keys of their entries in the outbox."""

    images: list[ImageReport]
    inventory: Inventory
    keys: list[Key]


class Gathered:
    """What waits to be reported, by group, without what was published before.

    Attributes:
        groups: with what is to be published now, by their keys and the id of the report that was begun before; "" if
            none was.
        published: the keys of entries that were published before.
        whole: whether that is all.
        unreadable: how many entries cannot be read.
    """

    def __init__(self, notes: Iterable[Note]) -> None:
        notes = list(notes)
        self._notes = {checksum: note for note in notes for checksum in note.entries}
        self._is_any_begun = not all(note.done for note in notes)
        self.groups: defaultdict[tuple[GroupKey, str], Waiting] = defaultdict(lambda: Waiting([], Inventory(), []))
        self.published: list[Key] = []
        self.whole, self.unreadable = True, 0
        self._entries_left, self._bytes_left = _MAX_ENTRIES, _MAX_BYTES

    def note(self, entry: _Entry) -> Note:
        """Return the note of the report that was begun with an entry; one without an id if none was."""
        return self._notes.get(entry_checksum(entry[0]), _NO_NOTE) if self._notes else _NO_NOTE

    def goes_on(self, _: _Entry) -> bool:
        """Return whether to read on: where there is no more room, only for the rest of a report that was begun."""
        return self.whole or self._is_any_begun

    def is_unpublished(self, entry: _Entry) -> bool:
        """Return whether an entry was not published before, and note the key of one that was."""
        is_published = self.note(entry).done
        if is_published:
            self.published.append(entry[0])
        return not is_published

    def has_room(self, entry: _Entry) -> bool:
        """Return whether there is room for an entry; those of a report that was begun are published as a whole."""
        if self.note(entry).id:
            return True
        self.whole = self.whole and self._entries_left > 0 and self._bytes_left >= 0
        self._entries_left, self._bytes_left = self._entries_left - 1, self._bytes_left - len(entry[1])
        return self.whole

    def by_image(self, entries: Iterable[_Entry]) -> Iterator[tuple[str, list[Key], list[ImageReport]]]:
        """Decode entries, which are in the order of their sort keys; yield those of each image, the earliest one first.

        An entry of a newer release stays in the outbox. Of one that is damaged, it is said that it could not be read.

        Yields:
            The id of the report that was begun with them, their keys, and what they say.
        """
        by_image = groupby(entries, key=lambda entry: (self.note(entry).id, _sort_key(entry).split("#")[:4]))
        for (report, _), found in by_image:
            keys, scans = [], []
            for key, data in found:
                if not is_readable(key):
                    self.unreadable += 1
                    logger.error("a report of another release waits for it", extra={"entry": key[1]})
                    continue
                keys.append(key)
                try:
                    scans.append(unpack_as(ImageReport, data))
                except UnreadableItemError as error:
                    logger.error("could not read a report that waits", extra={"entry": key[1], "reason": repr(error)})
                    scans.append(_damaged(key))
            if scans:
                yield report, keys, scans


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
        inventory_until: when the publication of the inventory began: what came later is part of the next one.

    Raises:
        AwsError: DynamoDB rejected a call.
    """
    gathered = Gathered(notes)
    names = {window.name for window in windows}
    entries = takewhile(gathered.goes_on, chain.from_iterable(map(outbox.entries, sorted(names - {INVENTORY}))))
    news = filter(gathered.has_room, filter(gathered.is_unpublished, entries))
    found = sorted(news, key=lambda entry: (gathered.note(entry).id, _sort_key(entry)))
    kept = max(_MIN_KEPT_PER_IMAGE, min(MAX_FINDINGS, _MAX_KEPT // max(len(found), 1)))
    for report, keys, scans in gathered.by_image(found):
        group = gathered.groups[group_key(scans[-1], group_by), report]
        for image in combine_scans(scans) if len(scans) > 1 else scans:
            number = 0 if image.reason is ReportReason.REMINDER else kept
            group.images.append(cut(image, number)._replace(left_out={}))
        group.keys.extend(keys)
    inventory = outbox.entries(INVENTORY, inventory_until) if INVENTORY in names else ()
    for report, keys, scans in gathered.by_image(filter(gathered.is_unpublished, inventory)):
        # A failed scan may have been repeated since: the last one counts.
        group = gathered.groups[group_key(scans[-1], group_by), report]
        group.inventory.add(scans[-1])
        group.keys.extend(keys)
    return gathered


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
    return GroupKey(image.id.registry, captured is None, captured or "")


def make_group(key: GroupKey, images: Iterable[ImageReport], inventory: Inventory | None, report: str = "") -> Group:
    """Make a group of images with the same key, the worst one first.

    The platforms of one index whose reports say the same are one entry; a failed scan has its own.
    """
    merged: dict[object, ImageReport] = {}
    for image in images:
        is_platform = image.platforms and image.tags and not image.failed
        entry = platform_key(image) if is_platform else (image.repository, image.digest, image.failed)
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
        key.registry,
        None if key.unnamed else key.name,
        tuple(image for image in entries if image.reason not in APART),
        tuple(image for image in entries if image.failed),
        inventory if inventory and inventory.repositories else None,
        tuple(image for image in entries if image.reason is ReportReason.REMINDER),
        report,
    )
