"""What the reporter remembers of each image: its last scan, its findings, and the tracks that it belongs to."""

import json
import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from ecr_scan_reporter.aws.dynamodb import Item, Key, Put, Table
from ecr_scan_reporter.errors import UnreadableItemError
from ecr_scan_reporter.memory.items import (
    END,
    IMAGE_LIFETIME,
    TRACK_LIFETIME,
    decoding,
    expires,
    image_key,
    key_part,
    number,
    pack,
    repository_key,
    sortable,
    text,
    to_seconds,
    to_time,
)
from ecr_scan_reporter.memory.scans import asked_key
from ecr_scan_reporter.models.images import ImageId, RegistryId
from ecr_scan_reporter.models.severities import severity_rank

logger = logging.getLogger(__name__)

# Bytes of findings in one item, which may have 400 KB with everything else.
_PART_SIZE = 350_000
# How many tags are kept: the first ones name the image, and the first ones in alphabetical order name its tracks.
_TAGS = 10
# How many images of a track are considered in the search for a predecessor or a successor.
_TRACK_IMAGES = 5


@dataclass(frozen=True, slots=True)
class Ledger:
    """The changes of an image's findings since memory began to know it.

    carried + new + back - fixed - withdrawn = open now, always.

    Args:
        carried: findings of the predecessor, or of the first inventory.
        new: findings that were new.
        back: findings that came back.
        fixed: findings that were fixed in this image.
        withdrawn: findings that the vulnerability database withdrew.
        new_critical: those of the new ones that were critical.
        new_high: those of the new ones that were high.
    """

    carried: int = 0
    new: int = 0
    back: int = 0
    fixed: int = 0
    withdrawn: int = 0
    new_critical: int = 0
    new_high: int = 0

    @property
    def open(self) -> int:
        """How many findings are open after all these changes."""
        return self.carried + self.new + self.back - self.fixed - self.withdrawn

    def __add__(self, other: "Ledger") -> "Ledger":
        return Ledger(*(mine + its for mine, its in zip(self.to_json(), other.to_json(), strict=True)))

    def __sub__(self, other: "Ledger") -> "Ledger":
        return Ledger(*(mine - its for mine, its in zip(self.to_json(), other.to_json(), strict=True)))

    def to_json(self) -> list[int]:
        """Return JSON values."""
        return [getattr(self, entry.name) for entry in fields(self)]

    @classmethod
    def from_json(cls, values: Sequence[int]) -> "Ledger":
        """Return what `to_json` encoded."""
        return cls(*values)


class UpdateKey(NamedTuple):
    """The package and its versions, which identify an update."""

    package: str
    installed_versions: tuple[str, ...]
    fixed_versions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Update:
    """An update of a package that solves open findings. `fixed_versions` is empty if none is known."""

    package: str
    installed_versions: tuple[str, ...]
    fixed_versions: tuple[str, ...]
    counts: Counter[str]
    images: int = 1

    @property
    def key(self) -> UpdateKey:
        """The package and its versions, which identify the update."""
        return UpdateKey(self.package, self.installed_versions, self.fixed_versions)

    def sort_key(self) -> tuple[object, ...]:
        """Return a sort key: the most critical findings first, then the most images, then the other severities."""
        ordered = [0] * 8
        for severity, findings in self.counts.items():
            ordered[severity_rank(severity)] -= findings
        return ordered[0], -self.images, *ordered[1:], self.key

    def __add__(self, other: "Update") -> "Update":
        return replace(self, counts=self.counts + other.counts, images=self.images + other.images)

    def to_json(self) -> list[Any]:
        """Return JSON values."""
        return [self.package, self.installed_versions, self.fixed_versions, dict(self.counts), self.images]

    @classmethod
    def from_json(cls, values: Sequence[Any]) -> "Update":
        """Return what `to_json` encoded."""
        package, installed, fixed, counts, images = values
        return cls(package, tuple(installed), tuple(fixed), Counter(counts), images)


class FindingDeadline(NamedTuple):
    """The deadline (aware) of an open finding, with the key of `fix_within` that set it, and its value."""

    id: str
    package: str
    severity: str
    due_at: datetime
    rule: str = ""
    days: int = 0


class ImageRecord(NamedTuple):
    """The last scan of an image, as the reporter saw it. Times are aware.

    Args:
        revision: counts the writes of this record; 0 if there is none yet.
        event_at: of the last event that was processed.
        scanned_at: when the last complete scan ended; None if no scan was ever complete.
        failed: whether the last scan failed.
        unsupported: whether it failed because ECR does not support the image.
        counts: open findings by severity.
        findings_format: the version of the encoding of the remembered findings.
        parts: how many items hold the findings.
        tags: own ones, or those of the index.
        platform: such as linux/arm64, if an index names it.
        operating_system: such as ALPINE_LINUX_3_20, if it is known.
        pushed_at: when the image was pushed.
        reported_at: when the image was last reported.
        window: the window in which the last change waits, or waited, to be reported.
        ledger: of the changes so far.
        updates: those that solve most of the open findings.
        ignored: how many open findings are ignored.
        due_at: the earliest deadline of an open finding that was not yet reported as overdue.
        overdue: how many open findings are overdue.
        earliest_deadlines: of a few open findings, passed or not, earliest first.
    """

    revision: int = 0
    event_at: datetime | None = None
    scanned_at: datetime | None = None
    failed: bool = False
    unsupported: bool = False
    counts: Mapping[str, int] | None = None
    findings_format: int = 0
    parts: int = 0
    tags: tuple[str, ...] = ()
    platform: str = ""
    operating_system: str = ""
    pushed_at: datetime | None = None
    reported_at: datetime | None = None
    window: str = ""
    ledger: Ledger = Ledger()
    updates: tuple[Update, ...] = ()
    ignored: int = 0
    due_at: datetime | None = None
    overdue: int = 0
    earliest_deadlines: tuple[FindingDeadline, ...] = ()


class Remembered(NamedTuple):
    """What is remembered of one image: its record, its encoded findings, and what the images scanner asked for."""

    record: ImageRecord
    findings: bytes
    asked: Item


class ImageMemory:
    """The part of the memory table that the reporter compares scans with.

    Every method raises AwsError if DynamoDB rejects a call.
    """

    def __init__(self, table: Table) -> None:
        self._table = table

    def read(self, image: ImageId) -> Remembered:
        """Return what is remembered of an image; one call, and one more per 35 MB of findings."""
        pk, digest = repository_key(image.registry, image.repository), image.digest
        own, asked, first = image_key(digest), asked_key(digest), _findings_key(digest, 0)
        found = self._table.get_many([(pk, own), (pk, asked), (pk, first)])
        record = image_record(found.get((pk, own), {}))
        parts = found
        if record.parts > 1:
            parts = parts | self._table.get_many((pk, _findings_key(digest, n)) for n in range(1, record.parts))
        blobs = [parts.get((pk, _findings_key(digest, n)), {}).get("data", b"") for n in range(record.parts)]
        return Remembered(record, b"".join(map(_bytes, blobs)), found.get((pk, asked), {}))

    def records(self, registry: RegistryId, repository: str) -> Iterator[tuple[str, ImageRecord]]:
        """Yield the digests and records of a repository's images, even if ECR no longer lists them; 1 MB a call.

        An image whose item cannot be parsed is left out.
        """
        first = image_key("")
        for item in self._table.query(repository_key(registry, repository), first, image_key(END)):
            digest = text(item, "sk").removeprefix(first)
            # The item that says when a scan was asked for has the key of its image, with a suffix.
            if "#" in digest:
                continue
            try:
                record = image_record(item)
            except UnreadableItemError as error:
                extra = {"repository": repository, "digest": digest, "reason": str(error)}
                logger.warning("what memory holds of an image cannot be read", extra=extra)
                continue
            yield digest, record

    def known_since(self, image: ImageId, now: datetime) -> datetime:
        """Return since when the repository of an image has been known (aware): since now, if it was unknown."""
        item = self._table.update(
            repository_key(image.registry, image.repository),
            "REPOSITORY",
            "SET since = if_not_exists(since, :now)",
            {":now": to_seconds(now)},
            {},
        )
        return to_time(item["since"]) or now

    def track_images(
        self,
        image: ImageId,
        record: ImageRecord,
        labels: Iterable[str],
        *,
        before: datetime | None = None,
        after: datetime | None = None,
    ) -> Iterator[ImageId]:
        """Yield the last few other images of an image's tracks, the newest one of each track first.

        Args:
            image: is left out.
            record: of the image; images of another platform or operating system are left out.
            labels: of the tracks.
            before: only images that joined the track before this time (aware).
            after: only images that joined it after this time (aware).
        """
        pk = repository_key(image.registry, image.repository)
        first, last = sortable(after + timedelta(seconds=1)) if after else "", sortable(before) if before else END
        for label in labels:
            track = _track_key(record.platform, label)
            for item in self._table.query(pk, track + first, track + last, limit=_TRACK_IMAGES, descending=True):
                systems = {record.operating_system, text(item, "operating_system")} - {""}
                if text(item, "digest") != image.digest and len(systems) < 2:
                    yield image._replace(digest=text(item, "digest"))

    def write(
        self,
        image: ImageId,
        record: ImageRecord,
        now: datetime,
        *,
        findings: bytes | None = None,
        tracks: Sequence[tuple[str, datetime]] = (),
        outbox: Item | None = None,
    ) -> None:
        """Remember a scan: everything or nothing.

        Args:
            image: that was scanned.
            record: of the scan, with the revision that was read.
            now: aware.
            findings: encoded; None if they are the same as before.
            tracks: labels, each with the time from which the image stands for it.
            outbox: the change that waits to be reported.

        Raises:
            ConditionError: another invocation has written this image in the meantime.
        """
        pk, digest = repository_key(image.registry, image.repository), image.digest
        puts: list[Put] = []
        obsolete: list[Key] = []
        if findings is not None:
            parts = _findings_items(pk, digest, findings, now)
            obsolete = [(pk, _findings_key(digest, n)) for n in range(len(parts), record.parts)]
            record = record._replace(parts=len(parts))
            puts += map(Put, parts)
        item = image_item(pk, digest, record) | {"expires": expires(now, IMAGE_LIFETIME)}
        puts.append(Put(item, record.revision))
        puts += [Put(_track_item(pk, digest, record, label, since, now)) for label, since in tracks]
        if outbox:
            puts.append(Put(outbox))
        self._table.write(puts, obsolete)


def _findings_items(pk: str, digest: str, findings: bytes, now: datetime) -> list[Item]:
    until = expires(now, IMAGE_LIFETIME)
    blobs = (findings[start : start + _PART_SIZE] for start in range(0, len(findings), _PART_SIZE))
    return [{"pk": pk, "sk": _findings_key(digest, n), "data": blob, "expires": until} for n, blob in enumerate(blobs)]


def _track_item(pk: str, digest: str, record: ImageRecord, label: str, since: datetime, now: datetime) -> Item:
    return {
        "pk": pk,
        "sk": _track_key(record.platform, label) + f"{sortable(since)}#{key_part(digest)}",
        "digest": digest,
        "operating_system": record.operating_system,
        "expires": expires(now, TRACK_LIFETIME),
    }


def _findings_key(digest: str, part: int) -> str:
    return f"FINDINGS#{key_part(digest)}#{part}"


def _track_key(platform: str, label: str) -> str:
    return f"TRACK#{key_part(platform)}#{key_part(label)}#"


def _bytes(value: object) -> bytes:
    return value if isinstance(value, bytes) else b""


@decoding()
def image_record(item: Item) -> ImageRecord:
    """Return the record of an image from its item.

    Raises:
        UnreadableItemError: the item cannot be parsed.
    """
    return ImageRecord(
        revision=number(item, "revision"),
        event_at=to_time(item.get("event_at")),
        scanned_at=to_time(item.get("scanned_at")),
        failed=text(item, "status") == "FAILED",
        unsupported=bool(number(item, "unsupported")),
        counts=json.loads(text(item, "counts") or "{}"),
        findings_format=number(item, "findings_format"),
        parts=number(item, "parts"),
        tags=tuple(json.loads(text(item, "tags") or "[]")),
        platform=text(item, "platform"),
        operating_system=text(item, "operating_system"),
        pushed_at=to_time(item.get("pushed_at")),
        reported_at=to_time(item.get("reported_at")),
        window=text(item, "window"),
        ledger=Ledger.from_json(json.loads(text(item, "ledger") or "[]")),
        updates=tuple(map(Update.from_json, json.loads(text(item, "updates") or "[]"))),
        ignored=number(item, "ignored"),
        due_at=to_time(item.get("due_at")),
        overdue=number(item, "overdue"),
        earliest_deadlines=tuple(
            FindingDeadline(id_, package, severity, datetime.fromtimestamp(due, UTC), *why)
            for id_, package, severity, due, *why in json.loads(text(item, "earliest_deadlines") or "[]")
        ),
    )


def image_item(pk: str, digest: str, record: ImageRecord) -> dict[str, str | int | bytes]:
    """Return the item of an image that writes `record`."""
    values: dict[str, str | int | bytes] = {
        "event_at": to_seconds(record.event_at),
        "scanned_at": to_seconds(record.scanned_at),
        "unsupported": int(record.unsupported),
        "counts": json.dumps(record.counts or {}, separators=(",", ":")),
        "findings_format": record.findings_format,
        "parts": record.parts,
        "tags": pack(dict.fromkeys((*record.tags[:_TAGS], *sorted(record.tags)[:_TAGS]))),
        "platform": record.platform,
        "operating_system": record.operating_system,
        "pushed_at": to_seconds(record.pushed_at),
        "reported_at": to_seconds(record.reported_at),
        "window": record.window,
        "ledger": pack(record.ledger.to_json()) if record.ledger != Ledger() else "",
        "updates": pack(update.to_json() for update in record.updates),
        "ignored": record.ignored,
        "due_at": to_seconds(record.due_at),
        "overdue": record.overdue,
        "earliest_deadlines": pack(
            [id_, package, severity, to_seconds(due), *why]
            for id_, package, severity, due, *why in record.earliest_deadlines
        ),
    }
    # Empty attributes are left out: a query is charged by the size of the items.
    filled = {name: value for name, value in values.items() if value not in ("", 0, "[]", "{}")}
    status = "FAILED" if record.failed else "COMPLETE"
    return {"pk": pk, "sk": image_key(digest), "revision": record.revision + 1, "status": status, **filled}
