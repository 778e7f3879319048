"""The messages on the images queue, each of which asks the images scanner to scan one repository."""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from ecr_scan_reporter.errors import MessageError
from ecr_scan_reporter.memory.coverage import Coverage

VERSION = 1


class RepositoryMessage(NamedTuple):
    """Asks the images scanner to scan one repository.

    `after`, `oldest`, `waiting_since` and `coverage` make the message a continuation. They sum up the images
    that were processed so far.

    Args:
        repository: its name.
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
    """

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

    def to_json(self) -> str:
        """Return the message body, such as `{"version":1,"repository":"team-a/app"}`."""
        optional = {"after": self.after, "stalled": self.stalled, "run": self.run, "asked": self.asked}
        body: dict[str, Any] = {"version": VERSION, "repository": self.repository}
        body |= {name: value for name, value in optional.items() if value}
        if self.waiting_since:
            body |= {"waiting_since": self.waiting_since}
        flags = {"enhanced": self.enhanced, "unscheduled": self.unscheduled}
        body |= {name: True for name, value in flags.items() if value}
        if self.oldest is not None:
            body |= {"oldest": self.oldest}
        if self.coverage.images:
            body |= {"coverage": self.coverage.to_json()}
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
        after, run = message.get("after", ""), message.get("run", "")
        if not isinstance(after, str):
            raise MessageError(f"after is {after!r}; expected a digest or no value")
        if not isinstance(run, str):
            raise MessageError(f"run is {run!r}; expected the id of a run or no value")
        return cls(
            repository,
            after,
            _number(message, "stalled"),
            run,
            _number(message, "asked"),
            _number(message, "oldest") if "oldest" in message else None,
            Coverage.from_json(message["coverage"]) if "coverage" in message else Coverage(),
            _flag(message, "enhanced"),
            _number(message, "waiting_since"),
            _flag(message, "unscheduled"),
        )


def _flag(message: Mapping[str, Any], name: str) -> bool:
    value = message.get(name, False)
    if type(value) is not bool:
        raise MessageError(f"{name} is {value!r}; expected true or no value")
    return value


def _number(message: Mapping[str, Any], name: str) -> int:
    value = message.get(name, 0)
    if type(value) is not int or value < 0:
        raise MessageError(f"{name} is {value!r}; expected a whole number from 0")
    return value
