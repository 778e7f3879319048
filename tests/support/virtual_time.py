"""Time that passes only when something waits, so that no test depends on the machine or on the hour at which it runs.

The package (`ecr_scan_reporter.shared.clock`), the fake of AWS and the tests read this one clock. TEST_START, such as
2028-02-29T23:30:00+00:00, begins every test at another time.
"""

import os
import threading
from datetime import UTC, datetime, timedelta

START = datetime.fromisoformat(os.environ.get("TEST_START", "2026-11-29T10:30:00+00:00")).astimezone(UTC)


class VirtualTime:
    """A clock for any number of threads: whoever waits moves it to the end of the wait, and returns at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.reset()

    def reset(self) -> None:
        """Begin at START again."""
        self._elapsed = 0.0

    def now(self) -> datetime:
        """Return the time (UTC)."""
        return START + timedelta(seconds=self._elapsed)

    def monotonic(self) -> float:
        """Return the seconds since the start."""
        return self._elapsed

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        with self._lock:
            self._elapsed += seconds


TIME = VirtualTime()
