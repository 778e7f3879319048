"""The state of each repository after its last run, which decides the order of the next one."""

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from ecr_scan_reporter.aws.dynamodb import Item, Table
from ecr_scan_reporter.memory.items import END, expires, key_part, number, registry_key, text, to_seconds, to_time
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
        item: Item = {
            "pk": self._pk,
            "sk": state.repository,
            "oldest_scan": to_seconds(state.oldest_scan),
            "waiting_since": to_seconds(state.waiting_since),
            "images": state.images,
            "asked": state.asked,
            "run": state.run,
            "updated_at": to_seconds(now),
            "unscheduled": int(state.unscheduled),
            "expires": expires(now),
        }
        self._table.put_many([item, summary] if summary else [item])

    def states(self) -> list[RepositoryState]:
        """Return all repositories after their last runs; one call per MB."""
        return [
            RepositoryState(
                text(item, "sk"),
                to_time(item.get("oldest_scan")),
                number(item, "images"),
                number(item, "asked"),
                text(item, "run"),
                to_time(item.get("updated_at")),
                to_time(item.get("waiting_since")),
                bool(number(item, "unscheduled")),
            )
            for item in self._table.query(self._pk, " ", END)
        ]

    def forget(self, repositories: Iterable[str]) -> None:
        """Delete the states of repositories after their last runs, and their summaries."""
        self._table.delete_many(
            key for name in repositories for key in ((self._pk, name), (self._summaries, key_part(name)))
        )
