"""Amazon DynamoDB in AWS JSON 1.0: moto's, in this process."""

import base64
import copy
import json
import threading
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NoReturn

import moto.dynamodb.models
from local_aws.fake_ecr import AwsError
from moto.core.request import Request
from moto.core.responses import ActionResult
from moto.dynamodb.comparisons import FuncBetween, get_comparison_func
from moto.dynamodb.models import Table, dynamodb_backends
from moto.dynamodb.models.dynamo_type import DynamoType
from moto.dynamodb.responses import DynamoHandler

from .capacity import Capacity, item_size, written_keys
from .protocol import Params, encode_json_error

# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html and
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html; moto has few of these limits.
_MAX_WRITES, _MAX_TRANSACTION_ITEMS = 25, 100
# Bytes of a page, which is cut out of a partition with many items; of an item, of all items of a transaction, and of
# the keys of an item.
_MAX_PAGE, _MANY_ITEMS = 1024 * 1024, 2000
_MAX_ITEM, _MAX_TRANSACTION, _MAX_KEYS = 400 * 1024, 4 * 1024 * 1024, {"pk": 2048, "sk": 1024}


class DynamoDb:
    """The operations of DynamoDB. Tables exist once a test has created them.

    Attributes:
        capacity: what the calls consumed.
    """

    content_type = "application/x-amz-json-1.0"

    def __init__(self, account: str, region: str) -> None:
        self._region = region
        self._arn_prefix = f"arn:aws:dynamodb:{region}:{account}:table"
        self._backend = dynamodb_backends[account][region]
        self._backend.reset()
        self.capacity = Capacity(self._read)

    def call(self, operation: str, params: Params) -> bytes:
        """Answer a call with a body. Raises AwsError where DynamoDB rejects the call."""
        _check_sizes(operation, params)
        # pytest may import this module twice, so it is the copy that moto has that has to know.
        moto_copy: Any = moto.dynamodb.models.copy
        moto_copy.written.partitions = frozenset(key["pk"]["S"] for _, key in written_keys(operation, params))
        updates = [entry["Update"]["Key"] for entry in params.get("TransactItems", ()) if "Update" in entry]
        moto_copy.written.updated = frozenset((key["pk"]["S"], key["sk"]["S"]) for key in updates)
        before = self.capacity.sizes(operation, params)
        status, _, body = _Handler.dispatch(*self._request(operation, params))
        self.capacity.add(operation, params, json.loads(body) if status == 200 else {}, before)
        if status == 200:
            return body.encode() if isinstance(body, str) else bytes(body)
        raise _MotoError(json.loads(body), status)

    def encode_error(self, error: AwsError) -> tuple[bytes, dict[str, str]]:
        """Return the body of an error."""
        if isinstance(error, _MotoError):
            return json.dumps(error.body).encode(), {}
        return encode_json_error(error), {}

    def action(self, operation: str) -> str:
        """Return the IAM action of an operation."""
        return f"dynamodb:{operation}"

    def resource(self, params: Params) -> str:
        """Return the ARN of the table."""
        return f"{self._arn_prefix}/{params.get('TableName', '*')}"

    def _read(self, table: str, key: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return an item in DynamoDB's JSON, {} if there is none; not a call."""
        found = self._backend.tables.get(table)
        item = found and found.get_item(DynamoType(key["pk"]), DynamoType(key["sk"]))
        return item.to_json()["Attributes"] if item else {}

    def _request(self, operation: str, params: Params) -> tuple[Request, str, Any]:
        url = f"https://dynamodb.{self._region}.amazonaws.com/"
        headers = {
            "X-Amz-Target": f"DynamoDB_20120810.{operation}",
            "Content-Type": self.content_type,
            "Authorization": f"AWS4-HMAC-SHA256 Credential=testing/20260101/{self._region}/dynamodb/aws4_request",
        }
        request = Request.from_primitives("POST", url, headers, json.dumps(params).encode())
        return request, url, request.headers


class _Handler(DynamoHandler):  # type: ignore[misc]
    """moto's, whose results are DynamoDB's JSON already.

    moto has a serializer for every service, which looks each member of each structure up in the service's model. It
    took an eighth of the time of all tests.
    """

    def serialized(self, action_result: ActionResult) -> Any:
        """Return the status, the headers and the body of a result; errors as moto has them."""
        result: Any = action_result.result
        if isinstance(result, Exception):
            return super().serialized(action_result)
        members = {name: value for name, value in result.items() if value is not None}
        return 200, dict(self.response_headers), json.dumps(members, default=_encode)


def _encode(value: bytes | datetime) -> str | float:
    return base64.b64encode(value).decode() if isinstance(value, bytes) else value.timestamp()


class _MotoError(AwsError):
    """An error of moto, with all that its body says."""

    def __init__(self, body: dict[str, Any], status: int) -> None:
        code = str(body.get("__type", "")).rpartition("#")[2]
        super().__init__(code, str(body.get("message", body.get("Message", ""))), status)
        self.body = body


def _check_sizes(operation: str, params: Params) -> None:
    batches = params["RequestItems"].values() if operation == "BatchWriteItem" else ()
    for requests in batches:
        if len(requests) > _MAX_WRITES:
            _reject(f"Member must have length less than or equal to {_MAX_WRITES}, {len(requests)} given")
    entries = params.get("TransactItems", ())
    if len(entries) > _MAX_TRANSACTION_ITEMS:
        _reject(f"Member must have length less than or equal to {_MAX_TRANSACTION_ITEMS}, {len(entries)} given")
    items = [params["Item"]] if operation == "PutItem" else []
    items += [entry["Put"]["Item"] for entry in entries if "Put" in entry]
    items += [request["PutRequest"]["Item"] for requests in batches for request in requests if "PutRequest" in request]
    for item in items:
        if item_size(item) > _MAX_ITEM:
            _reject("Item size has exceeded the maximum allowed size")
    if entries and sum(map(item_size, items)) > _MAX_TRANSACTION:
        _reject("Transaction request cannot include more than 4 MB of data")
    for name, most in _MAX_KEYS.items():
        if any(len(item.get(name, {}).get("S", "").encode()) > most for item in items):
            _reject(f"Size of the key {name} has exceeded the maximum size limit of {most} bytes")


def _reject(message: str) -> NoReturn:
    raise AwsError("ValidationException", f"One or more parameter values were invalid: {message}")


class _Copy:
    """The module `copy` for moto's models.

    A transaction there begins with a deep copy of its table for each of its writes, in case that it is canceled.
    With 10,000 items each takes half a second, and moto keeps every instance of its models for good. Puts and deletes
    replace items and do not change them, so copies of the dictionaries are enough, of the partitions that are written.
    Only items that are updated are copied themselves.

    Attributes:
        written: its `partitions` are the partition keys that the current call writes, its `updated` the keys of the
            items that it updates in a transaction. Several fakes in one process have a thread each.
    """

    copy = staticmethod(copy.copy)
    written = threading.local()

    @classmethod
    def deepcopy(cls, value: Any, memo: Any = None) -> Any:
        """Copy a table as far as puts and deletes change it, and anything else completely."""
        if not isinstance(value, Table):
            return copy.deepcopy(value, memo)
        partitions: frozenset[str] = getattr(cls.written, "partitions", frozenset())
        updated: frozenset[tuple[str, str]] = getattr(cls.written, "updated", frozenset())
        snapshot = object.__new__(Table)
        vars(snapshot).update(vars(value))
        snapshot.items = copy.copy(value.items)
        for hash_key, items in value.items.items():
            if hash_key.value in partitions:
                snapshot.items[hash_key] = copy.copy(items)
                for key in [key for key in items if (hash_key.value, key.value) in updated]:
                    snapshot.items[hash_key][key] = copy.deepcopy(items[key])
        return snapshot


moto.dynamodb.models.copy = _Copy
_is_between = FuncBetween.expr


def _is_between_of_one_type(condition: FuncBetween, item: Any) -> bool:
    """Return whether a value is between two others; one of another type never is, where moto fails."""
    try:
        return bool(_is_between(condition, item))
    except TypeError:
        return False


FuncBetween.expr = _is_between_of_one_type
_query = Table.query


def _query_partition(
    table: Table,
    hash_key: DynamoType,
    range_comparison: str | None,
    range_objs: list[DynamoType],
    limit: int,
    exclusive_start_key: Mapping[str, Any] | None,
    scan_index_forward: bool,
    *rest: Any,
    **more: Any,
) -> Any:
    """Query only the items of a partition that are on the page, and one more.

    moto's own query sorts all items of the table, and measures all items of the partition, so 3,000 images in a
    repository would cost a second for each query.
    """
    items = table.items.get(hash_key, {})
    if range_comparison:
        compare, values = get_comparison_func(range_comparison), [value.value for value in range_objs]
        items = {key: item for key, item in items.items() if compare(key.value, *values)}
    if len(items) > _MANY_ITEMS:
        items = _on_page(items, exclusive_start_key, scan_index_forward)
    partition = object.__new__(Table)
    vars(partition).update(vars(table) | {"items": {hash_key: items}})
    page = (limit, exclusive_start_key, scan_index_forward)
    return _query(partition, hash_key, range_comparison, range_objs, *page, *rest, **more)


def _on_page(items: Mapping[Any, Any], start: Mapping[str, Any] | None, forward: bool) -> dict[Any, Any]:
    """Return the items after a key, as many as a page has and one more."""
    after = start["sk"]["S"] if start else None
    keys = [key for key in items if after is None or (key.value > after if forward else key.value < after)]
    found, room = dict[Any, Any](), _MAX_PAGE
    for key in sorted(keys, key=lambda key: str(key.value), reverse=not forward):
        found[key] = items[key]
        if room < 0:
            break
        room -= items[key].size()
    return found


Table.query = _query_partition
