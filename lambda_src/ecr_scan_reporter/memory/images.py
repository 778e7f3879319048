"""The reporter's memory of each image: its last scan, findings, links to others; which run asked for a scan."""

import operator
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import partial
from itertools import groupby
from typing import NamedTuple

from ecr_scan_reporter.aws.dynamodb import NOTHING, Addition, Item, Key, Put, Table, Value
from ecr_scan_reporter.errors import UnreadableItemError
from ecr_scan_reporter.memory import items, lifetimes
from ecr_scan_reporter.memory.codec import attributes, from_item, readable, unpack_numbers
from ecr_scan_reporter.memory.pushes import PushedImage, pushed_item, pushed_key
from ecr_scan_reporter.models.images import ImageId, RegistryId
from ecr_scan_reporter.models.severities import severity_key

# The checksums of an image's CVE ids. They lie apart from its record, which is read every day.
_CVES = "CVES"
# A transaction has room for fewer.
_MAX_PARTS = 12
# An image is not written as often.
_MAX_REVISION = 10**12
# In Unix seconds it is not 0, which is no time.
_LONG_AGO = datetime(1970, 1, 2, tzinfo=UTC)
# For how many days, and of how many of the last events, ids are kept; SQS keeps no message for longer.
_EVENT_DAYS, _MAX_EVENTS = 14, 40
# How many tags are kept in each order: the first ones name the image, and the first ones in alphabetical order tell its
# family.
_TAGS_KEPT_PER_ORDER = 10
# The clocks of two services may differ by minutes. A scan takes minutes: one that ends more than a day after it was
# asked for is another one.
_CLOCKS_DIFFER, _SCAN_ENDS_WITHIN = timedelta(minutes=5), timedelta(days=1)
# Findings that have not changed are written again when they expire within this time.
_REWRITTEN_BEFORE_EXPIRY = lifetimes.IMAGE / 3
# The attributes that tell which of an image's items is the last one.
_IDENTIFYING = ("sk", "revision", "event_at")


class Ledger(NamedTuple):
    """The changes of an image's findings since memory began to know it.

    carried + new + back - fixed - withdrawn - not_looked_for = open now, always.

    Args:
        carried: findings of the predecessor, of the first inventory, or known here.
        new: findings that were new.
        back: findings that came back.
        fixed: findings that were fixed in this image.
        withdrawn: findings that the vulnerability database withdrew.
        new_critical: those of the new ones that were critical.
        new_high: those of the new ones that were high.
        not_looked_for: findings that another scanner had listed, and that the one after it does not look for.
    """

    carried: int = 0
    new: int = 0
    back: int = 0
    fixed: int = 0
    withdrawn: int = 0
    new_critical: int = 0
    new_high: int = 0
    not_looked_for: int = 0

    @property
    def open(self) -> int:
        """How many findings are open after all these changes."""
        return self.carried + self.new + self.back - self.fixed - self.withdrawn - self.not_looked_for

    def __add__(self, other: "Ledger") -> "Ledger":  # type: ignore[override]
        return Ledger(*map(operator.add, self, other))

    def __sub__(self, other: "Ledger") -> "Ledger":
        return Ledger(*map(operator.sub, self, other))


class UpdateKey(NamedTuple):
    """The package and its versions, which identify an update."""

    package: str
    installed_versions: tuple[str, ...]
    fixed_versions: tuple[str, ...]


class Update(NamedTuple):
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
        """Return a sort key: the most critical findings first, then the most high ones, then the most images."""
        ordered = severity_key(self.counts)
        return *ordered[:2], -self.images, *ordered[2:], self.key

    def __add__(self, other: "Update") -> "Update":  # type: ignore[override]
        return self._replace(counts=self.counts + other.counts, images=self.images + other.images)


class FindingDeadline(NamedTuple):
    """The deadline of an open finding, with the key of `fix_within` that set it, and its value."""

    id: str
    package: str
    severity: str
    due_at: datetime
    rule: str = ""
    days: int = 0


class KnownExploited(NamedTuple):
    """A finding that is known to be exploited.

    Args:
        id: of the finding.
        severity: of the finding.
        package: of the finding.
        added: when CISA added it to its catalog.
        due: when it is to be fixed, by the days that CISA gives.
        ransomware: whether it is known to be used in ransomware campaigns.
        told_at: when it was first reported as such; None if the first copy of the catalog had it already.
    """

    id: str
    severity: str
    package: str
    added: date
    due: date
    ransomware: bool = False
    told_at: datetime | None = None


class ImageRecord(NamedTuple):
    """The last scan of an image, as the reporter saw it.

    Args:
        revision: counts the writes of this record in this release's format; 0 if there is none yet, -1 if it cannot
            be read.
        event_at: of the last event that was processed, by the events' own times.
        looked_at: when the findings of Inspector were last read; None with basic scanning.
        look_at: when they are to be read again because of a single finding; None if that is not planned.
        scanned_at: when the last complete scan ended; None if no scan was ever complete.
        failed: whether the last scan failed.
        failure: why it failed, shortened; "" if it did not.
        unsupported: whether it failed because ECR does not support the image.
        scanner: "basic" or "enhanced", of the last complete scan; "" if that is not known.
        counts: open findings by severity.
        listed: the number of entries that ECR listed for the last complete scan, by severity; as events count them.
        findings_format: the format of the items that hold the findings.
        parts: how many items hold the findings.
        tags: own ones, or those of the index.
        former_tags: those that it had before.
        platform: such as linux/arm64, if an index names it.
        operating_system: such as ALPINE_LINUX_3_20, if it is known.
        pushed_at: when the image was pushed.
        predecessor: the digest of the image that it replaces; "" if it replaces none.
        successors: the digests of the images that replace it.
        reported_at: when the image, or the one that it replaces, was last reported.
        window: the window in which the last change waits, or waited, to be reported.
        ledger: of the changes so far.
        updates: those that solve most of the open findings.
        ignored: how many open findings are ignored.
        due_at: the earliest deadline of an open finding that has not passed.
        overdue: how many open findings are overdue.
        waived: whether overdue or exploited findings were not reported, because another image has replaced this one.
        earliest_deadlines: of a few open findings, passed or not, earliest first.
        ignored_until: the first day (UTC) on which a rule that ignores one of them has ended; None if there is none.
        judged_by: identifies the settings and rules that all of this was decided with.
        events: the short ids of the last events that were processed, with the days of that, as ordinals.
        content: a hash of all that ECR listed for the last complete scan, with its date; "" if it had none.
        told: the counts of the last event, if its list could not be read to the end.
        kernel_headers: how many of the ignored findings are of kernel headers.
        exploited: how many open findings are known to be exploited, and are not ignored.
        exploited_first: a few of them, those that are due first.
        exploited_ignored: how many of the ignored findings are known to be exploited.
    """

    revision: int = 0
    event_at: datetime | None = None
    looked_at: datetime | None = None
    look_at: datetime | None = None
    scanned_at: datetime | None = None
    failed: bool = False
    failure: str = ""
    unsupported: bool = False
    scanner: str = ""
    counts: Mapping[str, int] = {}
    listed: Mapping[str, int] = {}
    findings_format: int = 0
    parts: int = 0
    tags: tuple[str, ...] = ()
    former_tags: tuple[str, ...] = ()
    platform: str = ""
    operating_system: str = ""
    pushed_at: datetime | None = None
    predecessor: str = ""
    successors: frozenset[str] = frozenset()
    reported_at: datetime | None = None
    window: str = ""
    ledger: Ledger = Ledger()
    updates: tuple[Update, ...] = ()
    ignored: int = 0
    due_at: datetime | None = None
    overdue: int = 0
    waived: bool = False
    earliest_deadlines: tuple[FindingDeadline, ...] = ()
    ignored_until: date | None = None
    judged_by: str = ""
    events: Mapping[str, int] = {}
    content: str = ""
    told: Mapping[str, int] = {}
    kernel_headers: int = 0
    exploited: int = 0
    exploited_first: tuple[KnownExploited, ...] = ()
    exploited_ignored: int = 0

    def with_events(self, ids: Iterable[str], now: datetime) -> "ImageRecord":
        """Return the record with the ids of events that are processed now; itself if all of them were before."""
        today = now.toordinal()
        kept = {id_: day for id_, day in self.events.items() if 0 <= today - day <= _EVENT_DAYS}
        added = dict.fromkeys((id_ for id_ in ids if id_ not in kept), today)
        return self._replace(events=dict([*kept.items(), *added.items()][-_MAX_EVENTS:])) if added else self

    @property
    def all_tags(self) -> tuple[str, ...]:
        """The tags that the image has or had."""
        return (*self.tags, *self.former_tags)

    def with_tags(self, tags: tuple[str, ...]) -> "ImageRecord":
        """Return the record with the tags that the image has now; those that have moved on tell what it replaced."""
        former = tuple(tag for tag in dict.fromkeys(self.all_tags) if tag not in tags)
        return self._replace(tags=tags, former_tags=former[:_TAGS_KEPT_PER_ORDER])


class Asked(NamedTuple):
    """ECR's last answer to the images scanner about the scan of an image, and the scanner's request for another one.

    Args:
        status: of the last scan; "" if there was none.
        unsupported: whether it failed because ECR does not support the image.
        scanned_at: when it ended, if ECR gave a date.
        asked_at: when a scan was last asked for, or was first seen in progress.
        run: the id of the run that asked for it; "" if someone else started it.
    """

    status: str = ""
    unsupported: bool = False
    scanned_at: datetime | None = None
    asked_at: datetime | None = None
    run: str = ""

    def run_of_scan(self, scanned_at: datetime, answered_at: datetime | None) -> str:
        """Return the id of the run that asked for a scan; "" if someone else started it.

        Args:
            scanned_at: when the scan in question ended.
            answered_at: when the last scan that is already known ended; None if none is known.
        """
        if self.asked_at is None or (answered_at and answered_at >= self.asked_at):
            return ""
        early, late = self.asked_at - _CLOCKS_DIFFER, self.asked_at + _SCAN_ENDS_WITHIN
        return self.run if early <= scanned_at <= late else ""


class Remembered(NamedTuple):
    """The memory of one image: its record, its encoded findings, and the request of the images scanner.

    `findings_expire` is when DynamoDB may delete the findings; None if there are none.
    """

    record: ImageRecord
    findings: bytes
    asked: Asked
    findings_expire: datetime | None = None

    def is_ageing(self, now: datetime) -> bool:
        """Return whether the findings are to be written again, although they are the same: before they expire."""
        if self.record.findings_format != items.formats()[0]:
            return True
        return self.findings_expire is not None and self.findings_expire - now < _REWRITTEN_BEFORE_EXPIRY


class ImageMemory:
    """The part of the memory table with which the reporter compares the scans of one batch.

    Every method raises AwsError if DynamoDB rejects a call.
    """

    def __init__(self, table: Table, now: datetime) -> None:
        self._table, self._now = table, now
        self._since: dict[Key, datetime] = {}

    def read(self, image: ImageId) -> Remembered:
        """Return the memory of an image; one call, and another if the findings have several parts."""
        return self.read_many([image])[image]

    def read_many(self, images: Collection[ImageId]) -> dict[ImageId, Remembered]:
        """Return the memory of images; one call for 33 of them, and one more per 16 MB of further parts."""
        keys = {image: (items.repository_key(image.registry, image.repository), image.digest) for image in images}
        found = self._table.get_many((pk, sk) for pk, digest in keys.values() for sk in _keys(digest))
        records = {
            image: _known_record(_in_all_formats(found, pk, items.image_base(digest)), self._now)
            for image, (pk, digest) in keys.items()
        }
        parts = {image: _part_keys(*keys[image], record) for image, record in records.items()}
        if more := [key for first in parts.values() for key in first[1:]]:
            found |= self._table.get_many(more)
        return {
            image: Remembered(
                record,
                b"".join(items.binary(found.get(key, NOTHING)) for key in parts[image]),
                _known_request(_in_all_formats(found, pk, items.image_base(digest) + items.ASKED), self._now),
                items.to_time(found.get(parts[image][0], {}).get("expires")) if parts[image] else None,
            )
            for (image, (pk, digest)), record in zip(keys.items(), records.values(), strict=True)
        }

    def records(
        self, registry: RegistryId, repository: str, after: str = "", attributes: Sequence[str] = ()
    ) -> Iterator[tuple[str, ImageRecord]]:
        """Return the digests and records of a repository's images, even if ECR no longer lists them; 1 MB a call.

        An image whose item cannot be parsed is left out. The writes of the last seconds may be missing.

        Args:
            after: the digest before the first one; "" for all.
            attributes: the fields that the records have; all by default.
        """
        first = f"{items.image_base(after)}#{items.END}" if after else items.image_base("")
        stored = self._table.query(
            *(items.repository_key(registry, repository), first, items.image_base(items.END)),
            attributes=(*_IDENTIFYING, *attributes) if attributes else (),
            consistent=False,
        )
        # The item that says when a scan was asked for has the key of its image, with a suffix.
        own = groupby((item for item in stored if not items.base_key(item).endswith(items.ASKED)), items.image_digest)
        return readable(own, lambda image: (image[0], image_record(*image[1])), repository=repository)

    def with_cves(self, registry: RegistryId, repository: str, wanted: frozenset[int]) -> frozenset[str]:
        """Return the digests of a repository's images that have a finding of these, by checksums; 1 MB a call.

        The writes of the last seconds may be missing.

        Args:
            wanted: checksums of CVE ids.
        """
        pk = items.repository_key(registry, repository)
        stored = self._table.query(pk, f"{_CVES}#", f"{_CVES}#{items.END}", consistent=False)
        held = ((item, unpack_numbers(items.binary(item, "cves"))) for item in stored)
        return frozenset(items.base_key(item).partition("#")[2] for item, cves in held if not wanted.isdisjoint(cves))

    def repositories(self, registry: RegistryId, first: str = "") -> Iterator[str]:
        """Return the names of the repositories that have, or had, an image here, in their order; 1 MB a call.

        Args:
            registry: of the repositories.
            first: the lowest name; "" for all.
        """
        stored = self._table.query(
            items.registry_key("REPOSITORIES", registry), first or " ", items.END, consistent=False
        )
        return (items.text(item, "sk") for item in stored)

    def known_since(self, image: ImageId, now: datetime) -> tuple[datetime, datetime]:
        """Return since when the registry and the repository of an image have been known.

        Since now, if they were unknown. One call for each of them, before the first image is remembered.
        """
        registry = items.registry_key("REGISTRY", image.registry), "REGISTRY"
        repository = items.registry_key("REPOSITORIES", image.registry), items.key_part(image.repository)
        return self._known_since(registry, now), self._known_since(repository, now)

    def _known_since(self, key: Key, now: datetime) -> datetime:
        if key not in self._since:
            values: Item = {"since": items.to_seconds(now)}
            since = items.to_time(self._table.update(key, {}, once=values)["since"], now)
            if since is None:
                self._table.update(key, values)
                since = now
            self._since[key] = since
        return self._since[key]

    def note_look(self, image: ImageId, record: ImageRecord) -> ImageRecord:
        """Note when the findings of an image are read, or are to be read; return the record with its new revision.

        Raises:
            ConditionError: another invocation has written this image in the meantime.
        """
        self.write(image, record, self._now)
        return record._replace(revision=_next(record.revision))

    def write(
        self,
        image: ImageId,
        record: ImageRecord,
        now: datetime,
        *,
        findings: bytes | None = None,
        pushed: PushedImage | None = None,
        replaced: Iterable[PushedImage] = (),
        outbox: Item | None = None,
        cves: bytes | None = None,
    ) -> None:
        """Remember a scan: everything or nothing.

        Args:
            image: that was scanned.
            record: of the scan, with the revision that was read.
            findings: encoded; None if they are the same as before.
            pushed: the image among those of its repository; None if that is known.
            replaced: the images that it replaces.
            outbox: the change that waits to be reported.
            cves: the checksums of the CVE ids of the open findings; None if they are the same as before.

        Raises:
            ConditionError: another invocation has written this image in the meantime.
        """
        pk, digest = items.repository_key(image.registry, image.repository), image.digest
        puts: list[Put] = []
        obsolete: list[Key] = []
        if findings is not None:
            parts = items.part_items(pk, partial(_findings_key, digest), findings, items.expires(now, lifetimes.IMAGE))
            obsolete = [(pk, _findings_key(digest, n)) for n in range(len(parts), record.parts)]
            record = record._replace(parts=len(parts), findings_format=items.formats()[0])
            puts += map(Put, parts)
        item = image_item(pk, digest, record) | {"expires": items.expires(now, lifetimes.IMAGE)}
        puts.append(Put(item, None if record.revision < 0 else record.revision))
        if pushed:
            puts.append(Put(pushed_item(image, pushed, now)))
        if outbox:
            puts.append(Put(outbox))
        if cves is not None:
            key = items.formatted(f"{_CVES}#{items.key_part(digest)}")
            puts.append(Put({"pk": pk, "sk": key, "cves": cves, "expires": items.expires(now, lifetimes.IMAGE)}))
        successor: dict[str, Value] = {"successors": frozenset({digest})}
        # An image that was deleted and pushed again was pushed twice.
        pushes = {pushed_key(image, other): other.digest for other in replaced}
        additions = [Addition(key, successor) for key in pushes]
        # The revision changes, so that no other invocation that has read the image writes it without its successor.
        keys = {(pk, items.image_key(other)): successor | {"revision": 1} for other in pushes.values()}
        additions += [Addition(key, values) for key, values in keys.items()]
        self._table.write(puts, obsolete, additions)


def _findings_key(digest: str, part: int, number: int | None = None) -> str:
    return items.formatted(f"FINDINGS#{items.key_part(digest)}#{part}", number)


def _part_keys(pk: str, digest: str, record: ImageRecord) -> list[Key]:
    """Return the keys of all parts of the findings of an image."""
    return [(pk, _findings_key(digest, number, record.findings_format)) for number in range(record.parts)]


def _keys(digest: str) -> list[str]:
    """Return the sort keys of an image, its request, and the first part of its findings, in all formats."""
    base = items.image_base(digest)
    findings = [_findings_key(digest, 0, number) for number in items.formats()]
    return [*items.in_formats(base), *items.in_formats(base + items.ASKED), *findings]


def _in_all_formats(found: Mapping[Key, Item], pk: str, sk: str) -> list[Item]:
    """Return those of the items that have a key, in any format that this release reads."""
    return [found[pk, key] for key in items.in_formats(sk) if (pk, key) in found]


def asked_record(item: Item, now: datetime) -> Asked:
    """Return the request for the scan of an image from its item.

    Raises:
        UnreadableItemError: the item cannot be parsed, or has a time later than `now`.
    """
    asked = from_item(Asked, item)
    items.check_past(now, asked.scanned_at, asked.asked_at)
    return asked


def _known_request(stored: Sequence[Item], now: datetime) -> Asked:
    """Return the last request for the scan of an image; an empty one if its item cannot be read."""
    return next(readable(items.latest(stored), partial(asked_record, now=now)), Asked())


def _known_record(stored: Sequence[Item], now: datetime) -> ImageRecord:
    """Return the record of an image; if its item cannot be read, that of an image about which nothing else is known.

    Such an image was scanned, with a result that nothing can be compared with.
    """
    if not stored:
        return ImageRecord()

    def parse(stored: Sequence[Item]) -> ImageRecord:
        record = image_record(*stored)
        items.check_past(now, record.event_at, record.looked_at, record.scanned_at, record.reported_at)
        if not 0 <= record.parts <= _MAX_PARTS:
            raise UnreadableItemError(f"the findings have {record.parts} parts")
        return record

    return next(readable([stored], parse), ImageRecord(revision=_revision(stored), scanned_at=_LONG_AGO))


def image_record(*stored: Item) -> ImageRecord:
    """Return the record of an image from its item; of several formats, the one with the last event counts.

    The successors that any of them names are successors.

    Raises:
        UnreadableItemError: none of them can be parsed.
    """
    revision = _revision(stored)
    records, problem = list[ImageRecord](), UnreadableItemError("the image has no item of a format that is known")
    for item in stored:
        try:
            records.append(from_item(ImageRecord, item, revision=revision))
        except UnreadableItemError as error:
            problem = error
    if not records:
        raise problem
    successors = frozenset[str]().union(*(record.successors for record in records))
    return max(records, key=lambda record: record.event_at or _LONG_AGO)._replace(successors=successors)


def _revision(stored: Iterable[Item]) -> int:
    own = next((item for item in stored if items.item_format(item) == items.formats()[0]), None)
    revision = items.number(own, "revision") if own else 0
    return revision if own is None or 0 < revision < _MAX_REVISION else -1


def _next(revision: int) -> int:
    return max(revision, 0) + 1


def image_item(pk: str, digest: str, record: ImageRecord) -> dict[str, Value]:
    """Return the item of an image that writes `record`."""
    tags = tuple(dict.fromkeys((*record.tags[:_TAGS_KEPT_PER_ORDER], *sorted(record.tags)[:_TAGS_KEPT_PER_ORDER])))
    record = record._replace(tags=tags, revision=_next(record.revision))
    return {"pk": pk, "sk": items.image_key(digest), **attributes(record)}
