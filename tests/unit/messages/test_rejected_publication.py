"""Encodes what SNS rejected for the queue, and accepts nothing else from it."""

import json
import random
import string
import zlib
from base64 import b64encode
from typing import Any

import pytest
from ecr_scan_reporter.aws.sns import MAX_MESSAGE, Publication, Rejection, ReportMessage
from ecr_scan_reporter.errors import MessageError
from ecr_scan_reporter.messages.rejected_publication import encode_rejection, parse_publication

ATTRIBUTE = {"DataType": "String", "StringValue": "x"}


def encoded(parameters: Any) -> dict[str, str]:
    return {"topic": "reports", "data": b64encode(zlib.compress(json.dumps(parameters).encode())).decode()}


def test_publication_survives_the_queue() -> None:
    attributes: Any = {"severity": "HIGH", "fixed": 2, "repositories": ["a", "b"]}
    for publication in ReportMessage("subject", "mail", "日本語", "chat", attributes).publications:
        bodies = [encode_rejection(Rejection(publication, reason)) for reason in ("Message too long", "x" * 10_000)]
        values = [json.loads(body)["publish"] for body in bodies]
        (first, parsed), (second, _) = map(parse_publication, values)
        assert parsed == publication
        assert first == second
        assert (values[0]["reason"], len(values[1]["reason"])) == ("Message too long", 500)


def test_full_page_fits_into_a_message_of_the_queue() -> None:
    letters = random.Random(1).choices(string.ascii_lowercase + string.digits, k=2000)
    row = json.dumps({"id": "CVE-2026-1234", "package": "openssl", "path": "".join(letters)})
    [publication] = ReportMessage("subject", "mail", "", "", {}).publications
    while publication.size < MAX_MESSAGE - 8192:
        message = json.loads(publication.parameters["Message"])
        text = json.dumps(message | {"default": message["default"] + row * 10})
        publication = Publication("reports", publication.parameters | {"Message": text})
    assert len(encode_rejection(Rejection(publication, "x" * 10_000))) <= 262_144
    assert len(json.dumps(publication.parameters)) > 262_144


@pytest.mark.parametrize(
    "value",
    [
        None,
        7,
        {},
        {"topic": "reports"},
        {"topic": "reports", "parameters": {"Message": "x"}},
        {"topic": "reports", "data": ""},
        {"topic": "reports", "data": "é"},
        {"topic": "reports", "data": b64encode(b"not compressed").decode()},
        {"topic": "reports", "data": b64encode(zlib.compress(b"not JSON")).decode()},
        {"topic": "reports", "data": b64encode(zlib.compress(b"[" * 100_000)).decode()},
        encoded({"Message": "x"}) | {"topic": "others"},
        encoded({"Message": "x"}) | {"topic": "arn:aws:sns:eu-west-1:123456789012:others"},
        encoded({"Message": "x" * 10_000_000}),
        encoded(["Message"]),
        encoded({}),
        encoded({"Message": ""}),
        encoded({"Message": 5}),
        encoded({"Message": "x", "TopicArn": "x"}),
        encoded({"Message": "x", "Subject": None}),
        encoded({"Message": "x", "MessageAttributes": 5}),
        encoded({"Message": "x", "MessageAttributes": {"a": 5}}),
        encoded({"Message": "x", "MessageAttributes": {"a": {}}}),
        encoded({"Message": "x", "MessageAttributes": {"a": ATTRIBUTE | {"BinaryValue": "x"}}}),
        encoded({"Message": "x", "MessageAttributes": {"a": ATTRIBUTE | {"StringValue": 5}}}),
        encoded({"Message": "x", "MessageAttributes": {"\ud800": ATTRIBUTE}}),
        encoded({"Message": "\ud800"}),
    ],
)
def test_anything_else_is_rejected(value: object) -> None:
    with pytest.raises(MessageError, match="expected a topic of this module"):
        parse_publication(value)
