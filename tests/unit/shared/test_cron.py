"""Cron expressions start runs when EventBridge says, compared with a walk through the calendar."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from functools import cache
from itertools import pairwise

import hypothesis
import pytest
from ecr_scan_reporter.shared.cron import Cron
from hypothesis import given
from hypothesis import strategies as st
from support.random_tests import examples

MONTHS = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]
WEEKDAYS = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"]
DAY = timedelta(days=1)
# Two cycles of 28 years, in which dates fall on the same days of the week.
YEARS = range(1970, 2026)
# One cycle, and five years after it: no schedule of a few days a month has a longer interval.
CYCLE = range(1995, 2028)


@cache
def days_of(year: int) -> list[date]:
    """Return the days of a year."""
    first = date(year, 1, 1)
    return [first + number * DAY for number in range((date(year + 1, 1, 1) - first).days)]


def last_day(day: date) -> date:
    """Return the last day of the month."""
    while (day + DAY).month == day.month:
        day += DAY
    return day


def weekday(day: date) -> int:
    """Return the day of the week: 1 for Sunday, 7 for Saturday."""
    return day.isoweekday() % 7 + 1


def nearest_working_day(day: date) -> date:
    """Return the nearest day from Monday to Friday in the same month."""
    for distance in (0, -1, 1, -2, 2):
        near = day + distance * DAY
        if near.month == day.month and near.isoweekday() <= 5:
            return near
    raise AssertionError(day)


def is_in(value: int, field: str, low: int, high: int, names: Sequence[str]) -> bool:
    """Return whether a field without letters for days names a number. It is searched one number after the other."""

    def number(text: str) -> int:
        return names.index(text) + low if text in names else int(text)

    for part in field.split(","):
        bounds, _, step = part.partition("/")
        first, _, last = ("*", "", "") if bounds == "*" else bounds.partition("-")
        at = low if first == "*" else number(first)
        end = number(last) if last else high if step or first == "*" else at
        count = 0
        while True:
            if at == value and count % int(step or "1") == 0:
                return True
            if at == end:
                break
            at, count = low if at == high else at + 1, count + 1
    return False


def is_monthday(day: date, field: str) -> bool:
    """Return whether a field of days of the month names a day."""
    last = last_day(day)
    for part in field.split(","):
        if part[0] != "L" and part[-1] != "W":
            if is_in(day.day, part, 1, 31, []):
                return True
            continue
        named = part.removesuffix("W")
        wanted = last.day - int(named[2:] or "0") if named[0] == "L" else int(named)
        if not 1 <= wanted <= last.day:
            continue
        target = day.replace(day=wanted)
        if day == (nearest_working_day(target) if part.endswith("W") else target):
            return True
    return False


def is_weekday(day: date, field: str) -> bool:
    """Return whether a field of days of the week names a day."""
    for part in field.split(","):
        if part == "L":
            found = weekday(day) == 7
        elif part.endswith("L"):
            found = is_in(weekday(day), part[:-1], 1, 7, WEEKDAYS) and (day + 7 * DAY).month != day.month
        elif "#" in part:
            name, number = part.split("#")
            found = is_in(weekday(day), name, 1, 7, WEEKDAYS) and (day.day + 6) // 7 == int(number)
        else:
            found = is_in(weekday(day), part, 1, 7, WEEKDAYS)
        if found:
            return True
    return False


def walk(expression: str, years: range) -> list[datetime]:
    """Return all starts in some years, by looking at each day, each hour and each minute."""
    minutes, hours, monthdays, months, weekdays, of_years = expression[5:-1].upper().split(" ")
    times = [
        timedelta(hours=hour, minutes=minute)
        for hour in range(24)
        for minute in range(60)
        if is_in(hour, hours, 0, 23, []) and is_in(minute, minutes, 0, 59, [])
    ]
    starts = []
    for day in (day for year in years if is_in(year, of_years, 1970, 2199, []) for day in days_of(year)):
        if not is_in(day.month, months, 1, 12, MONTHS):
            continue
        if is_monthday(day, monthdays) if weekdays == "?" else is_weekday(day, weekdays):
            midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
            starts += [midnight + at for at in times]
    return starts


def agrees(expression: str, years: range) -> None:
    """Check the next start after each start, and just before it, and the longest interval."""
    cron, starts = Cron.parse(expression), walk(expression, years)
    for start, after in list(pairwise(starts))[:200]:
        assert cron.next_after(start) == after, (expression, start)
        assert cron.next_after(start + (after - start) / 2) == after, (expression, start)
        assert cron.next_after(after - timedelta(microseconds=1)) == after, (expression, start)
    if len({start.date() for start in starts}) > 1:
        assert cron.longest_interval() == max(after - start for start, after in pairwise(starts)), expression


EXPRESSIONS = [
    # An expression, and its longest interval in days.
    ("cron(0 4 * * ? *)", 1),
    ("cron(0 4 ? * * *)", 1),
    ("cron(0 */6 * * ? *)", 0.25),
    ("cron(30 22,2 * * ? *)", 20 / 24),
    ("cron(59 23 ? * 1 *)", 7),
    ("cron(0 4 ? * MON *)", 7),
    ("cron(0 4 ? * mon-fri *)", 3),
    # From Friday, 17:45, to Monday, 8:00.
    ("cron(0/15 8-17 ? * MON-FRI *)", 2 + 14.25 / 24),
    # From Friday to Monday, and Wednesday.
    ("cron(0 4 ? * 6-2,4 *)", 2),
    ("cron(0 4 ? * FRI-MON *)", 4),
    ("cron(0 4 ? * L *)", 7),
    ("cron(0 4 ? * 2/2 *)", 3),
    ("cron(0 4 ? * MON#1 *)", 35),
    ("cron(0 4 ? * 2#1,6#3 *)", 18),
    # Between two fifth Mondays, such as those of November 2026 and March 2027, there can be 17 weeks.
    ("cron(0 4 ? * MON#5 *)", 119),
    ("cron(0 4 ? * MON#1,MON#5 *)", 28),
    ("cron(0 4 ? * 6L *)", 35),
    ("cron(0 4 ? * FRIL *)", 35),
    ("cron(0 4 1,15 * ? *)", 17),
    ("cron(0 4 1-7 * ? *)", 25),
    ("cron(0 4 */2 * ? *)", 2),
    ("cron(0 4 28-3 * ? *)", 25),
    # From 31 May to 31 July.
    ("cron(0 4 31 * ? *)", 61),
    ("cron(0 4 29-30 * ? *)", 58),
    ("cron(0 4 L * ? *)", 31),
    ("cron(0 4 L-3 * ? *)", 31),
    # 1 May 2027 is a Saturday: the nearest working day of that month is 3 May.
    ("cron(0 4 1W * ? *)", 33),
    ("cron(0 4 LW * ? *)", 33),
    ("cron(0 4 31W * ? *)", 63),
    ("cron(0 4 1 JAN,JUL ? *)", 184),
    ("cron(0 4 ? JAN MON#1 *)", 371),
    ("cron(0 4 ? 11-2 MON *)", 252),
    ("cron(0 4 1 1/3 ? *)", 92),
    ("cron(0 4 29 2 ? *)", 4 * 365 + 1),
    ("cron(0 4 1 1 ? 2020-2026)", 366),
    ("cron(0 4 1 1 ? 2020/3)", 3 * 365 + 1),
]


@pytest.mark.parametrize(("expression", "days"), EXPRESSIONS)
def test_starts_and_longest_interval_are_those_of_the_calendar(expression: str, days: float) -> None:
    assert Cron.parse(expression).longest_interval() == timedelta(days=days)
    agrees(expression, CYCLE)


@pytest.mark.parametrize("expression", ["cron(0 4 31 2 ? *)", "cron(0 4 1 1 ? 2026)", "cron(0 4 ? 2 MON#5 2026)"])
def test_schedule_without_two_runs_has_an_interval_of_a_year(expression: str) -> None:
    assert Cron.parse(expression).longest_interval() == timedelta(days=366)


def test_nothing_starts_after_the_last_year() -> None:
    cron = Cron.parse("cron(0 4 * * ? 2026)")
    assert cron.next_after(datetime(2020, 1, 1, tzinfo=UTC)) == datetime(2026, 1, 1, 4, tzinfo=UTC)
    assert cron.next_after(datetime(2026, 12, 31, 4, tzinfo=UTC)) is None
    assert Cron.parse("cron(0 4 31 2 ? *)").next_after(datetime(2026, 1, 1, tzinfo=UTC)) is None


def test_times_are_in_utc() -> None:
    moment = datetime.fromisoformat("2026-11-29T23:30:00-05:00")
    assert Cron.parse("cron(0 4 * * ? *)").next_after(moment) == datetime(2026, 12, 1, 4, tzinfo=UTC)


@pytest.mark.parametrize(
    "expression",
    [
        "",
        "rate(1 day)",
        "cron()",
        "cron(0 4 * * ?)",
        "cron(0 4 * * ? * *)",
        "cron(0  4 * * ? *)",
        "cron(0 4 * * * *)",
        "cron(0 4 ? * ? *)",
        "cron(60 4 * * ? *)",
        "cron(0 24 * * ? *)",
        "cron(0 4 0 * ? *)",
        "cron(0 4 32 * ? *)",
        "cron(0 4 32W * ? *)",
        "cron(0 4 W * ? *)",
        "cron(0 4 * 13 ? *)",
        "cron(0 4 * JANUARY ? *)",
        "cron(0 4 ? * 8 *)",
        "cron(0 4 ? * 0L *)",
        "cron(0 4 ? * MON#6 *)",
        "cron(0 4 ? * MON# *)",
        "cron(0 4 ? * JAN *)",
        "cron(0 4 * * ? 1969)",
        "cron(0 4 * * ? 2200)",
        "cron(0/0 4 * * ? *)",
        "cron(0/61 4 * * ? *)",
        "cron(1,,2 4 * * ? *)",
        "cron(1- 4 * * ? *)",
        "cron(- 4 * * ? *)",
        "cron(\N{ARABIC-INDIC DIGIT THREE} 4 * * ? *)",
    ],
)
def test_other_expressions_are_rejected(expression: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        Cron.parse(expression)


def fields(low: int, high: int, *more: st.SearchStrategy[str], names: Sequence[str] = ()) -> st.SearchStrategy[str]:
    """Return fields of one or two parts."""
    number = st.integers(low, high).map(str)
    if names:
        number |= st.sampled_from(names)
    bounds = number | st.builds("{}-{}".format, number, number)
    steps = st.builds("{}/{}".format, bounds | st.just("*"), st.integers(1, high - low + 1))
    return st.lists(st.one_of(st.just("*"), bounds, steps, *more), min_size=1, max_size=2).map(",".join)


MONTHDAYS = fields(1, 31, st.sampled_from(["L", "LW", "L-1", "L-29"]), st.integers(1, 31).map("{}W".format))
WEEKDAY = st.integers(1, 7).map(str) | st.sampled_from(WEEKDAYS)
NTH = st.builds("{}#{}".format, WEEKDAY, st.integers(1, 5)) | WEEKDAY.map("{}L".format) | st.just("L")
MONTH_FIELDS = fields(1, 12, names=MONTHS)
DAYS = st.tuples(MONTHDAYS, MONTH_FIELDS, st.just("?")) | st.tuples(
    st.just("?"), MONTH_FIELDS, fields(1, 7, NTH, names=WEEKDAYS)
)


@pytest.mark.slow
@given(DAYS, st.sampled_from(["*", "1990-2003", "1992,2000", "1995"]))
@hypothesis.settings(max_examples=examples(300))
def test_any_days_agree_with_a_walk_through_the_calendar(days: tuple[str, str, str], years: str) -> None:
    agrees(f"cron(0 4 {' '.join(days)} {years})", YEARS)


@given(fields(0, 59), fields(0, 23))
@hypothesis.settings(max_examples=examples(300))
def test_any_times_agree_with_a_walk_through_the_calendar(minutes: str, hours: str) -> None:
    agrees(f"cron({minutes} {hours} 1-3 2 ? 2000)", range(2000, 2001))
