"""Kills a function at its writes to AWS, to show that nothing is lost."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any


class Killed(BaseException):
    """The function was killed: it ran out of memory or of time, or its host failed."""


class Killer:
    """Kills the function before or after one of its writes; every call after that fails as well.

    Attributes:
        writes: the operations of the writes so far.
        kills: the numbers, from 0, of the writes at which the function is killed, and whether the write takes effect.
    """

    def __init__(self) -> None:
        self.writes: list[str] = []
        self.kills: dict[int, bool] = {}
        self._dead = False

    def revive(self) -> None:
        """Begin another invocation."""
        self._dead = False

    def read(self, operation: str) -> None:
        """Begin a call. Raises Killed if the function is dead."""
        if self._dead:
            raise Killed

    def write(self, operation: str, effect: Callable[[], Any]) -> Any:
        """Return the answer to a write. Raises Killed if the function is dead, or dies of this write."""
        self.read(operation)
        number = len(self.writes)
        self.writes.append(operation)
        if self.kills.get(number) is False:
            self._dead = True
            raise Killed
        answer = effect()
        if self.kills.get(number):
            self._dead = True
            raise Killed
        return answer

    @contextmanager
    def at(self, number: int, *, after: bool) -> Iterator[None]:
        """Count the writes anew, and kill the function at one of them, before or after it takes effect."""
        self.writes, self.kills = [], {number: after}
        with suppress(Killed):
            yield
        self.kills = {}
        self.revive()
