"""The memory of the last overview: its date, the open findings, and whether two events ask for the same one.

An overview is of one registry, and so is its snapshot, which has repositories by their bare names.

    sk                        holds
    LAST                      when the last overview was published, its snapshot, and the lease for the next overview
    SNAPSHOT#<time>#<part>#1  ledger and open findings of each repository, compressed JSON

The snapshot is written after the overview is published, not before. If the function crashes in between, the next
attempt publishes the messages that are not noted as sent, rather than nothing.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import NamedTuple

from ecr_scan_reporter.aws.dynamodb import WRITER, Addition, Item, Key, Table, Value
from ecr_scan_reporter.errors import ConditionError
from ecr_scan_reporter.memory import items
from ecr_scan_reporter.memory.codec import pack_as, readable, unpack_as
from ecr_scan_reporter.memory.images import Ledger

OVERVIEWS = "OVERVIEWS"
_KEY = OVERVIEWS, "LAST"
# Far more than the names and numbers of all repositories of a registry need.
_MAX_PARTS = 100
# Two events of a schedule are at least a minute apart. EventBridge may deliver the same one twice, with about the same
# time.
_SAME_EVENT = timedelta(seconds=30)
# By so much, the time of an event may be ahead of the function's clock.
_AHEAD = timedelta(hours=1)


class RepositorySnapshot(NamedTuple):
    """A repository in the last overview: its ledger, and how many findings were open."""

    ledger: Ledger
    open: int


_Snapshot = dict[str, RepositorySnapshot]


class LastOverview(NamedTuple):
    """The last overview that was published.

    Args:
        published_at: None if there was none.
        snapshot: the keys of the items of its snapshot.
        lease: the token of the lease for the next one.
        sent: the names of the messages of the next one that are out.
    """

    published_at: datetime | None
    snapshot: Sequence[Key]
    lease: str = ""
    sent: frozenset[str] = frozenset()


class SnapshotMemory:
    """The part of the memory table with the last overview. Every method raises AwsError if DynamoDB rejects a call."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def last(self, now: datetime) -> LastOverview:
        """Return the last overview before now."""
        return _last_overview(self._table.get(*_KEY) or {}, now)

    def claim(self, now: datetime, until: datetime, scheduled_at: datetime | None) -> LastOverview | None:
        """Take the lease of the overview.

        Args:
            until: when the lease ends by itself, in case the invocation is killed.
            scheduled_at: the time of the schedule's event; None if someone asked for an overview.

        Returns:
            The last overview; None if another invocation is making one now, or has published the one for this event.
        """
        condition, values = "", dict[str, Value]()
        if scheduled_at:
            condition = "(NOT scheduled_at BETWEEN :earlier AND :latest)"
            # An event is no later than now. A later one is damaged.
            earlier = items.to_seconds(scheduled_at - _SAME_EVENT) + 1
            values = {":earlier": earlier, ":latest": max(items.to_seconds(now + _AHEAD), earlier)}
        try:
            item = items.take_lease(self._table, _KEY, now, until, condition=condition, values=values)
        except ConditionError:
            return None
        return _last_overview(item, now)

    def has_published(self, scheduled_at: datetime) -> bool:
        """Return whether the overview of a schedule's event was published."""
        item = self._table.get(*_KEY) or {}
        return items.number(item, "scheduled_at") > items.to_seconds(scheduled_at - _SAME_EVENT)

    def release(self, lease: str) -> None:
        """Return the lease without an overview, unless another invocation has it."""
        items.release_lease(self._table, _KEY, lease)

    def note_sent(self, message: str) -> None:
        """Note that a message of the next overview is out."""
        self._table.add(Addition(_KEY, {"sent": frozenset({message})}))

    def snapshot(self, last: LastOverview) -> dict[str, RepositorySnapshot] | None:
        """Return the snapshot of an overview by repository; None if there is none, or it cannot be read."""
        if not last.snapshot:
            return None
        data = items.read_parts(self._table, last.snapshot)
        return next(readable([data], partial(unpack_as, _Snapshot)), None)

    def store(
        self,
        repositories: Mapping[str, RepositorySnapshot],
        last: LastOverview,
        now: datetime,
        scheduled_at: datetime | None,
    ) -> None:
        """Remember the overview that was published now, and return the lease.

        Args:
            repositories: each as the overview knew it.
            last: the overview before this one, whose snapshot is deleted.
            scheduled_at: the time of the schedule's event; None if someone asked for the overview.
        """
        data = pack_as(_Snapshot, repositories)
        parts = items.part_items(OVERVIEWS, partial(_snapshot_key, now, items.FORMAT), data, items.expires(now))
        self._table.put_many(parts)
        # Only this write makes the new snapshot the current one.
        values = {"published_at": items.to_seconds(now), "parts": len(parts), "snapshot_format": items.FORMAT}
        if scheduled_at:
            values["scheduled_at"] = items.to_seconds(scheduled_at)
        self._table.update(_KEY, {**values, "leased_until": 0, "expires": items.expires(now)}, remove="sent")
        written = {part["sk"] for part in parts}
        self._table.delete_many(key for key in last.snapshot if key[1] not in written)


def _last_overview(item: Item, now: datetime) -> LastOverview:
    published_at, parts = items.to_time(item.get("published_at"), now), min(items.number(item, "parts"), _MAX_PARTS)
    form = items.number(item, "snapshot_format")
    sks = [_snapshot_key(published_at, form, part) for part in range(parts)] if published_at else []
    return LastOverview(
        published_at, [(OVERVIEWS, sk) for sk in sks], items.text(item, WRITER), items.texts(item, "sent")
    )


def _snapshot_key(published_at: datetime, format_: int, part: int) -> str:
    return items.formatted(f"SNAPSHOT#{items.sortable(published_at)}#{part:04}", format_)
