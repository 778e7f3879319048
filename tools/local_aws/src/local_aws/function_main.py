"""Runs AWS's runtime client in the interpreter of the functions, and ends with the process that started it.

The executor starts this file by its path. It needs only the standard library: the interpreter of the functions does not
have this package.
"""

import importlib
import os
import runpy
import signal
import sys
import threading
from datetime import datetime, timedelta

# Names the file with the number of seconds by which the local AWS is ahead of the real time.
CLOCK_VARIABLE = "LOCAL_AWS_CLOCK"
# The module of the function that everything in it asks for the time.
CLOCK_MODULE = "ecr_scan_reporter.shared.clock"


def _end_with_starter(lifeline: int) -> None:
    # The starter never writes, so this read returns only when the starter has ended.
    os.read(lifeline, 1)
    os.killpg(0, signal.SIGKILL)


def _follow_clock(file: str) -> None:
    """Let the function see the time of the local AWS, if it asks its own clock for the time."""
    try:
        clock = importlib.import_module(CLOCK_MODULE)
    except ImportError:
        return
    real = clock.now

    def now() -> datetime:
        try:
            with open(file) as ahead:  # noqa: PTH123 - pathlib costs start time in every function process
                seconds = float(ahead.read())
        except FileNotFoundError:
            seconds = 0.0
        time: datetime = real() + timedelta(seconds=seconds)
        return time

    clock.now = now  # type: ignore[attr-defined]


def main(handler: str) -> None:
    """Serve invocations of a handler (`module.function`) until the runtime client or the starter ends."""
    lifeline = os.dup(0)
    with open(os.devnull) as nothing:  # noqa: PTH123 - as above
        os.dup2(nothing.fileno(), 0)
    threading.Thread(target=_end_with_starter, args=(lifeline,), daemon=True).start()
    sys.path[0] = os.environ["LAMBDA_TASK_ROOT"]
    if file := os.environ.get(CLOCK_VARIABLE):
        _follow_clock(file)
    sys.argv = ["awslambdaric", handler]
    runpy.run_module("awslambdaric", run_name="__main__")


if __name__ == "__main__":
    main(sys.argv[1])
