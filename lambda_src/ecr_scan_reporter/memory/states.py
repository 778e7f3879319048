"""The state of each repository after its last run, which decides the order of the next one.

A repository that a run queues has a state before any run has ended there: the states are the set of repositories that
runs have to process.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from ecr_scan_reporter.aws.dynamodb import Item, Table
from ecr_scan_reporter.memory.codec import attributes, from_item, readable
from ecr_scan_reporter.memory.items import END, base_key, expires, formatted, in_formats, key_part, latest, registry_key
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
        updated_at: when the run ended here (aware); None if no run ever did.
        waiting_since: the last scan (or the push, if never scanned) of the image that has waited longest (aware);
            images without a date are left out. None if none has one. If no run ever ended here: since when runs have
            queued the repository.
        unscheduled: whether the runs of the schedule leave the repository out, so that it is no part of a pass.
        first_run: the id of the run that queued the repository first; "" once a run has ended here.
    """

    repository: str
    oldest_scan: datetime | None
    images: int
    asked: int
    run: str
    updated_at: datetime | None = None
    waiting_since: datetime | None = None
    unscheduled: bool = False
    first_run: str = ""


class StateMemory:
    """The part of the memory table with the states of a registry's repositories.

    Every method raises AwsError if DynamoDB rejects a call.
    """

    def __init__(self, table: Table, registry: RegistryId) -> None:
        self._table, self._pk = table, registry_key("STATES", registry)
        self._summaries = registry_key("SUMMARIES", registry)

    def remember(self, state: RepositoryState, now: datetime, summary: Item | None = None) -> None:
        """Remember a repository after a run, and its summary's item in the same call."""
        item = self._item(state._replace(updated_at=now), now)
        self._table.put_many([item, summary] if summary else [item])

    def expect(self, repositories: Iterable[str], run: str, now: datetime) -> None:
        """Remember repositories without a state, which a run queues now."""
        states = (RepositoryState(name, None, 0, 0, "", waiting_since=now, first_run=run) for name in repositories)
        self._table.put_many(self._item(state, now) for state in states)

    def _item(self, state: RepositoryState, now: datetime) -> Item:
        values = attributes(state) | {"pk": self._pk, "sk": formatted(state.repository), "expires": expires(now)}
        del values["repository"]
        return values

    def states(self) -> list[RepositoryState]:
        """Return all repositories that runs have queued, after their last runs; one call per MB."""
        items = latest(self._table.query(self._pk, " ", END))
        return list(readable(items, lambda item: from_item(RepositoryState, item, repository=base_key(item))))

    def since(self, run: str) -> tuple[list[RepositoryState], int]:
        """Return the repositories that a run or a later one has processed, and how many scans the run asked for there.

        The id of a run begins with its time. A later run in a repository replaces what this run asked for there.
        """
        states = [state for state in self.states() if state.run >= run]
        return states, sum(state.asked for state in states if state.run == run)

    def forget(self, repositories: Iterable[str]) -> None:
        """Delete the states of repositories after their last runs, and their summaries."""
        self._table.delete_many(
            (pk, key)
            for name in repositories
            for pk, sk in ((self._pk, name), (self._summaries, key_part(name)))
            for key in in_formats(sk)
        )
