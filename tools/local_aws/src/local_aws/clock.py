"""The time of a local AWS: the real time, and the days that are pretended to have passed.

ECR reads it here. The processes of the functions read how many days that is from a file, each time that they ask for
the time.
"""

import functools
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

from local_aws.function_main import CLOCK_VARIABLE


class Clock:
    """A clock that is ahead of the real time, by the number of seconds in a file."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._ahead = timedelta()

    def now(self) -> datetime:
        """Return the current time (UTC)."""
        return datetime.now(UTC) + self._ahead

    def advance(self, by: timedelta) -> None:
        """Move the clock forward."""
        self._ahead += by
        # A function that reads the file meanwhile must not find half of it.
        new = self._file.with_suffix(".new")
        new.write_text(str(self._ahead.total_seconds()))
        new.replace(self._file)


@functools.cache
def shared() -> Clock:
    """Return the clock of this server."""
    return Clock(Path(os.environ[CLOCK_VARIABLE]))
