"""Encodes values as compact JSON and as attributes of items, and decodes them with the types of their NamedTuples.

A NamedTuple is a list of its fields, without the last ones that have their defaults. So a field that a later release
appends is ignored, and one that an earlier release did not write has its default. A time is in Unix seconds, a day in
ISO 8601, and None is the empty value of its type.

How a type is encoded is compiled on first use: a report has tens of thousands of findings.
"""

import json
import logging
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from enum import StrEnum
from functools import cache
from types import UnionType
from typing import Any, NamedTuple, TypeVar, get_args, get_origin

from ecr_scan_reporter.aws.dynamodb import Value
from ecr_scan_reporter.errors import UnreadableItemError

logger = logging.getLogger(__name__)

T = TypeVar("T")
V = TypeVar("V")

_load = json.JSONDecoder().decode

# The errors of parsing an item that is damaged, or that a later release of this package wrote.
_UNREADABLE = (ArithmeticError, AttributeError, LookupError, OSError, RecursionError, TypeError, ValueError, zlib.error)


def encode(kind: Any, value: object) -> Any:
    """Encode a value of a type such as `tuple[Update, ...]` as one that JSON can write."""
    return _codec(kind).encode(value)


def decode(kind: type[T], value: object) -> T:
    """Decode a value that `encode` returned; a list in it is used up.

    Raises:
        UnreadableItemError: it is something else.
    """
    codec = _codec(kind)
    with decoding():
        _check_all((value,), codec.json)
        decoded: T = codec.decode(value)
    return decoded


def attributes(record: Any) -> dict[str, Value]:
    """Return the fields of a NamedTuple as attributes of an item, without those that have their defaults.

    Lists and objects are JSON texts. A query is charged by the size of the items.
    """
    found: dict[str, Value] = {}
    for (name, field), value in zip(_fields(type(record)).items(), record, strict=True):
        encoded = field.codec.encode(value)
        if encoded != field.empty:
            found[name] = compact_json(encoded) if field.codec.json in (list, dict) else encoded
    return found


def from_item(kind: type[T], item: Mapping[str, Any], **known: object) -> T:
    """Return the NamedTuple whose fields are attributes of an item; `known` has further ones.

    Raises:
        UnreadableItemError: an attribute is missing, or cannot be parsed.
    """
    fields = _fields(kind)
    try:
        for name, value in item.items():
            if name in fields and name not in known:
                (expected, _, convert), _ = fields[name]
                encoded = _load(value) if expected is list or expected is dict else value
                if type(encoded) is not expected:
                    _check_all((encoded,), expected)
                known[name] = convert(encoded)
        return kind(**known)
    except _UNREADABLE as error:
        raise UnreadableItemError(f"{item.get('sk')}: {error!r}") from error


def readable(values: Iterable[V], parse: Callable[[V], T], **extra: str) -> Iterator[T]:
    """Yield the results of `parse` for values.

    One for which it raises UnreadableItemError is left out. A warning says why, with the fields of `extra`.
    """
    for value in values:
        try:
            yield parse(value)
        except UnreadableItemError as error:
            logger.warning("what memory holds cannot be read", extra={**extra, "reason": str(error)})


def compact_json(values: object) -> str:
    """Return values as JSON without spaces."""
    return json.dumps(values, separators=(",", ":"))


def pack_as(kind: Any, value: object, level: int = 7) -> bytes:
    """Encode a value of a type as compressed JSON; see `pack`."""
    return pack(encode(kind, value), level)


def unpack_as(kind: type[T], data: Any) -> T:
    """Decode bytes that `pack_as` returned; fields that a newer release added are ignored.

    Raises:
        UnreadableItemError: it is something else.
    """
    return decode(kind, unpack(data))


def pack(values: object, level: int = 7) -> bytes:
    """Encode a JSON value as compressed JSON; a higher `level`, up to 9, takes more time and fewer bytes."""
    return zlib.compress(compact_json(values).encode(), level)


def unpack(data: Any, limit: int = 0) -> Any:
    """Decode bytes that `pack` returned.

    Args:
        data: bytes, which may come from outside.
        limit: how many bytes of JSON are decompressed at most; 0 for any number.

    Raises:
        UnreadableItemError: it is no compressed JSON, is cut off, or is longer than the limit.
    """
    stream = zlib.decompressobj()
    with decoding():
        # One byte more, so that the end of data with just as many is found.
        text = stream.decompress(data, limit and limit + 1)
        if not stream.eof or len(text) > (limit or len(text)):
            raise ValueError("the data is cut off, or too long")
        return json.loads(text)


def pack_numbers(numbers: Iterable[int]) -> bytes:
    """Encode a set of numbers from 0 to 2^32 - 1, such as checksums, with four bytes each."""
    return b"".join(number.to_bytes(4, "big") for number in sorted(set(numbers)))


def unpack_numbers(data: bytes) -> frozenset[int]:
    """Decode bytes that `pack_numbers` returned."""
    return frozenset(int.from_bytes(part, "big") for part in cut(data, 4))


def cut(data: bytes, size: int) -> list[bytes]:
    """Cut data into parts of at most `size` bytes."""
    return [data[start : start + size] for start in range(0, len(data), size)]


@contextmanager
def decoding() -> Iterator[None]:
    """Raise UnreadableItemError for the errors of parsing an item that is damaged, or that a later release wrote."""
    try:
        yield
    except _UNREADABLE as error:
        raise UnreadableItemError(repr(error)) from error


class _Codec(NamedTuple):
    """How values of a type are encoded. `json` is the type of the JSON value, which is checked before `decode`."""

    json: type
    encode: Callable[[Any], Any]
    decode: Callable[[Any], Any]


class _Field(NamedTuple):
    """A field of a NamedTuple; `empty` is its encoded default, or a value that nothing equals if it has none."""

    codec: _Codec
    empty: object


def _check_all(values: Iterable[object], kind: type) -> None:
    for value in values:
        if type(value) is not kind:
            raise TypeError(f"{value!r:.100} is no {kind.__name__}")


def _same(value: Any) -> Any:
    return value


_PLAIN = {
    str: _Codec(str, _same, _same),
    int: _Codec(int, _same, _same),
    float: _Codec(float, float, _same),
    bool: _Codec(int, int, bool),
    datetime: _Codec(int, lambda moment: int(moment.timestamp()), lambda seconds: datetime.fromtimestamp(seconds, UTC)),
    date: _Codec(str, date.isoformat, date.fromisoformat),
}


def _compile(kind: Any) -> _Codec:
    if kind in _PLAIN:
        return _PLAIN[kind]
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is UnionType:
        return _optional(arguments[0])
    if origin in (tuple, Sequence):
        return _sequence(_codec(arguments[0]))
    if origin is frozenset:
        # Only an attribute of an item can be a set.
        return _Codec(frozenset, _same, _same)
    if origin is Counter:
        return _mapping(_PLAIN[str], _PLAIN[int], Counter)
    if origin in (Mapping, dict):
        return _mapping(_codec(arguments[0]), _codec(arguments[1]), dict)
    if issubclass(kind, StrEnum):
        return _Codec(str, _same, {str(member): member for member in kind}.__getitem__)
    return _named_tuple(kind)


_codec: Callable[[Any], _Codec] = cache(_compile)


def _optional(kind: Any) -> _Codec:
    if kind in (str, int, float, bool):
        raise TypeError(f"{kind.__name__} has an empty value of its own")
    codec = _codec(kind)
    empty = codec.json()
    return _Codec(
        codec.json,
        lambda value: empty if value is None else codec.encode(value),
        lambda value: codec.decode(value) if value else None,
    )


def _sequence(item: _Codec) -> _Codec:
    expected, convert = item.json, item.decode

    def decode(values: list[Any]) -> tuple[Any, ...]:
        _check_all(values, expected)
        return tuple(values if convert is _same else map(convert, values))

    # JSON has no tuples, but writes them as lists.
    return _Codec(list, _same if item.encode is _same else lambda values: list(map(item.encode, values)), decode)


def _mapping(key: _Codec, item: _Codec, make: Callable[[dict[Any, Any]], Any]) -> _Codec:
    def encode(values: Mapping[Any, Any]) -> dict[Any, Any]:
        return {key.encode(name): item.encode(value) for name, value in values.items()}

    expected, is_plain = item.json, key.decode is item.decode is _same

    def decode(values: dict[str, Any]) -> Any:
        _check_all(values.values(), expected)
        return make(values if is_plain else {key.decode(name): item.decode(value) for name, value in values.items()})

    return _Codec(dict, _same if key.encode is item.encode is _same else encode, decode)


def _compile_fields(kind: Any) -> dict[str, _Field]:
    defaults, missing = kind._field_defaults, object()
    codecs = {name: _codec(hint) for name, hint in kind.__annotations__.items()}
    return {
        name: _Field(codec, codec.encode(defaults[name]) if name in defaults else missing)
        for name, codec in codecs.items()
    }


_fields: Callable[[Any], dict[str, _Field]] = cache(_compile_fields)


def _named_tuple(kind: Any) -> _Codec:
    fields = list(_fields(kind).values())
    types, empty, size = [field.codec.json for field in fields], [field.empty for field in fields], len(fields)
    encoders = [(n, field.codec.encode) for n, field in enumerate(fields) if field.codec.encode is not _same]
    decoders = [(n, field.codec.decode) for n, field in enumerate(fields) if field.codec.decode is not _same]
    defaults = tuple(kind._field_defaults.values())
    required = size - len(defaults)

    def encode(record: tuple[Any, ...]) -> list[Any]:
        row = list(record)
        for n, convert in encoders:
            row[n] = convert(row[n])
        while row and row[-1] == empty[len(row) - 1]:
            row.pop()
        return row

    def decode(row: list[Any]) -> Any:
        del row[size:]
        known = len(row)
        if known < required or list(map(type, row)) != (types if known == size else types[:known]):
            raise TypeError(f"{row!r:.100} is no {kind.__name__}")
        for n, convert in decoders:
            if n >= known:
                break
            row[n] = convert(row[n])
        return kind._make((*row, *defaults[known - required :]))

    return _Codec(list, encode, decode)
