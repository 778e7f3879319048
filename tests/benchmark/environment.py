"""What the handlers run in: a fake of AWS, the environment variables, and processes of their own."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from fake_aws import MEMORY_TABLE, FakeAws, FakeRegistry
from support.configuration import environment, forget_dependencies

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
# The processes need the package, and the events of the tests.
SETTINGS = {
    "PYTHONPATH": os.pathsep.join(str(ROOT / folder) for folder in ("lambda_src", "tests")),
    "REPORTER_NAME": "benchmark",
    "REPOSITORIES_FILTER_REGEXP": ".*",
}
# Seconds per call. Cases that count calls, and measure no time, have none.
LATENCY = 0.020
NOW = datetime.now(UTC)
# Repository, digest, severity counts, tags, and the time of the scan in ISO 8601.
Event = tuple[str, str, dict[str, int], list[str], str]


@contextmanager
def aws(
    registry_factory: FakeRegistry | Callable[[], FakeRegistry],
    duration: str = "7d",
    latency: float = LATENCY,
    *,
    serve: Literal["thread", "process"] = "process",
    **options: Any,
) -> Iterator[FakeAws]:
    """A fake with an empty memory table, and the handlers' environment set for it.

    With `serve="thread"`, a case can change its registry.
    """
    with FakeAws(registry_factory, latency, serve=serve, **options) as fake_aws:
        fake_aws.create_memory_table()
        fake_aws.reset()
        os.environ.update(environment(fake_aws, ECR_IMAGES_DURATION_DELTA=duration, **SETTINGS))
        forget_dependencies()
        yield fake_aws


def items(fake_aws: FakeAws) -> list[dict[str, Any]]:
    """All items of the memory table, in DynamoDB's JSON."""
    pages = fake_aws.client("dynamodb").get_paginator("scan").paginate(TableName=MEMORY_TABLE)
    return [item for page in pages for item in page["Items"]]


_TABLE_OPERATIONS = (
    *("GetItem", "BatchGetItem", "Query", "PutItem", "UpdateItem", "DeleteItem"),
    *("BatchWriteItem", "TransactWriteItems"),
)


def requests_to_table(calls: Mapping[str, int]) -> int:
    """Return the number of calls of DynamoDB."""
    return sum(number for name, number in calls.items() if name in _TABLE_OPERATIONS)


def begin_report(
    events: Sequence[Event] | Sequence[str], size: int, kind: str = "scans", *, check: bool = False
) -> subprocess.Popen[str]:
    """Begin to report events in batches of `size` in a process of its own.

    `kind` is "scans", or "findings" if they are events of single findings in these images, or "bodies" if they are
    messages that the reporter sent itself. With `check`, the message follows that asks what is to be published, as if
    it came an hour later.
    """
    child = subprocess.Popen(
        [sys.executable, str(HERE / "report_events.py"), str(size), kind, *(["--check"] if check else [])],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdin
    child.stdin.write(json.dumps(events))
    child.stdin.close()
    child.stdin = None
    return child


def end(child: subprocess.Popen[str]) -> dict[str, float]:
    """Wait for a process; return what it measured."""
    output, _ = child.communicate()
    assert child.returncode == 0, f"a process of the benchmark exited with {child.returncode}"
    measured: dict[str, float] = json.loads(output.splitlines()[-1])
    return measured


def report(
    events: Sequence[Event] | Sequence[str], size: int, kind: str = "scans", *, check: bool = False
) -> dict[str, float]:
    """Report events in batches of `size` in a process of its own; return what it measured."""
    return end(begin_report(events, size, kind, check=check))


def begin_scan(seconds: float = 900) -> subprocess.Popen[str]:
    """Begin to scan the repositories on the images queue, and what continues them, in a process of its own."""
    command = [sys.executable, str(HERE / "scan_queue.py"), str(seconds)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def scan_queued(seconds: float = 900) -> dict[str, float]:
    """Scan the repositories on the images queue, and what continues them, in a process of its own.

    Args:
        seconds: of each invocation.

    Returns:
        What the process measured.
    """
    return end(begin_scan(seconds))


def default_memory(function: str) -> int:
    """Return the default memory size of a function in MB, from attribute_defaults.tf."""
    found = re.search(rf"{function}\s+= \{{ memory = (\d+)", _DEFAULTS)
    assert found, f"attribute_defaults.tf has no default memory of {function}"
    return int(found[1])


_DEFAULTS = (ROOT / "attribute_defaults.tf").read_text()
