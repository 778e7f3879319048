"""Measures the registry at the start of a run: the longest wait for a scan, the last complete pass, open findings."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from ecr_scan_reporter.aws.dynamodb import Table
from ecr_scan_reporter.memory.scans import OpenPass, RepositoryState, ScanMemory
from ecr_scan_reporter.memory.summaries import open_findings

SECONDS = frozenset({"OldestScanAge", "SecondsSinceLastPass"})
# A heartbeat comes every hour. After a longer silence, it had been switched off on purpose, and the time that passed is
# no delay.
_PAUSE = timedelta(hours=2)
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


def heartbeat(memory: ScanMemory, is_queued: Callable[[str], bool], now: datetime) -> dict[str, float]:
    """Return the seconds since a pass was last complete, between two runs.

    They count from the first heartbeat, and again from the first one after a pause, in which the schedule was disabled.

    Args:
        memory: of runs.
        is_queued: whether the runs of the schedule queue a repository of this name.
        now: aware.

    Raises:
        AwsError: DynamoDB rejected a call.
    """
    open_pass, last = memory.open_pass(), memory.last_heartbeat()
    memory.remember_heartbeat(now)
    if open_pass is None:
        memory.remember_open_pass(OpenPass("", 0, now), now)
        return {"SecondsSinceLastPass": 0}
    visited = _visited(open_pass, memory.states(), is_queued)
    complete = open_pass.run and len(visited) >= open_pass.repositories
    if last and now - last > _PAUSE:
        memory.remember_open_pass(OpenPass("", 0, now) if complete else replace(open_pass, since=now), now)
        return {"SecondsSinceLastPass": 0}
    since = max(visited.values(), default=open_pass.since) if complete else open_pass.since
    return {"SecondsSinceLastPass": _seconds(since, now)}


def continue_pass(
    memory: ScanMemory, states: Collection[RepositoryState], queued: Collection[str], run: str, now: datetime
) -> dict[str, float]:
    """Begin a pass if the last one is complete; return the seconds since a pass was last complete.

    A pass is complete when every repository that its run queued was processed by this run or a later one: a run may
    take longer than the time to the next one, so a pass stays open until it is complete. A repository that was deleted
    before it was processed does not hold the pass open: then all repositories that still exist were processed.

    Raises:
        AwsError: DynamoDB rejected a call.
    """
    open_pass = memory.open_pass()
    if open_pass is None:
        memory.remember_open_pass(OpenPass(run, len(queued), now), now)
        return {}
    visited = _visited(open_pass, states, queued.__contains__)
    if not open_pass.run:
        # There was a heartbeat before the first run.
        memory.remember_open_pass(replace(open_pass, run=run, repositories=len(queued)), now)
    elif len(visited) >= open_pass.repositories or visited.keys() >= set(queued):
        open_pass = replace(open_pass, run=run, repositories=len(queued), since=max(visited.values(), default=now))
        memory.remember_open_pass(open_pass, now)
    return {"SecondsSinceLastPass": _seconds(open_pass.since, now)}


def _visited(
    open_pass: OpenPass, states: Iterable[RepositoryState], is_queued: Callable[[str], bool]
) -> dict[str, datetime]:
    """Return when each repository was processed, of those that were processed since the pass began.

    A repository that only a run of another selection queued is not part of the pass.
    """
    return {
        state.repository: state.updated_at
        for state in states
        if state.run >= open_pass.run and state.updated_at and is_queued(state.repository)
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
