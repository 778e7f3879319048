"""The message that asks the reporter to look at the deadlines of an image, from the images scanner."""

import json
from typing import NamedTuple

from ecr_scan_reporter.errors import MessageError


class OverdueMessage(NamedTuple):
    """Names an image of this registry with a deadline that has passed.

    `run` is the id of the run of the schedule that found it, so that the report of that run has the image; "" if there
    is none.
    """

    repository: str
    digest: str
    run: str = ""

    def to_json(self) -> str:
        """Return the body of the queue message."""
        return json.dumps({"overdue": {name: value for name, value in self._asdict().items() if value}})

    @classmethod
    def parse(cls, value: object) -> "OverdueMessage":
        """Parse the value of "overdue" in the JSON of a queue message.

        Raises:
            MessageError: it names no image.
        """
        match value:
            case {"repository": str() as repository, "digest": str() as digest, **rest} if repository and digest:
                run = rest.get("run", "")
                if isinstance(run, str):
                    return cls(repository, digest, run)
        raise MessageError(f"overdue is {value!r:.100}; expected an object with repository and digest")
