"""The events that never came: one item for each day and image, so that one that is found twice counts once."""

from datetime import datetime, timedelta
from typing import NamedTuple

from ecr_scan_reporter.aws.dynamodb import Item, Table
from ecr_scan_reporter.memory.codec import from_item, readable
from ecr_scan_reporter.memory.items import END, LOST_LIFETIME, expires, key_part, registry_key, to_seconds
from ecr_scan_reporter.models.images import RegistryId
from ecr_scan_reporter.shared.durations import Duration


class LostEvent(NamedTuple):
    """An event that never came: when that was found (aware), and the image that it was about."""

    at: datetime
    repository: str
    digest: str


class LostEventMemory:
    """The part of the memory table with the lost events of a registry.

    Every method raises AwsError if DynamoDB rejects a call.
    """

    def __init__(self, table: Table, registry: RegistryId) -> None:
        self._table, self._pk = table, registry_key("LOST", registry)

    def note(self, repository: str, digest: str, now: datetime) -> None:
        """Note that the event of a scan of an image never came."""
        item: Item = {
            "pk": self._pk,
            "sk": f"{now.isoformat()[:10]}#{key_part(repository)}#{key_part(digest)}",
            "at": to_seconds(now),
            "repository": repository,
            "digest": digest,
            "expires": expires(now, LOST_LIFETIME),
        }
        self._table.put(item)

    def lately(self, max_age: Duration, run_interval: timedelta, now: datetime, limit: int) -> list[LostEvent]:
        """Return the lost events of the time in which each image is scanned twice, the last days first; one call.

        Args:
            max_age: the promised age of scans.
            run_interval: the longest time between two runs.
            now: aware.
            limit: how many at most.
        """
        at = max_age.before(max_age.before(now - 2 * run_interval))
        items = self._table.query(self._pk, at.isoformat()[:10], END, limit=limit, descending=True)
        found = readable(items, lambda item: from_item(LostEvent, item))
        return [event for event in found if event.at >= at]
