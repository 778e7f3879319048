"""Calls ECR for many images concurrently, at the rate that ECR allows, which AWS does not publish."""

import random
import threading
from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import TypeVar

from ecr_scan_reporter.aws.deadline import Deadline
from ecr_scan_reporter.errors import DeadlineExceededError, ThrottledError, TransientError
from ecr_scan_reporter.scanning.context import ScanContext
from ecr_scan_reporter.shared import clock
from ecr_scan_reporter.shared.concurrency import concurrent_map

T = TypeVar("T")

# Calls per second to begin with. The limiters find the rates that ECR allows.
FIRST_LOOK_UP_RATE, FIRST_START_RATE = 800.0, 100.0
# A call that fails is repeated after all others were made. After this many rounds in which no call succeeded, the
# failures are those of the images. Before each of these rounds there is a pause; seconds, doubled each time.
_ROUNDS_WITHOUT_SUCCESS = 5
RETRY_PAUSE = 0.2
# If at most this share of the calls in a round failed, ECR is healthy, and the failures concern these images alone.
_FEW = 0.1

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

    def call(self, function: Callable[[], T], deadline: Deadline, *, adapt: bool = True) -> T:
        """Call `function` in its slot and return its result; a call that raises is not repeated.

        Args:
            function: makes the call.
            deadline: no call waits past it.
            adapt: whether a failure may lower the rate; False if failures are known to concern single images.

        Raises:
            DeadlineExceededError: the slot is after the deadline.
            TransientError: from `function`; it may lower the rate.
            Exception: from `function`.
        """
        started = self._acquire_slot(deadline)
        try:
            result = function()
        except TransientError as error:
            if adapt:
                self._on_failure(started, isinstance(error, ThrottledError))
            raise
        self._on_success()
        return result

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


class ImageCalls:
    """The calls of one operation of ECR for the images of one repository, in one invocation.

    Each has a limiter of its own, so that no registry slows down another.

    Args:
        context: names the repository.
        first_rate: calls per second to begin with.
    """

    def __init__(self, context: ScanContext, first_rate: float) -> None:
        self._pool, self._tally = context.deps.pool, context.tally
        self._limiter = AdaptiveRateLimiter(first_rate)

    def run(self, call: Callable[[str], None], digests: Sequence[str], deadline: Deadline) -> Collection[str]:
        """Call `call` for each digest; repeat the calls that fail, after all others were made.

        Returns:
            The digests whose calls failed again and again; they are in the tally as failures.

        Raises:
            DeadlineExceededError: the time was too short; calls in flight have ended.
            Exception: what `call` raised, except `TransientError`; of several, the one for the earliest digest.
        """

        def attempt(digest: str, adapt: bool) -> TransientError | None:
            try:
                self._limiter.call(partial(call, digest), deadline, adapt=adapt)
            except TransientError as error:
                if isinstance(error, ThrottledError):
                    self._tally.throttle()
                return error
            return None

        pending, failures, rounds_without_success, adapt = digests, dict[str, TransientError](), 0, True
        while pending and rounds_without_success < _ROUNDS_WITHOUT_SUCCESS:
            errors = concurrent_map(self._pool, partial(attempt, adapt=adapt), pending)
            failures = {digest: error for digest, error in zip(pending, errors, strict=True) if error}
            adapt = adapt and len(failures) > _FEW * len(pending)
            if len(failures) == len(pending):
                self._limiter.pause(RETRY_PAUSE * 2**rounds_without_success)
                rounds_without_success += 1
            else:
                rounds_without_success = 0
            pending = list(failures)
        for digest in pending:
            self._tally.fail(digest, failures[digest])
        return pending
