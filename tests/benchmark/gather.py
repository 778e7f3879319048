"""Tell of a gathering, whole or event by event, and print what it took, as JSON. Run by run.py.

In a process of its own, so that its peak memory is the reporter's alone.
"""

import json
import sys
import time
from typing import Any

from ecr_scan_reporter import reporter
from peak import peak_mb


def event(number: int, digest: str, findings: int) -> dict[str, Any]:
    """A scan event as it lies in the queue."""
    detail = {
        "scan-status": "COMPLETE",
        "repository-name": "app",
        "finding-severity-counts": {"HIGH": findings} if findings else {"LOW": 1},
        "image-digest": digest,
        "image-tags": [f"1.0.{number}"],
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


def main(events: list[dict[str, Any]], size: int) -> None:
    """Hand the events to the handler, `size` at a time."""
    reporter._environment()
    started = time.perf_counter()
    for first in range(0, len(events), size):
        answer = reporter.handler({"Records": events[first : first + size]}, None)  # type: ignore[typeddict-item]
        assert answer == {"batchItemFailures": []}, answer
    took = time.perf_counter() - started
    print(json.dumps({"seconds": took, "peak_mb": peak_mb()}))


if __name__ == "__main__":
    digests = json.load(sys.stdin)
    main([event(n, digest, 200 if n < 300 else 0) for n, digest in enumerate(digests)], int(sys.argv[1]))
