"""The message that asks the reporter to read a result of which no event came, from the images scanner."""

import json
from typing import NamedTuple

from ecr_scan_reporter.errors import MessageError
from ecr_scan_reporter.models.scans import BASIC, ENHANCED
from ecr_scan_reporter.shared.text import is_text


class MissedMessage(NamedTuple):
    """Names an image of this registry whose last result the reporter does not know.

    Args:
        repository: its name.
        digest: of the image.
        scanner: BASIC or ENHANCED.
        ended_at: when the scan ended, or when it was asked for if ECR gives no date (Unix seconds).
        is_lost: whether an event of it should have come: a run asked for the scan, or the reporter knows the image.
        counted: whether it was counted before: the image was then being scanned again.
    """

    repository: str
    digest: str
    scanner: str
    ended_at: int
    is_lost: bool = False
    counted: bool = False

    def to_json(self) -> str:
        """Return the body of the queue message."""
        return json.dumps({"missed": self._asdict()})

    @classmethod
    def parse(cls, value: object) -> "MissedMessage":
        """Parse the value of "missed" in the JSON of a queue message.

        Raises:
            MessageError: it names no image, or a value of it is invalid.
        """
        match value:
            case {
                "repository": str() as repository,
                "digest": str() as digest,
                "scanner": str() as scanner,
                "ended_at": int() as ended_at,
                "is_lost": bool() as is_lost,
                "counted": bool() as counted,
            } if is_text(repository, digest) and scanner in (BASIC, ENHANCED) and 0 <= ended_at < 2**40:
                return cls(repository, digest, scanner, ended_at, is_lost, counted)
        raise MessageError(f"missed is {value!r:.100}; expected an object with {', '.join(cls._fields)}")
