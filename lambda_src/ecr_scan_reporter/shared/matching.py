"""Matches regular expressions with names that others choose, and gives up after a bounded time.

Python's `re` may take minutes for one name. It holds the interpreter's lock meanwhile, and looks at signals in the main
thread alone: so names are matched there, before work is given to other threads.
"""

import logging
import re
import signal
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Collection
from functools import cache
from typing import TypeVar

from ecr_scan_reporter.errors import UndecidedError

Result = TypeVar("Result")

logger = logging.getLogger(__name__)

# Seconds of processor time for one name. An expression that was stopped gets half as much for the next name, so that
# many such names do not use up an invocation; an ordinary one takes microseconds. The kernel's ticks have up to 10 ms.
_MAX_SECONDS, _MIN_SECONDS = 0.2, 0.02
# How many names of one image are logged, and how many names are remembered.
_MAX_LOGGED, _MAX_REMEMBERED = 10, 10_000
# The names that took too long before, by expression.
_undecided: defaultdict[re.Pattern[str], set[tuple[str, ...]]] = defaultdict(set)


def match(expression: re.Pattern[str], *names: str) -> re.Match[str] | None:
    """Match an expression from the start of names, and return the first match.

    Raises:
        UndecidedError: it takes too long; the log names both.
    """
    before = _undecided.get(expression, ())
    if names in before:
        raise UndecidedError
    try:
        limit = max(_MAX_SECONDS / 2 ** min(len(before), 10), _MIN_SECONDS)
        return _within(limit, lambda: next(filter(None, map(expression.match, names)), None))
    except UndecidedError:
        if len(before) < _MAX_REMEMBERED:
            _undecided[expression].add(names)
        extra = {"names": names[:_MAX_LOGGED], "expression": expression.pattern}
        logger.error("could not match a name in time", extra=extra)
        raise


def matches(expression: re.Pattern[str], *names: str, undecided: bool) -> bool:
    """Return whether an expression matches from the start of one of names; `undecided` if that takes too long."""
    try:
        return match(expression, *names) is not None
    except UndecidedError:
        return undecided


def undecided() -> set[str]:
    """Return the names that took too long before in this environment."""
    return {name for found in _undecided.values() for names in found for name in names}


def matching(expressions: Collection[re.Pattern[str]], name: str) -> frozenset[re.Pattern[str]]:
    """Return the expressions that match from the start of a name, without those that take too long."""
    try:
        return _within(_MIN_SECONDS, lambda: frozenset(each for each in expressions if each.match(name)))
    except UndecidedError:
        return frozenset(each for each in expressions if matches(each, name, undecided=False))


def _within(seconds: float, call: Callable[[], Result]) -> Result:
    """Call a function; raise UndecidedError after so many seconds of processor time, in the main thread."""
    if threading.get_ident() != threading.main_thread().ident:
        return call()
    _install()
    while True:
        begun = time.thread_time()
        signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
        try:
            return call()
        except UndecidedError:
            # Threads that are busy with something else use up the time of the process, too.
            if time.thread_time() - begun >= seconds / 2:
                raise
        finally:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)


@cache
def _install() -> None:
    signal.signal(signal.SIGVTALRM, _interrupt)


def _interrupt(*_: object) -> None:
    raise UndecidedError
