"""Runs calls concurrently in a pool of threads."""

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from itertools import islice
from typing import TypeVar

Value = TypeVar("Value")
Result = TypeVar("Result")


def chunked(items: Iterable[Value], size: int) -> Iterator[list[Value]]:
    """Yield the items in chunks of at most `size`."""
    rest = iter(items)
    return iter(lambda: list(islice(rest, size)), [])


def concurrent_map(pool: Executor, function: Callable[[Value], Result], items: Sequence[Value]) -> list[Result]:
    """Map `function` over `items` in the pool; return when no call is in flight.

    Raises:
        Exception: from `function`; of several, the one of the earliest item. After the first one, no further call
            begins.
    """
    failed = threading.Event()

    def unless_failed(item: Value) -> Result | None:
        if failed.is_set():
            return None
        try:
            return function(item)
        except BaseException:
            failed.set()
            raise

    futures = [pool.submit(unless_failed, item) for item in items]
    errors = [error for future in futures if (error := future.exception())]
    if errors:
        raise errors[0]
    return [future.result() for future in futures]  # type: ignore[misc]  # nothing failed, so nothing was skipped
