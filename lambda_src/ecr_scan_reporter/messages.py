"""The message on the images queue: scan this repository."""

import json
from dataclasses import dataclass

from .errors import MessageError

VERSION = 1


@dataclass(frozen=True, slots=True)
class RepositoryMessage:
    """Asks the images scanner to see to one repository.

    `after` makes it a continuation: images are taken in the order of their digests, and this one was the last.
    """

    repository: str
    after: str = ""

    def to_json(self) -> str:
        """The message's body, such as `{"version":1,"repository":"team-a/app"}`."""
        body = {"version": VERSION, "repository": self.repository} | ({"after": self.after} if self.after else {})
        return json.dumps(body, separators=(",", ":"))

    @classmethod
    def from_json(cls, body: str) -> "RepositoryMessage":
        """Read a message's body.

        Raises:
            MessageError: it is not JSON, not of this version, names no repository, or goes on after no digest.
        """
        accepted = f'accepted: {{"version": {VERSION}, "repository": "<name>"}}'
        try:
            message = json.loads(body)
        except ValueError as error:
            raise MessageError(f"the message is not JSON ({error}); {accepted}") from error
        if not isinstance(message, dict) or message.get("version") != VERSION:
            raise MessageError(f"the message has an unknown version; {accepted}")
        repository = message.get("repository")
        if not isinstance(repository, str) or not repository:
            raise MessageError(f"the message names no repository; {accepted}")
        after = message.get("after", "")
        if not isinstance(after, str):
            raise MessageError(f'the message goes on after {after!r}; accepted: a digest under "after", or nothing')
        return cls(repository, after)
