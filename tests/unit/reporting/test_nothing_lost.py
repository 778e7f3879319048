"""Nothing is lost: the function is killed at every write, and AWS fails, and everything is reported all the same.

The function is killed before and after each of its writes, and SQS delivers its messages again. Everything is reported
at least once; twice only what SNS had accepted before.
"""

import json
import random
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import timedelta
from itertools import count, product
from typing import Any

import pytest
from ecr_scan_reporter.aws.dynamodb import Table
from ecr_scan_reporter.memory.runs import RepositoryState, RunMemory
from ecr_scan_reporter.memory.scans import ScanMemory
from ecr_scan_reporter.messages.reports_queue import CHECK
from ecr_scan_reporter.models.scans import ENHANCED, ScanResult
from fake_aws import MEMORY_TABLE
from support.invocations import REGISTRY
from support.world import CHAT, HOUR, START, TOPIC, World, digest_of, documents

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


pytestmark = pytest.mark.usefixtures("quiet")


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
    world.send(world.scanned("1", "CVE-1"))
    world.deliver()
    world.now += HOUR
    world.send(world.scanned("2", "CVE-1", "CVE-2"))
    world.deliver()


def batch(world: World) -> None:
    """One batch has several images of two groups, with a failed scan."""
    for number in range(3):
        world.send(world.scanned(str(number), f"CVE-{number}", repository=f"team-{number % 2}/app"))
    world.send(world.scanned("3", repository="team-0/app", status="FAILED"))
    world.deliver()


def large(world: World) -> None:
    """An image has findings with so much in them, which cannot be compressed, that they take several items."""
    source = random.Random(1)
    world.send(world.scanned("1", *(f"CVE-{n}-{source.randbytes(500).hex()}" for n in range(750))))
    world.deliver()
    items = world.table.undisturbed().scan(TableName=MEMORY_TABLE)["Items"]
    assert sum(item["sk"]["S"].startswith("FINDINGS#") for item in items) == 2


def window(world: World) -> None:
    """Scans of one window arrive in several batches; one of them fails, and one image is scanned again."""
    world.send(world.scanned("1", "CVE-1"))
    world.deliver(world.now + MINUTE)
    world.send(world.scanned("2", status="FAILED"))
    world.send(world.scanned("1", "CVE-1", "CVE-2"))
    world.deliver(world.now + MINUTE)
    world.send(world.scanned("1", "CVE-1", "CVE-2"))
    world.deliver()


def run(world: World) -> None:
    """A run of the schedule has asked for two scans."""
    table = Table(world.table.undisturbed(), "memory")
    RunMemory(table, REGISTRY).begin("run", 1, world.now)
    asked = [digest_of("1"), digest_of("2")]
    ScanMemory(table, REGISTRY).remember("app", dict.fromkeys(asked), asked, "run", world.now)
    world.now += MINUTE
    world.send(world.scanned("1", "CVE-1"))
    world.deliver(world.now + MINUTE)
    RunMemory(table, REGISTRY).remember_state(RepositoryState("app", world.now, 2, 2, "run"), world.now)
    world.send(world.scanned("2", "CVE-2"))
    world.deliver()


def inventory(world: World) -> None:
    """Images that were there before are scanned, one of them without success, and one is pushed."""
    for number in range(3):
        world.send(world.scanned(f"old{number}", f"CVE-{number}", pushed=30 * DAY))
    world.send(world.scanned("old3", status="FAILED", pushed=30 * DAY))
    world.send(world.scanned("1", "CVE-1"))
    world.deliver()


def complete_and_failed(world: World) -> None:
    """A complete scan and a failed one, which is not reported, are in one batch."""
    first = world.scanned("1", "CVE-1")
    world.send(first)
    world.now += MINUTE
    result = world.registry.results[digest_of("1")]
    world.send(world.scanned("1", status="FAILED"))
    world.registry.results[digest_of("1")] = result
    world.deliver()


def overtaken(world: World) -> None:
    """Before a message comes back, a later scan of the image changes nothing."""
    world.send(world.scanned("1", "CVE-1"))
    world.deliver(world.now + MINUTE)
    world.now += MINUTE
    world.send(world.scanned("1", "CVE-1"))
    world.deliver()


def overtaken_in_one_batch(world: World) -> None:
    """A message comes back together with the event of a later scan."""
    world.send(world.scanned("1", "CVE-1"))
    world.deliver(world.now + MINUTE)
    world.now += HOUR
    world.send(world.scanned("1", "CVE-1"))
    world.deliver()


def quiet_hours(world: World) -> None:
    """Two images are scanned in quiet hours, one of them with a known exploit."""
    for name, exploited in {"1": False, "2": True}.items():
        event = world.scanned(name, f"CVE-{name}")
        result = world.registry.results[digest_of(name)]
        assert isinstance(result, ScanResult)
        findings = tuple(finding._replace(exploit_available=exploited) for finding in result.findings)
        world.registry.results[digest_of(name)] = result._replace(findings=findings, scanner=ENHANCED)
        world.send(event)
        world.deliver(world.now + MINUTE)
    world.deliver()


HISTORIES = (
    push,
    batch,
    large,
    window,
    run,
    inventory,
    complete_and_failed,
    overtaken,
    overtaken_in_one_batch,
    quiet_hours,
)
SETTINGS: dict[Callable[[World], None], dict[str, str]] = {
    batch: {"GROUP_BY": "^([^/]+)/", "CHAT_TOPIC_ARN": CHAT},
    window: {"REPORT_WINDOW_SECONDS": "600"},
    # World begins on a Sunday at noon.
    quiet_hours: {"QUIET_HOURS": '{"windows":["SUN 11:00-15:00"],"time_zone":"UTC","exploited":true}'},
    overtaken: {"NOTIFY_ON_SCAN_FAILURE": "false"},
    complete_and_failed: {"NOTIFY_ON_SCAN_FAILURE": "false"},
}


def play(history: Callable[[World], None], kills: Mapping[int, bool] | None = None) -> World:
    """Play a history; `kills` has the numbers of writes at which the function is killed, and whether after them."""
    world = World(SETTINGS.get(history, {}))
    world.faults.kills = dict(kills or {})
    history(world)
    world.deliver()
    assert world.dlq == []
    return world


@pytest.mark.slow
@pytest.mark.parametrize("history", HISTORIES)
def test_function_killed_at_any_write_reports_everything(history: Callable[[World], None]) -> None:
    undisturbed = play(history)
    assert "Publish" in undisturbed.faults.writes
    for number, after in product(range(len(undisturbed.faults.writes)), (False, True)):
        check(history, {number: after}, reported(undisturbed.documents()))


@pytest.mark.slow
@pytest.mark.parametrize("history", [push, overtaken, overtaken_in_one_batch, complete_and_failed])
def test_function_killed_twice_reports_everything(history: Callable[[World], None]) -> None:
    expected = reported(play(history).documents())
    writes = len(play(history).faults.writes)
    for first in range(writes):
        for second in range(first + 1, writes + 4):
            check(history, {first: True, second: True}, expected)


def check(history: Callable[[World], None], kills: dict[int, bool], expected: Expected) -> None:
    world = play(history, kills)
    counts = reported(world.documents())
    where = f"killed at {kills} of {world.faults.writes}"
    assert counts >= expected, where
    # What had gone out before the kill may be repeated, and nothing else.
    assert counts - expected <= reported(documents(world.unconfirmed)), where


def test_publisher_killed_after_any_message_repeats_that_one_alone_with_its_id() -> None:
    undisturbed = play(batch)
    expected = Counter(map(message_id, undisturbed.published))
    published = [number for number, write in enumerate(undisturbed.faults.writes) if write == "Publish"]
    assert len(published) == len(expected) == 4
    for number in published:
        world = play(batch, {number: True})
        [repeated] = world.unconfirmed
        assert Counter(map(message_id, world.published)) == expected + Counter([message_id(repeated)])


def message_id(published: tuple[str, dict[str, Any]]) -> tuple[str, str]:
    """Return the topic and the id of a message, which is the same in its attributes."""
    topic, message = published
    value = json.loads(message["Message"])
    if topic == CHAT:
        return topic, value["id"]
    id_ = json.loads(value["default"])["id"]
    assert message["MessageAttributes"]["id"]["StringValue"] == id_
    return topic, id_


def test_report_of_a_killed_publisher_goes_out_when_its_lease_ends() -> None:
    world = World()
    world.send(world.scanned("1", "CVE-1"))
    world.faults.kills = {3: True}
    world.deliver(world.now + MINUTE)
    # Since when registry and repository are known; the scan; the window.
    assert world.faults.writes == ["UpdateItem", "UpdateItem", "TransactWriteItems", "UpdateItem"]
    world.faults.kills = {}
    world.now += MINUTE
    # The window is open. Only a message that comes back can publish it: it comes after half an hour.
    world.deliver(START + 29 * MINUTE)
    assert world.documents() == []
    world.deliver(START + 31 * MINUTE)
    assert reported(world.documents()) == {(digest_of("1"), "CVE-1"): 1}


def test_lease_of_a_killed_publisher_delays_others_by_minutes() -> None:
    world = World()
    world.send(world.scanned("1", "CVE-1"))
    writes = play(push).faults.writes
    world.faults.kills = {writes.index("Publish"): False}
    world.deliver(world.now + MINUTE)
    world.send(world.scanned("2", "CVE-2"))
    world.deliver(world.now + MINUTE)
    assert world.documents() == []
    world.deliver(world.now + 10 * MINUTE)
    assert reported(world.documents()) == {(digest_of("1"), "CVE-1"): 1, (digest_of("2"), "CVE-2"): 1}


@pytest.mark.parametrize("fraction", [0, 100_000, 400_000, 999_999])
def test_check_that_arrives_within_a_second_of_its_time_publishes(fraction: int) -> None:
    world = World({"REPORT_WINDOW_SECONDS": "1000"}, now=START.replace(microsecond=fraction))
    world.send(world.scanned("1", "CVE-1"))
    world.deliver()
    assert reported(world.documents()) == {(digest_of("1"), "CVE-1"): 1}


def test_check_that_arrives_early_is_repeated() -> None:
    world = World({"REPORT_WINDOW_SECONDS": "60"})
    world.send(world.scanned("1", "CVE-1"))
    world.deliver(world.now + MINUTE / 2)
    [check_message] = world.queue
    check_message.visible_at = START + timedelta(seconds=58)  # the clock of this host is two seconds slow
    world.deliver()
    assert reported(world.documents()) == {(digest_of("1"), "CVE-1"): 1}


def test_sns_is_down_for_an_hour() -> None:
    world = World({"CHAT_TOPIC_ARN": CHAT}, rejecting={TOPIC, CHAT})
    world.send(world.scanned("1", "CVE-1"))
    world.send(world.scanned("old", "CVE-2", pushed=30 * DAY))
    world.deliver(world.now + HOUR)
    assert world.published == []
    world.rejecting.clear()
    world.deliver(world.now + 2 * MINUTE)
    assert reported(world.documents()) == {(digest_of("1"), "CVE-1"): 1, ("app", "inventory"): 1}
    assert [topic for topic, _ in world.published] == [TOPIC, CHAT]
    world.deliver()
    assert len(world.published) == 2
    assert world.dlq == []


@pytest.mark.parametrize(("down", "other"), [(TOPIC, CHAT), (CHAT, TOPIC)])
def test_one_topic_is_down_for_an_hour(down: str, other: str) -> None:
    world = World({"CHAT_TOPIC_ARN": CHAT}, rejecting={down})
    world.send(world.scanned("1", "CVE-1"))
    world.deliver(world.now + HOUR)
    assert [topic for topic, _ in world.published] == [other]
    world.rejecting.clear()
    world.deliver()
    assert [topic for topic, _ in world.published] == [other, down]
    assert world.dlq == []


def test_what_one_topic_rejects_is_queued_for_a_minute() -> None:
    world = World({"CHAT_TOPIC_ARN": CHAT, "REPORT_WINDOW_SECONDS": "0"}, rejecting={CHAT})
    world.process(world.scanned("1", "CVE-1"))
    assert [topic for topic, _ in world.published] == [TOPIC]
    [publication] = [message for message in world.queue if "publish" in json.loads(message.body)]
    assert publication.visible_at == world.now + MINUTE


READS = ("GetItem", "BatchGetItem", "Query")
WRITES = ("PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem", "TransactWriteItems")


@pytest.mark.parametrize(
    ("operations", "code"),
    [
        (READS + WRITES, "ResourceNotFoundException"),
        (READS + WRITES, "ProvisionedThroughputExceededException"),
        (READS, "AccessDeniedException"),
        (WRITES, "AccessDeniedException"),
        *(((operation,), "ThrottlingException") for operation in READS + WRITES),
    ],
)
def test_table_fails_for_an_hour(operations: tuple[str, ...], code: str) -> None:
    world = World()
    world.send(world.scanned("1", "CVE-1"))
    world.deliver()
    world.now += HOUR
    world.faults.rejected = dict.fromkeys(operations, code)
    world.send(world.scanned("1", "CVE-1"))
    world.send(world.scanned("2", "CVE-2"))
    world.deliver(world.now + HOUR)
    during = reported(documents(world.published[1:]))
    assert during <= Counter({(digest_of("2"), "CVE-2"): len(world.published) - 1})
    world.faults.rejected = {}
    world.deliver()
    counts = reported(world.documents())
    # What is known is not news when the table is back.
    assert counts[digest_of("1"), "CVE-1"] == 1
    # What SNS accepted, but could not be taken out of the outbox, is reported again.
    assert counts[digest_of("2"), "CVE-2"] == 1 or operations == ("BatchWriteItem",)
    assert counts[digest_of("2"), "CVE-2"] >= 1
    assert world.dlq == []


def test_events_that_the_table_never_took_reach_the_dlq_and_can_be_redriven() -> None:
    world = World()
    world.faults.rejected = {"BatchGetItem": "ResourceNotFoundException"}
    world.send(world.scanned("1", "CVE-1"))
    world.deliver()
    [dead] = world.dlq
    assert world.documents() == []
    world.faults.rejected = {}
    world.send(dead.body)
    world.deliver()
    assert reported(world.documents()) == {(digest_of("1"), "CVE-1"): 1}


def meeting(call: Callable[..., Any]) -> Callable[..., Any]:
    """Return a call at which the first two callers wait for each other."""
    barrier, callers = threading.Barrier(2), count(1)

    def meet(*args: Any, **kwargs: Any) -> Any:
        if next(callers) <= 2:
            barrier.wait(60)
        return call(*args, **kwargs)

    return meet


def at_once(world: World, first: dict[str, Any], second: dict[str, Any]) -> None:
    """Invoke two functions at the same moment."""
    messages = [world.send(first), world.send(second)]
    threads = [threading.Thread(target=world.invoke, args=([message],)) for message in messages]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()


@pytest.mark.parametrize("attempt", range(10))
def test_two_functions_process_the_same_event_at_once(attempt: int) -> None:
    world = World()
    event = world.scanned("1", "CVE-1")
    # Both have read the memory before one of them writes.
    world.registry.scan_result = meeting(world.registry.scan_result)  # type: ignore[method-assign]
    at_once(world, event, event)
    world.deliver()
    assert reported(world.documents()) == {(digest_of("1"), "CVE-1"): 1}
    assert world.dlq == []


@pytest.mark.parametrize("attempt", range(10))
def test_two_functions_publish_one_window_at_once(attempt: int) -> None:
    world = World()
    # In one repository, the second image would replace the first one: a finding that both have is no news of it.
    events = [world.scanned(name, "CVE-1", repository=f"app-{name}") for name in ("1", "2")]
    # Both have noted that their windows are due before one of them publishes.
    query = world.table.query
    meet = meeting(query)
    world.table.query = lambda **call: (
        meet(**call) if call["ExpressionAttributeValues"][":pk"] == {"S": "WINDOWS"} else query(**call)
    )
    at_once(world, *events)
    world.deliver()
    assert reported(world.documents()) == {(digest_of("1"), "CVE-1"): 1, (digest_of("2"), "CVE-1"): 1}


def test_lease_lasts_as_long_as_the_invocation() -> None:
    world = World()
    scan_result = world.registry.scan_result

    def slow(repository: str, digest: str) -> ScanResult:
        world.now += timedelta(seconds=130)
        return scan_result(repository, digest)

    def other_function() -> None:
        world.before_publish = lambda: None
        world.now += timedelta(seconds=100)
        world.invoke([world.send(CHECK)])

    world.registry.scan_result = slow  # type: ignore[method-assign]
    world.before_publish = other_function
    world.send(world.scanned("1", "CVE-1"))
    world.deliver()
    assert reported(world.documents()) == {(digest_of("1"), "CVE-1"): 1}
