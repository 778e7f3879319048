"""Splits the entries of a report or an overview into pages, each of which SNS accepts as one message."""

import json
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from ecr_scan_reporter.aws.sns import MAX_MESSAGE, ReportMessage
from ecr_scan_reporter.reporting.formatting import dumps

Entry = TypeVar("Entry")
# Bytes that are kept free: SNS may count more than the body, and a page's own number takes some.
_MESSAGE_MARGIN = 4 * 1024


def split(
    entries: Iterable[Entry], size_of: Callable[[Entry], int], first_room: int, room: int
) -> Iterator[list[Entry]]:
    """Yield entries, in their order, in chunks that fit on a page: one at least, and the first one may be empty.

    Args:
        entries: of all pages.
        size_of: returns the bytes of an entry. One that fits on no page has a chunk of its own.
        first_room: bytes for entries on the first page, which also has the text of the email.
        room: bytes for entries on each further page.
    """
    chunk: list[Entry] = []
    left = first_room
    for entry in entries:
        size = size_of(entry)
        if size > left:
            yield chunk
            chunk, left = [], room
        chunk.append(entry)
        left -= size
    yield chunk


def entry_size(values: object) -> int:
    """Return the bytes that JSON values take in a message: the document is a string in the JSON of the message."""
    return len(json.dumps(dumps(values), ensure_ascii=False).encode()) + 1


def room_for_entries(empty: ReportMessage) -> int:
    """Return the bytes for entries on a page; `empty` is its message without any."""
    report, *_ = empty.publications
    return MAX_MESSAGE - _MESSAGE_MARGIN - report.size
