"""The pace: what it does with a simulated ECR, on a clock of its own."""

from collections.abc import Callable

import pytest
from ecr_scan_reporter.errors import OutOfTime, Throttled
from ecr_scan_reporter.pace import Pace


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
    """ECR's rate: `per_second` in the long run, `burst` at once; without a rate everything goes through."""

    def __init__(self, clock: Clock, per_second: float, burst: float) -> None:
        self._clock, self._per_second, self._burst = clock, per_second, burst
        self._tokens, self._filled_at = burst, clock.now
        self.refused = self.accepted = 0

    def __call__(self) -> str:
        self._tokens = min(self._burst, self._tokens + (self._clock.now - self._filled_at) * self._per_second)
        self._filled_at = self._clock.now
        if self._tokens < 1:
            self.refused += 1
            raise Throttled("Rate exceeded")
        self._tokens -= 1
        self.accepted += 1
        return "started"


def pace(clock: Clock, seconds: float = 1e9, jitter: Callable[[], float] = lambda: 0.5) -> Pace:
    return Pace(clock.now + seconds, clock, clock.sleep, jitter)


def test_the_answer_comes_back() -> None:
    assert pace(Clock()).call(lambda: "started") == "started"


def test_without_a_refusal_the_pace_quickens() -> None:
    clock = Clock()
    calls = pace(clock)
    for _ in range(200):
        calls.call(lambda: "started")
    assert clock.now - 1000 < 200 / 100  # faster than the first rate would be


@pytest.mark.parametrize("per_second", [1.0, 10.0, 50.0])
def test_it_finds_the_rate_that_ecr_allows(per_second: float) -> None:
    clock = Clock()
    ecr, calls = Bucket(clock, per_second, burst=10), pace(clock)
    for _ in range(500):
        calls.call(ecr)
    took = clock.now - 1000
    assert ecr.accepted == 500
    assert took <= (500 - 10) / per_second / 0.9
    assert ecr.refused <= 0.1 * (ecr.accepted + ecr.refused)


def test_a_pause_after_refusals_in_a_row_grows_to_20_seconds_with_full_jitter() -> None:
    pauses = []
    for jitter in (0.0, 1.0):
        clock = Clock()
        answers: list[str | Exception] = [*[Throttled("slower")] * 12, "started"]

        def answer(answers: list[str | Exception] = answers) -> str:
            if isinstance(given := answers.pop(0), Exception):
                raise given
            return given

        assert pace(clock, jitter=lambda jitter=jitter: jitter).call(answer) == "started"  # type: ignore[misc]
        pauses.append(clock.slept)
    without, full = pauses
    assert max(without) < 2 < 20 <= max(full) < 22


def test_nobody_waits_past_the_deadline() -> None:
    clock = Clock()
    calls = pace(clock, seconds=5)
    ecr = Bucket(clock, per_second=0.1, burst=1)
    calls.call(ecr)
    with pytest.raises(OutOfTime):
        calls.call(ecr)
    assert clock.now <= 1005


def test_refusals_of_calls_sent_before_the_last_cut_say_nothing_new() -> None:
    """Sixteen threads whose calls are refused together are one refusal, not sixteen."""
    clock = Clock()
    calls = pace(clock)
    began = clock.now
    clock.now += 0.02
    for _ in range(16):
        calls._slow_down(began)
    assert calls._rate == pytest.approx(70)


def test_a_refusal_calls_off_the_turns_of_those_who_wait() -> None:
    """Else sixteen threads that wait at the old pace would all be refused, and each would cut the rate again."""
    clock = Clock()
    calls = pace(clock)
    ecr = Bucket(clock, per_second=10, burst=1)

    def refuse_while_waiting(seconds: float) -> None:
        clock.sleep(seconds)
        if not ecr.refused:
            ecr.refused += 1
            calls._slow_down(clock.now)

    calls._sleep = refuse_while_waiting
    calls._await_turn()
    before = clock.now
    calls._await_turn()
    assert calls._rate == pytest.approx(70)
    assert clock.now - before >= 0.5 * 0.1  # the pause after the refusal, not the turn that was given before
