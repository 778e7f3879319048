"""The behavior of the endpoint beyond its data: latency, rates and faults."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from time import monotonic
from typing import Protocol

from local_aws.fake_ecr import Fault


class Clock(Protocol):
    """Measures rates, and lets latency pass: the clock of a test."""

    def monotonic(self) -> float:
        """Return seconds that never go back."""

    def sleep(self, seconds: float) -> None:
        """Let time pass."""


@dataclass(frozen=True, slots=True)
class Rate:
    """The size of a token bucket: calls per second in the long run, and calls in one burst."""

    per_second: float
    burst: int


@dataclass(slots=True)
class QueueFaults:
    """The entries of a SendMessageBatch that come back in `Failed`.

    Attributes:
        first_attempt_every: the first attempt of every Kth new body fails and the next one succeeds; 0 for none.
        containing: entries whose body contains this text always fail; none if empty.
    """

    first_attempt_every: int = 0
    containing: str = ""


@dataclass(slots=True)
class Behavior:
    """The behavior of all services.

    Attributes:
        latency: seconds per call, for every operation or by operation. On a clock of a test, one call after the other.
        rates: rate limit by operation.
        faults: rules that reject calls.
        queue_faults: entries of a SendMessageBatch that fail.
        together: by operation, how many calls have to be in flight before any of them is answered.
        clock: measures rates and latency; None for real time.
    """

    latency: float | Mapping[str, float] = 0.0
    rates: dict[str, Rate] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    queue_faults: QueueFaults = field(default_factory=QueueFaults)
    together: dict[str, int] = field(default_factory=dict)
    clock: Clock | None = None

    def latency_of(self, operation: str) -> float:
        """Return the seconds that a call of an operation takes."""
        return self.latency.get(operation, 0.0) if isinstance(self.latency, Mapping) else self.latency


class TokenBucket:
    """AWS's rate limit: a bucket of calls that fills at a steady rate."""

    def __init__(self, rate: Rate, now: Callable[[], float] = monotonic) -> None:
        self.rate = rate
        self._now = now
        self._tokens = float(rate.burst)
        self._filled_at = self._now()

    def take(self) -> bool:
        """Take one call out of the bucket; return False if the bucket is empty."""
        now = self._now()
        self._tokens = min(self.rate.burst, self._tokens + (now - self._filled_at) * self.rate.per_second)
        self._filled_at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True
