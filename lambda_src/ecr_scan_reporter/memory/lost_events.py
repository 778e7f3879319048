"""The events that never came: one item for each day and image, so that one that is found twice counts once."""

from datetime import datetime, timedelta
from functools import partial
from typing import NamedTuple

from ecr_scan_reporter.aws.dynamodb import Table, Value
from ecr_scan_reporter.memory import lifetimes
from ecr_scan_reporter.memory.codec import from_item, readable
from ecr_scan_reporter.memory.items import END, expires, key_part, registry_key, to_seconds
from ecr_scan_reporter.models.images import ImageId, RegistryId
from ecr_scan_reporter.shared.durations import Duration


class LostEvent(NamedTuple):
    """An event that never came: when that was found, and the image that it was about."""

    at: datetime
    repository: str
    digest: str


def note_lost_event(table: Table, image: ImageId, now: datetime) -> None:
    """Note that the event of a scan of an image never came.

    Raises:
        AwsError: DynamoDB rejected the call.
    """
    sk = f"{now.isoformat()[:10]}#{key_part(image.repository)}#{key_part(image.digest)}"
    event: dict[str, Value] = {"at": to_seconds(now), "repository": image.repository, "digest": image.digest}
    table.put(
        {"pk": registry_key("LOST", image.registry), "sk": sk, **event, "expires": expires(now, lifetimes.LOST_EVENT)}
    )


def lost_events(
    table: Table, registry: RegistryId, max_age: Duration, run_interval: timedelta, now: datetime, limit: int
) -> list[LostEvent]:
    """Return the lost events of the time in which each image is scanned twice, the last days first; one call.

    Args:
        registry: whose images.
        max_age: the promised age of scans.
        run_interval: the longest time between two runs.
        limit: how many at most.

    Raises:
        AwsError: DynamoDB rejected the call.
    """
    at = max_age.before(max_age.before(now - 2 * run_interval))
    items = table.query(registry_key("LOST", registry), at.isoformat()[:10], END, limit=limit, descending=True)
    return [event for event in readable(items, partial(from_item, LostEvent)) if event.at >= at]
