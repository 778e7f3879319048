"""The rate limiter with a simulated ECR, on a clock of its own."""

import threading
from collections.abc import Callable

import pytest
from ecr_scan_reporter.aws.deadline import Deadline
from ecr_scan_reporter.errors import DeadlineExceededError, ThrottledError, TransientError
from ecr_scan_reporter.scanning.calls import AdaptiveRateLimiter


class Clock:
    """Time that passes only by sleeping."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        assert seconds >= 0
        self.slept.append(seconds)
        self.now += seconds


class Bucket:
    """ECR's rate limit: `per_second` in the long run, `burst` at once."""

    def __init__(self, clock: Clock, per_second: float, burst: float) -> None:
        self._clock, self._per_second, self._burst = clock, per_second, burst
        self._tokens, self._filled_at = burst, clock.now
        self.throttled = self.accepted = 0

    def __call__(self) -> str:
        self._tokens = min(self._burst, self._tokens + (self._clock.now - self._filled_at) * self._per_second)
        self._filled_at = self._clock.now
        if self._tokens < 1:
            self.throttled += 1
            raise ThrottledError("Rate exceeded")
        self._tokens -= 1
        self.accepted += 1
        return "started"


class Calls:
    """A limiter on a clock, with a deadline."""

    def __init__(self, seconds: float = 1e9, jitter: Callable[[], float] = lambda: 0.5) -> None:
        self.clock = Clock()
        self.limiter = AdaptiveRateLimiter(100, self.clock, self.clock.sleep, jitter)
        self.deadline = Deadline(seconds, self.clock)

    def call(self, function: Callable[[], str]) -> str:
        return self.limiter.call(function, self.deadline)

    def until_accepted(self, function: Callable[[], str]) -> str:
        while True:
            try:
                return self.call(function)
            except TransientError:
                continue


def succeed() -> str:
    return "started"


def fail(error: Exception) -> Callable[[], str]:
    def function() -> str:
        raise error

    return function


def test_result_is_returned() -> None:
    assert Calls().call(succeed) == "started"


def test_rate_increases_without_throttling() -> None:
    calls = Calls()
    for _ in range(200):
        calls.call(succeed)
    assert calls.clock.now - 1000 < 200 / 100  # faster than the first rate would be


@pytest.mark.parametrize("per_second", [1.0, 10.0, 50.0])
def test_rate_settles_at_the_permitted_one(per_second: float) -> None:
    calls = Calls()
    ecr = Bucket(calls.clock, per_second, burst=10)
    for _ in range(500):
        calls.until_accepted(ecr)
    assert ecr.accepted == 500
    assert calls.clock.now - 1000 <= (500 - 10) / per_second / 0.9
    assert ecr.throttled <= 0.1 * (ecr.accepted + ecr.throttled)


def test_pause_after_throttling_grows_to_20_seconds_with_full_jitter() -> None:
    pauses = []
    for jitter in (0.0, 1.0):
        calls = Calls(jitter=lambda jitter=jitter: jitter)  # type: ignore[misc]
        for _ in range(12):
            with pytest.raises(ThrottledError):
                calls.call(fail(ThrottledError("slower")))
        calls.call(succeed)
        pauses.append(calls.clock.slept)
    without, full = pauses
    assert max(without) < 2 < 20 <= max(full) < 22


def test_no_call_waits_past_the_deadline() -> None:
    calls = Calls(seconds=5)
    ecr = Bucket(calls.clock, per_second=0.1, burst=1)
    calls.until_accepted(ecr)
    with pytest.raises(DeadlineExceededError):
        calls.until_accepted(ecr)
    assert calls.clock.now <= 1005


def test_single_server_errors_do_not_lower_the_rate() -> None:
    """One image that ECR answers with 500 for ever must not slow down the others."""
    calls = Calls()
    for _ in range(300):
        calls.call(succeed)
        with pytest.raises(TransientError):
            calls.call(fail(TransientError("500")))
    assert calls.clock.now - 1000 < 600 / 100


def test_server_errors_in_a_row_lower_the_rate() -> None:
    calls = Calls()
    for _ in range(30):
        with pytest.raises(TransientError):
            calls.call(fail(TransientError("500")))
    assert calls.clock.now - 1000 > 10


def test_calls_throttled_together_lower_the_rate_once() -> None:
    """Sixteen calls in flight that are throttled at the same moment are one decrease, not sixteen."""
    calls = Calls(jitter=lambda: 0.0)
    throttle_together(calls, 16)
    before = calls.clock.now
    for _ in range(10):
        calls.call(succeed)
    assert (calls.clock.now - before) / 10 == pytest.approx(1 / 70, rel=0.1)


def test_calls_throttled_together_lengthen_the_pause_once() -> None:
    calls = Calls(jitter=lambda: 1.0)
    throttle_together(calls, 16)
    with pytest.raises(ThrottledError):
        calls.call(fail(ThrottledError("slower")))
    calls.call(succeed)
    assert calls.clock.slept[-1] == pytest.approx(0.2 + 1 / 49)


def throttle_together(calls: Calls, number: int) -> None:
    """Let calls be throttled that are all in flight."""
    together = threading.Barrier(number)

    def throttled() -> str:
        together.wait(60)
        raise ThrottledError("slower")

    def run() -> None:
        with pytest.raises(ThrottledError):
            calls.call(throttled)

    threads = [threading.Thread(target=run) for _ in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)


def test_throttling_voids_the_slots_of_waiting_calls() -> None:
    """Otherwise calls that wait at the old rate would all be throttled, and each would lower the rate again."""
    clock, others = Clock(), [fail(ThrottledError("slower"))]

    def sleep_while_another_call_is_throttled(seconds: float) -> None:
        clock.sleep(seconds)
        if others:
            with pytest.raises(ThrottledError):
                limiter.call(others.pop(), deadline)

    limiter = AdaptiveRateLimiter(100, clock, sleep_while_another_call_is_throttled, lambda: 0.5)
    deadline = Deadline(1e9, clock)
    limiter.call(succeed, deadline)
    before = clock.now
    limiter.call(succeed, deadline)
    assert clock.now - before >= 0.5 * 0.1  # the pause, not the slot that was reserved before


def test_more_than_1024_failures_in_a_row_do_not_overflow_the_pause() -> None:
    clock = Clock()
    limiter = AdaptiveRateLimiter(1000, clock, clock.sleep, lambda: 1.0)
    deadline = Deadline(1e9, clock)

    def throttled() -> None:
        raise ThrottledError("Rate exceeded")

    for _ in range(1100):
        with pytest.raises(ThrottledError):
            limiter.call(throttled, deadline)
    assert max(clock.slept) <= 20 + 1 / 0.2 + 1e-6
