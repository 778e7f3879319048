"""Counts images by reason, once each, and says which of them the promise is made for."""

import json
from typing import Any

import pytest
from ecr_scan_reporter.errors import MessageError
from ecr_scan_reporter.memory.coverage import Coverage, CoverageReason
from hypothesis import given
from hypothesis import strategies as st


def coverage_of(images: list[tuple[CoverageReason, str]]) -> Coverage:
    coverage = Coverage()
    for reason, name in images:
        coverage = coverage.add(reason, name)
    return coverage


IMAGES = st.lists(st.tuples(st.sampled_from(CoverageReason), st.text(max_size=9)), max_size=40)


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


def test_promise_is_made_for_what_is_to_be_scanned() -> None:
    coverage = Coverage({"in_time": 12, "never_scanned": 1, "added_later": 2, "expired": 2, "archived": 3})
    assert (coverage.images, coverage.promised, coverage.in_time) == (20, 17, 12)
    # The most frequent one comes first.
    assert list(coverage.late.items()) == [("added_later", 2), ("expired", 2), ("never_scanned", 1)]


@pytest.mark.parametrize("counts", [{}, {"not_selected": 2}, {"archived": 1, "not_selected": 2}])
def test_nothing_is_promised_for_other_images(counts: dict[str, int]) -> None:
    coverage = Coverage(counts)
    assert (coverage.promised, coverage.in_time, coverage.late) == (0, 0, {})
