"""Packs values, cuts the data into parts, and reads nothing but what it packed."""

import json
import zlib

import pytest
from ecr_scan_reporter.memory.packing import cut, pack, unpack

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
        (b"", "Expecting value"),
        (b"not compressed", "is not compressed"),
        (zlib.compress(b"not JSON"), "Expecting value"),
        (zlib.compress(b"\xff"), "codec can't decode"),
    ],
)
def test_anything_else_is_rejected(data: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        unpack(data)


def test_only_so_many_bytes_are_decompressed() -> None:
    values = "x" * 100
    assert unpack(pack(values), len(json.dumps(values))) == values
    with pytest.raises(ValueError, match="Unterminated string"):
        unpack(pack(values), len(json.dumps(values)) - 1)
