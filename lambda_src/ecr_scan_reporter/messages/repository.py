"""The messages on the images queue, each of which asks the images scanner to scan one repository."""

import json
from collections.abc import Mapping
from typing import NamedTuple

from ecr_scan_reporter.errors import MessageError
from ecr_scan_reporter.memory.coverage import Coverage
from ecr_scan_reporter.models.images import RegistryId

VERSION = 1
_EXAMPLE = f'expected {{"version": {VERSION}, "account": "<id>", "region": "<name>", "repository": "<name>"}}'
# The type of each optional field except the coverage, and its value in words.
_OPTIONAL: Mapping[str, tuple[type, str]] = {
    "after": (str, "a digest or no value"),
    **dict.fromkeys(("run", "previous_run"), (str, "the id of a run or no value")),
    **dict.fromkeys(("stalled", "asked", "oldest", "waiting_since"), (int, "a whole number from 0")),
    **dict.fromkeys(("enhanced", "unscheduled"), (bool, "true or no value")),
}


class RepositoryMessage(NamedTuple):
    """Asks the images scanner to scan one repository.

    `after`, `oldest`, `waiting_since` and `coverage` make the message a continuation. They sum up the images that were
    processed so far.

    Args:
        registry: that the repository is in.
        after: the digest of the last image that was processed, in the order of the digests; "" if none was.
        stalled: how many invocations in a row made no progress.
        run: the id of the run of the schedule; "" if there is none.
        asked: how many scans the run asked for in this repository so far.
        oldest: the time of the oldest last scan of any image (Unix seconds); 0 if an image has no date, None if no
            image was processed. The repositories of the next run are sorted by it.
        coverage: how many images there are by reason.
        enhanced: whether the registry uses enhanced scanning, so that no scan can be started.
        waiting_since: the last scan (or the push, if never scanned) of the image that has waited longest (Unix
            seconds); images without a date are left out. 0 if none has one.
        unscheduled: whether the runs of the schedule leave the repository out, so that it is no part of a pass.
        previous_run: with enhanced scanning, the id of the last run that processed the repository; "" if none did.
    """

    registry: RegistryId
    repository: str
    after: str = ""
    stalled: int = 0
    run: str = ""
    asked: int = 0
    oldest: int | None = None
    coverage: Coverage = Coverage()
    enhanced: bool = False
    waiting_since: int = 0
    unscheduled: bool = False
    previous_run: str = ""

    def to_json(self) -> str:
        """Return the message body: the version, the registry, the repository, and the other fields that are set."""
        values = {name: value for name, value in self._asdict().items() if value != self._field_defaults.get(name)}
        values = {"version": VERSION, **values.pop("registry")._asdict(), **values}
        if "coverage" in values:
            values["coverage"] = self.coverage.to_json()
        return json.dumps(values, separators=(",", ":"))

    @classmethod
    def from_json(cls, body: str) -> "RepositoryMessage":
        """Parse a message body.

        Raises:
            MessageError: the body is not JSON, has another version, or has an invalid field.
        """
        try:
            message = json.loads(body)
        except (RecursionError, ValueError) as error:
            raise MessageError(f"the message is not JSON ({error}); {_EXAMPLE}") from error
        # A message of the release before may still be in the queue.
        if not isinstance(message, dict) or message.get("version") not in range(max(VERSION - 1, 1), VERSION + 1):
            raise MessageError(f"the message has an unknown version; {_EXAMPLE}")
        for name in ("account", "region", "repository"):
            value = message.get(name)
            if not isinstance(value, str) or not value:
                raise MessageError(f"{name} is {value!r}; {_EXAMPLE}")
        for name, (kind, expected) in _OPTIONAL.items():
            value = message.get(name, kind())
            if type(value) is not kind or (isinstance(value, int) and value < 0):
                raise MessageError(f"{name} is {value!r}; expected {expected}")
        values = {name: message[name] for name in ("repository", *_OPTIONAL) if name in message}
        if "coverage" in message:
            values["coverage"] = Coverage.from_json(message["coverage"])
        return cls(RegistryId(message["account"], message["region"]), **values)
