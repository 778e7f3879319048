"""Repeats what DynamoDB leaves unprocessed."""

import boto3
import pytest
from botocore.stub import Stubber
from ecr_scan_reporter.aws.dynamodb import Table
from ecr_scan_reporter.errors import MemoryTableError


def test_items_that_stay_unprocessed_are_an_error_without_a_pause_after_the_last_attempt(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    slept: list[float] = []
    monkeypatch.setattr("ecr_scan_reporter.shared.clock.sleep", slept.append)
    client = boto3.client("dynamodb")
    request = {"PutRequest": {"Item": {"pk": {"S": "a"}, "sk": {"S": "b"}}}}
    with Stubber(client) as stubber:
        for _ in range(6):
            stubber.add_response("batch_write_item", {"UnprocessedItems": {"memory": [request]}})
        with pytest.raises(MemoryTableError, match="batch_write_item left items after 6 attempts"):
            Table(client, "memory").put_many([{"pk": "a", "sk": "b"}])
    assert slept == [0.05, 0.1, 0.2, 0.4, 0.8]
