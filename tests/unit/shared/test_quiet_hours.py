"""Quiet hours: which moments are in them and when they end, by the clock of a time zone."""

from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pytest
from ecr_scan_reporter.shared.quiet_hours import QuietHours, time_zone
from hypothesis import given, settings
from hypothesis import strategies as st
from support.random_tests import examples

BERLIN = ZoneInfo("Europe/Berlin")
WEEKEND = ("FRI 18:00-MON 08:00",)
MINUTES_15 = timedelta(minutes=15)


def at(text: str, zone: tzinfo = BERLIN) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone)


@pytest.mark.parametrize(
    ("windows", "moment", "end"),
    [
        # A weekend.
        (WEEKEND, "2026-11-27 17:59", None),
        (WEEKEND, "2026-11-27 18:00", "2026-11-30 08:00"),
        (WEEKEND, "2026-11-30 07:59", "2026-11-30 08:00"),
        (WEEKEND, "2026-11-30 08:00", None),
        # Each night, also over the end of the week and of the year.
        (("22:00-06:00",), "2026-11-29 23:00", "2026-11-30 06:00"),
        (("22:00-06:00",), "2026-12-31 22:00", "2027-01-01 06:00"),
        (("22:00-06:00",), "2026-11-29 21:59", None),
        # Nights of some days: that from Friday to Saturday is none of them.
        (("MON-THU 20:00-07:00",), "2026-11-27 03:00", "2026-11-27 07:00"),
        (("MON-THU 20:00-07:00",), "2026-11-27 20:00", None),
        (("SUN-MON 20:00-07:00",), "2026-11-29 20:00", "2026-11-30 07:00"),
        (("sat 09:00-17:00",), "2026-11-28 16:59", "2026-11-28 17:00"),
        (("FRI 18:00-FRI 08:00",), "2026-11-27 18:00", "2026-12-04 08:00"),
        # Windows that touch or overlap end together.
        (("MON-FRI 18:00-08:00", "SAT 08:00-MON 00:00"), "2026-11-27 19:00", "2026-11-30 00:00"),
        (("FRI 18:00-SUN 12:00", "SUN 00:00-MON 08:00"), "2026-11-27 19:00", "2026-11-30 08:00"),
        # The clocks change: 2:30 comes twice on 25 October, and not at all on 28 March.
        (("SUN 00:00-02:30",), "2026-10-25 01:00", "2026-10-25T02:30+02:00"),
        (("SUN 00:00-02:30",), "2027-03-28 01:00", "2027-03-28T03:30+02:00"),
        (WEEKEND, "2026-10-23 18:00", "2026-10-26T08:00+01:00"),
        (WEEKEND, "2027-03-26 18:00", "2027-03-29T08:00+02:00"),
    ],
)
def test_quiet_hours_end(windows: tuple[str, ...], moment: str, end: str | None) -> None:
    found = QuietHours.parse(windows, BERLIN).until(at(moment))
    expected = datetime.fromisoformat(end) if end else None
    assert found == (expected if expected is None or expected.tzinfo else expected.replace(tzinfo=BERLIN))


@pytest.mark.parametrize(
    ("due_at", "now", "expected"),
    [
        # Before, and long before.
        ("2026-11-27 17:58", "2026-11-27 17:59", "2026-11-27 17:58"),
        ("2026-11-26 12:00", "2026-11-27 12:00", "2026-11-26 12:00"),
        # It would be due in them.
        ("2026-11-27 18:30", "2026-11-27 17:59", "2026-11-30 08:00"),
        ("2026-11-28 12:00", "2026-11-28 12:00", "2026-11-30 08:00"),
        # They began before it was published; it is not late.
        ("2026-11-27 17:58", "2026-11-27 18:01", "2026-11-30 08:00"),
        ("2026-11-27 17:58", "2026-11-30 08:10", "2026-11-30 08:00"),
        ("2026-11-28 12:00", "2026-11-30 08:10", "2026-11-30 08:00"),
        # It was late before.
        ("2026-11-27 12:00", "2026-11-28 08:10", "2026-11-30 08:00"),
        ("2026-11-27 12:00", "2026-11-30 08:10", "2026-11-27 12:00"),
    ],
)
def test_what_waits_for_the_end_is_due_then(due_at: str, now: str, expected: str) -> None:
    quiet = QuietHours.parse(WEEKEND, BERLIN)
    assert quiet.due(at(due_at), at(now), MINUTES_15) == at(expected)


@pytest.mark.parametrize(
    "window",
    [
        *(
            "",
            "FRI",
            "18:00",
            "FRI 18:00",
            "FRI 24:00-MON 08:00",
            "FRI 18:60-MON 08:00",
            "FRI 1:00-2:00",
            "XXX 01:00-02:00",
        ),
        *(
            "MON-FRI 18:00-MON 08:00",
            "18:00-MON 08:00",
            "FRI  18:00-MON 08:00",
            "FRI 18:00-MON 08:00\n",
            "FRI 18:00 - MON 08:00",
        ),
    ],
)
def test_other_texts_are_no_windows(window: str) -> None:
    with pytest.raises(ValueError, match="is no window"):
        QuietHours.parse([window], UTC)


@pytest.mark.parametrize(
    "windows", [["MON 00:00-MON 00:00"], ["10:00-10:00"], ["MON-FRI 00:00-00:00", "SAT 00:00-MON 00:00"]]
)
def test_windows_leave_time_for_a_report(windows: list[str]) -> None:
    with pytest.raises(ValueError, match="cover the whole week"):
        QuietHours.parse(windows, BERLIN)


@settings(max_examples=examples(40))
@given(
    st.lists(
        st.tuples(st.integers(0, 6), st.integers(0, 23), st.integers(0, 6), st.integers(0, 23)), min_size=1, max_size=3
    ),
    st.integers(0, 10_079),
)
def test_random_windows_agree_with_the_minutes_of_a_week(windows: list[tuple[int, int, int, int]], minute: int) -> None:
    days = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")
    quiet = set[int]()
    for first, start, last, end in windows:
        begin, stop = 60 * (24 * first + start), 60 * (24 * last + end)
        quiet.update(n % 10_080 for n in range(begin, stop + 10_080 * (stop <= begin)))
    texts = [f"{days[first]} {start:02}:00-{days[last]} {end:02}:00" for first, start, last, end in windows]
    if len(quiet) == 10_080:
        with pytest.raises(ValueError, match="cover the whole week"):
            QuietHours.parse(texts, UTC)
        return
    end = minute
    while end % 10_080 in quiet:
        end += 1
    monday = datetime(2026, 11, 30, tzinfo=UTC)
    found = QuietHours.parse(texts, UTC).until(monday + timedelta(minutes=minute))
    assert found == (monday + timedelta(minutes=end) if end > minute else None)


def test_time_zone_of_dateutil_serves_where_the_system_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> tzinfo:
        raise ZoneInfoNotFoundError(name)

    own = QuietHours.parse(WEEKEND, time_zone("Europe/Berlin"))
    monkeypatch.setattr("zoneinfo.ZoneInfo", missing)
    other = QuietHours.parse(WEEKEND, time_zone("Europe/Berlin"))

    assert type(own.zone) is not type(other.zone)
    for days in range(0, 365, 5):
        moment = at("2026-11-28 12:00") + timedelta(days=days)
        assert own.until(moment) == other.until(moment)


@pytest.mark.parametrize(
    "name", ["", "Europe/Berlim", "Berlin", "/etc/localtime", "../UTC", "EST5EDT,M3.2.0", "Europe", "a" * 300]
)
def test_unknown_time_zones_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="time zone"):
        time_zone(name)
