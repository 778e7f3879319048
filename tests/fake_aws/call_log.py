"""The record of the calls that the fake answered."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import NamedTuple


class Start(NamedTuple):
    """A scan that ECR started, and its time (UTC)."""

    repository: str
    digest: str
    time: datetime


class CallLog:
    """Counts of calls by operation."""

    def __init__(self) -> None:
        self._in_flight = 0
        self.reset()

    def reset(self) -> None:
        """Discard all records except the calls in flight."""
        self.calls: Counter[str] = Counter()
        self.refused: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self.max_in_flight = self._in_flight

    @contextmanager
    def call(self, operation: str) -> Iterator[None]:
        """Count a call, rejected or not, and keep it in flight."""
        self.calls[operation] += 1
        self._in_flight += 1
        self.max_in_flight = max(self.max_in_flight, self._in_flight)
        try:
            yield
        finally:
            self._in_flight -= 1
