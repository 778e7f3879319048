"""Days that pass in a moment, for ECR and for the functions."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from ecr_scan_reporter.shared import clock
from local_aws import function_main
from local_aws.clock import Clock

CODE = """
from datetime import UTC, datetime


def now():
    return datetime(2026, 11, 1, tzinfo=UTC)
"""


def test_clock_is_ahead_by_all_that_was_let_pass(tmp_path: Path) -> None:
    local = Clock(tmp_path / "clock")
    assert abs(local.now() - datetime.now(UTC)) < timedelta(minutes=1)
    local.advance(timedelta(days=8))
    local.advance(timedelta(days=1))
    assert abs(local.now() - datetime.now(UTC) - timedelta(days=9)) < timedelta(minutes=1)
    assert [file.name for file in tmp_path.iterdir()] == ["clock"]


def test_function_follows_the_clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "function_clock.py").write_text(CODE)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(function_main, "CLOCK_MODULE", "function_clock")
    function_main._follow_clock(str(tmp_path / "clock"))
    import function_clock  # type: ignore[import-not-found]

    assert function_clock.now() == datetime(2026, 11, 1, tzinfo=UTC)
    Clock(tmp_path / "clock").advance(timedelta(days=8))
    assert function_clock.now() == datetime(2026, 11, 9, tzinfo=UTC)


def test_module_has_the_clock_that_functions_follow() -> None:
    assert clock.__name__ == function_main.CLOCK_MODULE
    assert clock.now().tzinfo is UTC


def test_function_without_the_clock_keeps_the_real_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(function_main, "CLOCK_MODULE", "no_such_module")
    function_main._follow_clock(str(tmp_path / "clock"))
