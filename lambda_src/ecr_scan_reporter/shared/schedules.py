"""Schedules of runs and overviews: a rate or a cron expression of EventBridge, in UTC."""

import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from ecr_scan_reporter.shared.cron import Cron

EXPECTED = 'a rate, such as "rate(1 day)", or a cron expression of EventBridge, such as "cron(0 4 * * ? *)"'

_RATE = re.compile(r"rate\(([1-9][0-9]*) (minute|hour|day)s?\)")
_SECONDS = {"minute": 60, "hour": 3600, "day": 86400}
# Longer rates count as this one, so that dates stay within the calendar.
_LONGEST_RATE = timedelta(days=36500)


class Schedule(NamedTuple):
    """When runs start.

    Args:
        longest_interval: the longest time between two runs.
        cron: the expression; None for a rate, whose runs start at any time of the day.
    """

    longest_interval: timedelta
    cron: "Cron | None" = None

    @classmethod
    def parse(cls, expression: str) -> "Schedule":
        """Parse an expression such as `rate(12 hours)` or `cron(0 4 ? * MON-FRI *)`.

        Raises:
            ValueError: `expression` is neither a rate nor a cron expression.
        """
        if rate := _RATE.fullmatch(expression):
            seconds = int(rate[1]) * _SECONDS[rate[2]]
            return cls(timedelta(seconds=min(seconds, _LONGEST_RATE // timedelta(seconds=1))))
        # Most schedules are rates.
        from ecr_scan_reporter.shared.cron import Cron

        cron = Cron.parse(expression)
        return cls(cron.longest_interval(), cron)

    def next_start(self, since: datetime) -> datetime | None:
        """Return when the first run after `since` starts at the latest; None if no run starts any more."""
        return self.cron.next_after(since) if self.cron else since + self.longest_interval
