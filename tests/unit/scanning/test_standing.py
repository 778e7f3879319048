"""Counts images by whether they have a scan within the promised age, and why not."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from ecr_scan_reporter.errors import MessageError
from ecr_scan_reporter.memory.coverage import Coverage, CoverageReason
from ecr_scan_reporter.memory.scans import RememberedScan
from ecr_scan_reporter.models.scan_statuses import UNSUPPORTED_SYSTEM
from ecr_scan_reporter.models.scans import Scan
from ecr_scan_reporter.scanning.standing import coverage_reason
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
CUTOFF = NOW - timedelta(days=7)
RECENT, OLD = NOW - timedelta(days=6), NOW - timedelta(days=8)
COMPLETE_RECENTLY, COMPLETE_LONG_AGO = Scan("COMPLETE", RECENT), Scan("COMPLETE", OLD)


def sum_up(images: list[tuple[CoverageReason, str]]) -> Coverage:
    coverage = Coverage()
    for reason, name in images:
        coverage = coverage.add(reason, name)
    return coverage


IMAGES = st.lists(st.tuples(st.sampled_from(CoverageReason), st.text(max_size=9)), max_size=40)


@pytest.mark.parametrize(
    ("scan", "reason"),
    [
        (None, CoverageReason.NEVER_SCANNED),
        (COMPLETE_RECENTLY, CoverageReason.IN_TIME),
        (Scan("COMPLETE", CUTOFF + timedelta(seconds=1)), CoverageReason.IN_TIME),
        (Scan("COMPLETE", CUTOFF), CoverageReason.TOO_OLD),
        (COMPLETE_LONG_AGO, CoverageReason.TOO_OLD),
        (Scan("ACTIVE", RECENT), CoverageReason.IN_TIME),
        (Scan("UNKNOWN_STATUS", RECENT), CoverageReason.IN_TIME),
        (Scan("FAILED"), CoverageReason.FAILED),
        (Scan("FAILED", RECENT), CoverageReason.FAILED),
        (Scan("FAILED", RECENT, f"{UNSUPPORTED_SYSTEM}: ..."), CoverageReason.UNSUPPORTED),
        (Scan("UNSUPPORTED_IMAGE", RECENT), CoverageReason.UNSUPPORTED),
        (Scan("IMAGE_SIZE_EXCEEDED"), CoverageReason.UNSUPPORTED),
        (Scan("SCAN_ELIGIBILITY_EXPIRED", OLD), CoverageReason.EXPIRED),
        (Scan("SCAN_ELIGIBILITY_EXPIRED"), CoverageReason.EXPIRED),
        (Scan("SCAN_ELIGIBILITY_EXPIRED", RECENT), CoverageReason.IN_TIME),
        (Scan("IMAGE_ARCHIVED", RECENT), CoverageReason.ARCHIVED),
        (Scan("IN_PROGRESS"), CoverageReason.NEVER_SCANNED),
        (Scan("IN_PROGRESS", RECENT), CoverageReason.NEVER_SCANNED),
    ],
)
def test_last_scan_decides_where_nothing_is_remembered(scan: Scan | None, reason: CoverageReason) -> None:
    assert coverage_reason(scan, None, CUTOFF) is reason


@pytest.mark.parametrize(
    ("scan", "reason"),
    [
        (Scan("ACTIVE", OLD), CoverageReason.IN_TIME),
        (Scan("ACTIVE"), CoverageReason.IN_TIME),
        (Scan("SCAN_ELIGIBILITY_EXPIRED", OLD), CoverageReason.EXPIRED),
        (Scan("COMPLETE", OLD), CoverageReason.TOO_OLD),
    ],
)
def test_image_that_enhanced_scanning_monitors_is_in_time(scan: Scan, reason: CoverageReason) -> None:
    assert coverage_reason(scan, None, CUTOFF, enhanced=True) is reason
    assert coverage_reason(Scan("ACTIVE", OLD), None, CUTOFF) is CoverageReason.TOO_OLD


@pytest.mark.parametrize(
    ("remembered", "reason"),
    [
        (RememberedScan(COMPLETE_RECENTLY), CoverageReason.IN_TIME),
        (RememberedScan(COMPLETE_LONG_AGO), CoverageReason.TOO_OLD),
        (RememberedScan(None, NOW), CoverageReason.NEVER_SCANNED),
        (RememberedScan(None, NOW, Scan("FAILED")), CoverageReason.FAILED),
        (RememberedScan(Scan("FAILED", RECENT)), CoverageReason.FAILED),
        (RememberedScan(Scan("FAILED", RECENT), complete_at=OLD), CoverageReason.FAILED),
        (RememberedScan(Scan("FAILED", NOW), complete_at=RECENT), CoverageReason.IN_TIME),
        (RememberedScan(None, NOW, Scan("SCAN_ELIGIBILITY_EXPIRED")), CoverageReason.EXPIRED),
        (RememberedScan(None, NOW, Scan("IN_PROGRESS")), CoverageReason.NEVER_SCANNED),
    ],
)
def test_image_whose_scan_is_in_progress_counts_as_before(remembered: RememberedScan, reason: CoverageReason) -> None:
    assert coverage_reason(Scan("IN_PROGRESS"), remembered, CUTOFF) is reason


def test_failed_scan_after_a_complete_one_in_time_is_covered() -> None:
    remembered = RememberedScan(Scan("FAILED", NOW), complete_at=RECENT)
    assert coverage_reason(Scan("FAILED"), remembered, CUTOFF) is CoverageReason.IN_TIME


@given(IMAGES)
def test_every_image_is_counted_once_and_the_first_are_named(images: list[tuple[CoverageReason, str]]) -> None:
    coverage = sum_up(images)
    assert coverage.images == len(images)
    for reason in CoverageReason:
        names = [name for other, name in images if other is reason]
        assert coverage.counts.get(reason, 0) == len(names)
        assert coverage.names.get(reason, ()) == (() if reason is CoverageReason.IN_TIME else tuple(names[:3]))


@given(IMAGES, IMAGES)
def test_parts_add_up_to_the_whole(
    first: list[tuple[CoverageReason, str]], second: list[tuple[CoverageReason, str]]
) -> None:
    assert sum_up(first).merge(sum_up(second)) == sum_up(first + second)


@given(IMAGES)
def test_json_is_parsed_to_the_same_coverage(images: list[tuple[CoverageReason, str]]) -> None:
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
