"""Counts images by whether they have a scan within the promised age, and why not."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from ecr_scan_reporter.errors import MessageError
from ecr_scan_reporter.memory.scans import RememberedScan
from ecr_scan_reporter.models import UNSUPPORTED_IMAGE, Scan
from ecr_scan_reporter.scanning.coverage import Coverage, Reason, coverage_reason
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
CUTOFF = NOW - timedelta(days=7)
RECENT, OLD = NOW - timedelta(days=6), NOW - timedelta(days=8)
COMPLETE_RECENTLY, COMPLETE_LONG_AGO = Scan("COMPLETE", RECENT), Scan("COMPLETE", OLD)


def sum_up(images: list[tuple[Reason, str]]) -> Coverage:
    coverage = Coverage()
    for reason, name in images:
        coverage = coverage.add(reason, name)
    return coverage


IMAGES = st.lists(st.tuples(st.sampled_from(Reason), st.text(max_size=9)), max_size=40)


@pytest.mark.parametrize(
    ("scan", "reason"),
    [
        (None, Reason.NEVER_SCANNED),
        (COMPLETE_RECENTLY, Reason.IN_TIME),
        (Scan("COMPLETE", CUTOFF + timedelta(seconds=1)), Reason.IN_TIME),
        (Scan("COMPLETE", CUTOFF), Reason.TOO_OLD),
        (COMPLETE_LONG_AGO, Reason.TOO_OLD),
        (Scan("ACTIVE", RECENT), Reason.IN_TIME),
        (Scan("UNKNOWN_STATUS", RECENT), Reason.IN_TIME),
        (Scan("FAILED"), Reason.FAILED),
        (Scan("FAILED", RECENT), Reason.FAILED),
        (Scan("FAILED", RECENT, f"{UNSUPPORTED_IMAGE}: ..."), Reason.UNSUPPORTED),
        (Scan("UNSUPPORTED_IMAGE", RECENT), Reason.UNSUPPORTED),
        (Scan("IMAGE_SIZE_EXCEEDED"), Reason.UNSUPPORTED),
        (Scan("SCAN_ELIGIBILITY_EXPIRED", OLD), Reason.EXPIRED),
        (Scan("SCAN_ELIGIBILITY_EXPIRED"), Reason.EXPIRED),
        (Scan("SCAN_ELIGIBILITY_EXPIRED", RECENT), Reason.IN_TIME),
        (Scan("IMAGE_ARCHIVED", RECENT), Reason.ARCHIVED),
        (Scan("IN_PROGRESS"), Reason.NEVER_SCANNED),
        (Scan("IN_PROGRESS", RECENT), Reason.NEVER_SCANNED),
    ],
)
def test_last_scan_decides_where_nothing_is_remembered(scan: Scan | None, reason: Reason) -> None:
    assert coverage_reason(scan, None, CUTOFF) is reason


@pytest.mark.parametrize(
    ("scan", "reason"),
    [
        (Scan("ACTIVE", OLD), Reason.IN_TIME),
        (Scan("ACTIVE"), Reason.IN_TIME),
        (Scan("SCAN_ELIGIBILITY_EXPIRED", OLD), Reason.EXPIRED),
        (Scan("COMPLETE", OLD), Reason.TOO_OLD),
    ],
)
def test_image_that_enhanced_scanning_monitors_is_in_time(scan: Scan, reason: Reason) -> None:
    assert coverage_reason(scan, None, CUTOFF, enhanced=True) is reason
    assert coverage_reason(Scan("ACTIVE", OLD), None, CUTOFF) is Reason.TOO_OLD


@pytest.mark.parametrize(
    ("remembered", "reason"),
    [
        (RememberedScan(COMPLETE_RECENTLY), Reason.IN_TIME),
        (RememberedScan(COMPLETE_LONG_AGO), Reason.TOO_OLD),
        (RememberedScan(None, NOW), Reason.NEVER_SCANNED),
        (RememberedScan(None, NOW, Scan("FAILED")), Reason.FAILED),
        (RememberedScan(Scan("FAILED", RECENT)), Reason.FAILED),
        (RememberedScan(Scan("FAILED", RECENT), complete_at=OLD), Reason.FAILED),
        (RememberedScan(Scan("FAILED", NOW), complete_at=RECENT), Reason.IN_TIME),
        (RememberedScan(None, NOW, Scan("SCAN_ELIGIBILITY_EXPIRED")), Reason.EXPIRED),
        (RememberedScan(None, NOW, Scan("IN_PROGRESS")), Reason.NEVER_SCANNED),
    ],
)
def test_image_whose_scan_is_in_progress_counts_as_before(remembered: RememberedScan, reason: Reason) -> None:
    assert coverage_reason(Scan("IN_PROGRESS"), remembered, CUTOFF) is reason


def test_failed_scan_after_a_complete_one_in_time_is_covered() -> None:
    remembered = RememberedScan(Scan("FAILED", NOW), complete_at=RECENT)
    assert coverage_reason(Scan("FAILED"), remembered, CUTOFF) is Reason.IN_TIME


@given(IMAGES)
def test_every_image_is_counted_once_and_the_first_are_named(images: list[tuple[Reason, str]]) -> None:
    coverage = sum_up(images)
    assert coverage.images == len(images)
    for reason in Reason:
        names = [name for other, name in images if other is reason]
        assert coverage.counts.get(reason, 0) == len(names)
        assert coverage.names.get(reason, ()) == (() if reason is Reason.IN_TIME else tuple(names[:3]))


@given(IMAGES, IMAGES)
def test_parts_add_up_to_the_whole(first: list[tuple[Reason, str]], second: list[tuple[Reason, str]]) -> None:
    assert sum_up(first).merge(sum_up(second)) == sum_up(first + second)


@given(IMAGES)
def test_json_is_parsed_to_the_same_coverage(images: list[tuple[Reason, str]]) -> None:
    coverage = sum_up(images)
    assert Coverage.from_json(json.loads(json.dumps(coverage.to_json()))) == coverage


@pytest.mark.parametrize(
    "value",
    [
        None,
        7,
        [],
        {},
        {"counts": {}},
        {"counts": {}, "names": {}, "more": {}},
        {"counts": [], "names": {}},
        {"counts": {"in_time": 0}, "names": {}},
        {"counts": {"in_time": True}, "names": {}},
        {"counts": {"in_time": "7"}, "names": {}},
        {"counts": {"other": 7}, "names": {}},
        {"counts": {"failed": 7}, "names": {"failed": 7}},
        {"counts": {"failed": 7}, "names": {"failed": [7]}},
    ],
)
def test_other_json_is_rejected(value: Any) -> None:
    with pytest.raises(MessageError, match='^coverage is .*; expected an object with "counts" and "names"'):
        Coverage.from_json(value)
