"""Reads and writes items of a DynamoDB table: one by one, in batches, on conditions, and in transactions.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html has the limits.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from secrets import token_hex
from typing import TYPE_CHECKING, Any, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError

from ecr_scan_reporter.aws.clients import error_code, read_pages
from ecr_scan_reporter.errors import AccessDeniedError, ConditionError, ItemTypeError, MemoryTableError
from ecr_scan_reporter.shared import clock
from ecr_scan_reporter.shared.concurrency import chunked

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

# Attributes are text, whole numbers, bytes or sets of texts, which are never empty.
Value = str | int | bytes | frozenset[str]
Item = Mapping[str, Value]
NOTHING: Item = {}
# The partition key and the sort key of an item.
Key = tuple[str, str]

_WRITES_PER_BATCH, _READS_PER_BATCH = 25, 100
# How often items that DynamoDB leaves unprocessed in an answer of 200 are sent; and the seconds before the second
# attempt, which double with each further one.
_UNPROCESSED_ATTEMPTS, _PAUSE = 6, 0.05
_CONDITION_CODES = {"ConditionalCheckFailedException", "TransactionConflictException"}
_CANCELED_BY_OTHERS = {"ConditionalCheckFailed", "TransactionConflict"}
# A write on a condition marks its item with a token of its own. botocore repeats a call whose answer was lost, and its
# condition does not hold any more if the first one took effect: the mark of the item tells.
WRITER = "writer"
_OLD_ITEM = {"ReturnValuesOnConditionCheckFailure": "ALL_OLD"}


class Put(NamedTuple):
    """A write of a whole item, on condition that the item in the table has this `revision` (0: that it has none).

    Without `revision`, the item is written unconditionally.
    """

    item: Item
    revision: int | None = None


class Addition(NamedTuple):
    """Numbers that are added to those of an item, and texts that are added to its sets, by attribute.

    Others may write the item at the same time. A damaged attribute, to which nothing can be added, is replaced.
    """

    key: Key
    values: Item


class Table:
    """A table with the keys `pk` and `sk`. All reads are strongly consistent, unless the caller says otherwise.

    Every method raises MemoryTableError if DynamoDB rejects a call, or AccessDeniedError if the role does not permit
    it.
    """

    def __init__(self, client: Any, name: str) -> None:
        self._dynamodb: DynamoDBClient = client
        self._name = name

    def get(self, pk: str, sk: str) -> Item | None:
        """Return an item, None if there is none."""
        answer = self._call("get_item", TableName=self._name, Key=_key((pk, sk)), ConsistentRead=True)
        return _decode(answer["Item"]) if "Item" in answer else None

    def get_many(self, keys: Iterable[Key]) -> dict[Key, Item]:
        """Return the items that exist, by key; 100 a call."""
        found: dict[Key, Item] = {}
        for chunk in chunked(map(_key, keys), _READS_PER_BATCH):
            request = {"Keys": chunk, "ConsistentRead": True}
            for answer in self._until_processed("batch_get_item", request, "UnprocessedKeys"):
                for item in map(_decode, answer.get("Responses", {}).get(self._name, ())):
                    found[str(item["pk"]), str(item["sk"])] = item
        return found

    def query(
        self,
        pk: str,
        first: str,
        last: str,
        *,
        attributes: Sequence[str] = (),
        limit: int | None = None,
        descending: bool = False,
        consistent: bool = True,
    ) -> Iterator[Item]:
        """Yield the items of a partition with sort keys from `first` to `last`, in their order; 1 MB a call.

        DynamoDB charges for whole items: `attributes` only makes the answers smaller.

        Args:
            pk: of the partition.
            first: the lowest sort key.
            last: the highest sort key.
            attributes: which ones are returned; all by default.
            limit: how many items at most.
            descending: whether the highest sort key comes first.
            consistent: whether the writes of the last seconds are certain to be seen; otherwise, half is charged.

        Raises:
            AwsError: DynamoDB rejected a call, or returned the token of a page for the second time.
        """
        parameters: dict[str, Any] = {
            "TableName": self._name,
            "KeyConditionExpression": "pk = :pk AND sk BETWEEN :first AND :last",
            "ExpressionAttributeValues": _encode({":pk": pk, ":first": first, ":last": last}),
            "ConsistentRead": consistent,
            "ScanIndexForward": not descending,
        }
        if attributes:
            names = {f"#{number}": name for number, name in enumerate(attributes)}
            parameters |= {"ProjectionExpression": ", ".join(names), "ExpressionAttributeNames": names}
        if limit:
            parameters["Limit"] = limit
        for page in read_pages(partial(self._call, "query"), "ExclusiveStartKey", "LastEvaluatedKey", **parameters):
            yield from map(_decode, page["Items"])
            if limit:
                return

    def put(self, item: Item) -> None:
        """Write an item; it replaces the one with the same key."""
        self._call("put_item", TableName=self._name, Item=_encode(item))

    def put_many(self, items: Iterable[Item]) -> None:
        """Write items unconditionally, 25 a call; no two of them may have the same key."""
        self._write_many({"PutRequest": {"Item": _encode(item)}} for item in items)

    def delete_many(self, keys: Iterable[Key]) -> None:
        """Delete items, 25 a call."""
        self._write_many({"DeleteRequest": {"Key": _key(key)}} for key in keys)

    def update(
        self,
        key: Key,
        values: Item,
        *,
        once: Item = NOTHING,
        remove: str = "",
        condition: str = "",
        given: Item = NOTHING,
    ) -> Item:
        """Set attributes of an item, or create it; return all of its attributes.

        A condition adds the attribute `writer`.

        Args:
            values: of the attributes.
            once: of those that stay as they are if the item has them.
            remove: an attribute that the item loses.
            condition: on the item as it is; none if empty.
            given: the values of the placeholders of the condition, such as `:now`.

        Raises:
            ConditionError: the condition does not hold.
        """
        writer = token_hex(6) if condition else ""
        changed = {**values, WRITER: writer} if writer else values
        sets = [f"#{name} = :{name}" for name in changed]
        sets += [f"#{name} = if_not_exists(#{name}, :{name})" for name in once]
        placeholders = {f":{name}": value for name, value in (*changed.items(), *once.items())}
        answer = self._write_once(
            *("update_item", writer),
            TableName=self._name,
            Key=_key(key),
            UpdateExpression=f"SET {', '.join(sets)}" + (f" REMOVE {remove}" if remove else ""),
            ExpressionAttributeNames={f"#{name}": name for name in (*changed, *once)},
            ExpressionAttributeValues=_encode({**placeholders, **given}),
            ReturnValues="ALL_NEW",
            **({"ConditionExpression": condition, **_OLD_ITEM} if condition else {}),
        )
        return _decode(answer["Attributes"])

    def add(self, addition: Addition) -> None:
        """Add to one item."""
        try:
            self._call("update_item", **self._addition(addition, {}))
        except ItemTypeError:
            self._call("update_item", **self._addition(addition, self.get(*addition.key) or {}))

    def delete(self, pk: str, sk: str, attribute: str, value: Value) -> None:
        """Delete an item if its `attribute` has this `value`.

        Raises:
            ConditionError: the attribute has another value.
        """
        self._call(
            "delete_item",
            TableName=self._name,
            Key=_key((pk, sk)),
            ConditionExpression="#attribute = :value",
            ExpressionAttributeNames={"#attribute": attribute},
            ExpressionAttributeValues=_encode({":value": value}),
        )

    def write(self, puts: Sequence[Put], deletes: Sequence[Key] = (), additions: Sequence[Addition] = ()) -> None:
        """Write, delete and add to all of these items or none, at most 100 items and 4 MB.

        Raises:
            ConditionError: the revision of an item has changed, or another transaction writes one of the items.
        """
        writer = token_hex(6)
        if len(puts) == 1 and not deletes and not additions:
            self._write_once("put_item", writer, **self._put(puts[0], writer))
            return
        entries: list[Any] = [{"Put": self._put(put, writer)} for put in puts]
        entries += [{"Delete": {"TableName": self._name, "Key": _key(key)}} for key in deletes]
        try:
            self._transact(entries, additions, {}, writer)
        except ItemTypeError:
            self._transact(entries, additions, self.get_many(key for key, _ in additions), writer)

    def _transact(
        self, entries: Sequence[Any], additions: Iterable[Addition], held: Mapping[Key, Item], writer: str
    ) -> None:
        updates = [{"Update": self._addition(addition, held.get(addition.key, {}))} for addition in additions]
        self._write_once("transact_write_items", writer, TransactItems=[*entries, *updates])

    def _addition(self, addition: Addition, held: Item) -> dict[str, Any]:
        values = addition.values
        damaged = [name for name, value in values.items() if type(held.get(name, value)) is not type(value)]
        sets = ", ".join(f"{name} = :{name}" for name in damaged)
        added = ", ".join(f"{name} :{name}" for name in values if name not in damaged)
        return {
            "TableName": self._name,
            "Key": _key(addition.key),
            "UpdateExpression": " ".join(filter(None, [added and f"ADD {added}", sets and f"SET {sets}"])),
            "ExpressionAttributeValues": _encode({f":{name}": value for name, value in values.items()}),
        }

    def _put(self, put: Put, writer: str) -> dict[str, Any]:
        if put.revision is None:
            return {"TableName": self._name, "Item": _encode(put.item)}
        parameters: dict[str, Any] = {"TableName": self._name, "Item": _encode({**put.item, WRITER: writer})}
        if put.revision:
            parameters["ConditionExpression"] = "revision = :revision"
            parameters["ExpressionAttributeValues"] = _encode({":revision": put.revision})
        else:
            # An item to which others have only added has one. Without, it is damaged, or there is none.
            parameters["ConditionExpression"] = "attribute_not_exists(revision)"
        return parameters | _OLD_ITEM

    def _write_many(self, requests: Iterable[Any]) -> None:
        for chunk in chunked(requests, _WRITES_PER_BATCH):
            for _ in self._until_processed("batch_write_item", chunk, "UnprocessedItems"):
                pass

    def _until_processed(self, operation: str, request: Any, unprocessed: str) -> Iterator[Any]:
        """Call an operation for many items, and again for those that it left; yield the answers.

        Raises:
            MemoryTableError: items are left after the last attempt.
        """
        pending: Any = {self._name: request}
        for attempt in range(_UNPROCESSED_ATTEMPTS):
            if attempt:
                clock.sleep(_PAUSE * 2 ** (attempt - 1))
            answer = self._call(operation, RequestItems=pending)
            yield answer
            pending = answer.get(unprocessed)
            if not pending:
                return
        raise MemoryTableError(f"{operation} left items after {_UNPROCESSED_ATTEMPTS} attempts")

    def _write_once(self, operation: str, writer: str, **parameters: Any) -> Any:
        """Make a write; if it only fails because it has taken effect before, return the answer of an update."""
        try:
            return self._call(operation, **parameters)
        except ConditionError as error:
            if error.__cause__ is None or not writer:
                raise
            response: Any = getattr(error.__cause__, "response", {})
            for item in (response.get("Item"), *(each.get("Item") for each in response.get("CancellationReasons", ()))):
                if item and item.get(WRITER) == {"S": writer}:
                    return {"Attributes": item}
            raise

    def _call(self, operation: str, **parameters: Any) -> Any:
        try:
            return getattr(self._dynamodb, operation)(**parameters)
        except (ClientError, BotoCoreError) as error:
            raise _to_domain_error(error) from error


def _to_domain_error(error: ClientError | BotoCoreError) -> MemoryTableError | AccessDeniedError:
    if isinstance(error, BotoCoreError):
        return MemoryTableError(f"DynamoDB: {error}")
    code = error_code(error)
    if code == "AccessDeniedException":
        return AccessDeniedError(f"the function's role lacks dynamodb:{error.operation_name}: {error}")
    response: Any = error.response
    reasons = {reason.get("Code") for reason in response.get("CancellationReasons", ())} - {"None"}
    if code in _CONDITION_CODES or (reasons and reasons <= _CANCELED_BY_OTHERS):
        return ConditionError(str(error))
    if "ValidationError" in reasons or (code == "ValidationException" and "incorrect data type" in str(error)):
        return ItemTypeError(str(error))
    return MemoryTableError(str(error))


def _key(key: Key) -> dict[str, Any]:
    return {"pk": {"S": key[0]}, "sk": {"S": key[1]}}


def _encode(item: Item) -> dict[str, Any]:
    return {name: _encode_value(value) for name, value in item.items()}


def _encode_value(value: Value) -> dict[str, Any]:
    match value:
        case str():
            return {"S": value}
        case bytes():
            return {"B": value}
        case frozenset():
            return {"SS": sorted(value)}
    return {"N": str(value)}


def _decode(item: Mapping[str, Any]) -> dict[str, Value]:
    return {name: _decode_value(value) for name, value in item.items()}


def _decode_value(value: Mapping[str, Any]) -> Value:
    # Nothing that an item may hold is an error here: whoever reads the item knows what it should be.
    with suppress(ValueError):
        if "N" in value:
            return int(value["N"])
    if "SS" in value:
        return frozenset(map(str, value["SS"]))
    return bytes(value["B"]) if "B" in value else str(value.get("S", value))
