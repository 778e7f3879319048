"""Parses durations and subtracts them on the calendar."""

from datetime import UTC, datetime

import pytest
from ecr_scan_reporter.shared.durations import Duration
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime(2026, 3, 31, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "before"),
    [
        ("1d", datetime(2026, 3, 30, 12, tzinfo=UTC)),
        ("7d", datetime(2026, 3, 24, 12, tzinfo=UTC)),
        ("007d", datetime(2026, 3, 24, 12, tzinfo=UTC)),
        ("2w", datetime(2026, 3, 17, 12, tzinfo=UTC)),
        ("1m", datetime(2026, 2, 28, 12, tzinfo=UTC)),
        ("13m", datetime(2025, 2, 28, 12, tzinfo=UTC)),
        ("1m2w3d", datetime(2026, 2, 11, 12, tzinfo=UTC)),
        ("0m0w1d", datetime(2026, 3, 30, 12, tzinfo=UTC)),
        ("1m3d", datetime(2026, 2, 25, 12, tzinfo=UTC)),
    ],
)
def test_duration_is_calendar_months_weeks_and_days(text: str, before: datetime) -> None:
    assert Duration.parse(text).before(NOW) == before


@pytest.mark.parametrize(
    "text",
    [
        "",
        "d",
        "7",
        "0d",
        "00m0w0d",
        "3d1m",
        "1w1m",
        "1d1d",
        "-1d",
        "1.5d",
        "1 d",
        " 1d",
        "1d\n",
        "1D",
        "1h",
        "1y",
        "٣d",
    ],
)
def test_invalid_duration_is_rejected_with_the_value_and_what_is_expected(text: str) -> None:
    with pytest.raises(ValueError, match="months, weeks and days in that order.*1m2w3d") as error:
        Duration.parse(text)
    assert repr(text) in str(error.value)


@pytest.mark.parametrize("text", ["99999999999m", "9" * 5000 + "d", "800000w", "5000000d"])
def test_duration_longer_than_the_calendar_starts_with_the_calendar(text: str) -> None:
    assert Duration.parse(text).before(NOW) == datetime.min.replace(tzinfo=UTC)


@given(months=st.integers(0, 1000), weeks=st.integers(0, 1000), days=st.integers(1, 10_000))
def test_every_duration_round_trips(months: int, weeks: int, days: int) -> None:
    duration = Duration.parse(f"{months}m{weeks}w{days}d")
    assert duration == Duration(months, weeks, days)
    assert duration.before(NOW) < NOW


@pytest.mark.parametrize("text", ["7d", "2w", "1m2w3d", "1m3d"])
def test_duration_becomes_its_text(text: str) -> None:
    assert str(Duration.parse(text)) == text
