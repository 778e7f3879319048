"""Reduces the events of a batch to those that count for each image."""

from datetime import UTC, datetime, timedelta

from ecr_scan_reporter.models.images import ImageId
from ecr_scan_reporter.reporting.intake.events import ScanEvent
from ecr_scan_reporter.reporting.intake.latest_events import ReceivedEvent, latest_per_image

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
IMAGE = ImageId("123456789012", "eu-west-1", "app", "sha256:0")


def event(minute: int, *, failed: bool = False, image: ImageId = IMAGE) -> ScanEvent:
    return ScanEvent(image, (), NOW + timedelta(minutes=minute), failed, None)


def latest(*events: ScanEvent) -> tuple[ScanEvent, ...]:
    """Return which events of one image count, in whatever order they come."""
    answers = {
        latest_per_image(ReceivedEvent(str(n), 1, event) for n, event in enumerate(order))[0].events
        for order in (events, events[::-1])
    }
    [answer] = answers
    return answer


def test_last_scan_counts() -> None:
    assert latest(event(1), event(3), event(2)) == (event(3),)
    assert latest(event(1, failed=True), event(2, failed=True)) == (event(2, failed=True),)


def test_failed_scan_counts_if_it_is_the_last_one() -> None:
    assert latest(event(1), event(2, failed=True)) == (event(1), event(2, failed=True))
    assert latest(event(1, failed=True), event(2)) == (event(2),)
    assert latest(event(1, failed=True), event(1)) == (event(1),)


def test_each_image_has_its_own_events() -> None:
    others = [
        IMAGE._replace(digest="sha256:1"),
        IMAGE._replace(repository="api"),
        IMAGE._replace(account="210987654321"),
        IMAGE._replace(region="us-east-1"),
    ]
    events = [event(number, image=image) for number, image in enumerate((IMAGE, *others))]
    images = latest_per_image(ReceivedEvent(str(n), 1, event) for n, event in enumerate(events))
    assert [image.image for image in images] == [IMAGE, *others]
    assert [image.events for image in images] == [(event,) for event in events]
    assert [image.message_ids for image in images] == [(str(n),) for n in range(5)]


def test_image_is_done_when_all_its_messages_are() -> None:
    received = [ReceivedEvent("a", 1, event(2)), ReceivedEvent("b", 3, event(1)), ReceivedEvent("c", 2, event(2))]
    [image] = latest_per_image(received)
    assert (image.events, image.message_ids, image.receives) == ((event(2),), ("a", "b", "c"), 3)


def test_message_may_have_been_processed_before() -> None:
    def repeated(*received: ReceivedEvent) -> bool:
        return latest_per_image(received)[0].repeated

    assert not repeated(ReceivedEvent("a", 1, event(1)))
    assert not repeated(ReceivedEvent("a", 1, event(1)), ReceivedEvent("b", 1, event(2, failed=True)))
    assert repeated(ReceivedEvent("a", 2, event(1)))
    # An earlier invocation may have processed the message whose event does not count here.
    assert repeated(ReceivedEvent("a", 1, event(1)), ReceivedEvent("b", 1, event(2)))
