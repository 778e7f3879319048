"""The time that an invocation has left, and the part of it that is kept in reserve."""

from typing import Protocol

from ecr_scan_reporter.errors import DeadlineExceededError
from ecr_scan_reporter.shared import clock

# This share of an invocation's remaining time, at most this many seconds, is kept for calls in flight at the deadline.
_MARGIN_SHARE = 0.1
_MAX_MARGIN = 20.0


class LambdaContext(Protocol):
    """The part of Lambda's context object that is used."""

    def get_remaining_time_in_millis(self) -> int:
        """Return the milliseconds until Lambda ends this invocation."""
        ...


class Deadline:
    """A point in time by which work must end.

    Args:
        seconds: from now.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds, self.at = seconds, clock.monotonic() + seconds

    @classmethod
    def of_invocation(cls, context: LambdaContext) -> "Deadline":
        """Return the deadline of an invocation: Lambda's, less a margin."""
        remaining = context.get_remaining_time_in_millis() / 1000
        return cls(remaining - min(remaining * _MARGIN_SHARE, _MAX_MARGIN))

    @property
    def remaining(self) -> float:
        """Seconds until the deadline; negative after it."""
        return self.at - clock.monotonic()

    def halfway(self) -> "Deadline":
        """Return a deadline after half of the remaining time."""
        return Deadline(self.remaining / 2)

    def check(self, work: str) -> None:
        """Raise if the deadline has passed.

        Raises:
            DeadlineExceededError: it has; the message names `work`.
        """
        if self.remaining <= 0:
            raise DeadlineExceededError(f"the invocation has no time left for {work}")
