"""Splits entries into pages: in their order, each page as full as its room."""

import json
from itertools import islice

import pytest
from ecr_scan_reporter.aws.sns import MAX_MESSAGE, ReportMessage
from ecr_scan_reporter.reporting.paging import entry_size, room_for_entries, split
from hypothesis import given
from hypothesis import strategies as st


def size(entry: int) -> int:
    return entry


@pytest.mark.parametrize(
    ("entries", "chunks"),
    [
        ([], [[]]),
        ([5], [[5]]),
        ([5, 1], [[5], [1]]),
        ([2, 3, 4, 6, 1], [[2, 3], [4, 6], [1]]),
        # The first page has less room.
        ([6], [[], [6]]),
        # What fits on no page has one of its own.
        ([1, 11, 1, 1], [[1], [11], [1, 1]]),
        ([11, 12], [[], [11], [12]]),
    ],
)
def test_chunks_fit(entries: list[int], chunks: list[list[int]]) -> None:
    assert list(split(entries, size, 5, 10)) == chunks


@given(st.lists(st.integers(1, 12)), st.integers(0, 10))
def test_nothing_is_lost(entries: list[int], first_room: int) -> None:
    first, *others = split(entries, size, first_room, 10)
    assert [entry for chunk in (first, *others) for entry in chunk] == entries
    assert sum(first) <= first_room
    assert all(sum(chunk) <= 10 or len(chunk) == 1 for chunk in others)


def test_first_chunk_is_known_before_the_second_is_measured() -> None:
    measured: list[int] = []

    def measure(entry: int) -> int:
        measured.append(entry)
        return entry

    assert list(islice(split([3, 3, 3, 3, 3], measure, 5, 100), 1)) == [[3]]
    assert measured == [3, 3]


def test_entries_that_fill_the_room_fill_the_message() -> None:
    def message(entries: list[str]) -> ReportMessage:
        return ReportMessage("subject", "mail", json.dumps(entries, separators=(",", ":")), "", {"severity": "HIGH"})

    free = room_for_entries(message([]))
    entry = '日本語 "quoted" \\' * 20
    entries = [entry] * (free // entry_size(entry))
    [report] = message(entries).publications
    assert MAX_MESSAGE - 6 * 1024 < report.size <= MAX_MESSAGE - 4 * 1024
