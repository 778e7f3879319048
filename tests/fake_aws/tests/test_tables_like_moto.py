"""The tables of the fake do what moto's do, whatever `Table` writes: moto's parser knows all expressions."""

from collections.abc import Callable
from typing import Any

import boto3
import pytest
from ecr_scan_reporter.aws.dynamodb import Addition, Item, Put, Table
from ecr_scan_reporter.errors import AwsError
from fake_aws import FakeAws, FakeRegistry
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from moto import mock_aws
from support.random_tests import examples

KEYS = st.tuples(st.sampled_from(["p", "q"]), st.sampled_from(["a", "b"]))
VALUES = st.one_of(
    st.integers(-3, 3), st.sampled_from(["", "x", "y"]), st.binary(max_size=2), st.frozensets(st.text("ab"), min_size=1)
)
# moto compares numbers with numbers alone.
ATTRIBUTES = st.fixed_dictionaries({}, optional={"name": VALUES, "leased_until": st.integers(-3, 3), "texts": VALUES})
ADDED = st.fixed_dictionaries({"number": st.integers(-3, 3)}) | st.fixed_dictionaries(
    {"texts": st.frozensets(st.sampled_from(["x", "y"]), min_size=1)}
)
REVISIONS = st.none() | st.integers(0, 2)

# Nobody holds it, or for too long.
LEASE = "attribute_not_exists(done) AND (NOT leased_until BETWEEN :first AND :last)"

Call = Callable[[Table], Any]


@st.composite
def calls(draw: st.DrawFn) -> Call:
    """Return a call of `Table`."""
    key, values = draw(KEYS), draw(ATTRIBUTES)
    item = {"pk": key[0], "sk": key[1], **values, "revision": draw(st.integers(0, 2))}
    condition = draw(st.sampled_from(["", "attribute_not_exists(done)", LEASE]))
    given: Item = {":first": 0, ":last": 2} if condition == LEASE else {}
    others = sorted(set(draw(st.lists(KEYS, max_size=3))) - {key})
    kind = draw(st.sampled_from(["put", "update", "add", "delete", "delete_many", "write", "transact"]))
    match kind:
        case "put":
            return lambda table: table.put(item)
        case "update":
            return lambda table: table.update(key, {"done": 1}, once=values, condition=condition, given=given)
        case "add":
            added = draw(ADDED)
            return lambda table: table.add(Addition(key, added))
        case "delete":
            attribute, value = draw(st.sampled_from(["name", "leased_until"])), draw(VALUES)
            return lambda table: table.delete(*key, attribute, value)
        case "delete_many":
            return lambda table: table.delete_many([key, *others])
        case "write":
            put = Put(item, draw(REVISIONS))
            return lambda table: table.write([put])
    put, added = Put(item, draw(REVISIONS)), draw(ADDED)
    additions = [Addition(other, added) for other in others[:1]]
    return lambda table: table.write([put], others[1:], additions)


def outcome(call: Call, table: Table) -> Any:
    """Return what a call answers, without the random mark of a writer, or the kind of its error."""
    try:
        answer = call(table)
    except AwsError as error:
        return type(error)
    return {name: value for name, value in (answer or {}).items() if name != "writer"}


def contents(table: Table) -> list[Any]:
    """Return all items, read in each of the ways that there are."""
    keys = [(pk, sk) for pk in "pq" for sk in "ab"]
    return [
        *(outcome(lambda table, key=key: table.get(*key), table) for key in keys),  # type: ignore[misc]
        {key: {**item, "writer": ""} for key, item in table.get_many(keys).items()},
        [item["sk"] for item in table.query("p", "a", "b~")],
        [item["sk"] for item in table.query("p", "a", "z", descending=True, limit=1)],
        list(table.query("q", " ", "~", attributes=["sk", "name"])),
    ]


@pytest.mark.slow
@settings(max_examples=examples(200), phases=[Phase.generate])
@given(st.lists(calls(), min_size=30, max_size=60))
def test_every_history_of_calls_ends_alike(history: list[Call]) -> None:
    with FakeAws(FakeRegistry()) as fake_aws, mock_aws():
        ours = Table(fake_aws.client("dynamodb"), fake_aws.create_memory_table())
        dynamodb = boto3.client("dynamodb", region_name="eu-west-1")
        names = [("pk", "HASH"), ("sk", "RANGE")]
        dynamodb.create_table(
            TableName="moto",
            KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in names],  # type: ignore[typeddict-item]
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name, _ in names],
            BillingMode="PAY_PER_REQUEST",
        )
        motos = Table(dynamodb, "moto")
        for call in history:
            assert outcome(call, ours) == outcome(call, motos)
        assert contents(ours) == contents(motos)
