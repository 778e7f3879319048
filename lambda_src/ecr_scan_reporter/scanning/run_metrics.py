"""Measures the registry at the start of a run: the oldest scan, the last complete pass, and the open findings."""

from collections.abc import Collection, Iterable
from dataclasses import replace
from datetime import datetime

from ecr_scan_reporter.aws.dynamodb import Table
from ecr_scan_reporter.memory.scans import OpenPass, RepositoryState, ScanMemory
from ecr_scan_reporter.memory.summaries import open_findings

SECONDS = frozenset({"OldestScanAge", "SecondsSinceLastPass"})
_OPEN = {"CRITICAL": "OpenCritical", "HIGH": "OpenHigh", "MEDIUM": "OpenMedium", "LOW": "OpenLow"}


def scan_ages(states: Iterable[RepositoryState], queued: Collection[str], now: datetime) -> dict[str, float]:
    """Return the age of the oldest last scan of all images that can be scanned; a push counts where none followed.

    Repositories that are not queued are left out: ECR lists them no more, or they are excluded.
    """
    dates = [
        date
        for state in states
        if state.images and state.repository in queued
        for date in (state.oldest_scan, state.unscanned_since)
        if date
    ]
    return {"OldestScanAge": _seconds(min(dates), now)} if dates else {}


def heartbeat(memory: ScanMemory, now: datetime) -> dict[str, float]:
    """Return the seconds since a pass was last complete, between two runs; from the first heartbeat on.

    Raises:
        AwsError: DynamoDB rejected a call.
    """
    open_pass = memory.open_pass()
    if open_pass is None:
        memory.remember_open_pass(OpenPass("", 0, now), now)
        return {"SecondsSinceLastPass": 0}
    visited = _visited(open_pass, memory.states())
    complete = open_pass.run and len(visited) >= open_pass.repositories
    since = max(visited.values(), default=open_pass.since) if complete else open_pass.since
    return {"SecondsSinceLastPass": _seconds(since, now)}


def continue_pass(
    memory: ScanMemory, states: Collection[RepositoryState], queued: Collection[str], run: str, now: datetime
) -> dict[str, float]:
    """Begin a pass if the last one is complete; return the seconds since a pass was last complete.

    A pass is complete when every repository that its run queued was processed by this run or a later one: a run may
    take longer than the time to the next one, so a pass stays open until it is complete. A repository that was deleted
    before it was processed does not hold it open: then all that are there now were processed.

    Raises:
        AwsError: DynamoDB rejected a call.
    """
    open_pass = memory.open_pass()
    if open_pass is None:
        memory.remember_open_pass(OpenPass(run, len(queued), now), now)
        return {}
    visited = _visited(open_pass, states)
    if not open_pass.run:
        # There was a heartbeat before the first run.
        memory.remember_open_pass(replace(open_pass, run=run, repositories=len(queued)), now)
    elif len(visited) >= open_pass.repositories or visited.keys() >= set(queued):
        open_pass = replace(open_pass, run=run, repositories=len(queued), since=max(visited.values(), default=now))
        memory.remember_open_pass(open_pass, now)
    return {"SecondsSinceLastPass": _seconds(open_pass.since, now)}


def _visited(open_pass: OpenPass, states: Iterable[RepositoryState]) -> dict[str, datetime]:
    """Return when each repository was processed, of those that were since the pass began."""
    return {state.repository: state.updated_at for state in states if state.run >= open_pass.run and state.updated_at}


def open_by_severity(table: Table, queued: Collection[str]) -> dict[str, float]:
    """Return how many findings are open; nothing until the images scanner has summed up a repository.

    Raises:
        AwsError: DynamoDB rejected a call.
    """
    found = open_findings(table, queued)
    return {} if found is None else {name: found[severity] for severity, name in _OPEN.items()}


def _seconds(moment: datetime, now: datetime) -> float:
    return max((now - moment).total_seconds(), 0.0)
