"""The capacity units that calls of DynamoDB consume.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html
"""

import base64
from collections.abc import Callable, Iterator, Mapping
from math import ceil
from typing import Any

from .protocol import Params

# Bytes per unit.
_READ_UNIT, _WRITE_UNIT = 4096, 1024
# Returns an item in DynamoDB's JSON by the name of its table and its key; {} if there is none.
Reader = Callable[[str, Mapping[str, Any]], Mapping[str, Any]]


def item_size(item: Mapping[str, Any]) -> int:
    """Return the bytes of an item in DynamoDB's JSON with text, sets of text, numbers and binary values.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
    """
    return sum(len(name.encode()) + _value_size(*value.items()) for name, value in item.items())


class Capacity:
    """Counts read and write units."""

    def __init__(self, read: Reader) -> None:
        self._read = read
        self.reset()

    def reset(self) -> None:
        """Begin at zero."""
        self.reads = 0.0
        self.writes = 0

    def sizes(self, operation: str, params: Params) -> list[int]:
        """Return the bytes of the items that a call writes, as they are now; 0 where there is none."""
        writes = writes_of(operation, params)
        return [item_size(self._read(write["TableName"], key_of(write))) for _, write in writes]

    def add(self, operation: str, params: Params, answer: Mapping[str, Any], before: list[int]) -> None:
        """Count a call.

        Args:
            operation: the API operation.
            params: of the call.
            answer: of DynamoDB; {} if it rejected the call.
            before: what `sizes` returned before the call.
        """
        # A write costs the larger one of the item before and after it, and a failed condition as much.
        units = sum(_units(size, _WRITE_UNIT) for size in map(max, before, self.sizes(operation, params)))
        self.writes += units * (2 if operation == "TransactWriteItems" else 1)
        match operation:
            case "GetItem":
                self._add_read(_units(item_size(answer.get("Item", {})), _READ_UNIT), params)
            case "BatchGetItem":
                for table, request in params["RequestItems"].items():
                    items = answer.get("Responses", {}).get(table, ())
                    unprocessed = answer.get("UnprocessedKeys", {}).get(table, {}).get("Keys", ())
                    missing = len(request["Keys"]) - len(items) - len(unprocessed)
                    self._add_read(sum(_units(item_size(item), _READ_UNIT) for item in items) + missing, request)
            case "Query":
                # All items of a page are added up before they are rounded.
                self._add_read(_units(sum(map(item_size, self._whole_items(answer, params))), _READ_UNIT), params)

    def _whole_items(self, answer: Mapping[str, Any], params: Params) -> Iterator[Mapping[str, Any]]:
        """Yield the items of a page with all that a projection has left out: it is read, too."""
        for item in answer.get("Items", ()):
            if "ProjectionExpression" not in params:
                yield item
                continue
            # Table.query names the partition so, and every projection of it has the sort key.
            key = {"pk": params["ExpressionAttributeValues"][":pk"], "sk": item["sk"]}
            yield self._read(params["TableName"], key)

    def _add_read(self, units: int, request: Mapping[str, Any]) -> None:
        self.reads += units if request.get("ConsistentRead") else units / 2


def writes_of(operation: str, params: Params) -> list[tuple[str, Params]]:
    """Return the writes of a call: Put, Update or Delete, and what it says; none for a call that only reads."""
    match operation:
        case "PutItem" | "UpdateItem" | "DeleteItem":
            return [(operation.removesuffix("Item"), params)]
        case "BatchWriteItem":
            return [
                (kind.removesuffix("Request"), {**write, "TableName": table})
                for table, requests in params["RequestItems"].items()
                for request in requests
                for kind, write in request.items()
            ]
        case "TransactWriteItems":
            return [write for entry in params["TransactItems"] for write in entry.items()]
    return []


def key_of(write: Params) -> Mapping[str, Any]:
    """Return the key of a write, or the whole item."""
    key: Mapping[str, Any] = write.get("Key") or write["Item"]
    return key


def _units(size: int, unit: int) -> int:
    return max(ceil(size / unit), 1)


def _value_size(value: tuple[str, Any]) -> int:
    kind, content = value
    match kind:
        case "S":
            return len(content.encode())
        case "N":
            return ceil(len(content.strip("-0.")) / 2) + 1
        case "B":
            return len(content if isinstance(content, bytes) else base64.b64decode(content))
        case "SS":
            return sum(len(text.encode()) for text in content)
    raise ValueError(f"the type of a value is {kind}; expected S, N, B or SS")
