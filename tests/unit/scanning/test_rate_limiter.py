"""The rate limiter with a simulated ECR, on virtual time."""

import threading
from collections.abc import Callable

import pytest
from ecr_scan_reporter.aws.deadline import Deadline
from ecr_scan_reporter.errors import DeadlineExceededError, ThrottledError, TransientError
from ecr_scan_reporter.scanning.rate_limiter import AdaptiveRateLimiter
from ecr_scan_reporter.shared import clock
from support.virtual_time import TIME


@pytest.fixture(autouse=True)
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How many seconds each wait took."""
    waits: list[float] = []

    def sleep(seconds: float) -> None:
        assert seconds >= 0
        waits.append(seconds)
        TIME.sleep(seconds)

    monkeypatch.setattr(clock, "sleep", sleep)
    return waits


class Bucket:
    """ECR's rate limit: `per_second` in the long run, `burst` at once."""

    def __init__(self, per_second: float, burst: float) -> None:
        self._per_second, self._burst = per_second, burst
        self._tokens, self._filled_at = burst, TIME.monotonic()
        self.throttled = self.accepted = 0

    def __call__(self) -> str:
        self._tokens = min(self._burst, self._tokens + (TIME.monotonic() - self._filled_at) * self._per_second)
        self._filled_at = TIME.monotonic()
        if self._tokens < 1:
            self.throttled += 1
            raise ThrottledError("Rate exceeded")
        self._tokens -= 1
        self.accepted += 1
        return "started"


class Calls:
    """A limiter with a deadline."""

    def __init__(self, seconds: float = 1e9, jitter: Callable[[], float] = lambda: 0.5) -> None:
        self.limiter = AdaptiveRateLimiter(100, jitter)
        self.deadline = Deadline(seconds)

    def call(self, function: Callable[[], str]) -> str:
        with self.limiter.slot(self.deadline):
            return function()

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
    assert TIME.monotonic() < 200 / 100  # faster than the first rate would be


@pytest.mark.parametrize("per_second", [1.0, 10.0, 50.0])
def test_rate_settles_at_the_permitted_one(per_second: float) -> None:
    calls = Calls()
    ecr = Bucket(per_second, burst=10)
    for _ in range(500):
        calls.until_accepted(ecr)
    assert ecr.accepted == 500
    assert TIME.monotonic() <= (500 - 10) / per_second / 0.9
    assert ecr.throttled <= 0.1 * (ecr.accepted + ecr.throttled)


def test_pause_after_throttling_grows_to_20_seconds_with_full_jitter(slept: list[float]) -> None:
    pauses = []
    for jitter in (0.0, 1.0):
        calls = Calls(jitter=lambda jitter=jitter: jitter)  # type: ignore[misc]
        for _ in range(12):
            with pytest.raises(ThrottledError):
                calls.call(fail(ThrottledError("slower")))
        calls.call(succeed)
        pauses.append(max(slept))
        slept.clear()
    without, full = pauses
    assert without < 2 < 20 <= full < 22


def test_no_call_waits_past_the_deadline() -> None:
    calls = Calls(seconds=5)
    ecr = Bucket(per_second=0.1, burst=1)
    calls.until_accepted(ecr)
    with pytest.raises(DeadlineExceededError):
        calls.until_accepted(ecr)
    assert TIME.monotonic() <= 5


def test_single_server_errors_do_not_lower_the_rate() -> None:
    """One image that ECR answers with 500 for ever must not slow down the others."""
    calls = Calls()
    for _ in range(300):
        calls.call(succeed)
        with pytest.raises(TransientError):
            calls.call(fail(TransientError("500")))
    assert TIME.monotonic() < 600 / 100


def test_server_errors_in_a_row_lower_the_rate() -> None:
    calls = Calls()
    for _ in range(30):
        with pytest.raises(TransientError):
            calls.call(fail(TransientError("500")))
    assert TIME.monotonic() > 10


def test_calls_throttled_together_lower_the_rate_once() -> None:
    """Sixteen calls in flight that are throttled at the same moment are one decrease, not sixteen."""
    calls = Calls(jitter=lambda: 0.0)
    throttle_together(calls, 16)
    before = TIME.monotonic()
    for _ in range(10):
        calls.call(succeed)
    assert (TIME.monotonic() - before) / 10 == pytest.approx(1 / 70, rel=0.1)


def test_calls_throttled_together_lengthen_the_pause_once(slept: list[float]) -> None:
    calls = Calls(jitter=lambda: 1.0)
    throttle_together(calls, 16)
    with pytest.raises(ThrottledError):
        calls.call(fail(ThrottledError("slower")))
    calls.call(succeed)
    assert slept[-1] == pytest.approx(0.2 + 1 / 49)


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


def test_throttling_voids_the_slots_of_waiting_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise calls that wait at the old rate would all be throttled, and each would lower the rate again."""
    calls, others = Calls(), [fail(ThrottledError("slower"))]

    def sleep_while_another_call_is_throttled(seconds: float) -> None:
        TIME.sleep(seconds)
        if others:
            with pytest.raises(ThrottledError):
                calls.call(others.pop())

    monkeypatch.setattr(clock, "sleep", sleep_while_another_call_is_throttled)
    calls.call(succeed)
    before = TIME.monotonic()
    calls.call(succeed)
    assert TIME.monotonic() - before >= 0.5 * 0.1  # the pause, not the slot that was reserved before


def test_more_than_1024_failures_in_a_row_do_not_overflow_the_pause(slept: list[float]) -> None:
    calls = Calls(jitter=lambda: 1.0)
    for _ in range(1100):
        with pytest.raises(ThrottledError):
            calls.call(fail(ThrottledError("Rate exceeded")))
    assert max(slept) <= 20 + 1 / 0.2 + 1e-6
