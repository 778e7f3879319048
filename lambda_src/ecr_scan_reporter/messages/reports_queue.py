"""The messages on the reports queue that ask the reporter for something, except rejected publications.

The body is an object with one key, which tells the kind, and the fields of the message. Those of the image, or of the
registry, are among them: first the account and the Region.
"""

import json
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple, TypeVar

from ecr_scan_reporter.errors import MessageError
from ecr_scan_reporter.models.images import ImageId, RegistryId
from ecr_scan_reporter.models.scans import BASIC, ENHANCED
from ecr_scan_reporter.shared.text import is_text

# The body of the message that causes a check.
CHECK = json.dumps({"check": True})

Message = TypeVar("Message", "DueMessage", "LookMessage", "MissedMessage", "ExportMessage", "DailyPassMessage")


class DueMessage(NamedTuple):
    """Asks to judge again an image in which something is due."""

    image: ImageId


class LookMessage(NamedTuple):
    """Asks to read the findings of an image again.

    `at` is when they should be read at the earliest, in Unix seconds; 0 for now.
    """

    image: ImageId
    at: int = 0


class MissedMessage(NamedTuple):
    """Asks to read the last result of an image, of which no event came.

    Args:
        image: whose result it is.
        scanner: BASIC or ENHANCED.
        ended_at: when the scan ended, or when it was asked for if ECR gives no date (Unix seconds); with enhanced
            scanning, the time of the run.
        is_lost: whether an event of it should have come: a run asked for the scan, or the reporter knows the image;
            false with enhanced scanning.
        counted: whether it was counted before: the image was then being scanned again.
    """

    image: ImageId
    scanner: str
    ended_at: int
    is_lost: bool = False
    counted: bool = False


class ExportMessage(NamedTuple):
    """Asks for the export of a run, by its id, or for the rest of it."""

    run: str


class DailyPassMessage(NamedTuple):
    """Asks for a daily pass over memory, or for the rest of it.

    Args:
        registry: of the images; None for the reporter's own.
        at: when the pass was started, which identifies it; None for now.
        repository: where to go on, in the order of the names; "" for the first one.
        after: the digest in that repository after which to go on; "" for all of it.
    """

    registry: RegistryId | None = None
    at: datetime | None = None
    repository: str = ""
    after: str = ""


_IMAGE = ", ".join(ImageId._fields)
# The key of each kind of message, and its expected value in words.
_KINDS: Mapping[Any, tuple[str, str]] = {
    DueMessage: ("due", f"an object with {_IMAGE}"),
    LookMessage: ("look", f"an object with {_IMAGE} and at"),
    MissedMessage: ("missed", f"an object with {', '.join((_IMAGE, *MissedMessage._fields[1:]))}"),
    ExportMessage: ("export", "an object with the id of a run"),
    DailyPassMessage: (
        "pass",
        'an object with any of "account" and "region", "at" (an RFC 3339 time with an offset), "repository", "after"',
    ),
}
# The patterns of texts that are no names. The id of a run becomes a part of the keys in the bucket of the exports.
_PATTERNS = {
    "scanner": f"{BASIC}|{ENHANCED}",
    "run": "[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z-[0-9a-f]{8}",
}


def to_body(message: Message) -> str:
    """Return the body of a message."""
    fields = dict[str, Any]()
    for name, value in message._asdict().items():
        if isinstance(value, (ImageId, RegistryId)):
            fields |= value._asdict()
        elif value is not None:
            fields[name] = value
    key, _ = _KINDS[type(message)]
    return json.dumps({key: fields}, default=lambda moment: moment.isoformat(timespec="seconds"))


def parse_message(kind: type[Message], value: Any) -> Message:
    """Parse the value of the key of a message. Fields that a later release adds to it are ignored.

    Raises:
        MessageError: a field is missing, or has an invalid value.
    """
    try:
        return kind(**_pass(value)) if kind is DailyPassMessage else _build(kind, value)
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        key, expected = _KINDS[kind]
        raise MessageError(f"{key} is {value!r:.100}; expected {expected}") from error


def _build(kind: Any, value: Any) -> Any:
    """Build a message, or the image that it is about: the fields of both are in one object."""
    return kind(
        **{
            name: _build(ImageId, value) if type_ is ImageId else _valid(name, type_, value[name])
            for name, type_ in kind.__annotations__.items()
        }
    )


def _valid(name: str, type_: Any, field: Any) -> Any:
    if type(field) is not type_:
        raise TypeError
    is_valid = is_text(field) if isinstance(field, str) else 0 <= field < 2**40
    if not is_valid or (name in _PATTERNS and not re.fullmatch(_PATTERNS[name], field)):
        raise ValueError
    return field


def _pass(value: Any) -> dict[str, Any]:
    fields = {**value}
    at = datetime.fromisoformat(fields["at"]) if "at" in fields else None
    if not is_text("".join(("/", *fields.values()))) or (at and at.tzinfo is None):
        raise ValueError
    names = [fields.pop(name) for name in RegistryId._fields if name in fields]
    return {**fields, "registry": RegistryId(*names) if names else None, "at": at}
