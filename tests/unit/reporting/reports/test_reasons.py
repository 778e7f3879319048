"""Why an image is reported, if it is."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from ecr_scan_reporter.models.findings import Finding
from ecr_scan_reporter.reporting.comparison.changes import (
    GONE,
    NEWS,
    Change,
    Comparison,
    KnownFinding,
)
from ecr_scan_reporter.reporting.comparison.deadlines import Deadlines, DueDate, OverdueFinding
from ecr_scan_reporter.reporting.comparison.judged import Judged
from ecr_scan_reporter.reporting.reports.reasons import (
    ReportReason,
    over_thresholds,
    reason_of_failed_scan,
    reason_of_scan,
    reason_without_scan,
)
from ecr_scan_reporter.settings import NotifyOn, ReporterSettings
from ecr_scan_reporter.shared.durations import Duration
from support.reporter_settings import SETTINGS as ONE_HIGH

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
DAY = timedelta(days=1)
SETTINGS = ONE_HIGH._replace(thresholds={"HIGH": 2})
EVERY_SCAN = SETTINGS._replace(notify_on=NotifyOn.EVERY_SCAN)
ON_FIXED = SETTINGS._replace(notify_on_fixed=True)
REMIND = SETTINGS._replace(remind_after=Duration.parse("30d"))


def judged(overdue: bool = False, /, **severities: str) -> Judged:
    """Return what was judged: by change, the severities of its findings; whether a finding is newly overdue."""
    found = {
        Change(change): tuple(
            KnownFinding(Finding(f"CVE-{change}-{number}", severity), NOW)
            for number, severity in enumerate(names.split())
        )
        for change, names in severities.items()
    }
    counted = Comparison(dict.fromkeys(Change, ()) | found)
    late = (OverdueFinding(KnownFinding(Finding("CVE-1", "HIGH"), NOW), DueDate(NOW, "HIGH", 7)),)
    return Judged(counted, counted, Deadlines(None, int(overdue), (), late if overdue else ()), NOW)


def reason(what: Judged, settings: ReporterSettings = SETTINGS, **options: Any) -> ReportReason | None:
    reported_at, inventory = options.get("reported_at", NOW), options.get("inventory", False)
    return reason_of_scan(what, reported_at, settings, inventory=inventory)


@pytest.mark.parametrize("change", NEWS)
def test_news_is_reported_if_what_is_open_reaches_its_threshold(change: Change) -> None:
    assert reason(judged(**{change: "HIGH HIGH"})) is ReportReason.NEWS
    assert reason(judged(**{change: "HIGH", "still_open": "HIGH"})) is ReportReason.NEWS
    assert reason(judged(**{change: "HIGH"})) is None
    # Another severity is news, and this one is open.
    assert reason(judged(**{change: "LOW LOW", "still_open": "HIGH HIGH"})) is None
    # What is gone is not open.
    assert reason(judged(**{change: "HIGH", "fixed": "HIGH"})) is None


def test_what_is_known_here_is_no_news_and_is_open() -> None:
    assert reason(judged(known_here="HIGH HIGH")) is None
    assert reason(judged(new="HIGH", known_here="HIGH")) is ReportReason.NEWS
    assert reason(judged(known_here="HIGH HIGH"), EVERY_SCAN) is ReportReason.EVERY_SCAN
    assert reason(judged(known_here="HIGH HIGH"), ON_FIXED) is None


def test_overdue_finding_of_an_image_that_is_replaced_is_not_reported() -> None:
    replaced = judged(True, still_open="HIGH")._replace(successor="sha256:2")
    assert reason(replaced) is None
    assert reason_without_scan(replaced, SETTINGS) is None


def test_what_is_still_open_is_reported_at_every_scan_if_that_is_wanted() -> None:
    assert reason(judged(still_open="HIGH HIGH")) is None
    assert reason(judged(still_open="HIGH HIGH"), EVERY_SCAN) is ReportReason.EVERY_SCAN
    assert reason(judged(still_open="HIGH"), EVERY_SCAN) is None


def test_what_is_still_open_is_reported_again_after_a_while() -> None:
    open_ = judged(still_open="HIGH HIGH")
    assert reason(open_, REMIND, reported_at=NOW - 29 * DAY) is None
    assert reason(open_, REMIND, reported_at=NOW - 30 * DAY) is ReportReason.REMINDER
    # It was never reported.
    assert reason(open_, REMIND, reported_at=None) is ReportReason.REMINDER
    assert reason(open_, SETTINGS, reported_at=None) is None
    assert reason(judged(still_open="HIGH"), REMIND, reported_at=None) is None


@pytest.mark.parametrize("change", GONE)
def test_what_is_gone_is_reported_if_that_is_wanted(change: Change) -> None:
    assert reason(judged(**{change: "HIGH"})) is None
    assert reason(judged(**{change: "HIGH"}), ON_FIXED) is ReportReason.FIXED
    assert reason(judged(**{change: "LOW"}), ON_FIXED) is None
    # A reminder would not name it.
    both = judged(**{change: "HIGH", "still_open": "HIGH HIGH"})
    settings = REMIND._replace(notify_on_fixed=True)
    assert reason(both, settings, reported_at=None) is ReportReason.FIXED
    assert reason(both, REMIND, reported_at=None) is ReportReason.REMINDER


def test_newly_overdue_findings_are_reported_whatever_their_number() -> None:
    assert reason(judged(True)) is ReportReason.OVERDUE
    assert reason(judged(True, fixed="HIGH"), ON_FIXED) is ReportReason.OVERDUE
    # Two other reasons list them as well; a reminder names no finding.
    assert reason(judged(True, new="HIGH HIGH")) is ReportReason.NEWS
    assert reason(judged(True, still_open="HIGH HIGH"), EVERY_SCAN) is ReportReason.EVERY_SCAN
    assert reason(judged(True, still_open="HIGH HIGH"), REMIND, reported_at=None) is ReportReason.OVERDUE


def test_inventory_is_always_reported_as_such() -> None:
    assert reason(judged(), inventory=True) is ReportReason.INVENTORY
    assert reason(judged(True, new="HIGH HIGH"), inventory=True) is ReportReason.INVENTORY


def test_without_a_scan_only_what_is_overdue_or_no_longer_ignored_is_reported() -> None:
    settings = EVERY_SCAN._replace(remind_after=Duration.parse("1d"), notify_on_fixed=True)
    assert reason_without_scan(judged(still_open="HIGH HIGH"), settings) is None
    assert reason_without_scan(judged(True, still_open="HIGH HIGH"), settings) is ReportReason.OVERDUE
    news = judged(True, no_longer_ignored="HIGH", still_open="HIGH")
    assert reason_without_scan(news, settings) is ReportReason.NEWS
    assert reason_without_scan(judged(True, no_longer_ignored="HIGH"), settings) is ReportReason.OVERDUE


@pytest.mark.parametrize(
    ("inventory", "told", "wanted", "expected"),
    [
        (False, False, True, ReportReason.SCAN_FAILED),
        # The image before it failed in the same way.
        (False, True, True, None),
        (False, False, False, None),
        # The inventory has every image, whatever is wanted.
        (True, False, True, ReportReason.INVENTORY),
        (True, True, False, ReportReason.INVENTORY),
    ],
)
def test_scan_that_failed_is_reported_if_that_is_wanted_and_news(
    inventory: bool, told: bool, wanted: bool, expected: ReportReason | None
) -> None:
    settings = SETTINGS._replace(notify_on_scan_failure=wanted)
    assert reason_of_failed_scan(settings, inventory=inventory, told=told) is expected


def test_threshold_is_reached_by_as_many_findings() -> None:
    thresholds = {"CRITICAL": 1, "HIGH": 3}
    assert over_thresholds({"HIGH": 2, "LOW": 9}, thresholds) == set()
    assert over_thresholds({"CRITICAL": 1, "HIGH": 3}, thresholds) == {"CRITICAL", "HIGH"}
