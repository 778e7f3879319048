"""Transactions of the fake's DynamoDB, through boto3."""

from typing import Any

import pytest
from botocore.exceptions import ClientError
from fake_aws import FakeAws, FakeRegistry
from fake_aws.fake_aws import MEMORY_TABLE
from moto.dynamodb.models import Table


def put(pk: str, value: str, **options: str) -> Any:
    item = {"pk": {"S": pk}, "sk": {"S": "s"}, "value": {"S": value}}
    return {"Put": {"TableName": MEMORY_TABLE, "Item": item, **options}}


def test_canceled_transaction_changes_nothing() -> None:
    with FakeAws(FakeRegistry()) as fake_aws:
        fake_aws.create_memory_table()
        dynamodb = fake_aws.client("dynamodb")
        dynamodb.transact_write_items(TransactItems=[put("a", "before"), put("b", "before")])
        rejected = put("b", "after", ConditionExpression="attribute_not_exists(pk)")
        with pytest.raises(ClientError, match="ConditionalCheckFailed"):
            dynamodb.transact_write_items(TransactItems=[put("a", "after"), put("c", "after"), rejected])
        items = dynamodb.scan(TableName=MEMORY_TABLE)["Items"]
    assert {item["pk"]["S"]: item["value"]["S"] for item in items} == {"a": "before", "b": "before"}


def test_transaction_leaves_no_copy_of_the_table() -> None:
    with FakeAws(FakeRegistry()) as fake_aws:
        fake_aws.create_memory_table()
        tables = len(Table.instances_tracked)
        fake_aws.client("dynamodb").transact_write_items(TransactItems=[put("a", "1"), put("b", "1")])
        assert len(Table.instances_tracked) == tables
