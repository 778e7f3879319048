"""What a process of the benchmark measures of itself: peak memory, CPU time, and the size of its log."""

import json
import logging
import re
import time
from pathlib import Path


class Context:
    """An invocation of so many seconds, which begins now."""

    def __init__(self, seconds: float) -> None:
        self._ends = time.monotonic() + seconds

    def get_remaining_time_in_millis(self) -> int:
        return int((self._ends - time.monotonic()) * 1000)


class _LogSize(logging.Handler):
    """Adds up the bytes of the log as Lambda's JSON format writes it, with CloudWatch's 26 bytes per line."""

    size = 0
    _OTHERS = frozenset(vars(logging.makeLogRecord({})))

    def emit(self, record: logging.LogRecord) -> None:
        values = {"timestamp": "2026-11-23T09:14:00Z", "level": record.levelname, "message": record.getMessage()}
        values |= {"logger": record.name, "requestId": "00000000-0000-0000-0000-000000000000"}
        values |= {name: value for name, value in vars(record).items() if name not in self._OTHERS}
        self.size += len(json.dumps(values, default=str)) + 26


class Meter:
    """Measures from its creation on. Lambda logs at INFO, so that is what is measured."""

    def __init__(self) -> None:
        self._log = _LogSize()
        package = logging.getLogger("ecr_scan_reporter")
        package.addHandler(self._log)
        package.setLevel(logging.INFO)
        package.propagate = False
        self._started, self._cpu = time.perf_counter(), time.process_time()

    def measured(self) -> dict[str, float]:
        """Return seconds, CPU seconds, peak memory (MB) and bytes of the log."""
        return {
            "seconds": time.perf_counter() - self._started,
            "cpu_seconds": time.process_time() - self._cpu,
            "peak_mb": _peak_mb(),
            "log_bytes": self._log.size,
        }


def _peak_mb() -> float:
    """Megabytes of resident memory, at most, since this program began; Linux only.

    getrusage would not do: its peak is that of the parent process where that was larger when it forked.
    """
    peak = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert peak, "no VmHWM in /proc/self/status"
    return int(peak[1]) / 1024
