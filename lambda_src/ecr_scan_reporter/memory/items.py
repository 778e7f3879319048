"""Keys, formats, times, data in parts, and leases, which several kinds of items share."""

from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from hashlib import sha256
from itertools import groupby
from typing import Any, TypeVar

from ecr_scan_reporter.aws.dynamodb import NOTHING, WRITER, Item, Key, Table, Value
from ecr_scan_reporter.errors import ConditionError, UnreadableItemError
from ecr_scan_reporter.memory import lifetimes
from ecr_scan_reporter.memory.codec import attributes, cut, from_item, readable
from ecr_scan_reporter.models.images import RegistryId

T = TypeVar("T")

# The format that this release writes, and the end of the sort key of each item with a format.
# A release whose items this one cannot read has the next one, so that after a rollback an older release writes beside
# the items of a newer one. Each reads the format before its own as well.
FORMAT = 1
# Sorts after every key that begins with the same text: "~" is the last printable ASCII character, and no digest has it.
END = "~"
# The end of the sort key of the request for the scan of an image.
ASKED = "#ASKED"
# No past event is dated later than now, by clocks that differ by less than this.
_FUTURE_TOLERATED = timedelta(hours=1)
# Bytes of data in one item, which may have 400 KB with everything else.
_PART_SIZE = 349_000
# Bytes. A sort key has at most three such parts, or two and those of a registry.
_MAX_KEY_PART, _MAX_REGISTRY_PART = 300, 64


def key_part(text: str, limit: int = _MAX_KEY_PART) -> str:
    """Return a text from outside as a part of a key, or its hash if it is too long for one.

    A `pk` has at most 2,048 bytes and an `sk` 1,024. A text that ECR itself accepts is never too long. `#` separates
    the parts and becomes `*`, which neither a repository nor a tag, digest, account or Region can have.
    """
    encoded = text.encode()
    return text.replace("#", "*") if len(encoded) <= limit else sha256(encoded).hexdigest()


def registry_part(registry: RegistryId) -> str:
    """Return the parts of a key that name a registry."""
    return "#".join(key_part(name, _MAX_REGISTRY_PART) for name in registry)


def registry_key(kind: str, registry: RegistryId) -> str:
    """Return the partition key of a kind of items that each registry has one list of, such as `STATES`."""
    return f"{kind}#{registry_part(registry)}"


def repository_key(registry: RegistryId, repository: str) -> str:
    """Return the partition key of a repository."""
    return f"{registry_key('REPOSITORY', registry)}#{key_part(repository)}"


def image_base(digest: str) -> str:
    """Return the beginning of the sort keys of the record of an image, and of the request for its scan."""
    return f"IMAGE#{key_part(digest)}"


def image_key(digest: str) -> str:
    """Return the sort key of an image."""
    return formatted(image_base(digest))


def image_digest(item: Item) -> str:
    """Return the digest of the image that an item is about."""
    return base_key(item).removeprefix("IMAGE#").removesuffix(ASKED)


def formats() -> list[int]:
    """Return the formats that this release reads, its own first."""
    return [number for number in (FORMAT, FORMAT - 1) if number > 0]


def formatted(sk: str, number: int | None = None) -> str:
    """Return a sort key with a format; with that of this release by default."""
    return f"{sk}#{FORMAT if number is None else number}"


def in_formats(sk: str) -> list[str]:
    """Return a sort key in each format that this release reads, its own first."""
    return [formatted(sk, number) for number in formats()]


def base_key(item: Item) -> str:
    """Return the sort key of an item without its format."""
    return text(item, "sk").rpartition("#")[0]


def item_format(item: Item) -> int:
    """Return the format of an item; 0 if its key has none."""
    last = text(item, "sk").rpartition("#")[2]
    return int(last) if last.isdecimal() and last.isascii() else 0


def latest(items: Iterable[Item]) -> Iterator[Item]:
    """Yield the last written one of each item that is there in several formats that this release reads.

    Args:
        items: in the order of their sort keys. They are renewed for the same time by each write, so that the one that
            expires last was written last.
    """
    for _, group in groupby(items, base_key):
        if known := [item for item in group if item_format(item) in formats()]:
            yield max(known, key=lambda item: number(item, "expires"))


def record_item(
    pk: str, sk: str, record: Any, now: datetime, lifetime: timedelta = lifetimes.OTHER
) -> dict[str, Value]:
    """Return the item that holds a NamedTuple, in the format of this release.

    Args:
        pk: of the item.
        sk: of the item, without its format.
        record: its fields become attributes.
        lifetime: of the item.
    """
    return {"pk": pk, "sk": formatted(sk), "expires": expires(now, lifetime), **attributes(record)}


def read_record(table: Table, kind: type[T], pk: str, sk: str) -> T | None:
    """Return the NamedTuple in an item of `record_item`; None if there is none, or it cannot be parsed. One call."""
    items = latest(table.query(pk, f"{sk}#", f"{sk}#{END}"))
    return next(readable(items, partial(from_item, kind)), None)


def to_seconds(moment: datetime | None) -> int:
    """Return Unix seconds; 0 for None."""
    return int(moment.timestamp()) if moment else 0


def to_time(value: object, now: datetime | None = None) -> datetime | None:
    """Return the time of Unix seconds; None if they are 0, missing, no time, or later than `now`."""
    with suppress(ArithmeticError, OSError, ValueError):
        moment = datetime.fromtimestamp(value, UTC) if isinstance(value, int) and value else None
        return moment if moment is None or now is None or moment <= now + _FUTURE_TOLERATED else None
    return None


def check_past(now: datetime, *moments: datetime | None) -> None:
    """Check that no past event is dated later than now.

    Raises:
        UnreadableItemError: a time is in the future, so that events until then would seem to be older.
    """
    for moment in moments:
        if moment and moment > now + _FUTURE_TOLERATED:
            raise UnreadableItemError(f"{moment} is in the future")


def sortable(moment: datetime) -> str:
    """Return a time as a part of a sort key, so that the keys sort by time."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def parse_sortable(text: str) -> datetime:
    """Return the time that a part of a sort key begins with.

    Raises:
        ValueError: it begins with none.
    """
    return datetime.strptime(text[:20], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)


def expires(now: datetime, lifetime: timedelta = lifetimes.OTHER) -> int:
    """Return the value of the TTL attribute, in Unix seconds."""
    return to_seconds(now + lifetime)


def text(item: Item, name: str) -> str:
    """Return a text attribute; "" if it is missing."""
    return str(item.get(name, ""))


def binary(item: Item, name: str = "data") -> bytes:
    """Return an attribute of bytes; none if it is missing."""
    value = item.get(name)
    return value if isinstance(value, bytes) else b""


def texts(item: Item, name: str) -> frozenset[str]:
    """Return a set of texts; none if it is missing."""
    value = item.get(name)
    return value if isinstance(value, frozenset) else frozenset()


def part_items(pk: str, part_key: Callable[[int], str], data: bytes, until: int) -> list[Item]:
    """Return the items that hold data in parts.

    Args:
        pk: of the items.
        part_key: returns the sort key of a part, by its number from 0.
        data: of any size.
        until: when the items expire (Unix seconds).
    """
    parts = enumerate(cut(data, _PART_SIZE))
    return [{"pk": pk, "sk": part_key(n), "data": part, "expires": until} for n, part in parts]


def read_parts(table: Table, keys: Collection[Key]) -> bytes:
    """Return the data of items, one after the other; a call for each 100."""
    found = table.get_many(keys)
    return b"".join(binary(found.get(key, NOTHING)) for key in keys)


def take_lease(
    table: Table,
    key: Key,
    now: datetime,
    until: datetime,
    *,
    lifetime: timedelta | None = None,
    condition: str = "",
    values: Item = NOTHING,
) -> Item:
    """Take the lease of an item, and return the item, whose WRITER is the token of the lease.

    Args:
        until: when the lease ends by itself, in case the invocation is killed.
        lifetime: of the item; None if it keeps its own.
        condition: further one, with its `values`.
        values: of the condition.

    Raises:
        ConditionError: another invocation has it, or the condition does not hold.
    """
    # An end that is no number, or too late for a lease, is damaged. It is free at its very end, and others may lease it
    # for as long as this one.
    free = "(NOT leased_until BETWEEN :now AND :longest)"
    given = {":now": to_seconds(now) + 1, ":longest": to_seconds(until + _FUTURE_TOLERATED), **values}
    change = {"leased_until": to_seconds(until), **({"expires": expires(now, lifetime)} if lifetime else {})}
    return table.update(key, change, condition=f"{condition} AND {free}" if condition else free, given=given)


def release_lease(table: Table, key: Key, lease: str) -> None:
    """Return the lease of an item, by its token, unless another invocation has it."""
    with suppress(ConditionError):
        table.update(key, {"leased_until": 0}, condition=f"{WRITER} = :lease", given={":lease": lease})


def number(item: Item, name: str) -> int:
    """Return a number; 0 if it is missing."""
    value = item.get(name, 0)
    return value if isinstance(value, int) else 0
