"""Writes the age of the last complete pass between two runs."""

import logging
from datetime import datetime

from ecr_scan_reporter.aws.metrics import embed
from ecr_scan_reporter.memory.runs import OpenPass, RunMemory
from ecr_scan_reporter.memory.states import StateMemory
from ecr_scan_reporter.scanning.passes import SECONDS, is_after_pause, seconds_since, visited_repositories
from ecr_scan_reporter.scanning.runs import RunDependencies

logger = logging.getLogger(__name__)


def write_heartbeat(deps: RunDependencies, now: datetime) -> dict[str, int]:
    """Write how old the last complete run is, and start none.

    An alarm cannot look back over the longest intervals between two runs; it can look at an age.

    Raises:
        AwsError: DynamoDB rejected a call.
    """
    metrics = heartbeat(RunMemory(deps.table), StateMemory(deps.table), now)
    logger.info("heartbeat", extra=embed(metrics, deps.settings.name, SECONDS))
    return {name: int(value) for name, value in metrics.items()}


def heartbeat(memory: RunMemory, states: StateMemory, now: datetime) -> dict[str, float]:
    """Return the seconds since a pass was last complete, between two runs.

    They count from the first heartbeat, and again from the first one after a pause, in which the schedule was disabled.

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
        return {"SecondsSinceLastPass": 0}
    visited = visited_repositories(open_pass, states.states())
    complete = open_pass.run and len(visited) >= open_pass.repositories
    if is_after_pause(last, now):
        memory.remember_open_pass(OpenPass("", 0, now) if complete else open_pass._replace(since=now), now)
        return {"SecondsSinceLastPass": 0}
    since = max(visited.values(), default=open_pass.since) if complete else open_pass.since
    return {"SecondsSinceLastPass": seconds_since(since, now)}
