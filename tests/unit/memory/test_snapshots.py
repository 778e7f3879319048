"""Remembers the last overview, and lets one invocation at a time make the next one."""

import random
from datetime import UTC, datetime, timedelta

import pytest
from ecr_scan_reporter.aws.dynamodb import Table
from ecr_scan_reporter.memory.images import Ledger
from ecr_scan_reporter.memory.snapshots import OVERVIEWS, RepositorySnapshot, SnapshotMemory

NOW = datetime(2026, 11, 23, 7, 0, tzinfo=UTC)
WEEK, MINUTE = timedelta(days=7), timedelta(minutes=1)
SNAPSHOT = {"team-a/app": RepositorySnapshot(Ledger(1, 2, 3, 4, 5, 6, 7), 8)}


@pytest.fixture
def memory(table: Table) -> SnapshotMemory:
    return SnapshotMemory(table)


def publish(memory: SnapshotMemory, snapshot: dict[str, RepositorySnapshot], now: datetime) -> None:
    last = memory.claim(now, now + MINUTE, now)
    assert last is not None
    memory.store(snapshot, last, now, now)


def items(table: Table) -> list[str]:
    return [str(item["sk"]) for item in table.query(OVERVIEWS, " ", "~")]


def test_there_is_no_last_overview_at_first(memory: SnapshotMemory) -> None:
    assert memory.last(NOW).published_at is None
    assert memory.snapshot(memory.last(NOW)) is None


def test_snapshot_survives_and_replaces_the_one_before(memory: SnapshotMemory, table: Table) -> None:
    publish(memory, {"gone": RepositorySnapshot(Ledger(), 1)}, NOW - WEEK)
    publish(memory, SNAPSHOT, NOW)
    last = memory.last(NOW)
    assert last.published_at == NOW
    assert memory.snapshot(last) == SNAPSHOT
    assert items(table) == ["LAST", "SNAPSHOT#2026-11-23T07:00:00Z#0000#1"]


def test_empty_snapshot_is_one(memory: SnapshotMemory) -> None:
    publish(memory, {}, NOW)
    assert memory.snapshot(memory.last(NOW)) == {}


def test_large_snapshot_is_split_into_items_below_350_kb(memory: SnapshotMemory, table: Table) -> None:
    generator = random.Random(1)
    snapshot = {
        f"team/{generator.randbytes(20).hex()}": RepositorySnapshot(Ledger(*generator.choices(range(10**6), k=7)), n)
        for n in range(10_000)
    }
    publish(memory, snapshot, NOW)
    parts = [item["data"] for item in table.query(OVERVIEWS, "SNAPSHOT", "SNAPSHOT~")]
    assert len(parts) > 1
    assert all(isinstance(part, bytes) and len(part) < 350_000 for part in parts)
    assert memory.snapshot(memory.last(NOW)) == snapshot


def test_snapshot_that_is_not_whole_is_none(memory: SnapshotMemory, table: Table) -> None:
    publish(memory, SNAPSHOT, NOW)
    table.delete_many([(OVERVIEWS, "SNAPSHOT#2026-11-23T07:00:00Z#0000#1")])
    assert memory.snapshot(memory.last(NOW)) is None


def test_one_invocation_at_a_time_makes_an_overview(memory: SnapshotMemory) -> None:
    assert memory.claim(NOW, NOW + MINUTE, NOW) is not None
    assert memory.claim(NOW, NOW + MINUTE, NOW) is None
    assert memory.claim(NOW, NOW + MINUTE, None) is None


def test_killed_invocation_does_not_block_the_next_attempt(memory: SnapshotMemory) -> None:
    assert memory.claim(NOW, NOW + MINUTE, NOW) is not None
    assert memory.claim(NOW + MINUTE, NOW + 2 * MINUTE, NOW) is not None


def test_failed_invocation_does_not_block_the_next_attempt(memory: SnapshotMemory) -> None:
    last = memory.claim(NOW, NOW + MINUTE, NOW)
    assert last is not None
    memory.release(last.lease)
    assert memory.claim(NOW, NOW + MINUTE, NOW) is not None


@pytest.mark.parametrize(
    ("seconds", "accepted"), [(-3600, False), (-1, False), (0, False), (29, False), (30, True), (60, True)]
)
def test_event_of_a_published_overview_is_not_accepted_again(
    memory: SnapshotMemory, seconds: int, accepted: bool
) -> None:
    publish(memory, SNAPSHOT, NOW)
    later, time = NOW + timedelta(minutes=30), NOW + timedelta(seconds=seconds)
    assert (memory.claim(later, later + MINUTE, time) is not None) == accepted


def test_overview_that_someone_asks_for_leaves_the_schedule_alone(memory: SnapshotMemory) -> None:
    last = memory.claim(NOW, NOW + MINUTE, None)
    assert last is not None
    memory.store(SNAPSHOT, last, NOW, None)
    last = memory.claim(NOW, NOW + MINUTE, None)
    assert last is not None
    memory.release(last.lease)
    assert memory.claim(NOW, NOW + MINUTE, NOW) is not None
