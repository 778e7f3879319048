"""The peak memory of this process."""

import re
from pathlib import Path


def peak_mb() -> float:
    """Megabytes of resident memory, at most, since this program began; Linux only.

    getrusage would not do: its peak is that of the parent process where that was larger when it forked.
    """
    peak = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert peak, "no VmHWM in /proc/self/status"
    return int(peak[1]) / 1024
