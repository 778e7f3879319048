"""How far the daily pass over memory is."""

from datetime import datetime
from typing import NamedTuple

from ecr_scan_reporter.aws.dynamodb import Table
from ecr_scan_reporter.memory.codec import attributes, from_item, readable
from ecr_scan_reporter.memory.items import END, expires, formatted, latest, registry_key
from ecr_scan_reporter.models.images import RegistryId


class DailyPass(NamedTuple):
    """The last daily pass. Times are aware.

    Args:
        at: when it was started, which identifies it; None if there was none.
        repository: where it goes on.
        after: the digest in that repository after which it goes on.
        complete: whether it is at its end.
        completed_at: when a pass was last at its end; None if none was.
        matched_at: until when passes that came to their end have matched what changed in the catalog; None if none has.
    """

    at: datetime | None = None
    repository: str = ""
    after: str = ""
    complete: bool = False
    completed_at: datetime | None = None
    matched_at: datetime | None = None


class DailyPassMemory:
    """The part of the memory table with the daily pass of a registry.

    Every method raises AwsError if DynamoDB rejects a call.
    """

    def __init__(self, table: Table, registry: RegistryId) -> None:
        self._table, self._pk = table, registry_key("DAILY", registry)

    def read(self) -> DailyPass:
        """Return how far the pass is."""
        items = latest(self._table.query(self._pk, "PASS#", f"PASS#{END}"))
        return next(readable(items, lambda item: from_item(DailyPass, item)), DailyPass())

    def remember(self, daily_pass: DailyPass, now: datetime) -> None:
        """Remember how far the pass is."""
        self._table.put({"pk": self._pk, "sk": formatted("PASS"), "expires": expires(now), **attributes(daily_pass)})
