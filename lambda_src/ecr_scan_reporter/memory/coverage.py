"""How many images have a scan within the promised age, why the others do not, and which of these are named."""

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from enum import StrEnum
from typing import Any, NamedTuple

from ecr_scan_reporter.errors import MessageError, UnreadableItemError
from ecr_scan_reporter.memory.codec import decode

# How many images are named per reason.
_MAX_NAMED = 3


class CoverageReason(StrEnum):
    """Whether an image has a complete scan within the promised age, and if not, why."""

    IN_TIME = "in_time"
    NEVER_SCANNED = "never_scanned"
    FAILED = "failed"
    UNSUPPORTED = "unsupported"
    TOO_OLD = "too_old"
    EXPIRED = "expired"
    ARCHIVED = "archived"
    NOT_SELECTED = "not_selected"
    # The image is due, but the daily quota of scans ended the run before its scan was started.
    QUOTA = "quota"
    # It was scanned in time, but the reporter does not know the result.
    NOT_READ = "not_read"
    # The look-up failed, or the run ended before it, and memory does not know the image.
    UNKNOWN = "unknown"


# Reasons that break no promise: these images are not scanned on purpose.
_NOT_PROMISED = (CoverageReason.ARCHIVED, CoverageReason.NOT_SELECTED)


class Coverage(NamedTuple):
    """How many images there are by reason; each image is counted once.

    Args:
        counts: images by `CoverageReason`, or by one of a later release; reasons without an image are left out.
        names: of the first images of each reason except IN_TIME: their first tags, or short digests; with their
            repositories if they are of several.
    """

    counts: Mapping[str, int] = {}
    names: Mapping[str, Sequence[str]] = {}

    @property
    def images(self) -> int:
        """The number of all images."""
        return sum(self.counts.values())

    @property
    def promised(self) -> int:
        """How many images the promise is made for."""
        return self.images - sum(self.counts.get(reason, 0) for reason in _NOT_PROMISED)

    @property
    def in_time(self) -> int:
        """How many of them were scanned within the promised age."""
        return self.counts.get(CoverageReason.IN_TIME, 0)

    @property
    def late(self) -> dict[str, int]:
        """How many of them were not, by reason, the most frequent one first."""
        kept = {CoverageReason.IN_TIME, *_NOT_PROMISED}
        late = ((reason, number) for reason, number in self.counts.items() if reason not in kept)
        return dict(sorted(late, key=lambda pair: (-pair[1], pair[0])))

    def add(self, reason: CoverageReason, name: str) -> "Coverage":
        """Return the coverage of these images and one more."""
        named = self.names.get(reason, ())
        names = self.names
        if reason is not CoverageReason.IN_TIME and len(named) < _MAX_NAMED:
            names = {**names, reason: (*named, name)}
        return Coverage({**self.counts, reason: self.counts.get(reason, 0) + 1}, names)

    def merge(self, other: "Coverage") -> "Coverage":
        """Return the coverage of these images and of others."""
        names: dict[str, Sequence[str]] = {
            reason: (*self.names.get(reason, ()), *other.names.get(reason, ()))[:_MAX_NAMED]
            for reason in CoverageReason
            if reason in self.names or reason in other.names
        }
        return Coverage(dict(Counter(self.counts) + Counter(other.counts)), names)

    def to_json(self) -> dict[str, Any]:
        """Return a value for JSON, such as `{"counts": {"in_time": 7, "failed": 1}, "names": {"failed": ["1.0"]}}`."""
        return {"counts": dict(self.counts), "names": {reason: list(names) for reason, names in self.names.items()}}

    @classmethod
    def from_json(cls, value: object) -> "Coverage":
        """Parse a value that `to_json` returned.

        Raises:
            MessageError: `value` is something else.
        """
        if isinstance(value, dict) and value.keys() == {"counts", "names"}:
            with suppress(UnreadableItemError):
                counts, names = decode(_Counts, value["counts"]), decode(_Names, value["names"])
                if all(number > 0 for number in counts.values()):
                    return cls(counts, names)
        expected = 'an object with "counts" and "names" of images by reason, or no value'
        raise MessageError(f"coverage is {value!r}; expected {expected}")


_Counts: Any = dict[CoverageReason, int]
_Names: Any = dict[CoverageReason, tuple[str, ...]]
