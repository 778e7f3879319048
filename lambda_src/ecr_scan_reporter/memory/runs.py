"""The progress of each run, of the pass through all repositories, and of the daily pass; the last heartbeat.

A repository that a run queues has a state before any run has ended there: the states are
the set of repositories that runs have to process.
"""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from secrets import token_hex
from typing import NamedTuple

from ecr_scan_reporter.aws.dynamodb import Item, Table
from ecr_scan_reporter.memory import items, lifetimes
from ecr_scan_reporter.memory.codec import from_item, readable
from ecr_scan_reporter.models.images import RegistryId

# The prefix of the attributes with the results that each instance of the reporter has seen.
_RESULTS = "results_"


def new_run(now: datetime) -> str:
    """Return the id of a run that begins now: the ids sort by time."""
    return f"{items.sortable(now)}-{token_hex(4)}"


class Run(NamedTuple):
    """How far a run of the schedule is.

    Args:
        repositories: how many it queued.
        results: how many of its scans have ended; the sum of those that each instance of the reporter has seen.
        expected: how many scans it asked for at least, as of the last time this was looked up.
        last_result_at: when the last scan ended.
    """

    repositories: int = 0
    results: int = 0
    expected: int = 0
    last_result_at: datetime | None = None


class OpenPass(NamedTuple):
    """The pass through all repositories that is not known to be complete.

    Args:
        run: the id of the run that began it; "" if there was none yet.
        since: when the pass before was complete, or when the first one began.
    """

    run: str
    since: datetime


class RepositoryState(NamedTuple):
    """A repository after a run.

    Args:
        oldest_scan: the time of the oldest last scan of any image; None if an image has no date. The
            repositories are sorted by it.
        images: how many images are to be scanned.
        asked: how many scans the run asked for.
        run: the run's id.
        updated_at: when the run ended here; None if no run ever did.
        waiting_since: the last scan (or the push, if never scanned) of the image that has waited longest;
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


class DailyPass(NamedTuple):
    """The last daily pass.

    Args:
        at: when it was started, which identifies it; None if there was none.
        repository: where it goes on.
        after: the digest in that repository after which it goes on.
        complete: whether it is at its end.
        completed_at: when a pass was last at its end; None if none was.
        matched_at: until when passes that came to their end have matched the changes of the catalog; None if none has.
    """

    at: datetime | None = None
    repository: str = ""
    after: str = ""
    complete: bool = False
    completed_at: datetime | None = None
    matched_at: datetime | None = None


class RunMemory:
    """The part of the memory table with the runs, the states of the repositories and the passes of a registry.

    Every method raises AwsError if DynamoDB rejects a call. There is one for each instance of a function: it writes how
    many results it has seen in all, so that a write whose answer is lost can be repeated.
    """

    def __init__(self, table: Table, registry: RegistryId) -> None:
        self._table = table
        self._own_results, self._seen = _RESULTS + token_hex(4), Counter[str]()
        kinds = "RUNS", "PASSES", "DAILY", "STATES", "SUMMARIES"
        self._runs, self._passes, self._daily, self._states, self._summaries = (
            items.registry_key(kind, registry) for kind in kinds
        )

    def begin(self, run: str, repositories: int, now: datetime) -> None:
        """Remember how many repositories a run has queued."""
        self._table.put(
            {
                "pk": self._runs,
                "sk": run,
                "repositories": repositories,
                "expires": items.expires(now, lifetimes.RUN),
            }
        )

    def add_results(self, run: str, results: int, now: datetime) -> None:
        """Note that this many scans of a run have ended."""
        self._seen[run] += results
        values = {"last_result_at": items.to_seconds(now), self._own_results: self._seen[run]}
        self._table.update((self._runs, run), {**values, "expires": items.expires(now, lifetimes.RUN)})

    def run(self, run: str) -> Run:
        """Return how far a run is."""
        item = self._table.get(self._runs, run) or {}
        results = sum(items.number(item, name) for name in item if name.startswith(_RESULTS))
        return next(readable([item], lambda item: from_item(Run, item, results=results)), Run())

    def expect(self, run: str, results: int, now: datetime) -> None:
        """Note that at least this many scans of a run will end."""
        self._table.update((self._runs, run), {"expected": results, "expires": items.expires(now, lifetimes.RUN)})

    def open_pass(self) -> OpenPass | None:
        """Return the pass that is not known to be complete; None if there was none yet."""
        return items.read_record(self._table, OpenPass, self._passes, "OPEN")

    def last_heartbeat(self) -> datetime | None:
        """Return when the last heartbeat was written; None if there was none."""
        times = [items.to_time(item.get("at")) for item in self._table.query(self._passes, "HEARTBEAT", "HEARTBEAT")]
        return times[0] if times else None

    def remember_heartbeat(self, now: datetime) -> None:
        """Remember that a heartbeat is written now."""
        self._table.put(
            {"pk": self._passes, "sk": "HEARTBEAT", "at": items.to_seconds(now), "expires": items.expires(now)}
        )

    def forget_heartbeat(self, now: datetime) -> None:
        """Forget when the last heartbeat was written, so that what comes next follows no pause."""
        # The role of the repositories scanner may put this item, but not delete it.
        self._table.put({"pk": self._passes, "sk": "HEARTBEAT", "at": 0, "expires": items.expires(now)})

    def remember_open_pass(self, open_pass: OpenPass, now: datetime) -> None:
        """Remember the pass that is not known to be complete."""
        self._table.put(items.record_item(self._passes, "OPEN", open_pass, now))

    def daily_pass(self) -> DailyPass:
        """Return how far the daily pass is."""
        return items.read_record(self._table, DailyPass, self._daily, "PASS") or DailyPass()

    def remember_daily_pass(self, daily_pass: DailyPass, now: datetime) -> None:
        """Remember how far the daily pass is."""
        self._table.put(items.record_item(self._daily, "PASS", daily_pass, now))

    def remember_state(self, state: RepositoryState, now: datetime, summary: Item | None = None) -> None:
        """Remember a repository after a run, and its summary's item in the same call."""
        item = self._state_item(state._replace(updated_at=now), now)
        self._table.put_many([item, summary] if summary else [item])

    def expect_repositories(self, repositories: Iterable[str], run: str, now: datetime) -> None:
        """Remember repositories without a state, which a run queues now."""
        states = (RepositoryState(name, None, 0, 0, "", waiting_since=now, first_run=run) for name in repositories)
        self._table.put_many(self._state_item(state, now) for state in states)

    def _state_item(self, state: RepositoryState, now: datetime) -> Item:
        item = items.record_item(self._states, state.repository, state, now)
        del item["repository"]
        return item

    def states(self) -> list[RepositoryState]:
        """Return all repositories that runs have queued, after their last runs; one call per MB."""
        stored = items.latest(self._table.query(self._states, " ", items.END))
        return list(readable(stored, lambda item: from_item(RepositoryState, item, repository=items.base_key(item))))

    def since(self, run: str) -> tuple[list[RepositoryState], int]:
        """Return the repositories that a run or a later one has processed, and how many scans the run asked for there.

        The id of a run begins with its time. A later run in a repository replaces the count of this run there.
        """
        states = [state for state in self.states() if state.run >= run]
        return states, sum(state.asked for state in states if state.run == run)

    def forget_repositories(self, repositories: Iterable[str]) -> None:
        """Delete the states of repositories after their last runs, and their summaries."""
        self._table.delete_many(
            (pk, key)
            for name in repositories
            for pk, sk in ((self._states, name), (self._summaries, items.key_part(name)))
            for key in items.in_formats(sk)
        )
