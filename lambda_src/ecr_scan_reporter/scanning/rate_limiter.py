"""Spaces out calls to ECR: the rate to begin with, and how it rises and falls.

AWS does not publish the rate that ECR allows.
"""

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ecr_scan_reporter.aws.deadline import Deadline
from ecr_scan_reporter.errors import DeadlineExceededError, ThrottledError, TransientError
from ecr_scan_reporter.shared import clock

# Calls per second to begin with. The limiters find the rates that ECR allows.
FIRST_LOOK_UP_RATE, FIRST_START_RATE = 800.0, 100.0
# Calls per second. The rate that ECR allows is not published, so these only bound the search for it.
_MIN_RATE = 0.2
_MAX_RATE = 1000.0
# Each success adds calls per second to the rate: the first number while ECR throttles nothing (the rate doubles within
# a second or two), the second one after it throttled (3 % per second), until this many calls in a row succeeded.
_FAST_INCREASE = 2.0
_SLOW_INCREASE = 0.03
_SUCCESSES_UNTIL_FAST = 200
# A throttled call multiplies the rate by this factor.
_DECREASE_FACTOR = 0.7
# This many failed calls in a row count as throttling, whatever their error code.
_FAILURES_UNTIL_DECREASE = 8
# Seconds: the longest pause after the first throttled call. It doubles with each further one, up to the maximum.
# Throttled calls that were in flight at the same time count once. No float holds 2 to the power of 1,024, so the
# exponent has a bound as well.
_FIRST_PAUSE = 0.1
_MAX_PAUSE = 20.0
_MAX_DOUBLINGS = 10


class AdaptiveRateLimiter:
    """Spaces out the calls of all threads.

    The rate follows additive increase and multiplicative decrease. After a throttled call, all threads pause:
    exponential backoff with full jitter (https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/).

    Args:
        first_rate: calls per second to begin with.
        jitter: returns a random number from 0 to 1.
    """

    def __init__(self, first_rate: float, jitter: Callable[[], float] = random.random) -> None:
        self._rate, self._jitter = first_rate, jitter
        self._lock = threading.Lock()
        self._next_slot = clock.monotonic()
        self._decreased_at = float("-inf")
        self._successes_in_a_row = _SUCCESSES_UNTIL_FAST
        self._failures_in_a_row = self._decreases_in_a_row = 0

    @contextmanager
    def slot(self, deadline: Deadline, *, adapt: bool = True) -> Iterator[None]:
        """Wait for the slot of a call, which is made in the body.

        Args:
            deadline: no call waits past it.
            adapt: whether a failure may lower the rate; False if failures are known to concern single images.

        Raises:
            DeadlineExceededError: the slot is after the deadline.
            TransientError: from the call; it may lower the rate.
            Exception: from the call.
        """
        started = self._acquire_slot(deadline)
        try:
            yield
        except TransientError as error:
            if adapt:
                self._on_failure(started, isinstance(error, ThrottledError))
            raise
        self._on_success()

    def pause(self, seconds: float) -> None:
        """Let the next call wait at least this many seconds."""
        with self._lock:
            self._next_slot = max(self._next_slot, clock.monotonic() + seconds)

    def _acquire_slot(self, deadline: Deadline) -> float:
        while True:
            with self._lock:
                now, decreased_at = clock.monotonic(), self._decreased_at
                slot = max(now, self._next_slot)
                if slot >= deadline.at:
                    raise DeadlineExceededError("the invocation has no time left at the rate that ECR allows")
                self._next_slot = slot + 1 / self._rate
            # Asked again, because other threads may have had their turn in the meantime.
            wait = slot - clock.monotonic()
            if wait > 0:
                clock.sleep(wait)
            with self._lock:
                # If the rate was lowered while this thread slept, its slot is void: reserve a new one.
                if self._decreased_at == decreased_at:
                    return clock.monotonic()

    def _on_failure(self, started: float, throttled: bool) -> None:
        with self._lock:
            self._failures_in_a_row += 1
            if not throttled and self._failures_in_a_row < _FAILURES_UNTIL_DECREASE:
                return  # as far as can be seen, this concerns one image
            if started <= self._decreased_at:
                return  # sent before the last decrease took effect: it says nothing new
            now = clock.monotonic()
            self._decreased_at = now
            self._successes_in_a_row = 0
            self._rate = max(self._rate * _DECREASE_FACTOR, _MIN_RATE)
            doublings = min(self._decreases_in_a_row, _MAX_DOUBLINGS)
            self._decreases_in_a_row += 1
            pause = self._jitter() * min(_FIRST_PAUSE * 2**doublings, _MAX_PAUSE)
            self._next_slot = now + 1 / self._rate + pause

    def _on_success(self) -> None:
        with self._lock:
            self._failures_in_a_row = self._decreases_in_a_row = 0
            self._successes_in_a_row += 1
            fast = self._successes_in_a_row > _SUCCESSES_UNTIL_FAST
            self._rate = min(self._rate + (_FAST_INCREASE if fast else _SLOW_INCREASE), _MAX_RATE)
