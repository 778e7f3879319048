"""Cron expressions of EventBridge: which are valid, when the next run starts, and the longest interval.

https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-scheduled-rule-pattern.html
"""

import re
from calendar import monthrange
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import NamedTuple

_FIELD = "([0-9A-Z,*/?#-]+)"
_EXPRESSION = re.compile(rf"CRON\({' '.join([_FIELD] * 6)}\)")
_MONTH_NAMES = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_MONTHS = {name: number for number, name in enumerate(_MONTH_NAMES, 1)}
_WEEKDAYS = {name: number for number, name in enumerate(("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"), 1)}
_NO_NAMES: Mapping[str, int] = {}

_DAY = timedelta(days=1)
# Dates fall on the same days of the week every 28 years. One more year has the interval between two such cycles.
_YEARS_LOOKED_AT = 29
# The longest interval between the days of a schedule that has fewer than two.
_INTERVAL_OF_A_SINGLE_DAY = 366 * _DAY


class Cron(NamedTuple):
    """A cron expression, in UTC.

    Args:
        times: when runs start, since midnight, in their order.
        monthdays: the field of the days of the month; "?" if the days of the week count.
        months: from 1 to 12.
        weekdays: the field of the days of the week; "?" if the days of the month count.
        years: from 1970 to 2199.
    """

    times: Sequence[timedelta]
    monthdays: str
    months: Sequence[int]
    weekdays: str
    years: Sequence[int]

    @classmethod
    def parse(cls, expression: str) -> "Cron":
        """Parse an expression such as `cron(0 4 ? * MON-FRI *)`.

        Raises:
            ValueError: `expression` has another form, or a number that its field does not have.
        """
        fields = _EXPRESSION.fullmatch(expression.upper())
        if not fields or (fields[3] == "?") == (fields[5] == "?"):
            raise ValueError(f"cron expression is {expression!r}; expected six fields, with ? for the days of one kind")
        minutes, hours = _numbers(fields[1], 0, 59), _numbers(fields[2], 0, 23)
        cron = cls(
            times=[timedelta(hours=hour, minutes=minute) for hour in hours for minute in minutes],
            monthdays=fields[3],
            months=_numbers(fields[4], 1, 12, _MONTHS),
            weekdays=fields[5],
            years=_numbers(fields[6], 1970, 2199),
        )
        # Checks the field of days.
        list(cron._days([2000]))
        return cron

    def next_after(self, moment: datetime) -> datetime | None:
        """Return the first time after `moment` when a run starts; None if there is none."""
        days = self._days(year for year in self.years if year >= moment.astimezone(UTC).year)
        starts = (day + at for day in days if day + _DAY > moment for at in self.times)
        return next((start for start in starts if start > moment), None)

    def longest_interval(self) -> timedelta:
        """Return the longest time between two runs."""
        days = self._days(self.years[:_YEARS_LOOKED_AT])
        most = max((after - day for day, after in pairwise(days)), default=_INTERVAL_OF_A_SINGLE_DAY)
        overnight = most - (self.times[-1] - self.times[0])
        return max([overnight, *(after - at for at, after in pairwise(self.times))])

    def _days(self, years: Iterable[int]) -> Iterator[datetime]:
        """Yield the days on which runs start, at midnight.

        Raises:
            ValueError: the field of days is invalid.
        """
        field, days_of = (self.monthdays, _monthdays) if self.weekdays == "?" else (self.weekdays, _weekdays)
        for year in years:
            for month in self.months:
                first, length = monthrange(year, month)
                # From 1 for Sunday, as in the field.
                weekdays = {day: (first + day) % 7 + 1 for day in range(1, length + 1)}
                for day in sorted({day for part in field.split(",") for day in days_of(part, weekdays)}):
                    yield datetime(year, month, day, tzinfo=UTC)


def _monthdays(part: str, weekdays: Mapping[int, int]) -> list[int]:
    """Return the days of a part such as `1`, `10-20`, `*/2`, `L`, `L-3`, `LW` or `15W` of the field.

    Args:
        part: of the field.
        weekdays: the day of the week, by the day of the month.
    """
    last = len(weekdays)
    if not part.startswith("L") and not part.endswith("W"):
        return [day for day in _numbers(part, 1, 31) if day <= last]
    begin, _, back = part.removesuffix("W").partition("-")
    day = last - _number(back or "0", 0, 30) if begin == "L" else _number(begin, 1, 31)
    if day not in weekdays:
        return []
    # The working day that is nearest and in the same month.
    if part.endswith("W") and weekdays[day] == _WEEKDAYS["SAT"]:
        day += -1 if day > 1 else 2
    elif part.endswith("W") and weekdays[day] == _WEEKDAYS["SUN"]:
        day += 1 if day < last else -2
    return [day]


def _weekdays(part: str, weekdays: Mapping[int, int]) -> list[int]:
    """Return the days of a part such as `2`, `MON-FRI`, `L`, `6L` or `MON#1` of the field; see `_monthdays`."""
    name, nth, number = part.partition("#")
    is_last = part.endswith("L") and part != "L"
    if nth or is_last:
        weekday = _number(name.removesuffix("L") if is_last else name, 1, 7, _WEEKDAYS)
        days = [day for day in weekdays if weekdays[day] == weekday]
        return days[-1:] if is_last else days[_number(number, 1, 5) - 1 :][:1]
    # The last day of the week.
    numbers = _numbers("SAT" if part == "L" else part, 1, 7, _WEEKDAYS)
    return [day for day in weekdays if weekdays[day] in numbers]


def _numbers(field: str, low: int, high: int, names: Mapping[str, int] = _NO_NAMES) -> list[int]:
    """Return the numbers of a field, or of a part of one, such as `*`, `1,15`, `FRI-MON` or `0/15`, in their order.

    Raises:
        ValueError: there is another character, or a number that is not from `low` to `high`.
    """
    found: set[int] = set()
    for part in field.split(","):
        bounds, slash, step = part.partition("/")
        begin, dash, end = bounds.partition("-")
        first = low if bounds == "*" else _number(begin, low, high, names)
        last = _number(end, low, high, names) if dash else high if slash or bounds == "*" else first
        # "FRI-MON" goes on with the first day of the week.
        size = high - low + 1
        last += size * (last < first)
        found.update((number - low) % size + low for number in range(first, last + 1, _number(step or "1", 1, size)))
    return sorted(found)


def _number(text: str, low: int, high: int, names: Mapping[str, int] = _NO_NAMES) -> int:
    number = names.get(text) or int(text)
    if not low <= number <= high:
        raise ValueError(f"{text!r} is not from {low} to {high}")
    return number
