"""The message that asks the reporter to read the findings of an image again."""

import json
from typing import NamedTuple

from ecr_scan_reporter.errors import MessageError
from ecr_scan_reporter.shared.text import is_text


class LookMessage(NamedTuple):
    """Names an image of this registry.

    `at` is when its findings should be read at the earliest, in Unix seconds; 0 for now.
    """

    repository: str
    digest: str
    at: int = 0

    def to_json(self) -> str:
        """Return the body of the queue message."""
        return json.dumps({"look": self._asdict()})

    @classmethod
    def parse(cls, value: object) -> "LookMessage":
        """Parse the value of "look" in the JSON of a queue message.

        Raises:
            MessageError: it names no image.
        """
        match value:
            case {"repository": str() as repository, "digest": str() as digest, "at": int() as at} if (
                is_text(repository, digest) and 0 <= at < 2**40
            ):
                return cls(repository, digest, at)
        raise MessageError(f"look is {value!r:.100}; expected an object with repository, digest and at")
