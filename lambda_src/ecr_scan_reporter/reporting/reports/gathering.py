"""Gathers what waits in the outbox by group: each image has one entry, for all of its scans in a window."""

import logging
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime
from itertools import chain, groupby
from typing import NamedTuple

from ecr_scan_reporter.aws.dynamodb import Key
from ecr_scan_reporter.errors import UnreadableItemError
from ecr_scan_reporter.memory.images import ImageRecord
from ecr_scan_reporter.memory.outbox import INVENTORY, Note, Outbox, Window, entry_checksum, entry_image, is_readable
from ecr_scan_reporter.models.images import ImageId
from ecr_scan_reporter.reporting.comparison.changes import ADDED, GONE, Change, KnownFinding
from ecr_scan_reporter.reporting.formatting import captured_group
from ecr_scan_reporter.reporting.reports.groups import GroupKey, Inventory
from ecr_scan_reporter.reporting.reports.image_report import (
    MAX_FINDINGS,
    ImageReport,
    LeftOutFinding,
    ReportReason,
    cut,
    decode_report,
    finding_key,
    image_report,
    keep_worst,
    leave_out,
    short_key,
    shortened,
    totals,
)

logger = logging.getLogger(__name__)

# Entries of the outbox, and their bytes, that are published at once; the others follow in further reports.
_MAX_ENTRIES, _MAX_BYTES = 20_000, 64 * 1024 * 1024
# Findings that are kept in memory for one report, about a kilobyte each.
_MAX_KEPT, _MIN_KEPT_PER_IMAGE = 60_000, 3

_Entry = tuple[Key, bytes]
_NO_NOTE = Note("", frozenset())

# What two changes of one finding in a row amount to: that of the first report names the row, that of the second one the
# column; in the last column, the second report does not have the finding. None if nothing is left to say.
_NEW, _BACK, _RAISED, _FIX, _EXPLOIT, _ENDED, _HERE, _OPEN, _FIXED, _WITHDRAWN = Change
_ROWS: dict[Change, tuple[Change | None, ...]] = {
    _NEW: (*8 * (_NEW,), None, None, None),
    _BACK: (*8 * (_BACK,), None, None, None),
    _RAISED: (*3 * (_RAISED,), _FIX, _EXPLOIT, *3 * (_RAISED,), _FIXED, _WITHDRAWN, _WITHDRAWN),
    _FIX: (_FIX, _FIX, _RAISED, _FIX, _EXPLOIT, *3 * (_FIX,), _FIXED, _WITHDRAWN, _WITHDRAWN),
    _EXPLOIT: (_EXPLOIT, _EXPLOIT, _RAISED, _FIX, *4 * (_EXPLOIT,), _FIXED, _WITHDRAWN, _WITHDRAWN),
    _ENDED: (*8 * (_ENDED,), None, None, None),
    _HERE: (_HERE, _HERE, _NEW, _NEW, _NEW, _ENDED, _HERE, _HERE, None, None, None),
    _OPEN: (_OPEN, _OPEN, _RAISED, _FIX, _EXPLOIT, *3 * (_OPEN,), _FIXED, _WITHDRAWN, _WITHDRAWN),
    _FIXED: (_OPEN, _OPEN, _RAISED, _FIX, _EXPLOIT, *3 * (_OPEN,), _FIXED, _WITHDRAWN, _FIXED),
    _WITHDRAWN: (_OPEN, _OPEN, _RAISED, _FIX, _EXPLOIT, *3 * (_OPEN,), _FIXED, _WITHDRAWN, _WITHDRAWN),
}
TRANSITIONS = {
    (before, after): both for before, row in _ROWS.items() for after, both in zip((*Change, None), row, strict=True)
}


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

    def __init__(self, outbox: Outbox, notes: Iterable[Note]) -> None:
        self._outbox, notes = outbox, list(notes)
        self._notes = {checksum: note for note in notes for checksum in note.entries}
        self._is_any_begun = not all(note.done for note in notes)
        self.groups: defaultdict[tuple[GroupKey, str], Waiting] = defaultdict(lambda: Waiting([], Inventory(), []))
        self.published: list[Key] = []
        self.whole, self.unreadable = True, 0

    def note(self, entry: _Entry) -> Note:
        """Return the note of the report that was begun with an entry; one without an id if none was."""
        return self._notes.get(entry_checksum(entry[0]), _NO_NOTE) if self._notes else _NO_NOTE

    def first(self, windows: Iterable[str]) -> list[_Entry]:
        """Return as many entries as can be published at once; a report is never divided."""
        found, begun, room = list[_Entry](), list[_Entry](), _MAX_BYTES
        for entry in self.of(windows):
            if self.note(entry).id:
                begun.append(entry)
            elif len(found) < _MAX_ENTRIES and room >= 0:
                found.append(entry)
                room -= len(entry[1])
            else:
                self.whole = False
                if not self._is_any_begun:
                    break
        return begun + found

    def of(self, windows: Iterable[str], until: datetime | None = None) -> Iterator[_Entry]:
        """Yield the entries of windows that were not published before."""
        for entry in chain.from_iterable(self._outbox.entries(window, until) for window in windows):
            if self.note(entry).done:
                self.published.append(entry[0])
            else:
                yield entry

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
                    scans.append(decode_report(data))
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
        inventory_until: when the publication of the inventory began (aware): what came later is part of the next one.

    Raises:
        AwsError: DynamoDB rejected a call.
    """
    gathered = Gathered(outbox, notes)
    found = gathered.first(window.name for window in windows if window.name != INVENTORY)
    kept = max(_MIN_KEPT_PER_IMAGE, min(MAX_FINDINGS, _MAX_KEPT // max(len(found), 1)))
    found.sort(key=lambda entry: (gathered.note(entry).id, _sort_key(entry)))
    for report, keys, scans in gathered.by_image(found):
        group = gathered.groups[group_key(scans[-1], group_by), report]
        for image in merge_scans(scans):
            number = 0 if image.reason is ReportReason.REMINDER else kept
            group.images.append(cut(image, number)._replace(left_out={}))
        group.keys.extend(keys)
    inventory = [INVENTORY] if any(window.name == INVENTORY for window in windows) else []
    for report, keys, scans in gathered.by_image(gathered.of(inventory, inventory_until)):
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


def combine_reports(first: ImageReport, second: ImageReport, since: datetime) -> ImageReport:
    """Combine two reports of the same image in one window into one, as if there had been one scan.

    Between the two, there may have been scans that were not worth a report. A finding that only the second one has is
    new, and a finding that only the first one has is gone. The first one may combine earlier ones; `since` is the time
    of the earliest scan.
    """
    if ReportReason.FINDINGS_NOT_READ in (first.reason, second.reason):
        return _combine_unread(first, second)

    # What each of them says. A rule that was added between the two scans takes away what it ignores now.
    before = {**first.left_out, **shortened(first.changes)}
    after = {**second.left_out, **shortened(second.changes)}
    before = _renamed(before, after, second)
    ignored = [before.pop(key) for key in map(finding_key, second.ignored) if key in before]

    # What both together say, of the findings that they name and of the others.
    named = {finding_key(known): known for image in (first, second) for known in image.worst(*Change)}
    combined = {
        key: found._replace(change=change)
        for key, found in {**before, **after}.items()
        if (change := _combine_changes(before.get(key), after.get(key), since))
    }
    left_out = {key: found for key, found in combined.items() if key not in named}
    changes = {
        change: [named[key] for key, found in combined.items() if found.change is change and key in named]
        for change in Change
    }
    reason = min(first.reason, second.reason, key=list(ReportReason).index)
    kept = keep_worst(changes, MAX_FINDINGS, reason)
    exploited, exploited_counts = _combine_exploited(first, second)
    # What is overdue comes from no scan of its own: the list of the scan before is still the last one.
    last = first if second.scanned_at == first.scanned_at else second
    return second._replace(
        reason=reason,
        shorter=last.shorter,
        first_scan=first.first_scan,
        predecessor=first.predecessor,
        open_before=first.open_before - sum(found.change not in ADDED for found in ignored),
        overdue=(*first.overdue, *second.overdue),
        overdue_counts=Counter(first.overdue_counts) + Counter(second.overdue_counts),
        exploited=exploited,
        exploited_counts=exploited_counts,
        changes=kept,
        left_out=left_out | leave_out(changes, kept),
        totals=totals(changes, left_out.values()),
    )


def _combine_exploited(first: ImageReport, second: ImageReport) -> tuple[tuple[KnownFinding, ...], Counter[str]]:
    """Return what turned urgent in either report and is not gone since, and how much that is by severity."""
    gone = {finding_key(known) for known in (*second.worst(*GONE), *second.ignored)}
    kept = tuple(known for known in first.exploited if finding_key(known) not in gone)
    left = Counter(known.finding.severity for known in first.exploited if finding_key(known) in gone)
    return (*kept, *second.exploited), Counter(first.exploited_counts) - left + Counter(second.exploited_counts)


def _renamed(
    before: Mapping[str, LeftOutFinding], after: Mapping[str, LeftOutFinding], second: ImageReport
) -> dict[str, LeftOutFinding]:
    """Return what the first report says by the ids of the second one: an advisory may have been given its CVE id."""
    renamed = dict(before)
    for known in second.worst(*Change):
        for advisory, _ in known.finding.links():
            old, new = short_key(known.finding.package, advisory), finding_key(known)
            if old in renamed and old not in after and new not in renamed:
                renamed[new] = renamed.pop(old)
    return renamed


def _combine_unread(first: ImageReport, second: ImageReport) -> ImageReport:
    """Combine two reports of which at least one says nothing about findings, because they could not be read."""
    # A reminder has no room to say why findings could not be read.
    if first.reason not in (ReportReason.FINDINGS_NOT_READ, ReportReason.REMINDER):
        return first._replace(scanned_at=second.scanned_at, counts=second.counts, failure=second.failure)
    if second.reason in (ReportReason.KNOWN_EXPLOITED, ReportReason.OVERDUE) and not second.changes.keys() - {
        Change.STILL_OPEN
    }:
        # It comes from no scan of its own, and what could not be read still cannot.
        return second._replace(failure=first.failure)
    return second


def _combine_changes(first: LeftOutFinding | None, second: LeftOutFinding | None, since: datetime) -> Change | None:
    """Return the one change that two changes in a row amount to; None if nothing is left to say."""
    if first:
        return TRANSITIONS[first.change, second and second.change]
    if second is None or second.change in GONE:
        return None
    if second.change in (Change.NO_LONGER_IGNORED, Change.KNOWN_HERE):
        return second.change
    # What has a fix only now is new although it was first seen before.
    is_back = second.change is not Change.NEW and second.first_seen < int(since.timestamp())
    return Change.BACK if is_back else Change.NEW
