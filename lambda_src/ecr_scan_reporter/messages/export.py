"""The message with which the repositories scanner asks for an export after its run, or the reporter lets it go on."""

import json
import re
from typing import NamedTuple

from ecr_scan_reporter.errors import MessageError

# It becomes a part of the keys in the bucket.
_RUN = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z-[0-9a-f]{8}")


class ExportMessage(NamedTuple):
    """Asks for the export of a run, by its id."""

    run: str

    def to_json(self) -> str:
        """Return the body of the queue message."""
        return json.dumps({"export": self._asdict()})

    @classmethod
    def parse(cls, value: object) -> "ExportMessage":
        """Parse the value of "export" in the JSON of a queue message.

        Raises:
            MessageError: it names no run.
        """
        match value:
            case {"run": str() as run} if _RUN.fullmatch(run):
                return cls(run)
        raise MessageError(f"export is {value!r:.100}; expected an object with the id of a run")
