"""The time of the package. Everything else asks here for the time and waits here, so that a test can own both.

Call these as `clock.now()`: an imported function would keep the real time.
"""

import time
from datetime import UTC, datetime


def now() -> datetime:
    """Return the current time (UTC)."""
    return datetime.now(UTC)


def monotonic() -> float:
    """Return the seconds since some moment; they never go back."""
    return time.monotonic()


def sleep(seconds: float) -> None:
    """Wait."""
    time.sleep(seconds)
