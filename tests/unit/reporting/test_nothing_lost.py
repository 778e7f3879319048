"""Nothing is lost: the function is killed at every write, and AWS fails, and everything is reported all the same.

The function is killed before and after each of its writes, and SQS delivers its messages again. Everything is reported
at least once; twice only what SNS had accepted before.
"""

import json
import logging
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from itertools import product
from typing import Any

import pytest
from ecr_scan_reporter.aws.dynamodb import Table
from ecr_scan_reporter.memory.scans import RepositoryState, ScanMemory
from ecr_scan_reporter.models import Finding, Image, ScanResult
from ecr_scan_reporter.shared.concurrency import concurrent_map
from reporter_world import CHAT, START, TOPIC, World, documents, scan_event

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Log nothing: most of the time would go into it."""
    logging.disable()
    yield
    logging.disable(logging.NOTSET)


def digest_of(name: str) -> str:
    return f"sha256:{name:0>64}"


def scan(
    world: World, name: str, *ids: str, repository: str = "app", status: str = "COMPLETE", pushed: timedelta = HOUR
) -> str:
    """Let ECR have scanned an image now; return the event."""
    digest = digest_of(name)
    findings = tuple(Finding(id_, "HIGH", "openssl", ("1.0",)) for id_ in ids)
    world.registry.images.setdefault(
        digest, Image(repository, digest, (f"{name}.0",), pushed_at=world.now - pushed)
    )
    result = ScanResult(status, "No space.", findings if status == "COMPLETE" else (), world.now)
    world.registry.results[digest] = result
    return scan_event(digest, world.now, {"HIGH": len(result.findings)}, (f"{name}.0",), status, repository)


# What a history has to report: the number of images with this finding as new, of failed scans, of inventory.
Expected = Counter[tuple[str, str]]


def reported(reports: list[dict[str, Any]]) -> Expected:
    """Return how often each thing was reported."""
    counts: Expected = Counter()
    for document in reports:
        for image in document["images"]:
            for found in image["changes"]["new"]:
                counts[image["digest"], found["id"]] += 1
        for image in document["failed_scans"]:
            counts[image["digest"], "failed"] += 1
        if document["inventory"]:
            for repository in document["inventory"]["repositories"]:
                counts[repository["repository"], "inventory"] += repository["images"]
    return counts


def push(world: World) -> None:
    """Two images are pushed, one after the other."""
    world.send(scan(world, "1", "CVE-1"))
    world.deliver()
    world.now += HOUR
    world.send(scan(world, "2", "CVE-1", "CVE-2"))
    world.deliver()


def batch(world: World) -> None:
    """One batch has several images of two groups, with a failed scan."""
    for number in range(3):
        world.send(scan(world, str(number), f"CVE-{number}", repository=f"team-{number % 2}/app"))
    world.send(scan(world, "3", repository="team-0/app", status="FAILED"))
    world.deliver()


def large(world: World) -> None:
    """An image has so many findings that they take several items."""
    world.send(scan(world, "1", *(f"CVE-{number}-{hash_text(number)}" for number in range(3000))))
    world.deliver()


def hash_text(number: int) -> str:
    return f"{number * 2654435761 % 2**32:08x}" * 30


def window(world: World) -> None:
    """Scans of one window arrive in several batches; one of them fails, and one image is scanned again."""
    world.send(scan(world, "1", "CVE-1"))
    world.deliver(world.now + MINUTE)
    world.send(scan(world, "2", status="FAILED"))
    world.send(scan(world, "1", "CVE-1", "CVE-2"))
    world.deliver(world.now + MINUTE)
    world.send(scan(world, "1", "CVE-1", "CVE-2"))
    world.deliver()


def run(world: World) -> None:
    """A run of the schedule has asked for two scans."""
    memory = ScanMemory(Table(World().table, "memory"))  # the scanner's writes are not the reporter's
    memory._table._dynamodb.items = world.table.items  # type: ignore[attr-defined]
    memory._table._dynamodb._order = world.table._order  # type: ignore[attr-defined]
    memory.begin_run("run", 1, world.now)
    memory.remember("app", {digest_of("1"): None, digest_of("2"): None}, [digest_of("1"), digest_of("2")], "run", world.now)
    world.now += MINUTE
    world.send(scan(world, "1", "CVE-1"))
    world.deliver(world.now + MINUTE)
    memory.remember_state(RepositoryState("app", world.now, 2, 2, "run"), world.now)
    world.send(scan(world, "2", "CVE-2"))
    world.deliver()


def inventory(world: World) -> None:
    """Images that were there before are scanned, one of them without success, and one is pushed."""
    for number in range(3):
        world.send(scan(world, f"old{number}", f"CVE-{number}", pushed=30 * DAY))
    world.send(scan(world, "old3", status="FAILED", pushed=30 * DAY))
    world.send(scan(world, "1", "CVE-1"))
    world.deliver()


def complete_and_failed(world: World) -> None:
    """A complete scan and a failed one, which is not reported, are in one batch."""
    first = scan(world, "1", "CVE-1")
    world.send(first)
    world.now += MINUTE
    result = world.registry.results[digest_of("1")]
    world.send(scan(world, "1", status="FAILED"))
    world.registry.results[digest_of("1")] = result
    world.deliver()


def overtaken(world: World) -> None:
    """Before a message comes back, a later scan of the image changes nothing."""
    world.send(scan(world, "1", "CVE-1"))
    world.deliver(world.now + MINUTE)
    world.now += MINUTE
    world.send(scan(world, "1", "CVE-1"))
    world.deliver()


def overtaken_in_one_batch(world: World) -> None:
    """A message comes back together with the event of a later scan."""
    world.send(scan(world, "1", "CVE-1"))
    world.deliver(world.now + MINUTE)
    world.now += HOUR
    world.send(scan(world, "1", "CVE-1"))
    world.deliver()


HISTORIES = (push, batch, large, window, run, inventory, complete_and_failed, overtaken, overtaken_in_one_batch)
SETTINGS = {
    batch: {"GROUP_BY": "^([^/]+)/", "CHAT_TOPIC_ARN": CHAT},
    window: {"REPORT_WINDOW_SECONDS": "600"},
    overtaken: {"NOTIFY_ON_SCAN_FAILURE": "false"},
    complete_and_failed: {"NOTIFY_ON_SCAN_FAILURE": "false"},
}


def play(history: Callable[[World], None], kill_at: int | None = None, kill_after: bool = False) -> World:
    world = World(SETTINGS.get(history, {}))
    world.faults.kill_at, world.faults.kill_after = kill_at, kill_after
    history(world)
    world.deliver()
    assert world.dead_letters == []
    return world


@pytest.mark.parametrize("history", HISTORIES)
def test_function_killed_at_any_write_reports_everything(history: Callable[[World], None]) -> None:
    undisturbed = play(history)
    writes, expected = undisturbed.faults.writes, reported(undisturbed.documents())
    assert "Publish" in writes
    for number, after in product(range(len(writes)), (False, True)):
        world = play(history, number, after)
        counts = reported(world.documents())
        where = f"killed {'after' if after else 'before'} {writes[number]}, write {number} of {writes}"
        assert counts >= expected, where
        # What had gone out before the kill may be repeated, and nothing else.
        assert counts - expected <= reported(documents(world.unconfirmed)), where
