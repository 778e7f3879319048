"""Packs values for the memory table and the queues: compressed JSON, in parts where one item has no room for it."""

import json
import zlib
from typing import Any


def pack(values: object, level: int = 6) -> bytes:
    """Encode values as compressed JSON; a higher `level`, up to 9, takes more time and fewer bytes."""
    return zlib.compress(json.dumps(values, separators=(",", ":")).encode(), level)


def unpack(data: bytes, limit: int = 0) -> Any:
    """Decode what `pack` encoded.

    Args:
        data: what may come from outside.
        limit: how many bytes of JSON are decompressed at most; 0 for any number.

    Raises:
        ValueError: it is no compressed JSON, or longer than the limit.
        RecursionError: its values are nested too deeply.
    """
    try:
        return json.loads(zlib.decompressobj().decompress(data, limit))
    except zlib.error as error:
        raise ValueError(f"the data is not compressed: {error}") from error


def cut(data: bytes, size: int) -> list[bytes]:
    """Cut data into parts of at most `size` bytes."""
    return [data[start : start + size] for start in range(0, len(data), size)]
