"""Gathers what waits in the outbox: which images each group's report has."""

import logging
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from itertools import groupby
from typing import NamedTuple

from ecr_scan_reporter.aws.dynamodb import Key
from ecr_scan_reporter.errors import UnreadableItemError
from ecr_scan_reporter.memory.outbox import INVENTORY, Outbox, Window
from ecr_scan_reporter.reporting.reports.encoding import decode_report
from ecr_scan_reporter.reporting.reports.grouping import GroupKey, Inventory, group_key, merge_scans
from ecr_scan_reporter.reporting.reports.image_report import MAX_FINDINGS, ImageReport, keep_worst

logger = logging.getLogger(__name__)

# Findings that are kept in memory for one report, about a kilobyte each.
_MAX_KEPT = 60_000
_MIN_KEPT_PER_IMAGE = 8

_Entry = tuple[Key, bytes]


class Waiting(NamedTuple):
    """What waits for one group, and the keys of its entries in the outbox."""

    images: list[ImageReport]
    inventory: Inventory
    keys: list[Key]


def gather(windows: Collection[Window], outbox: Outbox, group_by: re.Pattern[str] | None) -> dict[GroupKey, Waiting]:
    """Return what waits in windows, by group.

    Raises:
        AwsError: DynamoDB rejected a call.
    """
    waiting: defaultdict[GroupKey, Waiting] = defaultdict(lambda: Waiting([], Inventory(), []))
    entries = [entry for window in windows if window.name != INVENTORY for entry in outbox.entries(window.name)]
    kept = max(_MIN_KEPT_PER_IMAGE, min(MAX_FINDINGS, _MAX_KEPT // max(len(entries), 1)))
    for keys, scans in _by_image(sorted(entries, key=_sort_key)):
        group = waiting[group_key(scans[-1], group_by)]
        group.images.extend(_cut(image, kept) for image in merge_scans(scans))
        group.keys.extend(keys)
    if any(window.name == INVENTORY for window in windows):
        for keys, scans in _by_image(outbox.entries(INVENTORY)):
            # A failed scan may have been repeated since: the last one counts.
            group = waiting[group_key(scans[-1], group_by)]
            group.inventory.add(scans[-1])
            group.keys.extend(keys)
    return waiting


def _sort_key(entry: _Entry) -> str:
    return entry[0][1]


def _by_image(entries: Iterable[_Entry]) -> Iterator[tuple[list[Key], list[ImageReport]]]:
    """Decode entries, which are in the order of their sort keys; yield those of each image, the earliest scan first.

    What this release cannot read stays in the outbox, for one that can.
    """
    for _, found in groupby(entries, key=lambda entry: _sort_key(entry).rpartition("#")[0]):
        keys, scans = [], []
        for key, data in found:
            try:
                scans.append(decode_report(data))
                keys.append(key)
            except UnreadableItemError as error:
                logger.error("could not read a report that waits", extra={"entry": key[1], "reason": repr(error)})
        if scans:
            yield keys, scans


def _cut(image: ImageReport, kept: int) -> ImageReport:
    return image._replace(
        changes=keep_worst(image.changes, kept, image.reason),
        left_out={},
        ignored=image.ignored[:kept],
        overdue=image.overdue[:kept],
    )
