"""Reports go out at their times: those of a run, of pushes, and of an inventory, at a time that the test sets."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from ecr_scan_reporter.aws.dynamodb import Table
from ecr_scan_reporter.memory.runs import RepositoryState, RunMemory
from ecr_scan_reporter.memory.scans import ScanMemory
from support.invocations import REGISTRY
from support.world import HOUR, START, World, digest_of

SECOND, MINUTE, DAY = (timedelta(**{unit: 1}) for unit in ("seconds", "minutes", "days"))


pytestmark = pytest.mark.usefixtures("quiet")


def scan(world: World, number: int, pushed: timedelta = HOUR) -> None:
    """Let ECR have scanned an image now, and let the event arrive."""
    world.send(world.scanned(str(number), f"CVE-2026-{number:04}", pushed=pushed))
    world.deliver(world.now)


def start_run(world: World, *numbers: int) -> Table:
    """Let a run of the schedule have asked for scans in the only repository, which it has not finished yet."""
    table = Table(world.table.undisturbed(), "memory")
    RunMemory(table, REGISTRY).begin("2026-03-01", 1, world.now)
    digests = [digest_of(str(number)) for number in numbers]
    ScanMemory(table, REGISTRY).remember("app", dict.fromkeys(digests), digests, "2026-03-01", world.now)
    return table


def finish_run(world: World, table: Table, asked: int) -> None:
    """Let the run have finished its only repository."""
    RunMemory(table, REGISTRY).remember_state(RepositoryState("app", world.now, asked, asked, "2026-03-01"), world.now)


def reported(world: World) -> list[list[str]]:
    """Return the images of each report, by their digests."""
    return [sorted(image["digest"] for image in document["images"]) for document in world.documents()]


def inventories(world: World) -> list[int]:
    """Return how many images each report has in its inventory."""
    found: list[Any] = [document["inventory"] for document in world.documents()]
    return [inventory["images"] for inventory in found if inventory]


def wait_until(world: World, moment: datetime) -> None:
    """Let time pass, and deliver what becomes visible."""
    world.deliver(moment)


def test_incomplete_run_is_reported_after_ten_quiet_minutes() -> None:
    world = World()
    finish_run(world, start_run(world, 1, 2, 3), asked=3)
    scan(world, 1)
    wait_until(world, START + 6 * MINUTE)
    scan(world, 2)
    # The second result began the ten minutes again.
    wait_until(world, START + 16 * MINUTE - SECOND)
    assert reported(world) == []
    wait_until(world, START + 17 * MINUTE)
    assert reported(world) == [[digest_of(str(1)), digest_of(str(2))]]


def test_run_whose_results_keep_coming_is_reported_after_an_hour() -> None:
    world = World()
    numbers = range(1, 31)
    table = start_run(world, *numbers)
    for number in numbers[:12]:
        wait_until(world, START + (number - 1) * 5 * MINUTE)
        scan(world, number)
    wait_until(world, START + HOUR - SECOND)
    assert reported(world) == []
    wait_until(world, START + HOUR + MINUTE)
    assert reported(world) == [[digest_of(str(number)) for number in numbers[:12]]]
    # What comes later is in a further report of the run.
    scan(world, 13)
    finish_run(world, table, asked=13)
    wait_until(world, world.now + MINUTE)
    assert reported(world)[1:] == [[digest_of(str(13))]]


def test_run_is_reported_with_its_last_result() -> None:
    world = World()
    table = start_run(world, 1, 2)
    scan(world, 1)
    wait_until(world, START + 2 * MINUTE)
    finish_run(world, table, asked=2)
    assert reported(world) == []
    scan(world, 2)
    assert reported(world) == [[digest_of(str(1)), digest_of(str(2))]]


def test_push_during_a_run_is_reported_within_the_window() -> None:
    world = World({"REPORT_WINDOW_SECONDS": "90"})
    start_run(world, 1, 2)
    scan(world, 1)
    wait_until(world, START + MINUTE)
    scan(world, 7)
    wait_until(world, START + MINUTE + 89 * SECOND)
    assert reported(world) == []
    wait_until(world, START + MINUTE + 91 * SECOND)
    assert reported(world) == [[digest_of(str(7))]]
    wait_until(world, START + 11 * MINUTE)
    assert reported(world) == [[digest_of(str(7))], [digest_of(str(1))]]


def test_second_inventory_waits_for_a_day_after_the_first_one() -> None:
    world = World()
    scan(world, 1, pushed=30 * DAY)
    wait_until(world, START + 10 * MINUTE - SECOND)
    assert inventories(world) == []
    wait_until(world, START + 11 * MINUTE)
    assert inventories(world) == [1]
    published_at = START + 10 * MINUTE
    for hour in (1, 9):
        wait_until(world, START + hour * HOUR)
        scan(world, 1 + hour, pushed=30 * DAY)
    wait_until(world, published_at + DAY - MINUTE)
    assert inventories(world) == [1]
    wait_until(world, published_at + DAY + MINUTE)
    assert inventories(world) == [1, 2]
    assert reported(world) == [[], []]
    assert world.dlq == []


def test_news_does_not_wait_for_the_inventory_of_its_day() -> None:
    world = World()
    scan(world, 1, pushed=30 * DAY)
    wait_until(world, START + HOUR)
    scan(world, 2, pushed=30 * DAY)
    scan(world, 3)
    wait_until(world, START + HOUR + MINUTE)
    assert (inventories(world), reported(world)) == ([1], [[], [digest_of(str(3))]])
