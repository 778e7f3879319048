"""What is remembered of the last overview: when it was published, and what was open in each repository then.

    sk                        holds
    LAST                      when the last overview was published, its snapshot, and the lease for the next overview
    SNAPSHOT#<time>#<part>    ledger and open findings of each repository, compressed JSON

The snapshot is written after the overview is published, not before: if the function crashes in between, the same
changes are published twice rather than never.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

from ecr_scan_reporter.aws.dynamodb import Item, Key, Table
from ecr_scan_reporter.errors import ConditionError
from ecr_scan_reporter.memory.codec import cut, decode, encode, pack, unpack
from ecr_scan_reporter.memory.images import Ledger
from ecr_scan_reporter.memory.items import expires, number, sortable, to_seconds, to_time

OVERVIEWS = "OVERVIEWS"
_LAST = "LAST"
# Bytes of a snapshot in one item; DynamoDB allows 400 KB for the whole item.
_PART_SIZE = 340_000
# Two events of a schedule are at least a minute apart. EventBridge may deliver the same one twice, with about the same
# time.
_SAME_EVENT = timedelta(seconds=30)


class RepositorySnapshot(NamedTuple):
    """What the last overview knew of a repository: its ledger, and how many findings were open."""

    ledger: Ledger
    open: int


_Snapshot = dict[str, RepositorySnapshot]


class LastOverview(NamedTuple):
    """The last overview that was published.

    Args:
        published_at: aware; None if there was none.
        snapshot: the keys of the items of its snapshot.
    """

    published_at: datetime | None
    snapshot: tuple[Key, ...]


class SnapshotMemory:
    """The part of the memory table with the last overview. Every method raises AwsError if DynamoDB rejects a call."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def last(self) -> LastOverview:
        """Return the last overview."""
        return _last_overview(self._table.get(OVERVIEWS, _LAST) or {})

    def claim(self, now: datetime, until: datetime, scheduled_at: datetime | None) -> LastOverview | None:
        """Take the lease of the overview.

        Args:
            now: aware.
            until: when the lease ends by itself, in case the invocation is killed.
            scheduled_at: the time of the schedule's event; None if someone asked for an overview.

        Returns:
            The last overview; None if another invocation is making one now, or has published the one for this event.
        """
        condition = "(attribute_not_exists(leased_until) OR leased_until <= :now)"
        values: dict[str, str | int | bytes] = {":until": to_seconds(until), ":now": to_seconds(now)}
        if scheduled_at:
            condition += " AND (attribute_not_exists(scheduled_at) OR scheduled_at <= :earlier)"
            values[":earlier"] = to_seconds(scheduled_at - _SAME_EVENT)
        try:
            item = self._table.update(OVERVIEWS, _LAST, "SET leased_until = :until", values, {}, condition=condition)
        except ConditionError:
            return None
        return _last_overview(item)

    def has_published(self, scheduled_at: datetime) -> bool:
        """Return whether the overview of a schedule's event was published."""
        item = self._table.get(OVERVIEWS, _LAST) or {}
        return number(item, "scheduled_at") > to_seconds(scheduled_at - _SAME_EVENT)

    def release(self) -> None:
        """Return the lease without an overview."""
        self._table.update(OVERVIEWS, _LAST, "SET leased_until = :none", {":none": 0}, {})

    def snapshot(self, last: LastOverview) -> dict[str, RepositorySnapshot] | None:
        """Return the snapshot of an overview by repository; None if there is none."""
        if not last.snapshot:
            return None
        items = self._table.get_many(last.snapshot)
        parts = [items.get(key, {}).get("data") for key in last.snapshot]
        if not all(isinstance(part, bytes) for part in parts):
            return None
        return decode(_Snapshot, unpack(b"".join(part for part in parts if isinstance(part, bytes))))

    def store(
        self,
        repositories: Mapping[str, RepositorySnapshot],
        last: LastOverview,
        now: datetime,
        scheduled_at: datetime | None,
    ) -> None:
        """Remember the overview that was published now, and return the lease.

        Args:
            repositories: what the overview knew of each.
            last: the overview before this one, whose snapshot is deleted.
            now: aware.
            scheduled_at: the time of the schedule's event; None if someone asked for the overview.
        """
        parts = cut(pack(encode(_Snapshot, repositories)), _PART_SIZE)
        keys = _snapshot_keys(now, len(parts))
        self._table.put_many(
            {"pk": pk, "sk": sk, "data": part, "expires": expires(now)}
            for (pk, sk), part in zip(keys, parts, strict=True)
        )
        # Only this write makes the new snapshot the current one.
        expression = "SET published_at = :now, parts = :parts, leased_until = :none, expires = :expires"
        values: dict[str, str | int | bytes] = {":now": to_seconds(now), ":parts": len(parts), ":none": 0}
        values[":expires"] = expires(now)
        if scheduled_at:
            expression += ", scheduled_at = :scheduled_at"
            values[":scheduled_at"] = to_seconds(scheduled_at)
        self._table.update(OVERVIEWS, _LAST, expression, values, {})
        self._table.delete_many(key for key in last.snapshot if key not in keys)


def _last_overview(item: Item) -> LastOverview:
    published_at = to_time(item.get("published_at"))
    return LastOverview(published_at, _snapshot_keys(published_at, number(item, "parts")) if published_at else ())


def _snapshot_keys(published_at: datetime, parts: int) -> tuple[Key, ...]:
    return tuple((OVERVIEWS, f"SNAPSHOT#{sortable(published_at)}#{part:04}") for part in range(parts))
