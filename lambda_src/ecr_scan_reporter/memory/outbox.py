"""What waits to be reported: changes are collected in windows, and one invocation at a time publishes them."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from hashlib import sha256
from typing import NamedTuple
from uuid import uuid4

from ecr_scan_reporter.aws.dynamodb import Item, Key, Table, Value
from ecr_scan_reporter.errors import ConditionError
from ecr_scan_reporter.memory.codec import from_item, readable
from ecr_scan_reporter.memory.items import (
    END,
    check_past,
    expires,
    formats,
    formatted,
    free_lease,
    item_format,
    key_part,
    lease_values,
    number,
    parse_sortable,
    registry_part,
    sortable,
    text,
    to_seconds,
)
from ecr_scan_reporter.models.images import ImageId
from ecr_scan_reporter.shared.concurrency import chunked

# Scans that this module did not ask for, and the inventory of images that existed before memory did.
PUSH, INVENTORY = "PUSH", "INVENTORY"
_RUN = "RUN#"
# The items of the partition WINDOWS that are no windows: the publisher, and what it publishes or has published.
_PUBLISHER, _PUBLISHED = "#PUBLISHER", "#PUBLISHED#"
_ENTRY_LIFETIME = timedelta(days=60)
_LONG_AGO = datetime(1970, 1, 2, tzinfo=UTC)
# Bytes of a checksum, and how many of them an item has room for.
_CHECKSUM, _CHECKSUMS_PER_NOTE = 8, 40_000


class Window(NamedTuple):
    """Changes that are reported together. Times are aware.

    Args:
        name: PUSH, INVENTORY, or `RUN#` and the id of a run.
        opened_at: when the first change was put into it.
        last_at: when the last one was.
        run: the run that last put something into it; "" if none did.
        token: of the last addition.
    """

    name: str
    opened_at: datetime
    last_at: datetime
    run: str
    token: str


class PublisherState(NamedTuple):
    """When the next check for something to publish is, and the last inventory. Times are aware or None.

    Args:
        next_check: when the next check is.
        inventory_at: when the publication of the last inventory began. It has what was put into the window until then.
        unfinished: whether a part of that waits.
    """

    next_check: datetime | None = None
    inventory_at: datetime | None = None
    unfinished: bool = False


class Windows(NamedTuple):
    """The open windows.

    Args:
        windows: with changes that wait to be reported.
        state: of the publisher.
        published: the checksums of changes that were published, and are perhaps not deleted yet, by the key of the note
            that says so.
    """

    windows: list[Window]
    state: PublisherState
    published: Mapping[str, frozenset[bytes]]


class Note(NamedTuple):
    """What is being published, or a part of it: the checksums of its changes. `expires` is in Unix seconds."""

    key: str
    entries: bytes
    expires: int


def run_window(run: str) -> str:
    """Return the name of a run's window."""
    return _RUN + run


def window_run(window: str) -> str:
    """Return the run that a window belongs to; "" if it is not the window of one run."""
    return window.removeprefix(_RUN) if window.startswith(_RUN) else ""


def outbox_item(window: str, image: ImageId, event_at: datetime, data: bytes, now: datetime, number: int = 0) -> Item:
    """Return the item of a change that waits to be reported.

    `number` tells two changes of one image at the same time apart: the revision of the image that has it.
    """
    return {
        "pk": f"OUTBOX#{window}",
        "sk": formatted(f"{image_prefix(image)}{sortable(event_at)}-{number:08}"),
        "data": data,
        "expires": expires(now, _ENTRY_LIFETIME),
    }


class Outbox:
    """The part of the memory table with what waits to be reported.

    Every method raises AwsError if DynamoDB rejects a call.
    """

    def __init__(self, table: Table) -> None:
        self._table = table

    def touch(self, window: str, run: str, now: datetime) -> None:
        """Open a window, or note that something was added to it.

        Args:
            window: its name.
            run: the run that asked for the scan, "" if none did; the window of a run always belongs to that run.
            now: aware.
        """
        run = window_run(window) or run
        self._table.update(
            "WINDOWS",
            window,
            "SET opened_at = if_not_exists(opened_at, :now), last_at = :now, #run = :run, #token = :token, "
            "expires = :expires",
            {":now": to_seconds(now), ":run": run, ":token": uuid4().hex, ":expires": expires(now, _ENTRY_LIFETIME)},
            {"#run": "run", "#token": "token"},
        )

    def windows(self, now: datetime) -> Windows:
        """Return all open windows, the state of the publisher, and what it has published, at a time (aware)."""
        items = {text(item, "sk"): item for item in self._table.query("WINDOWS", " ", END)}
        publisher = items.pop(_PUBLISHER, {})
        notes = {sk: items.pop(sk) for sk in list(items) if sk.startswith(_PUBLISHED)}
        published = {sk: _checksums(note.get("entries")) for sk, note in notes.items() if note.get("done") == 1}
        state = next(readable([publisher], partial(_publisher, now=now)), PublisherState())
        return Windows([_window(item, now) for item in items.values()], state, published)

    def plan_check(self, at: datetime) -> None:
        """Note that a message on the reports queue will cause a check at this time."""
        self._table.update("WINDOWS", _PUBLISHER, "SET next_check = :at", {":at": to_seconds(at)}, {})

    def lease(self, now: datetime, until: datetime) -> bool:
        """Take the publisher's lease; return False if another invocation has it."""
        try:
            self._table.update(
                "WINDOWS",
                _PUBLISHER,
                "SET leased_until = :until",
                lease_values(now, until),
                {},
                condition=free_lease("leased_until"),
            )
        except ConditionError:
            return False
        return True

    def release(self) -> None:
        """Return the lease."""
        self._table.update("WINDOWS", _PUBLISHER, "SET leased_until = :none", {":none": 0}, {})

    def begin_inventory(self, now: datetime) -> None:
        """Note that the publication of an inventory begins."""
        change = "SET inventory_at = :now, unfinished = :one"
        self._table.update("WINDOWS", _PUBLISHER, change, {":now": to_seconds(now), ":one": 1}, {})

    def end_inventory(self) -> None:
        """Note that the inventory is published to the end: what was put into its window later waits for the next."""
        self._table.update("WINDOWS", _PUBLISHER, "SET unfinished = :none", {":none": 0}, {})

    def entries(self, window: str, until: datetime | None = None) -> Iterator[tuple[Key, bytes]]:
        """Yield the changes that were put into a window until a time (aware), each with its key; one call per MB."""
        # What expires later than all that is put into it until the next inventory is damaged.
        last, longest = (expires(until, _ENTRY_LIFETIME), expires(until, 2 * _ENTRY_LIFETIME)) if until else (0, 0)
        for item in self._table.query(f"OUTBOX#{window}", " ", END):
            if last < number(item, "expires") <= longest:
                continue
            data = item.get("data")
            yield (text(item, "pk"), text(item, "sk")), data if isinstance(data, bytes) else b""

    def holds(self, window: str, image: ImageId) -> bool:
        """Return whether a window has changes of an image."""
        prefix = image_prefix(image)
        return any(self._table.query(f"OUTBOX#{window}", prefix, prefix + END, limit=1))

    def begin(self, keys: Iterable[Key], now: datetime) -> list[Note]:
        """Note which changes are about to be published, and return the notes. If that fails, nothing is published."""
        until = expires(now, _ENTRY_LIFETIME)
        notes = [
            Note(_PUBLISHED + uuid4().hex, b"".join(part), until)
            for part in chunked(map(entry_checksum, keys), _CHECKSUMS_PER_NOTE)
        ]
        self._put(notes, done=0)
        return notes

    def end(self, notes: Iterable[Note]) -> None:
        """Note that changes were published: what cannot be deleted then is not published again."""
        self._put(notes, done=1)

    def _put(self, notes: Iterable[Note], done: int) -> None:
        for note in notes:
            key: dict[str, Value] = {"pk": "WINDOWS", "sk": note.key}
            self._table.put({**key, "entries": note.entries, "expires": note.expires, "done": done})

    def forget(self, keys: Iterable[Key], notes: Iterable[str]) -> None:
        """Delete changes that were published, and then the notes of it, by their keys."""
        self._table.delete_many(keys)
        self._table.delete_many(("WINDOWS", note) for note in notes)

    def close(self, windows: Collection[Window]) -> None:
        """Close windows whose changes were published; a window to which something was added meanwhile stays open."""
        for window in windows:
            try:
                self._table.delete("WINDOWS", window.name, "token", window.token)
            except ConditionError:
                continue


def _window(item: Item, now: datetime) -> Window:
    """Parse a window. What waits in one that cannot be read has waited long enough: it is due."""

    def parse(item: Item) -> Window:
        window = from_item(Window, item, name=text(item, "sk"))
        check_past(now, window.opened_at, window.last_at)
        return window

    name = text(item, "sk")
    return next(readable([item], parse), Window(name, _LONG_AGO, _LONG_AGO, window_run(name), text(item, "token")))


def _publisher(item: Item, now: datetime) -> PublisherState:
    state = from_item(PublisherState, item)
    check_past(now, state.inventory_at)
    return state


def entry_checksum(key: Key) -> bytes:
    """Return a checksum that identifies a change, by its key."""
    return sha256(f"{key[0]} {key[1]}".encode()).digest()[:_CHECKSUM]


def is_readable(key: Key) -> bool:
    """Return whether a change, by its key, is in a format that this release reads."""
    return item_format({"sk": key[1]}) in formats()


def entry_image(key: Key) -> tuple[ImageId, datetime]:
    """Return the image that a change is about, and the time of its event (aware), by its key."""
    account, region, repository, digest, moment, *_ = key[1].split("#")
    return ImageId(account, region, repository, digest), parse_sortable(moment)


def _checksums(data: object) -> frozenset[bytes]:
    data = data if isinstance(data, bytes) else b""
    return frozenset(data[at : at + _CHECKSUM] for at in range(0, len(data), _CHECKSUM))


def image_prefix(image: ImageId) -> str:
    """Return what the sort keys of all changes of an image begin with."""
    return f"{registry_part(image.registry)}#{key_part(image.repository)}#{key_part(image.digest)}#"
