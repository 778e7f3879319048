"""Schedules for tests."""

from datetime import datetime, timedelta

from ecr_scan_reporter.shared.schedules import Schedule


class _DueAtOnce(Schedule):
    def complete_by(self, since: datetime) -> datetime:
        return since


# The next pass is overdue as soon as one is complete, so that `RunOverdue` is the age of the last complete pass.
DUE_AT_ONCE = _DueAtOnce(timedelta(days=1))
