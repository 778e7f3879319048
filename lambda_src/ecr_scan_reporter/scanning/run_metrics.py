"""Measures the registry at the start of a run: the longest wait for a scan, the last complete pass, open findings."""

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta

from ecr_scan_reporter.aws.dynamodb import Table
from ecr_scan_reporter.memory.scans import OpenPass, RepositoryState, ScanMemory
from ecr_scan_reporter.memory.summaries import open_findings

SECONDS = frozenset({"OldestScanAge", "SecondsSinceLastPass"})
# A heartbeat comes every hour. After a longer silence, it had been switched off on purpose, and the time that passed is
# no delay. The alarm on silence becomes INSUFFICIENT_DATA after three hours without one, and CloudWatch may take some
# more to see it. So a pause is longer: a heartbeat that fails a few times resets no age before the alarm says so.
_PAUSE = timedelta(hours=6)
_OPEN = {"CRITICAL": "OpenCritical", "HIGH": "OpenHigh", "MEDIUM": "OpenMedium", "LOW": "OpenLow"}


def scan_ages(states: Iterable[RepositoryState], queued: Collection[str], now: datetime) -> dict[str, float]:
    """Return for how long the image has waited that has waited longest: since its last scan, or else since its push.

    Images without any date are left out. So are repositories that are not queued: ECR no longer lists them, or they are
    excluded.
    """
    dates = [
        state.waiting_since for state in states if state.images and state.waiting_since and state.repository in queued
    ]
    return {"OldestScanAge": _seconds(min(dates), now)} if dates else {}


def heartbeat(memory: ScanMemory, now: datetime) -> dict[str, float]:
    """Return the seconds since a pass was last complete, between two runs.

    They count from the first heartbeat, and again from the first one after a pause, in which the schedule was disabled.

    Args:
        memory: of runs.
        now: aware.

    Raises:
        AwsError: DynamoDB rejected a call.
    """
    open_pass, last = memory.open_pass(), memory.last_heartbeat()
    memory.remember_heartbeat(now)
    if open_pass is None:
        memory.remember_open_pass(OpenPass("", 0, now), now)
        return {"SecondsSinceLastPass": 0}
    visited = _visited(open_pass, memory.states())
    complete = open_pass.run and len(visited) >= open_pass.repositories
    if _is_after_pause(last, now):
        memory.remember_open_pass(OpenPass("", 0, now) if complete else open_pass._replace(since=now), now)
        return {"SecondsSinceLastPass": 0}
    since = max(visited.values(), default=open_pass.since) if complete else open_pass.since
    return {"SecondsSinceLastPass": _seconds(since, now)}


def continue_pass(
    memory: ScanMemory, states: Collection[RepositoryState], queued: Collection[str], run: str, now: datetime
) -> dict[str, float]:
    """Begin a pass if the last one is complete; return the seconds since a pass was last complete.

    A pass is complete when every repository that its run queued was processed by this run or a later one: a run may
    take longer than the time to the next one, so a pass stays open until it is complete. A repository that was deleted
    before it was processed does not hold the pass open: then all repositories that still exist were processed. After a
    pause of the schedule, the seconds count from this run.

    Raises:
        AwsError: DynamoDB rejected a call.
    """
    open_pass = memory.open_pass()
    if open_pass is None:
        memory.remember_open_pass(OpenPass(run, len(queued), now), now)
        return {}
    visited, after_pause = _visited(open_pass, states), _is_after_pause(memory.last_heartbeat(), now)
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
    return {"SecondsSinceLastPass": _seconds(continued.since, now)}


def _is_after_pause(last_heartbeat: datetime | None, now: datetime) -> bool:
    return last_heartbeat is not None and now - last_heartbeat > _PAUSE


def _visited(open_pass: OpenPass, states: Iterable[RepositoryState]) -> dict[str, datetime]:
    """Return when each repository was processed, of those that were processed since the pass began.

    A repository that only a run of another selection queued is not part of the pass. One that a run of the schedule
    queued stays a part of it when it is deleted, or when the filter changes.
    """
    return {
        state.repository: state.updated_at
        for state in states
        if state.run >= open_pass.run and state.updated_at and not state.unscheduled
    }


def open_by_severity(table: Table, queued: Collection[str]) -> dict[str, float]:
    """Return how many findings are open, by metric; nothing until the images scanner has summed up a repository.

    Raises:
        AwsError: DynamoDB rejected a call.
    """
    found = open_findings(table, queued)
    return {} if found is None else {name: found[severity] for severity, name in _OPEN.items()}


def _seconds(moment: datetime, now: datetime) -> float:
    return max((now - moment).total_seconds(), 0.0)
