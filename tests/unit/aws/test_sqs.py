"""Sends messages, and makes them visible again."""

from typing import Any

import boto3
import pytest
from botocore.stub import Stubber
from ecr_scan_reporter.aws.sqs import SqsQueue
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
