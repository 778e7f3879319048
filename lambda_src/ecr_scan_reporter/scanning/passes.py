"""Knows when every repository was last processed, and for how long a run is overdue."""

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta

from ecr_scan_reporter.memory.runs import OpenPass, RunMemory
from ecr_scan_reporter.memory.states import RepositoryState
from ecr_scan_reporter.shared.schedules import Schedule

SECONDS = frozenset({"OldestScanAge", "RunOverdue", "ScansOverdue"})
# A heartbeat comes every hour. A longer gap means that it was turned off deliberately, so the gap does not count as a
# delay. The alarm on silence becomes INSUFFICIENT_DATA after three hours without one, and CloudWatch may take some
# more to see it. So a pause is longer: a heartbeat that fails a few times resets no age before the alarm says so.
_PAUSE = timedelta(hours=6)


def continue_pass(
    memory: RunMemory, states: Collection[RepositoryState], queued: Collection[str], run: str, now: datetime
) -> datetime | None:
    """Begin a pass if the last one is complete; return when a pass was last complete, None if this is the first one.

    A pass is complete when every repository that its run queued was processed by this run or a later one: a run may
    take longer than the time to the next one, so a pass stays open until it is complete. A repository that was deleted
    before it was processed does not hold the pass open: then all repositories that still exist were processed. The
    first run after a pause of the schedule counts as one.

    Raises:
        AwsError: DynamoDB rejected a call.
    """
    open_pass = memory.open_pass()
    if open_pass is None:
        memory.remember_open_pass(OpenPass(run, len(queued), now), now)
        return None
    visited, after_pause = visited_repositories(open_pass, states), is_after_pause(memory.last_heartbeat(), now)
    if not open_pass.run:
        # There was a heartbeat before the first run.
        continued = open_pass._replace(run=run, repositories=len(queued))
    elif len(visited) >= open_pass.repositories or visited.keys() >= set(queued):
        continued = open_pass._replace(run=run, repositories=len(queued), since=max(visited.values(), default=now))
    else:
        # The states of repositories that are not queued any more are forgotten; the pass does not wait for them.
        continued = open_pass._replace(repositories=min(open_pass.repositories, len(queued)))
    if after_pause:
        continued = continued._replace(since=now)
    if continued != open_pass:
        memory.remember_open_pass(continued, now)
    if after_pause:
        # Otherwise, every later run would be the first one after the pause if no heartbeat is scheduled any more.
        memory.forget_heartbeat(now)
    return continued.since


def run_overdue(since: datetime, schedule: Schedule, now: datetime) -> dict[str, float]:
    """Return for how many seconds the next complete pass is overdue; 0 if it is not.

    Args:
        since: when a pass was last complete (aware).
        schedule: of the runs.
        now: aware.
    """
    due = schedule.complete_by(since)
    return {"RunOverdue": seconds_since(due, now) if due else 0}


def is_after_pause(last_heartbeat: datetime | None, now: datetime) -> bool:
    """Return whether the schedule was disabled for a while before `now`."""
    return last_heartbeat is not None and now - last_heartbeat > _PAUSE


def visited_repositories(open_pass: OpenPass, states: Iterable[RepositoryState]) -> dict[str, datetime]:
    """Return when each repository was processed, of those that were processed since the pass began.

    A repository that only a run of another selection queued is not part of the pass. One that a run of the schedule
    queued stays a part of it when it is deleted, or when the filter changes.
    """
    return {
        state.repository: state.updated_at
        for state in states
        if state.run >= open_pass.run and state.updated_at and not state.unscheduled
    }


def seconds_since(moment: datetime, now: datetime) -> float:
    """Return the seconds from a moment until `now`; 0 if it is later."""
    return max((now - moment).total_seconds(), 0.0)
