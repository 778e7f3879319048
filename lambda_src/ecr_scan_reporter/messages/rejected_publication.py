"""The message with a publication that SNS rejected, and when the reporter first publishes it again."""

import json
from base64 import b64decode, b64encode
from hashlib import sha256
from typing import Any

from ecr_scan_reporter.aws.sns import CHAT, MAX_MESSAGE, REPORTS, Publication, Rejection
from ecr_scan_reporter.errors import MessageError
from ecr_scan_reporter.memory.codec import pack, unpack
from ecr_scan_reporter.shared.text import clean, is_text

# Seconds until the reporter first publishes a rejected publication again; later attempts wait for the queue's
# visibility timeout.
FIRST_RETRY = 60
# Bytes of a message in the queue, whose size the module does not set: the provider's default is below that of SQS.
# https://registry.terraform.io/providers/hashicorp/aws/5.100.0/docs/resources/sqs_queue
MAX_BODY = 256 * 1024
# Bytes of the reason why SNS rejected something.
_MAX_REASON = 500
_TEXT_PARAMETERS = frozenset({"Subject", "Message", "MessageStructure"})
# Bytes of a publication as JSON: a quote takes two bytes there, and a character of two bytes takes six.
_MAX_PUBLICATION = 4 * MAX_MESSAGE


def encode_rejection(rejection: Rejection) -> str:
    """Return the body of the queue message that asks the reporter to publish this again, and says why.

    The parameters are compressed. A full page is as large as a message of the queue may be, and would be larger as text
    in JSON. It still is larger than MAX_BODY where it hardly can be compressed.
    """
    publication, reason = rejection.publication, clean(rejection.reason, _MAX_REASON)
    data = b64encode(pack(publication.parameters, level=9)).decode()
    return json.dumps({"publish": {"topic": publication.topic, "data": data, "reason": reason}})


def parse_publication(value: object) -> tuple[str, Publication]:
    """Parse the publication that a queue message asks for, the value of "publish" in its JSON; return it with an id.

    The id is the same in each copy of the message.

    Raises:
        MessageError: it is no publication that `encode_rejection` encoded.
    """
    match value:
        case {"topic": str() as topic, "data": str() as data} if topic in (REPORTS, CHAT):
            try:
                parameters = unpack(b64decode(data, validate=True), _MAX_PUBLICATION)
            except ValueError:
                parameters = None
            if _is_message(parameters):
                return sha256(f"{topic} {data}".encode()).hexdigest(), Publication(topic, parameters)
    raise MessageError(f"publish is {value!r:.100}; expected a topic of this module, and a message for it as data")


def _is_message(parameters: Any) -> bool:
    """Return whether these are parameters of SNS that `ReportMessage.publications` could have made."""
    if not isinstance(parameters, dict):
        return False
    texts = dict(parameters)
    attributes = texts.pop("MessageAttributes", {})
    if not isinstance(attributes, dict) or not texts.get("Message") or not texts.keys() <= _TEXT_PARAMETERS:
        return False
    for attribute in attributes.values():
        if not isinstance(attribute, dict) or attribute.keys() != {"DataType", "StringValue"}:
            return False
    values = [*attributes, *(value for group in (texts, *attributes.values()) for value in group.values())]
    # JSON can hold lone surrogates, and UTF-8 cannot.
    return all(isinstance(value, str) for value in values) and is_text("".join(values))
