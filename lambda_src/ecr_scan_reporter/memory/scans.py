"""The last scan of each image: as the reporter saw it, and as ECR named it to the images scanner."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from itertools import groupby
from typing import NamedTuple

from ecr_scan_reporter.aws.dynamodb import Item, Table
from ecr_scan_reporter.memory import items
from ecr_scan_reporter.memory.codec import readable
from ecr_scan_reporter.memory.images import Asked, ImageRecord, asked_record, image_record
from ecr_scan_reporter.models.images import RegistryId
from ecr_scan_reporter.models.scan_statuses import COMPLETE, FAILED, UNSUPPORTED_SYSTEM
from ecr_scan_reporter.models.scans import Scan

# The attributes of an image's items that the plan of a run and the summary of its repository are made from.
_ATTRIBUTES = (
    *("sk", "status", "failed", "unsupported", "scanned_at", "event_at", "looked_at", "listed", "run", "asked_at"),
    *("counts", "ledger", "updates", "ignored", "overdue", "waived", "earliest_deadlines", "successors", "expires"),
    *("kernel_headers", "exploited", "exploited_first", "exploited_ignored"),
)


class RememberedScan(NamedTuple):
    """The memory of an image's last scan.

    Args:
        scan: the last one that ended, with its date; None if none is remembered.
        asked_at: when a scan was last asked for, or was first seen in progress.
        named: the last one that ECR named when it was asked, with or without a date.
        complete_at: when the last complete scan that the reporter saw ended, even if later ones failed.
        run: the id of the run that asked for a scan at `asked_at`; "" if someone else started it.
        read_at: when the findings that the reporter read last were current.
        listed: the number of entries that ECR listed then, by severity.
        event_at: of the last event that the reporter processed.
    """

    scan: Scan | None
    asked_at: datetime | None = None
    named: Scan | None = None
    complete_at: datetime | None = None
    run: str = ""
    read_at: datetime | None = None
    listed: Mapping[str, int] = {}
    event_at: datetime | None = None


# A digest, the memory of the scans, and the reporter's record of the image; None if there is none.
KnownImage = tuple[str, RememberedScan, ImageRecord | None]


class ScanMemory:
    """The part of the memory table with the scans of a registry.

    Every method raises AwsError if DynamoDB rejects a call.
    """

    def __init__(self, table: Table, registry: RegistryId) -> None:
        self._table, self._registry = table, registry

    def scans(self, repository: str, after: str, until: str, now: datetime) -> Iterator[KnownImage]:
        """Yield the remembered scans of a repository's images, in the order of their digests; 1 MB a call.

        Args:
            after: the digest before the first one; "" for all.
            until: the last digest; "" for all.

        Yields:
            The images, without those whose items cannot be parsed.
        """
        # These are the keys of no items, so each digest falls into exactly one range.
        first = f"{items.image_base(after)}#{items.END}" if after else items.image_base("")
        last = f"{items.image_base(until)}#{items.END}" if until else items.image_base(items.END)
        stored = self._table.query(
            items.repository_key(self._registry, repository), first, last, attributes=_ATTRIBUTES
        )
        images = groupby(stored, items.image_digest)
        yield from readable(images, lambda image: _remembered(*image, now), repository=repository)

    def remember(
        self,
        repository: str,
        scans: Mapping[str, Scan | None],
        asked: Iterable[str],
        run: str,
        now: datetime,
        before: Mapping[str, RememberedScan] | None = None,
    ) -> None:
        """Remember ECR's answers about the last scans of images, and for which of them a scan is asked for now.

        Args:
            scans: as ECR named them, by digest; None for an image that was never scanned.
            asked: the digests of images for which a scan is asked for now.
            run: the id of the run that asks; "" for none.
            before: the memory of the images. It says when and by which run a scan was asked for before: the
                event of that scan may still be on its way to the reporter.
        """
        pk, asked = items.repository_key(self._registry, repository), frozenset(asked)

        def record(digest: str, scan: Scan) -> Asked:
            remembered = (before or {}).get(digest, RememberedScan(None))
            # The scan that a run asks for twice, because its message was delivered twice, is the first one.
            repeated = run and remembered.run == run
            request = (now, run) if digest in asked and not repeated else (remembered.asked_at, remembered.run)
            return Asked(scan.status, UNSUPPORTED_SYSTEM in scan.description, scan.completed_at, *request)

        self._table.put_many(
            items.record_item(pk, items.image_base(digest) + items.ASKED, record(digest, scan or Scan("")), now)
            for digest, scan in scans.items()
        )


def _remembered(digest: str, stored: Iterable[Item], now: datetime) -> KnownImage:
    """Parse the items of one image: the reporter's record, and the request for a scan; at least one of them exists."""
    asked, record = Asked(), None
    for is_asked, found in groupby(stored, lambda item: items.base_key(item).endswith(items.ASKED)):
        if is_asked:
            asked = next((asked_record(item, now) for item in items.latest(found)), asked)
        else:
            record = image_record(*found)
            items.check_past(now, record.scanned_at, record.event_at, record.looked_at)
    named = Scan(asked.status, asked.scanned_at, _description(asked)) if asked.status else None
    seen = record or ImageRecord()
    remembered = RememberedScan(
        scan=_newest(_reported_scan(seen), named),
        asked_at=asked.asked_at,
        named=named,
        complete_at=seen.scanned_at,
        run=asked.run,
        read_at=max(filter(None, (seen.scanned_at, seen.looked_at)), default=None),
        listed=seen.listed,
        event_at=seen.event_at,
    )
    return digest, remembered, record


def _newest(*scans: Scan | None) -> Scan | None:
    ended = [(scan.completed_at, scan) for scan in scans if scan and scan.completed_at]
    return max(ended, key=lambda pair: pair[0])[1] if ended else None


def _reported_scan(record: ImageRecord) -> Scan | None:
    """Return the last scan that the reporter saw. A failed scan has the date of its event."""
    if record.failed:
        return Scan(FAILED, record.event_at, _description(record))
    return Scan(COMPLETE, record.scanned_at) if record.scanned_at else None


def _description(scan: Asked | ImageRecord) -> str:
    return UNSUPPORTED_SYSTEM if scan.unsupported else ""
