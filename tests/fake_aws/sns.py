"""Amazon SNS on the wire: the query protocol, with XML answers, in front of topics that take every name."""

import json
from collections.abc import Mapping
from itertools import count
from typing import NamedTuple
from uuid import uuid4
from xml.sax.saxutils import escape

from .errors import AwsError
from .protocol import Params

# https://docs.aws.amazon.com/sns/latest/api/API_Publish.html: message and attributes together.
_MOST_BYTES = 262_144
_MOST_SUBJECT = 99
_NAMESPACE = "http://sns.amazonaws.com/doc/2010-03-31/"


class Publication(NamedTuple):
    """A message that a topic took. Attributes: their data type and value, by name."""

    topic: str
    subject: str | None
    message: str
    structure: str | None
    attributes: Mapping[str, tuple[str, str]]


class Sns:
    """Publish."""

    content_type = "text/xml"

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget all publications."""
        self.publications: list[Publication] = []

    def call(self, operation: str, params: Params) -> bytes:
        """The body of the answer. Raises AwsError where SNS refuses."""
        if operation != "Publish":
            raise AwsError("InvalidAction", f"the fake does not know {operation}")
        publication = _publication(params)
        _check(publication)
        self.publications.append(publication)
        result = f"<PublishResult><MessageId>{uuid4()}</MessageId></PublishResult>"
        return _xml("PublishResponse", result + f"<ResponseMetadata>{_request_id()}</ResponseMetadata>")

    def refusal(self, error: AwsError) -> tuple[bytes, dict[str, str]]:
        """An error in XML."""
        fault = "Sender" if error.status < 500 else "Receiver"
        words = f"<Code>{escape(error.code)}</Code><Message>{escape(error.message)}</Message>"
        return _xml("ErrorResponse", f"<Error><Type>{fault}</Type>{words}</Error>{_request_id()}"), {}

    def action(self, operation: str) -> str:
        """The IAM action of the same name."""
        return f"SNS:{operation}"

    def resource(self, params: Params) -> str:
        """The topic's ARN."""
        return str(params.get("TopicArn", "*"))


def _publication(params: Params) -> Publication:
    return Publication(
        params["TopicArn"],
        params.get("Subject"),
        params.get("Message", ""),
        params.get("MessageStructure"),
        _attributes(params),
    )


def _attributes(params: Params) -> dict[str, tuple[str, str]]:
    attributes = {}
    for number in count(1):
        entry = f"MessageAttributes.entry.{number}"
        name = params.get(f"{entry}.Name")
        if name is None:
            break
        value = params.get(f"{entry}.Value.StringValue", "")
        attributes[name] = (params[f"{entry}.Value.DataType"], value)
    return attributes


def _check(publication: Publication) -> None:
    if not publication.message:
        raise _invalid("Empty message")
    texts = [publication.message]
    texts += [text for name, pair in publication.attributes.items() for text in (name, *pair)]
    if sum(len(text.encode()) for text in texts) > _MOST_BYTES:
        raise _invalid("Message too long")
    subject = publication.subject
    if subject is not None and not (0 < len(subject) <= _MOST_SUBJECT and subject.isascii() and subject.isprintable()):
        raise _invalid("Subject")
    if publication.structure == "json":
        _check_structure(publication.message)


def _check_structure(message: str) -> None:
    try:
        parts = json.loads(message)
    except ValueError:
        parts = None
    if not isinstance(parts, dict):
        raise _invalid("Message Structure - JSON message body failed to parse")
    if not isinstance(parts.get("default"), str):
        raise _invalid("Message Structure - No default entry in JSON message body")


def _invalid(words: str) -> AwsError:
    return AwsError("InvalidParameter", f"Invalid parameter: {words}")


def _request_id() -> str:
    return f"<RequestId>{uuid4()}</RequestId>"


def _xml(root: str, content: str) -> bytes:
    return f'<{root} xmlns="{_NAMESPACE}">{content}</{root}>'.encode()
