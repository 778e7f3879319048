"""What the processor of an image decides without a call: which counts are told, and what is written of an image."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from ecr_scan_reporter.memory.images import ImageRecord
from ecr_scan_reporter.models.images import RegistryId
from ecr_scan_reporter.models.scans import BASIC, ENHANCED
from ecr_scan_reporter.reporting.baseline import Baseline
from ecr_scan_reporter.reporting.comparison.changes import Absence
from ecr_scan_reporter.reporting.image_processor import (
    for_scanner,
    is_found_otherwise,
    is_worth_telling,
    pushed_again,
    unexplained_counts,
    with_tags_of,
)
from ecr_scan_reporter.reporting.intake.events import ScanEvent
from ecr_scan_reporter.reporting.intake.scan_results import CompleteScan
from support.reporter_settings import SETTINGS

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
IMAGE = RegistryId("123456789012", "eu-west-1").image("app", "sha256:0")
EVENT = ScanEvent(IMAGE, ("2.0",), NOW, failed=False, counts={"HIGH": 2})
PUSHED = ImageRecord(tags=("1.0",), pushed_at=NOW - timedelta(hours=1))
SCANNED = PUSHED._replace(scanned_at=NOW)


@pytest.mark.parametrize(
    ("scan", "counts", "expected"),
    [
        ({"listed": {"HIGH": 1}, "shorter": "1 of 2"}, {"HIGH": 2}, {"HIGH": 2}),
        # The list has all that is counted, or nothing is missing in it.
        ({"listed": {"HIGH": 2}, "shorter": "only the worst are kept"}, {"HIGH": 2}, {}),
        ({"listed": {"HIGH": 3}}, {"HIGH": 2}, {}),
        # The list is that of an older scan, whose counts say nothing of this one.
        ({"listed": {"HIGH": 2}, "shorter": "older", "is_older": True}, {"HIGH": 2}, {"HIGH": 2}),
        ({"shorter": "older", "is_older": True}, None, {}),
    ],
)
def test_counts_of_an_event_are_told_if_the_list_does_not_explain_them(
    scan: dict[str, Any], counts: dict[str, int] | None, expected: dict[str, int]
) -> None:
    assert unexplained_counts(EVENT._replace(counts=counts), CompleteScan(NOW, (), "", **scan)) == expected


@pytest.mark.parametrize(
    ("counts", "told", "expected"),
    [
        ({"HIGH": 1}, {}, True),
        ({"HIGH": 1}, {"HIGH": 2}, True),
        ({"HIGH": 1}, {"HIGH": 1}, False),
        ({"LOW": 9}, {}, False),
        ({}, {"HIGH": 1}, False),
        # Nobody knows how many there are.
        (None, {}, True),
    ],
)
def test_counts_are_worth_telling_once_if_they_reach_a_threshold(
    counts: dict[str, int] | None, told: dict[str, int], expected: bool
) -> None:
    assert is_worth_telling(counts, told, SETTINGS) is expected


@pytest.mark.parametrize(
    ("before", "now", "same"),
    [(BASIC, BASIC, True), (BASIC, ENHANCED, False), (ENHANCED, BASIC, False), ("", ENHANCED, True), (BASIC, "", True)],
)
def test_what_another_scanner_listed_is_not_gone(before: str, now: str, same: bool) -> None:
    known = Baseline(record=ImageRecord(scanner=before))
    found = for_scanner(CompleteScan(NOW, (), "", scanner=now), known)
    assert found == (known if same else known._replace(inventory=True, absence=Absence.OF_OTHER_SCANNER))


def test_image_is_found_otherwise_with_other_findings_or_a_tag_more() -> None:
    assert is_found_otherwise(PUSHED, PUSHED, changed=True)
    assert is_found_otherwise(PUSHED, PUSHED.with_tags(("1.0", "latest")), changed=False)
    assert not is_found_otherwise(PUSHED, PUSHED, changed=False)
    assert not is_found_otherwise(PUSHED, PUSHED.with_tags(()), changed=False)
    # Each scan would write another item.
    assert not is_found_otherwise(PUSHED, PUSHED._replace(pushed_at=None), changed=True)


def test_image_is_among_those_of_its_repository_until_a_scan_is_complete() -> None:
    pushed = pushed_again(IMAGE, PUSHED, PUSHED)
    assert pushed is not None
    assert (pushed.digest, pushed.pushed_at, pushed.tags) == (IMAGE.digest, PUSHED.pushed_at, PUSHED.tags)
    assert pushed_again(IMAGE, SCANNED, SCANNED) is None
    assert pushed_again(IMAGE, PUSHED, PUSHED._replace(pushed_at=None)) is None


def test_tags_of_a_scan_without_a_result_count_until_one_is_complete() -> None:
    assert with_tags_of(EVENT, PUSHED).all_tags == ("2.0", "1.0")
    assert with_tags_of(EVENT._replace(tags=()), PUSHED) == PUSHED
    # The next result tells which tags are new.
    assert with_tags_of(EVENT, SCANNED) == SCANNED
