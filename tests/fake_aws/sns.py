"""Amazon SNS in the query protocol, with XML answers. Every topic exists.

moto's topics do not serve here: a publication costs 0.5 ms, and 0.01 ms here. They accept an empty message, any
subject, and a structure without a default entry, count no attributes, and confirm each address of email.
"""

import json
from collections.abc import Mapping
from itertools import count
from typing import NamedTuple
from uuid import uuid4
from xml.sax.saxutils import escape

from local_aws.fake_ecr import AwsError

from .protocol import Params

# https://docs.aws.amazon.com/sns/latest/api/API_Publish.html: the limit covers the message and its attributes.
_MAX_BYTES = 262_144
_MAX_SUBJECT = 99
# https://docs.aws.amazon.com/sns/latest/api/API_ListSubscriptionsByTopic.html
_SUBSCRIPTIONS_PER_PAGE = 100
_NAMESPACE = "http://sns.amazonaws.com/doc/2010-03-31/"


class Publication(NamedTuple):
    """A message that a topic accepted. `attributes` holds the data type and the value by name."""

    topic: str
    subject: str | None
    message: str
    structure: str | None
    attributes: Mapping[str, tuple[str, str]]


class Sns:
    """Some operations. An address of email is pending until it is confirmed, with itself as the token."""

    content_type = "text/xml"

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Discard all publications and subscriptions."""
        self.publications: list[Publication] = []
        self._subscriptions: list[Params] = []
        self._confirmed: set[str] = set()

    def call(self, operation: str, params: Params) -> bytes:
        """Answer a call with a body. Raises AwsError where SNS rejects the call."""
        match operation:
            case "Publish":
                publication = _publication(params)
                _check(publication)
                self.publications.append(publication)
                result = f"<MessageId>{uuid4()}</MessageId>"
            case "Subscribe":
                self._subscriptions.append(params)
                result = "<SubscriptionArn>pending confirmation</SubscriptionArn>"
            case "ConfirmSubscription":
                self._confirmed.add(params["Token"])
                result = f"<SubscriptionArn>{params['TopicArn']}:{uuid4()}</SubscriptionArn>"
            case "ListSubscriptionsByTopic":
                result = self._list_subscriptions(params)
            case _:
                raise AwsError("InvalidAction", f"the fake does not implement {operation}")
        metadata = f"<ResponseMetadata>{_request_id()}</ResponseMetadata>"
        return _xml(f"{operation}Response", f"<{operation}Result>{result}</{operation}Result>{metadata}")

    def _list_subscriptions(self, params: Params) -> str:
        topic, start = params["TopicArn"], int(params.get("NextToken", 0))
        found = [entry for entry in self._subscriptions if entry["TopicArn"] == topic]
        members = "".join(map(self._subscription, found[start : start + _SUBSCRIPTIONS_PER_PAGE]))
        more = start + _SUBSCRIPTIONS_PER_PAGE < len(found)
        token = f"<NextToken>{start + _SUBSCRIPTIONS_PER_PAGE}</NextToken>" if more else ""
        return f"<Subscriptions>{members}</Subscriptions>{token}"

    def _subscription(self, params: Params) -> str:
        pending = params["Protocol"] == "email" and params["Endpoint"] not in self._confirmed
        arn = "PendingConfirmation" if pending else f"{params['TopicArn']}:{uuid4()}"
        values = {"SubscriptionArn": arn, "TopicArn": params["TopicArn"], "Protocol": params["Protocol"]}
        values["Endpoint"] = params["Endpoint"]
        return f"<member>{''.join(f'<{name}>{escape(value)}</{name}>' for name, value in values.items())}</member>"

    def encode_error(self, error: AwsError) -> tuple[bytes, dict[str, str]]:
        """Return an error in XML."""
        fault = "Sender" if error.status < 500 else "Receiver"
        text = f"<Code>{escape(error.code)}</Code><Message>{escape(error.message)}</Message>"
        return _xml("ErrorResponse", f"<Error><Type>{fault}</Type>{text}</Error>{_request_id()}"), {}

    def action(self, operation: str) -> str:
        """Return the IAM action of an operation."""
        return f"SNS:{operation}"

    def resource(self, params: Params) -> str:
        """Return the ARN of the topic."""
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
    if sum(len(text.encode()) for text in texts) > _MAX_BYTES:
        raise _invalid("Message too long")
    subject = publication.subject
    if subject is not None and not (0 < len(subject) <= _MAX_SUBJECT and subject.isascii() and subject.isprintable()):
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


def _invalid(reason: str) -> AwsError:
    return AwsError("InvalidParameter", f"Invalid parameter: {reason}")


def _request_id() -> str:
    return f"<RequestId>{uuid4()}</RequestId>"


def _xml(root: str, content: str) -> bytes:
    return f'<{root} xmlns="{_NAMESPACE}">{content}</{root}>'.encode()
