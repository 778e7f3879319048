"""The pace of StartImageScan: as fast as ECR allows, which it does not publish and so has to be found out."""

import random
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from .errors import OutOfTime, Throttled

T = TypeVar("T")

# Calls per second. The rate that ECR allows is not published, so these only bound the search for it.
_FIRST_RATE = 100.0
_SLOWEST_RATE = 0.2
_FASTEST_RATE = 1000.0
# While nothing was refused yet, every call that goes through adds this many calls per second to the rate.
_SLOW_START_STEP = 2.0
# Afterwards every call that goes through adds this many, so that the rate grows by 3 % in a second whatever it is, and
# a refusal takes it down to this share.
_STEP = 0.03
_CUT = 0.7
# Seconds: the longest pause after the first refusal in a row; it doubles with each further one up to the last.
_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 20.0


class Pace:
    """Gives the calls of all threads their turn.

    Additive increase, multiplicative decrease, and after a refusal a pause for all: exponential back-off with full
    jitter (https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/).

    Args:
        deadline: the time of `clock`, in seconds, past which nobody waits.
    """

    def __init__(
        self,
        deadline: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._deadline, self._clock, self._sleep, self._jitter = deadline, clock, sleep, jitter
        self._lock = threading.Lock()
        self._rate = _FIRST_RATE
        self._slow_start = True
        self._next_turn = clock()
        self._cut_at = float("-inf")
        self._refusals_in_a_row = 0

    def call(self, function: Callable[[], T]) -> T:
        """Call `function` when it is its turn, again after each `Throttled`.

        Raises:
            OutOfTime: its turn would come after the deadline.
        """
        while True:
            began = self._await_turn()
            try:
                answer = function()
            except Throttled:
                self._slow_down(began)
            else:
                self._speed_up()
                return answer

    def _await_turn(self) -> float:
        while True:
            with self._lock:
                now, cut_at = self._clock(), self._cut_at
                turn = max(now, self._next_turn)
                if turn >= self._deadline:
                    raise OutOfTime("this invocation has no time left for the pace that ECR allows")
                self._next_turn = turn + 1 / self._rate
            if turn > now:
                self._sleep(turn - now)
            with self._lock:
                # A cut meanwhile called all turns off: those who waited line up again, at the slower pace.
                if self._cut_at == cut_at:
                    return self._clock()

    def _slow_down(self, began: float) -> None:
        with self._lock:
            if began < self._cut_at:
                return  # sent before the last cut could show: it says nothing new
            now = self._clock()
            self._cut_at = now
            self._slow_start = False
            self._rate = max(self._rate * _CUT, _SLOWEST_RATE)
            pause = self._jitter() * min(_FIRST_PAUSE * 2**self._refusals_in_a_row, _LONGEST_PAUSE)
            self._refusals_in_a_row += 1
            self._next_turn = now + 1 / self._rate + pause

    def _speed_up(self) -> None:
        with self._lock:
            self._refusals_in_a_row = 0
            self._rate = min(self._rate + (_SLOW_START_STEP if self._slow_start else _STEP), _FASTEST_RATE)
