"""Ordered items with stable positions, and the pages of ECR's lists."""

import base64
import binascii
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Generic, TypeVar

from local_aws.fake_ecr.errors import invalid_parameter

Item = TypeVar("Item")


class Listing(Generic[Item]):
    """Items by key in the order of their first `put`.

    A removed item leaves a hole: positions stay valid while a client reads page after page.
    """

    def __init__(self) -> None:
        self._slots: list[Item | None] = []
        self._positions: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._positions)

    def __iter__(self) -> Iterator[Item]:
        return (item for item in self._slots if item is not None)

    def get(self, key: str) -> Item | None:
        """Return the item with a key; None if there is none."""
        position = self._positions.get(key)
        return None if position is None else self._slots[position]

    def put(self, key: str, item: Item) -> None:
        """Add an item, or replace the item with this key."""
        if key in self._positions:
            self._slots[self._positions[key]] = item
        else:
            self._positions[key] = len(self._slots)
            self._slots.append(item)

    def remove(self, key: str) -> Item:
        """Remove and return an item.

        Raises:
            KeyError: there is no item with this key.
        """
        position = self._positions.pop(key)
        item, self._slots[position] = self._slots[position], None
        assert item is not None
        return item

    def page(self, start: int, size: int, matches: Callable[[Item], bool]) -> tuple[list[Item], int | None]:
        """Return a page of the items that match, and the position of the next page; None if this is the last page.

        The cost depends on the page, not on the number of all items.
        """
        found: list[Item] = []
        for position in range(start, len(self._slots)):
            item = self._slots[position]
            if item is None or not matches(item):
                continue
            if len(found) == size:
                return found, position
            found.append(item)
        return found, None


def write_token(scope: str, position: int, now: datetime) -> str:
    """Return an opaque nextToken that is valid for one list only."""
    return base64.urlsafe_b64encode(f"{position}|{now.timestamp()}|{scope}".encode()).decode()


def read_token(token: str, scope: str, now: datetime, lifetime: float | None) -> int:
    """Return the position that a nextToken continues at.

    Args:
        token: token of a request.
        scope: list of the request.
        now: time of the request.
        lifetime: seconds for which a token is valid; None for no end.

    Raises:
        AwsError: the token belongs to no list or to another list, or it has expired.
    """
    try:
        decoded = base64.b64decode(token, altchars=b"-_", validate=True).decode()
        position, issued_at, token_scope = decoded.split("|", 2)
        start, age = int(position), now.timestamp() - float(issued_at)
    except (binascii.Error, ValueError):
        raise invalid_parameter("nextToken", "Invalid token") from None
    if token_scope != scope or start < 0:
        raise invalid_parameter("nextToken", "Invalid token")
    if lifetime is not None and age >= lifetime:
        raise invalid_parameter("nextToken", "The token has expired")
    return start
