"""How each image stands: whether it has a scan within the promised age, and since when it waits for one."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from ecr_scan_reporter.errors import MessageError
from ecr_scan_reporter.memory.coverage import Coverage, CoverageReason
from ecr_scan_reporter.memory.scans import RememberedScan
from ecr_scan_reporter.models.scan_statuses import UNSUPPORTED_SYSTEM
from ecr_scan_reporter.models.scans import Scan
from ecr_scan_reporter.scanning.decisions import Decision, ScanRules
from ecr_scan_reporter.scanning.listing import Candidate
from ecr_scan_reporter.scanning.standing import ImageStanding, ScanSums, coverage_reason, sum_up
from ecr_scan_reporter.shared.durations import Duration
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
CUTOFF = NOW - timedelta(days=7)
RECENT, OLD = NOW - timedelta(days=6), NOW - timedelta(days=8)
COMPLETE_RECENTLY, COMPLETE_LONG_AGO = Scan("COMPLETE", RECENT), Scan("COMPLETE", OLD)


def coverage_of(images: list[tuple[CoverageReason, str]]) -> Coverage:
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
    coverage = coverage_of(images)
    assert coverage.images == len(images)
    for reason in CoverageReason:
        names = [name for other, name in images if other is reason]
        assert coverage.counts.get(reason, 0) == len(names)
        assert coverage.names.get(reason, ()) == (() if reason is CoverageReason.IN_TIME else tuple(names[:3]))


@given(IMAGES, IMAGES)
def test_parts_add_up_to_the_whole(
    first: list[tuple[CoverageReason, str]], second: list[tuple[CoverageReason, str]]
) -> None:
    assert coverage_of(first).merge(coverage_of(second)) == coverage_of(first + second)


@given(IMAGES)
def test_json_is_parsed_to_the_same_coverage(images: list[tuple[CoverageReason, str]]) -> None:
    coverage = coverage_of(images)
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


RULES = ScanRules(Duration.parse("7d"), timedelta(days=1), NOW)
PUSHED = NOW - timedelta(days=90)
ASKED = RememberedScan(None, NOW - timedelta(days=3))


def standing(
    scan: Scan | None = None, source: str = "ECR", remembered: RememberedScan | None = None, **values: Any
) -> ImageStanding:
    """Return how an image stands whose scan needs no date from memory, unless `dated` is given."""
    image = Candidate("sha256:1", "1.0", None, int(PUSHED.timestamp()))
    dated = values.pop("dated", scan)
    return ImageStanding(image, source, scan, dated, RULES.decide(image.digest, dated), remembered, **values)


@pytest.mark.parametrize(
    ("image", "scanned_at", "waiting_since"),
    [
        (standing(COMPLETE_LONG_AGO), OLD, OLD),
        (standing(COMPLETE_LONG_AGO, started=True), NOW, NOW),
        (standing(None), 0, PUSHED),
        (standing(Scan("FAILED")), 0, 0),
        (standing(Scan("FAILED"), dated=Scan("FAILED", OLD)), 0, OLD),
        (standing(Scan("UNSUPPORTED_IMAGE")), None, 0),
        (standing(Scan("UNSUPPORTED_IMAGE", OLD)), OLD, OLD),
        (standing(Scan("IMAGE_ARCHIVED")), None, 0),
        (standing(Scan("IMAGE_ARCHIVED", OLD)), OLD, 0),
        (standing(Scan("ACTIVE", OLD)), OLD, OLD),
        # The look-up failed, or was not made.
        (standing(None, ""), 0, 0),
        (standing(None, "", ASKED), 0, ASKED.asked_at),
        (standing(None, "", RememberedScan(None)), 0, PUSHED),
        (standing(COMPLETE_LONG_AGO, "", RememberedScan(COMPLETE_LONG_AGO)), OLD, OLD),
    ],
)
def test_image_was_scanned_and_waits_since(
    image: ImageStanding, scanned_at: datetime | int | None, waiting_since: datetime | int
) -> None:
    def seconds(value: datetime | int | None) -> int | None:
        return int(value.timestamp()) if isinstance(value, datetime) else value

    assert (image.scanned_at(RULES), image.waiting_since(RULES)) == (seconds(scanned_at), seconds(waiting_since))


def test_image_that_enhanced_scanning_monitors_is_as_if_scanned_now() -> None:
    image, rules = standing(Scan("ACTIVE", OLD)), RULES._replace(enhanced=True)
    assert image.scanned_at(rules) == image.waiting_since(rules) == int(NOW.timestamp())
    assert image.reason(rules, quota_reached=False) is CoverageReason.IN_TIME


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        (standing(COMPLETE_LONG_AGO), CoverageReason.QUOTA),
        (standing(COMPLETE_LONG_AGO, started=True), CoverageReason.TOO_OLD),
        (standing(COMPLETE_RECENTLY), CoverageReason.IN_TIME),
        (standing(Scan("FAILED", NOW - timedelta(hours=1))), CoverageReason.FAILED),
        (standing(None, "", ASKED), CoverageReason.QUOTA),
        (standing(None, ""), CoverageReason.UNKNOWN),
    ],
)
def test_quota_is_why_a_due_image_is_not_covered(image: ImageStanding, reason: CoverageReason) -> None:
    assert image.reason(RULES, quota_reached=True) is reason
    assert image.reason(RULES, quota_reached=False) is not CoverageReason.QUOTA


def test_image_is_due_only_if_its_last_scan_is_settled() -> None:
    due = standing(COMPLETE_LONG_AGO)
    assert (due.due, due.decision) == (True, Decision.SCAN_TOO_OLD)
    assert not due._replace(source="").due
    assert not standing(COMPLETE_RECENTLY).due


def test_sums_of_parts_add_up_to_those_of_all_images() -> None:
    images = [
        standing(COMPLETE_LONG_AGO),
        standing(COMPLETE_RECENTLY),
        standing(Scan("UNSUPPORTED_IMAGE")),
        standing(None),
        standing(None, ""),
        standing(Scan("FAILED", RECENT)),
    ]
    whole = sum_up(images, RULES, quota_reached=False)
    assert whole.oldest == 0
    assert whole.waiting_since == int(PUSHED.timestamp())
    assert whole.coverage.images == len(images)
    for number in range(len(images) + 1):
        first, second = (sum_up(part, RULES, quota_reached=False) for part in (images[:number], images[number:]))
        assert first.merge(second) == whole
    assert sum_up([], RULES, quota_reached=False) == ScanSums(None, 0, Coverage())
