"""Changes that wait to be reported, in windows; who publishes them; what is out, so that it is published once."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from functools import partial
from hashlib import sha256
from typing import NamedTuple
from uuid import uuid4

from ecr_scan_reporter.aws.dynamodb import WRITER, Addition, Item, Key, Table
from ecr_scan_reporter.errors import ConditionError
from ecr_scan_reporter.memory import items, lifetimes
from ecr_scan_reporter.memory.codec import cut, from_item, readable
from ecr_scan_reporter.models.images import ImageId
from ecr_scan_reporter.shared.concurrency import chunked

# Scans that this module did not ask for, the inventory of images that existed before memory did, and newly exploited
# findings, if these do not wait for the end of quiet hours.
PUSH, INVENTORY, EXPLOITED = "PUSH", "INVENTORY", "EXPLOITED"
_RUN = "RUN#"
# The items of the partition WINDOWS that are no windows: the publisher, and the reports that it publishes or published.
_PUBLISHER, _PUBLISHED = "#PUBLISHER", "#PUBLISHED#"
_PUBLISHER_KEY = "WINDOWS", _PUBLISHER
# The partition of the messages of the reports queue that are out, or about to be.
_SENT = "SENT"
_LONG_AGO = datetime(1970, 1, 2, tzinfo=UTC)
# Bytes of a checksum, and how many of them an item has room for.
_CHECKSUM_SIZE, _CHECKSUMS_PER_NOTE = 8, 40_000


class Window(NamedTuple):
    """Changes that are reported together.

    Args:
        name: PUSH, INVENTORY, EXPLOITED, or `RUN#` and the id of a run.
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
    """When the next check for something to publish is, and the last inventory; None if there is none.

    Args:
        next_check: when the next check is.
        inventory_at: when the publication of the last inventory began. It has all changes put into its window before.
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
        notes: of the reports that are being published, or were, and whose changes are perhaps not deleted yet.
    """

    windows: list[Window]
    state: PublisherState
    notes: list["Note"]


class Note(NamedTuple):
    """A report that is being published, or was.

    Args:
        id: of the report.
        entries: the checksums of its changes.
        sent: the names of its messages that are out.
        done: whether all of them are.
        keys: of the items that hold the note; the first one says what is out.
    """

    id: str
    entries: frozenset[bytes]
    sent: frozenset[str] = frozenset()
    done: bool = False
    keys: tuple[str, ...] = ()


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
        "sk": items.formatted(f"{image_prefix(image)}{items.sortable(event_at)}-{number:08}"),
        "data": data,
        "expires": items.expires(now, lifetimes.OUTBOX),
    }


class Outbox:
    """The part of the memory table with the changes that wait to be reported.

    Every method raises AwsError if DynamoDB rejects a call.
    """

    def __init__(self, table: Table) -> None:
        self._table = table

    def touch(self, window: str, run: str, now: datetime) -> None:
        """Open a window, or note that something was added to it.

        Args:
            window: its name.
            run: the run that asked for the scan, "" if none did; the window of a run always belongs to that run.
        """
        run = window_run(window) or run
        values: Item = {"run": run, "token": uuid4().hex, "expires": items.expires(now, lifetimes.OUTBOX)}
        at = items.to_seconds(now)
        self._table.update(("WINDOWS", window), {**values, "last_at": at}, once={"opened_at": at})

    def windows(self, now: datetime) -> Windows:
        """Return all open windows, the state of the publisher, and the notes of its reports, at a time."""
        stored = {items.text(item, "sk"): item for item in self._table.query("WINDOWS", " ", items.END)}
        publisher = stored.pop(_PUBLISHER, {})
        notes = _notes({sk: stored.pop(sk) for sk in list(stored) if sk.startswith(_PUBLISHED)})
        state = next(readable([publisher], partial(_publisher, now=now)), PublisherState())
        return Windows([_window(item, now) for item in stored.values()], state, notes)

    def plan_check(self, at: datetime) -> None:
        """Note that a message on the reports queue will cause a check at this time."""
        self._table.update(_PUBLISHER_KEY, {"next_check": items.to_seconds(at)})

    def lease(self, now: datetime, until: datetime) -> str:
        """Take the publisher's lease, and return its token; "" if another invocation has it."""
        try:
            return items.text(items.take_lease(self._table, _PUBLISHER_KEY, now, until), WRITER)
        except ConditionError:
            return ""

    def release(self, lease: str) -> None:
        """Return the publisher's lease, unless another invocation has it."""
        items.release_lease(self._table, _PUBLISHER_KEY, lease)

    def begin_inventory(self, now: datetime) -> None:
        """Note that the publication of an inventory begins."""
        self._table.update(_PUBLISHER_KEY, {"inventory_at": items.to_seconds(now), "unfinished": 1})

    def end_inventory(self) -> None:
        """Note that the inventory is published to the end: changes put into its window later wait for the next."""
        self._table.update(_PUBLISHER_KEY, {"unfinished": 0})

    def entries(self, window: str, until: datetime | None = None) -> Iterator[tuple[Key, bytes]]:
        """Yield the changes that were put into a window until a time, each with its key; one call per MB."""
        # An entry that expires later than those of the next inventory is damaged.
        last, longest = (
            (items.expires(until, lifetimes.OUTBOX), items.expires(until, 2 * lifetimes.OUTBOX)) if until else (0, 0)
        )
        for item in self._table.query(f"OUTBOX#{window}", " ", items.END):
            if last < items.number(item, "expires") <= longest:
                continue
            yield (items.text(item, "pk"), items.text(item, "sk")), items.binary(item)

    def holds(self, window: str, image: ImageId) -> bool:
        """Return whether a window has changes of an image."""
        prefix = image_prefix(image)
        return any(self._table.query(f"OUTBOX#{window}", prefix, prefix + items.END, limit=1))

    def begin(self, keys: Iterable[Key], now: datetime) -> Note:
        """Note which changes are about to be published as one report. If that fails, nothing is published."""
        checksums = sorted(map(entry_checksum, keys))
        id_, until = report_id(checksums), items.expires(now, lifetimes.OUTBOX)
        sks = list[str]()
        for part in chunked(checksums, _CHECKSUMS_PER_NOTE):
            sks.append(f"{_PUBLISHED}{id_}#{len(sks):04}")
            self._table.put({"pk": "WINDOWS", "sk": sks[-1], "entries": b"".join(part), "expires": until})
        return Note(id_, frozenset(checksums), keys=tuple(sks))

    def note_sent(self, note: Note, message: str) -> None:
        """Note that a message of a report is out, so that it is not published again."""
        self._table.add(Addition(("WINDOWS", note.keys[0]), {"sent": frozenset({message})}))

    def end(self, note: Note) -> None:
        """Note that all messages of a report are out: changes that cannot be deleted then are not published again."""
        self._table.update(("WINDOWS", note.keys[0]), {"done": 1})

    def forget(self, keys: Iterable[Key], notes: Iterable[Note]) -> None:
        """Delete changes that were published, and then the notes of it."""
        self._table.delete_many(keys)
        self._table.delete_many(("WINDOWS", key) for note in notes for key in reversed(note.keys))

    def claim_message(self, message: str, now: datetime, until: datetime) -> str:
        """Take the lease of a message that waits in the reports queue, and return its token; "" if it is out already.

        Args:
            message: its id.
            until: when the lease ends, in case the invocation is killed.

        Raises:
            ConditionError: another invocation is publishing it.
        """
        key, condition = (_SENT, message), "attribute_not_exists(done)"
        try:
            item = items.take_lease(self._table, key, now, until, lifetime=lifetimes.OUTBOX, condition=condition)
            return items.text(item, WRITER)
        except ConditionError:
            if (self._table.get(_SENT, message) or {}).get("done"):
                return ""
            raise

    def release_message(self, message: str, lease: str) -> None:
        """Return the lease of a message that could not be published."""
        items.release_lease(self._table, (_SENT, message), lease)

    def note_message(self, message: str, now: datetime) -> None:
        """Note that a message of the reports queue is out."""
        self._table.update((_SENT, message), {"done": 1, "expires": items.expires(now, lifetimes.OUTBOX)})

    def close(self, windows: Collection[Window]) -> None:
        """Close windows whose changes were published; a window to which something was added meanwhile stays open."""
        for window in windows:
            try:
                self._table.delete("WINDOWS", window.name, "token", window.token)
            except ConditionError:
                continue


def _window(item: Item, now: datetime) -> Window:
    """Parse a window. Changes in one that cannot be read have waited long enough: it is due."""

    def parse(item: Item) -> Window:
        window = from_item(Window, item, name=items.text(item, "sk"))
        items.check_past(now, window.opened_at, window.last_at)
        return window

    name = items.text(item, "sk")
    return next(
        readable([item], parse), Window(name, _LONG_AGO, _LONG_AGO, window_run(name), items.text(item, "token"))
    )


def _publisher(item: Item, now: datetime) -> PublisherState:
    state = from_item(PublisherState, item)
    items.check_past(now, state.inventory_at)
    return state


def entry_checksum(key: Key) -> bytes:
    """Return a checksum that identifies a change, by its key."""
    return sha256(f"{key[0]} {key[1]}".encode()).digest()[:_CHECKSUM_SIZE]


def is_readable(key: Key) -> bool:
    """Return whether a change, by its key, is in a format that this release reads."""
    return items.item_format({"sk": key[1]}) in items.formats()


def entry_image(key: Key) -> tuple[ImageId, datetime]:
    """Return the image that a change is about, and the time of its event, by its key."""
    account, region, repository, digest, moment, *_ = key[1].split("#")
    return ImageId(account, region, repository, digest), items.parse_sortable(moment)


def report_id(checksums: Iterable[bytes]) -> str:
    """Return the id of a report of these changes: the same if it is published again."""
    return sha256(b"".join(sorted(checksums))).hexdigest()[:20]


def _notes(stored: Mapping[str, Item]) -> list[Note]:
    notes: dict[str, Note] = {}
    for sk, item in stored.items():
        id_ = sk.removeprefix(_PUBLISHED).partition("#")[0]
        note = notes.get(id_, Note(id_, frozenset()))
        notes[id_] = note._replace(
            entries=note.entries.union(cut(items.binary(item, "entries"), _CHECKSUM_SIZE)),
            sent=note.sent | items.texts(item, "sent"),
            done=note.done or item.get("done") == 1,
            keys=(*note.keys, sk),
        )
    return list(notes.values())


def image_prefix(image: ImageId) -> str:
    """Return the beginning of the sort keys of all changes of an image."""
    return f"{items.registry_part(image.registry)}#{items.key_part(image.repository)}#{items.key_part(image.digest)}#"
