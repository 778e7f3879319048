"""How the fake behaves beyond its data: latency, rates, and faults on purpose."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from time import monotonic


@dataclass(frozen=True, slots=True)
class Rate:
    """A token bucket's size: calls per second in the long run, and how many may come at once."""

    per_second: float
    burst: int


@dataclass(slots=True)
class Fault:
    """A rule that refuses calls of one operation.

    Args:
        operation: AWS's name for it, such as "StartImageScan" or "Publish".
        code: the error code of the answer.
        message: its words; where empty, AWS's wording for access denied, else the code.
        status: the HTTP status; 5xx for a fault of AWS.
        containing: only calls with a parameter that contains this text; every call where empty.
        times: how many calls it still refuses, counted down; None for all.
    """

    operation: str
    code: str
    message: str = ""
    status: int = 400
    containing: str = ""
    times: int | None = None

    def matches(self, operation: str, params: object) -> bool:
        """Whether this call is refused; counts it if so."""
        if operation != self.operation or self.times == 0:
            return False
        if self.containing and not _contains(params, self.containing):
            return False
        if self.times is not None:
            self.times -= 1
        return True


@dataclass(slots=True)
class QueueFaults:
    """Which entries of a SendMessageBatch come back in `Failed`.

    Args:
        first_attempt_every: the first attempt of every Kth new body fails, the next succeeds; 0 for none.
        containing: entries whose body contains this text always fail; none where empty.
    """

    first_attempt_every: int = 0
    containing: str = ""


@dataclass(slots=True)
class Behavior:
    """All of it. `latency` is in seconds per call, for every operation or by operation."""

    latency: float | Mapping[str, float] = 0.0
    rates: dict[str, Rate] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    queue_faults: QueueFaults = field(default_factory=QueueFaults)

    def latency_of(self, operation: str) -> float:
        """Seconds that a call of this operation takes."""
        return self.latency.get(operation, 0.0) if isinstance(self.latency, Mapping) else self.latency


class TokenBucket:
    """AWS's rate limit: a bucket of calls, filled steadily."""

    def __init__(self, rate: Rate) -> None:
        self.rate = rate
        self._tokens = float(rate.burst)
        self._filled_at = monotonic()

    def take(self) -> bool:
        """Take one call out; False if there is none."""
        now = monotonic()
        self._tokens = min(self.rate.burst, self._tokens + (now - self._filled_at) * self.rate.per_second)
        self._filled_at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


def _contains(value: object, text: str) -> bool:
    if isinstance(value, Mapping):
        return any(_contains(item, text) for item in value.values())
    if isinstance(value, list):
        return any(_contains(item, text) for item in value)
    return text in str(value)
