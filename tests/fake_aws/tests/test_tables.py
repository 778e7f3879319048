"""DynamoDB's tables of the fake, through boto3."""

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from fake_aws import MEMORY_TABLE, FakeAws, FakeRegistry

KEY: Any = {"pk": {"S": "a"}, "sk": {"S": "s"}}
TWICE = [{"PutRequest": {"Item": KEY}}] * 2


@pytest.fixture
def dynamodb() -> Iterator[Any]:
    with FakeAws(FakeRegistry()) as fake_aws:
        fake_aws.create_memory_table()
        yield fake_aws.client("dynamodb")


def put(pk: str, value: str, **options: str) -> Any:
    item = {"pk": {"S": pk}, "sk": {"S": "s"}, "value": {"S": value}}
    return {"Put": {"TableName": MEMORY_TABLE, "Item": item, **options}}


def test_canceled_transaction_changes_nothing(dynamodb: Any) -> None:
    dynamodb.transact_write_items(TransactItems=[put("a", "before"), put("b", "before")])
    rejected = put("b", "after", ConditionExpression="attribute_not_exists(pk)")
    with pytest.raises(ClientError, match="ConditionalCheckFailed"):
        dynamodb.transact_write_items(TransactItems=[put("a", "after"), put("c", "after"), rejected])
    items = dynamodb.scan(TableName=MEMORY_TABLE)["Items"]
    assert {item["pk"]["S"]: item["value"]["S"] for item in items} == {"a": "before", "b": "before"}


@pytest.mark.parametrize(
    ("operation", "params", "message"),
    [
        ("put_item", {"Item": KEY | {"data": {"B": bytes(400 * 1024)}}}, "Item size has exceeded"),
        ("put_item", {"Item": KEY | {"texts": {"SS": []}}}, "may not be empty"),
        ("put_item", {"Item": KEY | {"sk": {"S": ""}}}, "Size of the key sk"),
        ("put_item", {"Item": KEY | {"pk": {"S": "x" * 2049}}}, "Size of the key pk"),
        ("put_item", {"Item": KEY, "ConditionExpression": "attribute_exists(pk)"}, "does not know the expression"),
        ("put_item", {"Item": KEY, "ConditionExpression": "attribute_not_exists(name)"}, "reserved keyword: ..name"),
        ("put_item", {"Item": KEY, "ConditionExpression": "pk = :pk"}, "undefined or unused in expressions: ..:pk"),
        (
            "put_item",
            {"Item": KEY, "ExpressionAttributeNames": {"#a": "a"}},
            "undefined or unused in expressions: ..#a",
        ),
        ("get_item", {"Key": KEY, "TableName": "other"}, "ResourceNotFound"),
        ("batch_write_item", {"RequestItems": {MEMORY_TABLE: TWICE}}, "duplicates"),
        ("batch_write_item", {"RequestItems": {MEMORY_TABLE: TWICE * 13}}, "less than or equal to 25, 26 given"),
        ("batch_get_item", {"RequestItems": {MEMORY_TABLE: {"Keys": [KEY] * 101}}}, "equal to 100, 101 given"),
        ("transact_write_items", {"TransactItems": [put("a", "1")] * 101}, "equal to 100, 101 given"),
        (
            "transact_write_items",
            {"TransactItems": [put(str(n), "x" * 399_000) for n in range(11)]},
            "more than 4 MB of data",
        ),
        ("list_tables", {}, "does not implement ListTables"),
    ],
)
def test_what_dynamodb_rejects(dynamodb: Any, operation: str, params: dict[str, Any], message: str) -> None:
    table = {} if {"RequestItems", "TransactItems"} & params.keys() or not params else {"TableName": MEMORY_TABLE}
    with pytest.raises(ClientError, match=message):
        getattr(dynamodb, operation)(**{**table, **params})


def test_items_over_16_mb_are_left_unprocessed(dynamodb: Any) -> None:
    keys = [KEY | {"sk": {"S": f"{number:02}"}} for number in range(42)]
    for key in keys:
        dynamodb.put_item(TableName=MEMORY_TABLE, Item=key | {"data": {"B": bytes(409_000)}})
    answer = dynamodb.batch_get_item(RequestItems={MEMORY_TABLE: {"Keys": keys, "ConsistentRead": True}})
    assert answer["UnprocessedKeys"] == {MEMORY_TABLE: {"Keys": keys[41:], "ConsistentRead": True}}
    assert len(answer["Responses"][MEMORY_TABLE]) == 41
