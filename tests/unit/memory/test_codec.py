"""Encodes NamedTuples, packs values, cuts the data into parts, and reads nothing but what it encoded."""

import json
import zlib
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Any, NamedTuple

import pytest
from ecr_scan_reporter.errors import UnreadableItemError
from ecr_scan_reporter.memory.codec import attributes, cut, decode, encode, from_item, pack, unpack

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


class Color(StrEnum):
    RED = "red"


class Part(NamedTuple):
    name: str
    sizes: tuple[int, ...] = ()
    ratio: float = 0.0


class Record(NamedTuple):
    id: str
    part: Part
    at: datetime | None = None
    day: date | None = None
    done: bool = False
    colors: tuple[Color, ...] = ()
    parts: Mapping[Color, tuple[Part, ...]] = {}
    counts: Counter[str] = Counter()  # noqa: RUF012
    best: Part | None = None


PART = Part("a", (1, 2), 0.5)
WHOLE = Record(
    "x", PART, NOW, NOW.date(), True, (Color.RED,), {Color.RED: (PART, Part("b"))}, Counter(HIGH=1), Part("c")
)
VALUES = {"name": "日本語", "numbers": [1, 2.5, None], "lone": "\ud800"}


@pytest.mark.parametrize("level", [1, 6, 9])
def test_values_survive(level: int) -> None:
    assert unpack(pack(VALUES, level)) == VALUES


def test_parts_make_the_whole() -> None:
    data = pack(list(range(1000)))
    parts = cut(data, 100)
    assert {len(part) for part in parts[:-1]} == {100}
    assert unpack(b"".join(parts)) == list(range(1000))
    assert cut(b"", 100) == []


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "is cut off"),
        (b"not compressed", "incorrect header check"),
        (pack("x" * 100)[:-1], "is cut off"),
        (pack("x" * 100)[:-4] + b"0000", "incorrect data check"),
        (zlib.compress(b"[" * 100_000), "RecursionError"),
        (zlib.compress(b"not JSON"), "Expecting value"),
        (zlib.compress(b"\xff"), "UnicodeDecodeError"),
    ],
)
def test_anything_else_is_rejected(data: bytes, reason: str) -> None:
    with pytest.raises(UnreadableItemError, match=reason):
        unpack(data)


@pytest.mark.parametrize("record", [WHOLE, Record("x", PART), WHOLE._replace(best=None, day=None)])
def test_named_tuple_survives(record: Record) -> None:
    assert decode(Record, json.loads(json.dumps(encode(Record, record)))) == record
    assert from_item(Record, attributes(record)) == record
    several = decode(tuple[Record, ...], json.loads(json.dumps(encode(tuple[Record, ...], (record, record)))))
    assert several == (record, record)


def test_defaults_at_the_end_take_no_room() -> None:
    record = Record("x", Part("a"), done=True)
    assert encode(Record, record) == ["x", ["a"], 0, "", 1]
    assert attributes(record) == {"id": "x", "part": '["a"]', "done": 1}


def test_what_a_later_release_appended_is_ignored() -> None:
    row = json.loads(json.dumps(encode(Record, WHOLE)))
    assert decode(Record, [*row, "later", None]) == WHOLE
    assert from_item(Record, {**attributes(WHOLE), "later": 1}) == WHOLE


@pytest.mark.parametrize(
    "value",
    [
        None,
        {},
        [],
        ["x"],
        ["x", "a"],
        ["x", []],
        ["x", ["a", [1.5]]],
        ["x", ["a", [True]]],
        ["x", ["a", [], 1]],
        ["x", ["a"], True],
        ["x", ["a"], 10**20],
        ["x", ["a"], 0, "tomorrow"],
        ["x", ["a"], 0, "", 0, ["green"]],
        ["x", ["a"], 0, "", 0, [], {"red": ["a"]}],
        ["x", ["a"], 0, "", 0, [], {"green": []}],
        ["x", ["a"], 0, "", 0, [], {}, {"HIGH": "1"}],
        ["x", ["a"], 0, "", 0, [], {}, {}, [1]],
    ],
)
def test_anything_else_is_no_record(value: object) -> None:
    with pytest.raises(UnreadableItemError):
        decode(Record, value)


@pytest.mark.parametrize(
    "item", [{}, {"id": "x"}, {"id": 1, "part": '["a"]'}, {"id": "x", "part": "[a"}, {"id": "x", "part": 7}]
)
def test_anything_else_is_no_item_of_a_record(item: dict[str, Any]) -> None:
    with pytest.raises(UnreadableItemError):
        from_item(Record, item)


def test_field_whose_values_may_be_empty_cannot_be_none() -> None:
    class Ambiguous(NamedTuple):
        text: str | None

    with pytest.raises(TypeError, match="str has an empty value of its own"):
        encode(Ambiguous, Ambiguous(""))


def test_only_so_many_bytes_are_decompressed() -> None:
    values = "x" * 100
    assert unpack(pack(values), len(json.dumps(values))) == values
    with pytest.raises(ValueError, match="too long"):
        unpack(pack(values), len(json.dumps(values)) - 1)
