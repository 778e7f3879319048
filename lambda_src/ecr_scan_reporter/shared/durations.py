"""Durations such as `1m2w3d`: calendar months, weeks and days."""

import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import NamedTuple

from dateutil.relativedelta import relativedelta

EXPECTED = "months, weeks and days in that order, each optional, at least one day in total, such as 1m2w3d or 7d"

_DURATION = re.compile(r"(?:([0-9]+)m)?(?:([0-9]+)w)?(?:([0-9]+)d)?")
# Before every other time.
LONG_AGO = datetime.min.replace(tzinfo=UTC)


class Duration(NamedTuple):
    """A span of whole calendar months, weeks and days, at least one day."""

    months: int
    weeks: int
    days: int

    @classmethod
    def parse(cls, text: str) -> "Duration":
        """Parse a text such as `1m2w3d`.

        Raises:
            ValueError: `text` has another form or adds up to less than a day; the message says what is expected.
        """
        parts = _DURATION.fullmatch(text)
        if parts is None or not re.search("[1-9]", text):
            raise ValueError(f"duration is {text!r}; expected {EXPECTED}")
        return cls(*(_to_int(digits) for digits in parts.groups()))

    def __str__(self) -> str:
        parts = ((self.months, "m"), (self.weeks, "w"), (self.days, "d"))
        return "".join(f"{number}{unit}" for number, unit in parts if number)

    @property
    def least_days(self) -> int:
        """The fewest days that it takes: no month has less than 28."""
        return 28 * self.months + 7 * self.weeks + self.days

    def before(self, moment: datetime) -> datetime:
        """Return the time this duration before `moment`; year 1 if that is before the calendar begins."""
        return _before(self, moment)


# A run asks for the same time once per image, and calendar arithmetic takes longer than the rest of the decision.
@lru_cache(maxsize=8)
def _before(duration: Duration, moment: datetime) -> datetime:
    try:
        return moment - relativedelta(months=duration.months, weeks=duration.weeks, days=duration.days)
    except (OverflowError, ValueError):
        return LONG_AGO


def _to_int(digits: str | None) -> int:
    # Ten digits exceed the calendar's 3.7 million days already, and Python refuses to convert strings of thousands
    # of digits, so a longer number is cut.
    return int((digits or "0").lstrip("0")[:10] or "0")
