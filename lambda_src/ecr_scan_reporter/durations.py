"""Durations such as `1m2w3d`: calendar months, weeks and days."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from dateutil.relativedelta import relativedelta

ACCEPTED = "months, weeks and days in that order, each optional, at least one day in all, such as 1m2w3d or 7d"

_DURATION = re.compile(r"(?:([0-9]+)m)?(?:([0-9]+)w)?(?:([0-9]+)d)?")
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Duration:
    """A span of whole calendar months, weeks and days, at least a day."""

    months: int
    weeks: int
    days: int

    @classmethod
    def parse(cls, text: str) -> "Duration":
        """Read `1m2w3d`.

        Raises:
            ValueError: `text` is something else, or adds up to less than a day; the message says what is accepted.
        """
        parts = _DURATION.fullmatch(text)
        if parts is None or not re.search("[1-9]", text):
            raise ValueError(f"{text!r} is not a duration; accepted: {ACCEPTED}")
        return cls(*(_count(digits) for digits in parts.groups()))

    def before(self, moment: datetime) -> datetime:
        """The time (aware) that lies this duration before `moment`; year 1 where that is before the calendar begins."""
        try:
            return moment - relativedelta(months=self.months, weeks=self.weeks, days=self.days)
        except (OverflowError, ValueError):
            return _LONG_AGO


def _count(digits: str | None) -> int:
    # A number of ten digits is past the calendar's 3.7 million days already, and Python refuses to convert
    # strings of thousands: what is longer means the same.
    return int((digits or "0").lstrip("0")[:10] or "0")
