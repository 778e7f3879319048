"""The message with which the daily pass, or the images scanner, asks the reporter to judge an image again."""

import json
from typing import NamedTuple

from ecr_scan_reporter.errors import MessageError
from ecr_scan_reporter.shared.text import is_text


class DueMessage(NamedTuple):
    """Names an image of this registry in which something is due."""

    repository: str
    digest: str

    def to_json(self) -> str:
        """Return the body of the queue message."""
        return json.dumps({"due": self._asdict()})

    @classmethod
    def parse(cls, value: object) -> "DueMessage":
        """Parse the value of "due" in the JSON of a queue message.

        Raises:
            MessageError: it names no image.
        """
        match value:
            case {"repository": str() as repository, "digest": str() as digest} if is_text(repository, digest):
                return cls(repository, digest)
        raise MessageError(f"due is {value!r:.100}; expected an object with repository and digest")
