"""Sends messages to a queue, and processes each message of a batch by itself."""

import json
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber
from ecr_scan_reporter.aws.sqs import SqsQueue, SqsRecord, process_batch
from ecr_scan_reporter.errors import QueueError

FAILED = {"Id": "1", "SenderFault": False, "Code": "InternalError", "Message": "Try again."}


def test_rejected_messages_are_counted_and_their_bodies_stay_out_of_the_error() -> None:
    client = boto3.client("sqs")
    with Stubber(client) as stubber:
        for _ in range(3):
            stubber.add_response("send_message_batch", {"Successful": [], "Failed": [FAILED]})
        with pytest.raises(QueueError) as caught:
            SqsQueue(client, "https://queue/images").send(["good", "secret"])
    assert str(caught.value) == "SQS rejected 1 of 2 messages 3 times: InternalError: Try again."


def test_message_that_sqs_does_not_make_visible_again_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    client = boto3.client("sqs")
    with Stubber(client) as stubber:
        stubber.add_response("change_message_visibility_batch", {"Successful": [], "Failed": [FAILED]})
        SqsQueue(client, "https://queue/reports").retry_in(60, ["handle 0", "handle 1"])
    [record] = caplog.records
    values: Any = record
    assert (values.levelname, values.reason, values.messages) == ("WARNING", "InternalError: Try again.", 1)


class Client:
    """Records the batches that it is sent."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []

    def send_message_batch(self, QueueUrl: str, Entries: Any) -> dict[str, Any]:
        self.batches.append([entry["MessageBody"] for entry in Entries])
        return {}


def sent(*bodies: str) -> list[list[str]]:
    client: Any = Client()
    assert SqsQueue(client, "https://sqs.eu-west-1.amazonaws.com/123456789012/queue").send(bodies) == len(bodies)
    return list(client.batches)


def test_batch_has_at_most_ten_messages() -> None:
    assert list(map(len, sent(*map(str, range(21))))) == [10, 10, 1]
    assert sent() == []


def test_batch_has_at_most_one_mebibyte() -> None:
    largest = "a" * 262_144
    assert sent(*[largest] * 9, "b") == [[largest] * 4, [largest] * 4, [largest, "b"]]
    euros = "€" * 87_381
    assert list(map(len, sent(*[euros] * 5))) == [4, 1]


def sqs_event(*bodies: str) -> list[SqsRecord]:
    return [{"messageId": f"message-{index}", "body": body} for index, body in enumerate(bodies)]


def test_failed_message_is_returned_and_others_are_processed(caplog: Any) -> None:
    processed: list[int] = []
    answer = process_batch(sqs_event("1", "poison", "3"), lambda body: processed.append(json.loads(body)))
    assert answer == {"batchItemFailures": [{"itemIdentifier": "message-1"}]}
    assert processed == [1, 3]
    [record] = caplog.records
    assert (record.levelname, record.message_id) == ("ERROR", "message-1")


def test_processed_batch_has_no_failures() -> None:
    assert process_batch(sqs_event("1", "2"), lambda body: None) == {"batchItemFailures": []}
