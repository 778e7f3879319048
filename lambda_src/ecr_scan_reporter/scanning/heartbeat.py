"""Writes between two runs for how long one is overdue."""

import logging
from datetime import datetime

from ecr_scan_reporter.aws.metrics import embed
from ecr_scan_reporter.memory.runs import OpenPass, RunMemory
from ecr_scan_reporter.memory.states import StateMemory
from ecr_scan_reporter.scanning.passes import SECONDS, is_after_pause, run_overdue, visited_repositories
from ecr_scan_reporter.scanning.runs import RunDependencies

logger = logging.getLogger(__name__)


def write_heartbeat(deps: RunDependencies, now: datetime) -> dict[str, int]:
    """Write for how many seconds a complete run is overdue, and start none.

    An alarm cannot look back over the longest intervals between two runs; it can look at this number.

    Raises:
        AwsError: DynamoDB rejected a call.
    """
    since = last_complete_pass(RunMemory(deps.table, deps.ecr.id), StateMemory(deps.table, deps.ecr.id), now)
    metrics = run_overdue(since, deps.settings.schedule, now)
    logger.info("heartbeat", extra=embed(metrics, deps.settings.name, SECONDS))
    return {name: int(value) for name, value in metrics.items()}


def last_complete_pass(memory: RunMemory, states: StateMemory, now: datetime) -> datetime:
    """Return when a pass was last complete, and remember the heartbeat.

    The first heartbeat counts as one, and so does the first one after a pause, in which the schedule was disabled.

    Args:
        memory: of runs.
        states: of the repositories.
        now: aware.

    Raises:
        AwsError: DynamoDB rejected a call.
    """
    open_pass, last = memory.open_pass(), memory.last_heartbeat()
    memory.remember_heartbeat(now)
    if open_pass is None:
        memory.remember_open_pass(OpenPass("", 0, now), now)
        return now
    visited = visited_repositories(open_pass, states.states())
    complete = open_pass.run and len(visited) >= open_pass.repositories
    if is_after_pause(last, now):
        memory.remember_open_pass(OpenPass("", 0, now) if complete else open_pass._replace(since=now), now)
        return now
    return max(visited.values(), default=open_pass.since) if complete else open_pass.since
