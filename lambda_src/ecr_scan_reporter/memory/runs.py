"""The runs of the schedule: how far each is, the pass through all repositories, and the last heartbeat."""

from collections import Counter
from datetime import datetime
from secrets import token_hex
from typing import NamedTuple

from ecr_scan_reporter.aws.dynamodb import Table
from ecr_scan_reporter.memory.codec import attributes, from_item, readable
from ecr_scan_reporter.memory.items import (
    END,
    RUN_LIFETIME,
    expires,
    formatted,
    latest,
    number,
    registry_key,
    sortable,
    to_seconds,
    to_time,
)
from ecr_scan_reporter.models.images import RegistryId

# What the names of the attributes begin with that have the results that an instance of the reporter has seen.
_RESULTS = "results_"


def new_run(now: datetime) -> str:
    """Return the id of a run that begins now (aware): the ids sort by time."""
    return f"{sortable(now)}-{token_hex(4)}"


class Run(NamedTuple):
    """How far a run of the schedule is.

    Args:
        repositories: how many it queued.
        results: how many of its scans have ended; added up from what each instance of the reporter has seen.
        expected: how many scans it asked for at least, as of the last time this was looked up.
        last_result_at: when the last scan ended (aware).
    """

    repositories: int = 0
    results: int = 0
    expected: int = 0
    last_result_at: datetime | None = None


class OpenPass(NamedTuple):
    """The pass through all repositories that is not known to be complete.

    Args:
        run: the id of the run that began it; "" if there was none yet.
        since: when the pass before was complete, or when the first one began (aware).
    """

    run: str
    since: datetime


class RunMemory:
    """The part of the memory table with the runs and passes of a registry.

    Every method raises AwsError if DynamoDB rejects a call. There is one for each instance of a function: it writes how
    many results it has seen in all, so that a write whose answer is lost can be repeated.
    """

    def __init__(self, table: Table, registry: RegistryId) -> None:
        self._table = table
        self._own_results, self._seen = _RESULTS + token_hex(4), Counter[str]()
        self._runs, self._passes = registry_key("RUNS", registry), registry_key("PASSES", registry)

    def begin(self, run: str, repositories: int, now: datetime) -> None:
        """Remember how many repositories a run has queued."""
        self._table.put(
            {"pk": self._runs, "sk": run, "repositories": repositories, "expires": expires(now, RUN_LIFETIME)}
        )

    def add_results(self, run: str, results: int, now: datetime) -> None:
        """Note that this many scans of a run have ended."""
        self._seen[run] += results
        values = {"last_result_at": to_seconds(now), self._own_results: self._seen[run]}
        self._table.update((self._runs, run), {**values, "expires": expires(now, RUN_LIFETIME)})

    def run(self, run: str) -> Run:
        """Return how far a run is."""
        item = self._table.get(self._runs, run) or {}
        results = sum(number(item, name) for name in item if name.startswith(_RESULTS))
        return next(readable([item], lambda item: from_item(Run, item, results=results)), Run())

    def expect(self, run: str, results: int, now: datetime) -> None:
        """Note that at least this many scans of a run will end."""
        self._table.update((self._runs, run), {"expected": results, "expires": expires(now, RUN_LIFETIME)})

    def open_pass(self) -> OpenPass | None:
        """Return the pass that is not known to be complete; None if there was none yet."""
        items = latest(self._table.query(self._passes, "OPEN#", f"OPEN#{END}"))
        return next(readable(items, lambda item: from_item(OpenPass, item)), None)

    def last_heartbeat(self) -> datetime | None:
        """Return when the last heartbeat was written (aware); None if there was none."""
        times = [to_time(item.get("at")) for item in self._table.query(self._passes, "HEARTBEAT", "HEARTBEAT")]
        return times[0] if times else None

    def remember_heartbeat(self, now: datetime) -> None:
        """Remember that a heartbeat is written now."""
        self._table.put({"pk": self._passes, "sk": "HEARTBEAT", "at": to_seconds(now), "expires": expires(now)})

    def forget_heartbeat(self, now: datetime) -> None:
        """Forget when the last heartbeat was written, so that what comes next follows no pause."""
        # The role of the repositories scanner may put this item, but not delete it.
        self._table.put({"pk": self._passes, "sk": "HEARTBEAT", "at": 0, "expires": expires(now)})

    def remember_open_pass(self, open_pass: OpenPass, now: datetime) -> None:
        """Remember the pass that is not known to be complete."""
        self._table.put({"pk": self._passes, "sk": formatted("OPEN"), "expires": expires(now), **attributes(open_pass)})
