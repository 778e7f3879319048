"""The messages on the images queue, each of which asks the images scanner to scan one repository."""

import json
from dataclasses import dataclass

from ecr_scan_reporter.errors import MessageError

VERSION = 1


@dataclass(frozen=True, slots=True)
class RepositoryMessage:
    """Asks the images scanner to scan one repository.

    `after` makes the message a continuation: images are processed in the order of their digests, and this is the last
    one that was processed. `stalled` counts the invocations in a row that made no progress.
    """

    repository: str
    after: str = ""
    stalled: int = 0

    def to_json(self) -> str:
        """Return the message body, such as `{"version":1,"repository":"team-a/app"}`."""
        optional = {"after": self.after, "stalled": self.stalled}
        body = {"version": VERSION, "repository": self.repository} | {k: v for k, v in optional.items() if v}
        return json.dumps(body, separators=(",", ":"))

    @classmethod
    def from_json(cls, body: str) -> "RepositoryMessage":
        """Parse a message body.

        Raises:
            MessageError: the body is not JSON, has another version, or has an invalid field.
        """
        expected = f'expected {{"version": {VERSION}, "repository": "<name>"}}'
        try:
            message = json.loads(body)
        except (RecursionError, ValueError) as error:
            raise MessageError(f"the message is not JSON ({error}); {expected}") from error
        if not isinstance(message, dict) or message.get("version") != VERSION:
            raise MessageError(f"the message has an unknown version; {expected}")
        repository = message.get("repository")
        if not isinstance(repository, str) or not repository:
            raise MessageError(f"repository is {repository!r}; {expected}")
        after, stalled = message.get("after", ""), message.get("stalled", 0)
        if not isinstance(after, str):
            raise MessageError(f"after is {after!r}; expected a digest or no value")
        if type(stalled) is not int or stalled < 0:
            raise MessageError(f"stalled is {stalled!r}; expected a whole number from 0")
        return cls(repository, after, stalled)
