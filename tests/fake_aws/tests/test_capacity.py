"""The capacity units of DynamoDB that the fake counts, through boto3."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError
from fake_aws import MEMORY_TABLE, FakeAws, FakeRegistry, item_size

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


@pytest.fixture
def fake_aws() -> Iterator[FakeAws]:
    with FakeAws(FakeRegistry()) as running:
        running.create_memory_table()
        yield running


@pytest.fixture
def dynamodb(fake_aws: FakeAws) -> "DynamoDBClient":
    return fake_aws.client("dynamodb")


def item(sk: str, size: int) -> dict[str, Any]:
    """An item of this size."""
    return {"pk": {"S": "p"}, "sk": {"S": sk}, "data": {"B": bytes(size - len("pk" + "p" + "sk" + sk + "data"))}}


def put(dynamodb: "DynamoDBClient", *items: dict[str, Any]) -> None:
    for entry in items:
        dynamodb.put_item(TableName=MEMORY_TABLE, Item=entry)


def query(dynamodb: "DynamoDBClient", **options: Any) -> None:
    dynamodb.query(
        TableName=MEMORY_TABLE,
        KeyConditionExpression="pk = :pk",
        ExpressionAttributeValues={":pk": {"S": "p"}},
        **options,
    )


def test_size_has_names_and_values() -> None:
    assert item_size({"pk": {"S": "ä"}, "n": {"N": "1764148424"}, "data": {"B": b"1234"}}) == 2 + 2 + 1 + 6 + 4 + 4


@pytest.mark.parametrize(("size", "units"), [(1024, 1), (1025, 2)])
def test_write_costs_a_unit_per_kilobyte(fake_aws: FakeAws, dynamodb: "DynamoDBClient", size: int, units: int) -> None:
    put(dynamodb, item("a", size))
    assert fake_aws.capacity() == (0, units)


def test_write_costs_the_larger_item(fake_aws: FakeAws, dynamodb: "DynamoDBClient") -> None:
    put(dynamodb, item("a", 3000), item("a", 100))
    assert fake_aws.capacity() == (0, 3 + 3)


def test_failed_condition_costs_as_much_as_a_write(fake_aws: FakeAws, dynamodb: "DynamoDBClient") -> None:
    put(dynamodb, item("a", 3000))
    fake_aws.reset()
    with pytest.raises(ClientError, match="ConditionalCheckFailed"):
        dynamodb.put_item(TableName=MEMORY_TABLE, Item=item("a", 100), ConditionExpression="attribute_not_exists(pk)")
    assert fake_aws.capacity() == (0, 3)


def test_transaction_costs_twice_as_much(fake_aws: FakeAws, dynamodb: "DynamoDBClient") -> None:
    entries: Any = [{"Put": {"TableName": MEMORY_TABLE, "Item": item(sk, 1500)}} for sk in "ab"]
    dynamodb.transact_write_items(TransactItems=entries)
    assert fake_aws.capacity() == (0, 2 * (2 + 2))


def test_batch_of_writes_costs_what_its_items_cost(fake_aws: FakeAws, dynamodb: "DynamoDBClient") -> None:
    put(dynamodb, item("a", 3000))
    fake_aws.reset()
    key: Any = {"pk": {"S": "p"}, "sk": {"S": "a"}}
    requests: Any = [{"DeleteRequest": {"Key": key}}, {"PutRequest": {"Item": item("b", 100)}}]
    dynamodb.batch_write_item(RequestItems={MEMORY_TABLE: requests})
    assert fake_aws.capacity() == (0, 3 + 1)


@pytest.mark.parametrize(("consistent", "units"), [(True, 2), (False, 1)])
def test_query_adds_up_before_it_rounds(
    fake_aws: FakeAws, dynamodb: "DynamoDBClient", consistent: bool, units: int
) -> None:
    put(dynamodb, *(item(sk, 2000) for sk in "abcd"))
    fake_aws.reset()
    query(dynamodb, ConsistentRead=consistent)
    assert fake_aws.capacity() == (units, 0)


def test_batch_of_reads_rounds_each_item_and_counts_missing_ones(fake_aws: FakeAws, dynamodb: "DynamoDBClient") -> None:
    put(dynamodb, item("a", 100), item("b", 5000))
    fake_aws.reset()
    keys: Any = [{"pk": {"S": "p"}, "sk": {"S": sk}} for sk in "abc"]
    dynamodb.batch_get_item(RequestItems={MEMORY_TABLE: {"Keys": keys, "ConsistentRead": True}})
    assert fake_aws.capacity() == (1 + 2 + 1, 0)


def test_get_of_a_missing_item_costs_the_minimum(fake_aws: FakeAws, dynamodb: "DynamoDBClient") -> None:
    dynamodb.get_item(TableName=MEMORY_TABLE, Key={"pk": {"S": "p"}, "sk": {"S": "a"}}, ConsistentRead=True)
    assert fake_aws.capacity() == (1, 0)


def test_query_of_some_attributes_reads_whole_items(fake_aws: FakeAws, dynamodb: "DynamoDBClient") -> None:
    put(dynamodb, *(item(sk, 4000) for sk in "abc"))
    fake_aws.reset()
    query(dynamodb, ProjectionExpression="sk")
    assert fake_aws.capacity() == (1.5, 0)
