"""Report a batch of events, whole or one by one; print time and memory as JSON. Run by run.py.

In a process of its own, so that its peak memory is the reporter's alone.
"""

import json
import sys
import time
from typing import Any

from ecr_scan_reporter import reporter
from peak import peak_mb


class Context:
    """An invocation of five minutes, the reporter's default timeout."""

    def __init__(self) -> None:
        self._ends = time.monotonic() + 300

    def get_remaining_time_in_millis(self) -> int:
        return int((self._ends - time.monotonic()) * 1000)


def record(number: int, repository: str, digest: str, findings: int, tags: list[str]) -> Any:
    """Return a scan event as a message of the reports queue."""
    detail = {
        "scan-status": "COMPLETE",
        "repository-name": repository,
        "finding-severity-counts": {"HIGH": findings} if findings else {"LOW": 1},
        "image-digest": digest,
        "image-tags": tags,
    }
    body = {
        "detail-type": "ECR Image Scan",
        "source": "aws.ecr",
        "account": "123456789012",
        "time": "2026-11-23T09:14:00Z",
        "region": "eu-west-1",
        "detail": detail,
    }
    return {"messageId": str(number), "body": json.dumps(body)}


def main(records: list[Any], size: int) -> None:
    """Invoke the reporter with `size` records at a time."""
    reporter.dependencies()
    started = time.perf_counter()
    for first in range(0, len(records), size):
        response = reporter.handler({"Records": records[first : first + size]}, Context())
        assert response == {"batchItemFailures": []}, response
    took = time.perf_counter() - started
    print(json.dumps({"seconds": took, "peak_mb": peak_mb()}))


if __name__ == "__main__":
    main([record(number, *event) for number, event in enumerate(json.load(sys.stdin))], int(sys.argv[1]))
