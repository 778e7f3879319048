"""A model of Amazon DynamoDB's tables, with the keys `pk` and `sk`, as far as `Table` and the tests use them.

moto's tables do not serve here: a write costs 0.3 to 0.6 ms, and 0.01 to 0.02 ms here, each transaction copies its
table, and moto has few of DynamoDB's limits. The integration tests run with moto's, whose parser knows all of what an
expression may be.
"""

import re
from bisect import bisect_left, bisect_right, insort
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NoReturn

from local_aws.fake_ecr import AwsError

from .capacity import item_size, key_of, writes_of
from .protocol import Params

# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
# Bytes of a page, of all items of a read, of an item, of all items of a transaction, and of the keys of an item.
_MAX_PAGE, _MAX_READ = 1024 * 1024, 16 * 1024 * 1024
_MAX_ITEM, _MAX_TRANSACTION, _MAX_KEYS = 400 * 1024, 4 * 1024 * 1024, {"pk": 2048, "sk": 1024}
_RESERVED_WORDS = "parsing/reserved_keywords.txt"
_ALL = "", "\U0010ffff"
_WORDS = {"ADD", "AND", "BETWEEN", "NOT", "REMOVE", "SET", "attribute_not_exists", "if_not_exists"}
_TERM = re.compile(
    r"attribute_not_exists\((?P<absent>#?\w+)\)"
    r"|\(NOT (?P<outside>#?\w+) BETWEEN (?P<first>:\w+) AND (?P<last>:\w+)\)"
    r"|(?P<name>#?\w+) = (?P<value>:\w+)"
)
_SET = re.compile(r"(?P<name>#?\w+) = (?:if_not_exists\((?P<held>#?\w+), )?(?P<value>:\w+)\)?")

# In DynamoDB's JSON. Binary values are base64 text or bytes, as they come.
Item = dict[str, dict[str, Any]]


class DynamoDbError(AwsError):
    """An error of DynamoDB, with what else its answer has."""

    def __init__(self, code: str, message: str, **more: Any) -> None:
        super().__init__(code, message)
        self.more = more


class _Partition:
    """The items of a partition key by their sort keys, in order. Items are replaced, and never changed."""

    def __init__(self) -> None:
        self.items: dict[str, Item] = {}
        self._order: list[str] = []

    def set(self, sk: str, item: Item | None) -> None:
        """Hold an item, or none any more."""
        if item and sk not in self.items:
            insort(self._order, sk)
        if item:
            self.items[sk] = item
        elif self.items.pop(sk, None):
            self._order.remove(sk)

    def between(self, first: str, last: str, *, forward: bool = True) -> Iterator[Item]:
        """Yield the items from a sort key to another one."""
        keys = self._order[bisect_left(self._order, first) : bisect_right(self._order, last)]
        return (self.items[sk] for sk in (keys if forward else reversed(keys)))


class Tables:
    """All tables of an account in a Region. They exist once they were created."""

    def __init__(self) -> None:
        self._tables: dict[str, defaultdict[str, _Partition]] = {}

    def create(self, name: str) -> None:
        """Create a table, in place of one that has its name."""
        self._tables[name] = defaultdict(_Partition)

    def read(self, table: str, key: Mapping[str, Any]) -> Item:
        """Return an item, {} if there is none."""
        return self._table(table)[key["pk"]["S"]].items.get(key["sk"]["S"], {})

    def call(self, operation: str, params: Params) -> dict[str, Any]:
        """Answer a call. Raises AwsError where DynamoDB rejects it."""
        writes = writes_of(operation, params)
        for call in (params, *(write for _, write in writes)):
            text = " ".join(value for name, value in call.items() if name.endswith("Expression"))
            names, values = call.get("ExpressionAttributeNames", {}), call.get("ExpressionAttributeValues", {})
            _check_expression(text, frozenset([*names, *values]))
        _check_keys([key_of(write) for _, write in writes], 100 if operation == "TransactWriteItems" else 25)
        match operation:
            case "PutItem" | "UpdateItem" | "DeleteItem" | "BatchWriteItem":
                return self._write(writes)
            case "TransactWriteItems":
                return self._transact(writes)
            case "GetItem":
                item = self.read(params["TableName"], params["Key"])
                return {"Item": item} if item else {}
            case "BatchGetItem":
                return self._read_many(params["RequestItems"])
            case "Query":
                return _page(self._found(params), params)
            case "Scan":
                partitions = self._table(params["TableName"]).values()
                return _page((item for partition in partitions for item in partition.between(*_ALL)), params)
            case "DeleteTable":
                del self._tables[params["TableName"]]
                return {}
        raise AwsError("UnknownOperationException", f"the fake does not implement {operation}")

    def _table(self, name: str) -> defaultdict[str, _Partition]:
        if name not in self._tables:
            raise DynamoDbError("ResourceNotFoundException", f"Requested resource not found: Table: {name} not found")
        return self._tables[name]

    def _found(self, params: Params) -> Iterator[Item]:
        condition, values = params["KeyConditionExpression"], params["ExpressionAttributeValues"]
        ends = _ALL
        if condition == "pk = :pk AND sk BETWEEN :first AND :last":
            ends = values[":first"]["S"], values[":last"]["S"]
        elif condition != "pk = :pk":
            _reject(f"the fake does not know the condition {condition}")
        partition = self._table(params["TableName"])[values[":pk"]["S"]]
        return partition.between(*ends, forward=params.get("ScanIndexForward", True))

    def _read_many(self, requests: Mapping[str, Any]) -> dict[str, Any]:
        [(table, request)] = requests.items()
        _check_keys(request["Keys"], 100)
        found, room = list[Item](), _MAX_READ
        for number, key in enumerate(request["Keys"]):
            item = self.read(table, key)
            room -= item_size(item)
            if room < 0:
                left = {table: {**request, "Keys": request["Keys"][number:]}}
                return {"Responses": {table: found}, "UnprocessedKeys": left}
            found += [item] if item else []
        return {"Responses": {table: found}, "UnprocessedKeys": {}}

    def _write(self, writes: Iterable[tuple[str, Params]]) -> dict[str, Any]:
        """Make writes, each by itself; return the answer to the last one."""
        answer = dict[str, Any]()
        for kind, write in writes:
            item = self._changed(kind, write)
            self._set(write, item)
            answer = {"Attributes": item} if write.get("ReturnValues") == "ALL_NEW" else {}
        return answer

    def _transact(self, writes: list[tuple[str, Params]]) -> dict[str, Any]:
        changed, reasons = list[Item | None](), list[dict[str, Any]]()
        for kind, write in writes:
            try:
                changed.append(self._changed(kind, write))
                reasons.append({"Code": "None"})
            except DynamoDbError as error:
                code = error.code.replace("ValidationException", "ValidationError").removesuffix("Exception")
                reasons.append({"Code": code, "Message": error.message, **error.more})
        if len(changed) < len(writes):
            codes = ", ".join(reason["Code"] for reason in reasons)
            message = f"Transaction cancelled, please refer cancellation reasons for specific reasons [{codes}]"
            raise DynamoDbError("TransactionCanceledException", message, CancellationReasons=reasons)
        if sum(map(item_size, filter(None, changed))) > _MAX_TRANSACTION:
            _reject("Transaction request cannot include more than 4 MB of data")
        for (_, write), item in zip(writes, changed, strict=True):
            self._set(write, item)
        return {}

    def _changed(self, kind: str, write: Params) -> Item | None:
        """Return what a write makes of its item, None if it deletes it. Raises DynamoDbError if it is rejected."""
        key, item = key_of(write), None
        held = self.read(write["TableName"], key)
        if not all(_holds(term, held, write) for term in _terms(write.get("ConditionExpression", ""))):
            more = {"Item": held} if held and "ReturnValuesOnConditionCheckFailure" in write else {}
            raise DynamoDbError("ConditionalCheckFailedException", "The conditional request failed", **more)
        if kind != "Delete":
            item = {**key, **(_updated(held, write) if kind == "Update" else {})}
            if item_size(item) > _MAX_ITEM:
                _reject("Item size has exceeded the maximum allowed size")
            if {"SS": []} in item.values():
                _reject("An string set may not be empty")
        return item

    def _set(self, write: Params, item: Item | None) -> None:
        key = key_of(write)
        self._table(write["TableName"])[key["pk"]["S"]].set(key["sk"]["S"], item)


def _page(found: Iterable[Item], params: Params) -> dict[str, Any]:
    """Return the next page of items."""
    start, items, room = params.get("ExclusiveStartKey"), list[Item](), _MAX_PAGE
    names = params.get("ExpressionAttributeNames", {})
    shown = [names.get(name, name) for name in params.get("ProjectionExpression", "").split(", ") if name]
    for item in found:
        if start:
            start = None if (item["pk"], item["sk"]) == (start["pk"], start["sk"]) else start
            continue
        items.append({name: item[name] for name in shown if name in item} if shown else item)
        room -= item_size(item)
        if room < 0 or len(items) == params.get("Limit"):
            return {"Items": items, "LastEvaluatedKey": {"pk": item["pk"], "sk": item["sk"]}}
    return {"Items": items}


@cache
def _terms(condition: str) -> list[re.Match[str]]:
    """Parse a condition: a few terms, all of which have to hold."""
    return [_parsed(_TERM, term) for term in re.split(r" AND (?!:)", condition)] if condition else []


@cache
def _clauses(update: str) -> list[tuple[str, list[Any]]]:
    """Parse an update expression: the changes of each verb."""
    clauses = []
    for verb, text in re.findall(r"(SET|ADD|REMOVE) (.+?)(?= (?:SET|ADD|REMOVE) |$)", update):
        parts = re.split(r", (?![^(]*\))", text)
        clauses.append((verb, [_parsed(_SET, part) if verb == "SET" else part.split() for part in parts]))
    return clauses


def _parsed(pattern: re.Pattern[str], text: str) -> re.Match[str]:
    return pattern.fullmatch(text) or _reject(f"the fake does not know the expression {text}")


def _holds(term: re.Match[str], item: Item, call: Params) -> bool:
    names, values = call.get("ExpressionAttributeNames", {}), call.get("ExpressionAttributeValues", {})
    if name := term["absent"]:
        return names.get(name, name) not in item
    if name := term["outside"]:
        # A value of another type is never between two numbers.
        value = item.get(names.get(name, name), {}).get("N")
        first, last = (Decimal(values[term[end]]["N"]) for end in ("first", "last"))
        return value is None or not first <= Decimal(value) <= last
    return bool(item.get(names.get(term["name"], term["name"])) == values[term["value"]])


def _updated(item: Item, call: Params) -> Item:
    """Return an item after an update. All values are those from before it."""
    names, values = call.get("ExpressionAttributeNames", {}), call.get("ExpressionAttributeValues", {})
    updated = dict(item)
    for verb, changes in _clauses(call["UpdateExpression"]):
        for change in changes:
            name = names.get(change[0], change[0])
            if verb == "SET":
                name = names.get(change["name"], change["name"])
                held = item.get(names.get(change["held"], change["held"]))
                updated[name] = held or values[change["value"]]
            elif verb == "ADD":
                updated[name] = _sum(item.get(name), values[change[1]])
            else:
                updated.pop(name, None)
    return updated


def _sum(held: dict[str, Any] | None, added: dict[str, Any]) -> dict[str, Any]:
    if held is None:
        return added
    if held.keys() != added.keys() or not held.keys() & {"N", "SS"}:
        _reject("An operand in the update expression has an incorrect data type")
    if "N" in added:
        return {"N": str(Decimal(held["N"]) + Decimal(added["N"]))}
    return {"SS": sorted({*held["SS"], *added["SS"]})}


def _check_keys(keys: Sequence[Mapping[str, Any]], most: int) -> None:
    """Check the keys of a call, or its items."""
    if len(keys) > most:
        _reject(f"Member must have length less than or equal to {most}, {len(keys)} given")
    if len({(key["pk"]["S"], key["sk"]["S"]) for key in keys}) < len(keys):
        _reject("Provided list of item keys contains duplicates")
    for name, length in _MAX_KEYS.items():
        if not all(0 < len(key[name]["S"].encode()) <= length for key in keys):
            _reject(f"Size of the key {name} is not between 1 and {length} bytes")


@cache
def _check_expression(text: str, placeholders: frozenset[str]) -> None:
    """Check that each placeholder is defined and used, and that no name is a reserved word."""
    if different := placeholders ^ {*re.findall(r"[#:]\w+", text)}:
        _reject(f"undefined or unused in expressions: {sorted(different)}")
    names = {name for name in re.findall(r"(?<![#:\w])[A-Za-z]\w*", text) if name not in _WORDS}
    if reserved := {name for name in names if name.upper() in _reserved_words()}:
        _reject(f"Attribute name is a reserved keyword; reserved keyword: {sorted(reserved)}")


@cache
def _reserved_words() -> frozenset[str]:
    """Return DynamoDB's reserved words: moto has a list, and is not imported for it."""
    spec = find_spec("moto")
    assert spec
    assert spec.origin
    return frozenset(
        Path(spec.origin).with_name("dynamodb").joinpath("parsing/reserved_keywords.txt").read_text().split()
    )


def _reject(message: str) -> NoReturn:
    raise DynamoDbError("ValidationException", f"One or more parameter values were invalid: {message}")
