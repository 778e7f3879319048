"""Counts images by reason, and says which of them the promise is made for."""

import pytest
from ecr_scan_reporter.memory.coverage import Coverage


def test_promise_is_made_for_what_is_to_be_scanned() -> None:
    coverage = Coverage({"in_time": 12, "never_scanned": 1, "added_later": 2, "expired": 2, "archived": 3})
    assert (coverage.images, coverage.promised, coverage.in_time) == (20, 17, 12)
    # The most frequent one comes first.
    assert list(coverage.late.items()) == [("added_later", 2), ("expired", 2), ("never_scanned", 1)]


@pytest.mark.parametrize("counts", [{}, {"not_selected": 2}, {"archived": 1, "not_selected": 2}])
def test_nothing_is_promised_for_other_images(counts: dict[str, int]) -> None:
    coverage = Coverage(counts)
    assert (coverage.promised, coverage.in_time, coverage.late) == (0, 0, {})
