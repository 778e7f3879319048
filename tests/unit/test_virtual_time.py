"""No test reads the machine's clock, and of the package only `shared/clock.py` does."""

import re
import time
from datetime import timedelta
from pathlib import Path

from ecr_scan_reporter.shared import clock
from support.virtual_time import START, TIME

ROOT = Path(__file__).resolve().parents[2]
READS_THE_CLOCK = re.compile(
    r"datetime\.(now|today|utcnow)\(|date\.today\(|time\.(time|monotonic|perf_counter|sleep)\b"
)


def test_waits_pass_at_once() -> None:
    clock.sleep(3600)
    time.sleep(60)
    assert clock.now() == START + timedelta(seconds=3660)
    assert clock.monotonic() == TIME.monotonic() == 3660


def test_nothing_else_reads_the_clock() -> None:
    folders = ("lambda_src", "tests/unit", "tests/functional")
    files = [file for folder in folders for file in (ROOT / folder).rglob("*.py")]
    assert len(files) > 100
    readers = {file.name for file in files if READS_THE_CLOCK.search(file.read_text())}
    assert readers == {"clock.py", Path(__file__).name}
