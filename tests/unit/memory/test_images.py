"""Remembers what a scan found, which images replace which, and when findings are to be read again."""

from datetime import UTC, datetime, timedelta

import pytest
from ecr_scan_reporter.aws.dynamodb import Table
from ecr_scan_reporter.errors import ConditionError
from ecr_scan_reporter.memory.images import ImageMemory, ImageRecord
from ecr_scan_reporter.memory.items import image_key, repository_key
from ecr_scan_reporter.memory.pushes import PushedImage
from ecr_scan_reporter.models.images import ImageId
from support.invocations import REGISTRY

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
OLD, NEW, OTHER = (REGISTRY.image("app", f"sha256:{number:064}") for number in range(3))
RECORD = ImageRecord(scanned_at=NOW, tags=("1.0",), counts={"HIGH": 1}, findings_format=1)


@pytest.fixture
def memory(table: Table) -> ImageMemory:
    return ImageMemory(table, NOW)


def write(memory: ImageMemory, image: ImageId, record: ImageRecord, *replaced: ImageId) -> None:
    pushed = [PushedImage(other.digest, NOW - MINUTE) for other in replaced]
    memory.write(image, record, NOW, findings=b"data", replaced=pushed)


def test_look_is_noted_beside_what_is_known(memory: ImageMemory) -> None:
    write(memory, OLD, RECORD)
    before = memory.read(OLD)
    noted = memory.note_look(OLD, before.record._replace(looked_at=NOW, look_at=NOW + MINUTE))
    assert noted == before.record._replace(revision=2, looked_at=NOW, look_at=NOW + MINUTE)
    assert memory.read(OLD) == before._replace(record=noted)


def test_look_that_is_no_longer_planned_is_none(memory: ImageMemory) -> None:
    write(memory, OLD, RECORD._replace(look_at=NOW))
    memory.note_look(OLD, memory.read(OLD).record._replace(looked_at=NOW, look_at=None))
    record = memory.read(OLD).record
    assert (record.looked_at, record.look_at) == (NOW, None)


def test_one_invocation_at_a_time_notes_a_look(memory: ImageMemory) -> None:
    write(memory, OLD, RECORD)
    read = memory.read(OLD).record
    noted = memory.note_look(OLD, read._replace(looked_at=NOW))
    for late in (read, read._replace(revision=noted.revision + 1)):
        with pytest.raises(ConditionError):
            memory.note_look(OLD, late._replace(looked_at=NOW + MINUTE))
        with pytest.raises(ConditionError):
            write(memory, OLD, late)
    # The scan that is read then has the revision of the note.
    write(memory, OLD, noted._replace(counts={}))
    assert memory.read(OLD).record == noted._replace(revision=3, parts=1, counts={})


def test_look_at_an_image_that_is_forgotten_leaves_nothing(memory: ImageMemory, table: Table) -> None:
    with pytest.raises(ConditionError):
        memory.note_look(OLD, ImageRecord(revision=1, looked_at=NOW))
    assert table.get(repository_key(REGISTRY, "app"), image_key(OLD.digest)) is None


def test_image_knows_what_replaces_it(memory: ImageMemory) -> None:
    write(memory, OLD, RECORD)
    before = memory.read(OLD)
    write(memory, NEW, RECORD._replace(predecessor=OLD.digest), OLD)
    write(memory, OTHER, RECORD._replace(predecessor=OLD.digest), OLD)
    assert memory.read(OLD) == before._replace(
        record=before.record._replace(revision=3, successors=frozenset({NEW.digest, OTHER.digest}))
    )
    assert memory.read(NEW).record.predecessor == OLD.digest
    assert memory.read(NEW).record.successors == frozenset()


def test_all_platforms_of_an_image_are_replaced_together(memory: ImageMemory) -> None:
    write(memory, OLD, RECORD)
    write(memory, OTHER, RECORD)
    write(memory, NEW, RECORD, OLD, OTHER)
    records = memory.read_many([OLD, OTHER])
    assert {remembered.record.successors for remembered in records.values()} == {frozenset({NEW.digest})}


def test_successor_that_is_written_twice_is_one(memory: ImageMemory) -> None:
    write(memory, OLD, RECORD)
    write(memory, NEW, RECORD, OLD)
    write(memory, NEW, memory.read(NEW).record, OLD)
    assert memory.read(OLD).record.successors == {NEW.digest}


def test_scan_that_was_read_before_a_successor_came_does_not_lose_it(memory: ImageMemory) -> None:
    write(memory, OLD, RECORD)
    early = memory.read(OLD).record
    write(memory, NEW, RECORD, OLD)
    with pytest.raises(ConditionError):
        write(memory, OLD, early._replace(counts={}))
    with pytest.raises(ConditionError):
        memory.note_look(OLD, early._replace(looked_at=NOW))
    write(memory, OLD, memory.read(OLD).record._replace(counts={}))
    assert memory.read(OLD).record.successors == {NEW.digest}


def test_scan_that_is_not_remembered_replaces_nothing(memory: ImageMemory) -> None:
    write(memory, OLD, RECORD)
    write(memory, NEW, RECORD)
    with pytest.raises(ConditionError):
        write(memory, NEW, RECORD, OLD)
    assert memory.read(OLD).record == RECORD._replace(revision=1, parts=1)
