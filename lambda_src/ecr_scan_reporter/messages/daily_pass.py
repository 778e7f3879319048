"""The message that starts the daily pass, from its rule, or lets it go on, from the reporter to itself."""

import json
from datetime import datetime
from typing import NamedTuple

from ecr_scan_reporter.errors import MessageError
from ecr_scan_reporter.shared.text import is_text

_EXPECTED = 'expected an object with any of "at" (an RFC 3339 time with an offset), "repository" and "after"'


class PassMessage(NamedTuple):
    """Asks for a pass over memory, or for the rest of it.

    Args:
        at: when the pass was started (aware), which identifies it; None for now.
        repository: where to go on, in the order of the names; "" for the first one.
        after: the digest in that repository after which to go on; "" for all of it.
    """

    at: datetime | None = None
    repository: str = ""
    after: str = ""

    def to_json(self) -> str:
        """Return the body of the queue message."""
        at = {"at": self.at.isoformat(timespec="seconds")} if self.at else {}
        return json.dumps({"pass": {**at, "repository": self.repository, "after": self.after}})

    @classmethod
    def parse(cls, value: object) -> "PassMessage":
        """Parse the value of "pass" in the JSON of a queue message.

        Raises:
            MessageError: it is no part of a pass.
        """
        try:
            if not isinstance(value, dict) or not all(isinstance(part, str) for part in value.values()):
                raise TypeError
            message = cls(**value)
            if not is_text(f"{message.repository}/{message.after}"):
                raise ValueError
            message = message._replace(at=datetime.fromisoformat(value["at"]) if "at" in value else None)
            if message.at and message.at.tzinfo is None:
                raise ValueError
        except (TypeError, ValueError) as error:
            raise MessageError(f"pass is {value!r:.100}; {_EXPECTED}") from error
        return message
