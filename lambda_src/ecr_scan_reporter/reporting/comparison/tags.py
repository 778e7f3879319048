"""Tells versions, build numbers and commit ids in tags from names, as numbers that sort by version."""

import re
from collections.abc import Iterator
from enum import IntEnum
from functools import lru_cache
from typing import NamedTuple

# The parts that change from build to build: a UUID; a run of seven or more hexadecimal digits that stands alone,
# perhaps behind the "g" of `git describe`; any other run of digits.
_PART_OF_TAG = re.compile(
    r"(?P<uuid>[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12})"
    r"|(?<![0-9A-Za-z])(?P<g>g?)(?P<hash>[0-9a-fA-F]{7,})(?![0-9A-Za-z])"
    r"|(?P<digits>[0-9]+)"
)


class _Kind(IntEnum):
    """The kind of a changing part of a tag. A long run of digits can be a number as well as a commit id."""

    HASH = 0
    NUMBER = 1
    EITHER = 2


class Family(NamedTuple):
    """A tag without the parts that change from build to build.

    Args:
        texts: those before, between and behind the changing parts.
        kinds: of the changing parts.
        numbers: the changing parts, 0 for a hash; of one family, they sort by version.
    """

    texts: tuple[str, ...]
    kinds: tuple[int, ...]
    numbers: tuple[int, ...]

    @property
    def is_ordered(self) -> bool:
        """Whether the tag is a version, a build number or a date: it has numbers, and no commit id."""
        return bool(self.kinds) and _Kind.HASH not in self.kinds

    @property
    def is_bare(self) -> bool:
        """Whether the tag is nothing but a commit id, a hash or a UUID: it does not say which application it names."""
        return _Kind.NUMBER not in self.kinds and not any(map(str.isalnum, "".join(self.texts)))

    def agrees(self, other: "Family") -> bool:
        """Return whether both are builds of what people call the same: `4.2.0` and `4.3.1`, or two commits of `main`.

        A commit id may have digits only (one in 26 of seven characters). So a long run of digits agrees with both.
        """
        return self.texts == other.texts and all(
            mine == its or _Kind.EITHER in (mine, its) for mine, its in zip(self.kinds, other.kinds, strict=True)
        )


@lru_cache(maxsize=4096)
def family(tag: str) -> Family:
    """Return the family of a tag: `main-3f2a9c1` and `main-77be01d` agree, and `v12-alpine` and `v12-slim` do not."""
    texts, end = [], 0
    parts = list(_parts(tag))
    for start, stop, _, _ in parts:
        texts.append(tag[end:start])
        end = stop
    return Family((*texts, tag[end:]), tuple(part[2] for part in parts), tuple(part[3] for part in parts))


def _parts(tag: str) -> Iterator[tuple[int, int, int, int]]:
    """Yield the changing parts of a tag: where each begins and ends, its kind, and its number."""
    for match in _PART_OF_TAG.finditer(tag):
        name = str(match.lastgroup)
        text = match[name]
        kind = _Kind.NUMBER if name == "digits" else _Kind.EITHER if text.isdigit() else _Kind.HASH
        # Python refuses to convert thousands of digits; a tag has at most 128 characters.
        yield match.start(name), match.end(name), kind, 0 if kind is _Kind.HASH else int(text[:128])
