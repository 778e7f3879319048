"""The state of each repository after its last run, which decides the order of the next one."""

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from ecr_scan_reporter.aws.dynamodb import Item, Table
from ecr_scan_reporter.memory.codec import attributes, from_item, readable
from ecr_scan_reporter.memory.items import END, expires, key_part, registry_key, text
from ecr_scan_reporter.models.images import RegistryId


class RepositoryState(NamedTuple):
    """A repository after a run.

    Args:
        repository: its name.
        oldest_scan: the time of the oldest last scan of any image (aware); None if an image has no date. The
            repositories are sorted by it.
        images: how many images are to be scanned.
        asked: how many scans the run asked for.
        run: the run's id.
        updated_at: when the run ended here (aware); None until the state is remembered.
        waiting_since: the last scan (or the push, if never scanned) of the image that has waited longest (aware);
            images without a date are left out. None if none has one.
        unscheduled: whether the runs of the schedule leave the repository out, so that it is no part of a pass.
    """

    repository: str
    oldest_scan: datetime | None
    images: int
    asked: int
    run: str
    updated_at: datetime | None = None
    waiting_since: datetime | None = None
    unscheduled: bool = False


class StateMemory:
    """The part of the memory table with the states of a registry's repositories.

    Every method raises AwsError if DynamoDB rejects a call.
    """

    def __init__(self, table: Table, registry: RegistryId) -> None:
        self._table, self._pk = table, registry_key("STATES", registry)
        self._summaries = registry_key("SUMMARIES", registry)

    def remember(self, state: RepositoryState, now: datetime, summary: Item | None = None) -> None:
        """Remember a repository after a run, and its summary's item in the same call."""
        values = attributes(state._replace(updated_at=now)) | {"sk": state.repository, "expires": expires(now)}
        del values["repository"]
        item = {"pk": self._pk, **values}
        self._table.put_many([item, summary] if summary else [item])

    def states(self) -> list[RepositoryState]:
        """Return all repositories after their last runs; one call per MB."""
        items = self._table.query(self._pk, " ", END)
        return list(readable(items, lambda item: from_item(RepositoryState, item, repository=text(item, "sk"))))

    def forget(self, repositories: Iterable[str]) -> None:
        """Delete the states of repositories after their last runs, and their summaries."""
        self._table.delete_many(
            key for name in repositories for key in ((self._pk, name), (self._summaries, key_part(name)))
        )
