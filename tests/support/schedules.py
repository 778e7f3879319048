"""Schedules for tests."""

from datetime import datetime, timedelta

from ecr_scan_reporter.repositories_scanner import RunDependencies
from ecr_scan_reporter.shared.schedules import Schedule


class _DueAtOnce(Schedule):
    def next_start(self, since: datetime) -> datetime:
        return since - self.longest_interval


def due_at_once(deps: RunDependencies) -> RunDependencies:
    """Let the next pass be overdue as soon as one is complete: `RunOverdue` is the age of the last complete pass."""
    return deps._replace(settings=deps.settings._replace(schedule=_DueAtOnce(timedelta(days=1))))
