"""Reduces a batch of scan events to those that must be processed for each image."""

from collections.abc import Iterable
from typing import NamedTuple

from ecr_scan_reporter.models.images import ImageId
from ecr_scan_reporter.reporting.intake.events import ScanEvent


class ReceivedEvent(NamedTuple):
    """A scan event of a batch, with the id of its message and how often SQS has delivered that."""

    message_id: str
    receives: int
    event: ScanEvent


class ImageEvents(NamedTuple):
    """The events of one image in a batch.

    Args:
        events: the last one of a complete scan and the last one of a failed scan, in the order of their times; only
            the complete one if the failed one is older. A finding event counts as that of a complete scan if there is
            no other: the findings are read once for all of them.
        message_ids: of all messages about this image.
        scans: how many of the messages are about a scan that ended.
        receives: how often SQS has delivered those messages, at most.
    """

    events: tuple[ScanEvent, ...]
    message_ids: tuple[str, ...]
    receives: int
    scans: int = 0

    @property
    def image(self) -> ImageId:
        """The image."""
        return self.events[0].image

    @property
    def repeated(self) -> bool:
        """Whether an earlier invocation, perhaps one that ended early, may have processed one of the messages."""
        return self.receives > 1 or self.scans > sum(not event.is_look for event in self.events)


def latest_per_image(events: Iterable[ReceivedEvent]) -> list[ImageEvents]:
    """Group events by image and drop those that a later one replaces; an event may occur twice."""
    images: dict[ImageId, ImageEvents] = {}
    for message_id, receives, event in events:
        known = images.get(event.image, ImageEvents((), (), 0))
        images[event.image] = known._replace(
            events=_latest((*known.events, event)),
            message_ids=(*known.message_ids, message_id),
            receives=max(receives, known.receives),
            scans=known.scans + (not event.is_look),
        )
    return list(images.values())


def _latest(events: tuple[ScanEvent, ...]) -> tuple[ScanEvent, ...]:
    complete = max((event for event in events if not event.failed), key=_rank, default=None)
    failed = max((event for event in events if event.failed), key=_rank, default=None)
    if complete and failed:
        return (complete, failed) if failed.time > complete.time else (complete,)
    return tuple(event for event in (complete, failed) if event)


def _rank(event: ScanEvent) -> tuple[bool, float]:
    return not event.is_look, event.time.timestamp()
