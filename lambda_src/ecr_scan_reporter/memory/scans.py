"""The last scan of each image: as the reporter saw it, and as the images scanner asked for it."""

import logging
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from itertools import groupby
from typing import NamedTuple

from ecr_scan_reporter.aws.dynamodb import Item, Table, Value
from ecr_scan_reporter.memory.items import (
    END,
    UNREADABLE,
    expires,
    image_key,
    number,
    repository_key,
    text,
    to_seconds,
    to_time,
)
from ecr_scan_reporter.models.images import RegistryId
from ecr_scan_reporter.models.scan_statuses import COMPLETE, FAILED, UNSUPPORTED_SYSTEM
from ecr_scan_reporter.models.scans import Scan

logger = logging.getLogger(__name__)

_ASKED = "#ASKED"
# The attributes of an image's items that the plan of a run and the summary of its repository are made from.
_ATTRIBUTES = (
    *("sk", "status", "unsupported", "scanned_at", "event_at", "run", "asked_at"),
    *("counts", "ledger", "updates", "ignored", "due_at", "overdue", "earliest_deadlines"),
)


class RememberedScan(NamedTuple):
    """What is remembered of an image's last scan.

    Args:
        scan: the last one that ended, with its date; None if none is remembered.
        asked_at: when a scan was last asked for, or was first seen in progress (aware).
        named: the last one that ECR named when it was asked, with or without a date.
        complete_at: when the last complete scan ended that the reporter saw (aware), even if later ones failed.
        run: the id of the run that asked for a scan at `asked_at`; "" if someone else started it.
    """

    scan: Scan | None
    asked_at: datetime | None = None
    named: Scan | None = None
    complete_at: datetime | None = None
    run: str = ""


class ScanMemory:
    """The part of the memory table with the scans of a registry.

    Every method raises AwsError if DynamoDB rejects a call.
    """

    def __init__(self, table: Table, registry: RegistryId) -> None:
        self._table, self._registry = table, registry

    def scans(self, repository: str, after: str, until: str) -> Iterator[tuple[str, RememberedScan, Item]]:
        """Yield what is remembered of the scans of a repository's images, in the order of their digests; 1 MB a call.

        Args:
            repository: its name.
            after: the digest before the first one; "" for all.
            until: the last digest; "" for all.

        Yields:
            The digest, what is remembered of the scans, and the reporter's item of the image, {} if there is none. An
            image whose items cannot be parsed is left out.
        """
        # A space sorts before every character of a key, so each digest falls into exactly one range.
        first = f"{asked_key(after)} " if after else image_key("")
        last = asked_key(until) if until else image_key(END)
        items = self._table.query(repository_key(self._registry, repository), first, last, attributes=_ATTRIBUTES)
        for digest, pair in groupby(items, _digest):
            try:
                remembered, reported = _remembered(pair)
            except UNREADABLE as error:
                extra = {"repository": repository, "digest": digest, "reason": repr(error)}
                logger.warning("what memory holds of an image cannot be read", extra=extra)
                continue
            yield digest, remembered, reported

    def remember(
        self,
        repository: str,
        scans: Mapping[str, Scan | None],
        asked: Iterable[str],
        run: str,
        now: datetime,
        before: Mapping[str, RememberedScan] | None = None,
    ) -> None:
        """Remember what ECR said about the last scans of images, and for which of them a scan is asked for now.

        Args:
            repository: its name.
            scans: as ECR named them, by digest; None for an image that was never scanned.
            asked: the digests of images for which a scan is asked for now.
            run: the id of the run that asks; "" for none.
            now: aware.
            before: what is remembered of the images. It says when and by which run a scan was asked for before: the
                event of that scan may still be on its way to the reporter.
        """
        pk, until, asked = repository_key(self._registry, repository), expires(now), frozenset(asked)

        def request(digest: str) -> tuple[datetime | None, str]:
            remembered = (before or {}).get(digest, RememberedScan(None))
            # The scan that a run asks for twice, because its message was delivered twice, is the first one.
            repeated = run and remembered.run == run
            return (now, run) if digest in asked and not repeated else (remembered.asked_at, remembered.run)

        self._table.put_many(
            {"pk": pk, "sk": asked_key(digest), "expires": until, **_asked_attributes(scan, *request(digest))}
            for digest, scan in scans.items()
        )


def asked_key(digest: str) -> str:
    """Return the sort key of what was asked for an image."""
    return image_key(digest) + _ASKED


def asked_run(item: Item, answered_at: datetime | None, scanned_at: datetime) -> str:
    """Return the id of the run that asked for a scan; "" if someone else started it.

    Args:
        item: of what was asked.
        answered_at: when the last scan ended that is already known (aware); None if none is known.
        scanned_at: when the scan in question ended (aware).
    """
    asked_at = to_time(item.get("asked_at"))
    if asked_at is None or (answered_at and answered_at >= asked_at):
        return ""
    # The clocks of two services may differ by minutes. A scan takes minutes: one that ends more than a day later is
    # another one.
    early, late = asked_at - timedelta(minutes=5), asked_at + timedelta(days=1)
    return text(item, "run") if early <= scanned_at <= late else ""


def _asked_attributes(scan: Scan | None, asked_at: datetime | None, run: str) -> Item:
    values: dict[str, Value] = {
        "status": scan.status if scan else "",
        "unsupported": int(bool(scan and UNSUPPORTED_SYSTEM in scan.description)),
        "scanned_at": to_seconds(scan.completed_at if scan else None),
        "run": run,
        "asked_at": to_seconds(asked_at),
    }
    # Empty attributes are left out: a query is charged by the size of the items.
    return {name: value for name, value in values.items() if value}


def _digest(item: Item) -> str:
    return text(item, "sk").removeprefix(image_key("")).removesuffix(_ASKED)


def _remembered(items: Iterable[Item]) -> tuple[RememberedScan, Item]:
    """Parse the items of one image: what the reporter saw, and what was asked for; at least one of the two exists."""
    reported: Item = {}
    asked: Item = {}
    for item in items:
        if text(item, "sk").endswith(_ASKED):
            asked = item
        else:
            reported = item
    named = _asked_scan(asked)
    remembered = RememberedScan(
        scan=_newest(_reported_scan(reported), named),
        asked_at=to_time(asked.get("asked_at")),
        named=named,
        complete_at=to_time(reported.get("scanned_at")),
        run=text(asked, "run"),
    )
    return remembered, reported


def _newest(*scans: Scan | None) -> Scan | None:
    ended = [(scan.completed_at, scan) for scan in scans if scan and scan.completed_at]
    return max(ended, key=lambda pair: pair[0])[1] if ended else None


def _reported_scan(item: Item) -> Scan | None:
    """Return the last scan that the reporter saw. A failed scan has the date of its event."""
    if text(item, "status") == FAILED:
        return Scan(FAILED, to_time(item.get("event_at")), UNSUPPORTED_SYSTEM if number(item, "unsupported") else "")
    return Scan(COMPLETE, to_time(item.get("scanned_at"))) if number(item, "scanned_at") else None


def _asked_scan(item: Item) -> Scan | None:
    """Return the last scan that ECR named when it was asked."""
    description = UNSUPPORTED_SYSTEM if number(item, "unsupported") else ""
    return Scan(text(item, "status"), to_time(item.get("scanned_at")), description) if text(item, "status") else None
