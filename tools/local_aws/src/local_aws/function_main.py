"""Runs AWS's runtime client in the interpreter of the functions, and ends with the process that started it.

The executor starts this file by its path. It needs only the standard library: the interpreter of the functions does not
have this package.
"""

import os
import runpy
import signal
import sys
import threading


def _end_with_starter(lifeline: int) -> None:
    # The starter never writes, so this read returns only when the starter has ended.
    os.read(lifeline, 1)
    os.killpg(0, signal.SIGKILL)


def main(handler: str) -> None:
    """Serve invocations of a handler (`module.function`) until the runtime client or the starter ends."""
    lifeline = os.dup(0)
    with open(os.devnull) as nothing:  # noqa: PTH123 - pathlib costs start time in every function process
        os.dup2(nothing.fileno(), 0)
    threading.Thread(target=_end_with_starter, args=(lifeline,), daemon=True).start()
    sys.path[0] = os.environ["LAMBDA_TASK_ROOT"]
    sys.argv = ["awslambdaric", handler]
    runpy.run_module("awslambdaric", run_name="__main__")


if __name__ == "__main__":
    main(sys.argv[1])
