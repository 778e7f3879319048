"""Plans when the findings of images are read again, and receives the messages that ask for it."""

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from math import ceil
from typing import Any

import pytest
from ecr_scan_reporter.aws.deadline import Deadline
from ecr_scan_reporter.errors import QueueError
from ecr_scan_reporter.messages.reports_queue import (
    DailyPassMessage,
    DueMessage,
    LookMessage,
    MissedMessage,
    parse_message,
    to_body,
)
from ecr_scan_reporter.models.images import ImageId, RegistryId
from ecr_scan_reporter.models.scans import ENHANCED
from ecr_scan_reporter.reporter import Batch, send_later
from ecr_scan_reporter.reporting.dependencies import ReporterDependencies
from support.invocations import REGISTRY, sqs_records
from support.world import START as NOW
from support.world import World

SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
IMAGES = [REGISTRY.image("app", f"sha256:{number:064}") for number in range(25)]


def plan(looks: Mapping[ImageId, datetime], world: World, deps: ReporterDependencies | None = None) -> None:
    messages = (LookMessage(image, ceil(at.timestamp())) for image, at in looks.items())
    send_later(zip(map(to_body, messages), looks.values(), strict=True), deps or world.deps, NOW)


def planned(world: World) -> dict[str, tuple[timedelta, int]]:
    """Return for each digest how long its message is delayed, and the time that it names, in seconds from now."""
    looks = [(message, parse_message(LookMessage, json.loads(message.body)["look"])) for message in world.queue]
    return {look.image.digest: (message.visible_at - NOW, look.at - int(NOW.timestamp())) for message, look in looks}


@pytest.mark.parametrize(
    ("wait", "delay", "at"),
    [
        (MINUTE, 60, 60),
        (900 * SECOND, 900, 900),
        # SQS delays no longer; the message is sent again when it arrives.
        (901 * SECOND, 900, 901),
        (timedelta(days=1), 900, 86400),
        # It is late already, but still names its time.
        (-MINUTE, 0, -60),
        (timedelta(0), 0, 0),
        # Never early.
        (0.25 * SECOND, 1, 1),
        (60.5 * SECOND, 61, 61),
    ],
)
def test_look_is_delayed_until_its_time_or_as_long_as_sqs_allows(wait: timedelta, delay: int, at: int) -> None:
    world = World()
    plan({IMAGES[0]: NOW + wait}, world)
    assert planned(world) == {IMAGES[0].digest: (delay * SECOND, at)}


def test_each_image_has_its_own_time() -> None:
    world = World()
    plan({image: NOW + n % 3 * MINUTE for n, image in enumerate(IMAGES)}, world)
    assert planned(world) == {image.digest: (n % 3 * MINUTE, n % 3 * 60) for n, image in enumerate(IMAGES)}
    # Ten messages a call, of those with one delay.
    assert world.faults.writes == ["SendMessageBatch"] * 3


def test_nothing_is_sent_if_nothing_is_planned() -> None:
    world = World()
    plan({}, world)
    assert (world.queue, world.faults.writes) == ([], [])


def test_look_that_cannot_be_planned_is_logged_and_stops_no_other(caplog: pytest.LogCaptureFixture) -> None:
    world = World()

    class Queue:
        def send(self, bodies: Iterable[str], delay: int = 0) -> int:
            if delay == 60:
                raise QueueError("SQS rejected a message")
            return world.deps.reports_queue.send(bodies, delay)

    queue: Any = Queue()
    looks = {IMAGES[0]: NOW + MINUTE, IMAGES[1]: NOW + 2 * MINUTE}
    plan(looks, world, world.deps._replace(reports_queue=queue))
    assert planned(world) == {IMAGES[1].digest: (2 * MINUTE, 120)}
    assert [record.message for record in caplog.records] == ["could not plan to read findings again"]


def received(world: World, *bodies: object, receives: int = 1) -> Batch:
    batch = Batch(sqs_records(*bodies, receives=receives), world.deps, Deadline(60), NOW)
    batch.receive()
    return batch


def look(image: ImageId, at: int | float = 0) -> str:
    return to_body(LookMessage(image, int(NOW.timestamp() + at) if at else 0))


# The clock of SQS may be a few seconds ahead.
@pytest.mark.parametrize("seconds", [-3600, -1, 1, 5])
def test_look_whose_time_has_come_is_an_event_of_its_image(seconds: int) -> None:
    world = World()
    batch = received(world, look(IMAGES[0], seconds), receives=2)
    [(message_id, receives, event)] = batch.events
    assert (message_id, receives, event.image) == ("0", 2, IMAGES[0])
    assert (event.time, event.is_look, event.scanner) == (NOW + seconds * SECOND, True, ENHANCED)
    assert (event.failed, event.counts, event.tags) == (False, None, ())
    assert world.queue == []


def test_look_without_a_time_is_one_now() -> None:
    assert received(World(), look(IMAGES[0])).events[0].event.time == NOW


def test_look_that_arrives_early_is_sent_again_and_done() -> None:
    world = World()
    batch = received(world, look(IMAGES[0], 6), look(IMAGES[1], 2000))
    assert (batch.events, batch.invalid) == ([], set())
    assert planned(world) == {IMAGES[0].digest: (6 * SECOND, 6), IMAGES[1].digest: (900 * SECOND, 2000)}


def test_look_waits_longer_than_sqs_delays_a_message() -> None:
    world = World()
    plan({IMAGES[0]: NOW + 2000 * SECOND}, world)
    world.deliver(NOW + 1999 * SECOND)
    [message] = world.queue
    assert (message.visible_at, message.receives) == (NOW + 2000 * SECOND, 0)
    assert world.faults.writes == ["SendMessageBatch"] * 3


@pytest.mark.parametrize("value", [None, {}, {"repository": "app"}, {"repository": "app", "digest": "d", "at": -1}])
def test_look_that_names_no_image_is_invalid_alone(value: object) -> None:
    batch = received(World(), {"look": value}, look(IMAGES[0]))
    assert batch.invalid == {"0"}
    assert [event.event.image for event in batch.events] == [IMAGES[0]]


@pytest.mark.parametrize(
    "message_about",
    [
        lambda registry: DueMessage(registry.image("app", "sha256:1")),
        lambda registry: LookMessage(registry.image("app", "sha256:1")),
        lambda registry: MissedMessage(registry.image("app", "sha256:1"), ENHANCED, 1),
        DailyPassMessage,
    ],
)
def test_message_about_another_registry_is_invalid_alone(
    message_about: Callable[[RegistryId], Any], caplog: pytest.LogCaptureFixture
) -> None:
    others = REGISTRY._replace(region="us-east-1"), REGISTRY._replace(account="999999999999")
    batch = received(World(), *(to_body(message_about(registry)) for registry in (*others, REGISTRY)))
    assert batch.invalid == {"0", "1"}
    assert len([*batch.due, *batch.events, *batch.missed, *batch.parts]) == 1
    assert [record.__dict__["reason"] for record in caplog.records] == [
        f"the message names a repository of {other}; expected 123456789012/eu-west-1"
        for other in ("123456789012/us-east-1", "999999999999/eu-west-1")
    ]
