"""Scan one repository until no continuation is left; print time and memory as JSON. Run by run.py.

In a process of its own, so that its peak memory is the scanner's alone.
"""

import json
import os
import sys
import time
from typing import Any

import boto3
from ecr_scan_reporter import images_scanner
from ecr_scan_reporter.scanning.messages import RepositoryMessage
from peak import peak_mb


class Context:
    """An invocation that ends at this time of the monotonic clock, in seconds."""

    def __init__(self, ends: float) -> None:
        self._ends = ends

    def get_remaining_time_in_millis(self) -> int:
        return int((self._ends - time.monotonic()) * 1000)


def main(repository: str, seconds: float) -> None:
    """Invoke the images scanner for `repository` and its continuations, with `seconds` left each time."""
    sqs, url = boto3.client("sqs"), os.environ["IMAGES_QUEUE_URL"]
    message, invocations, started = RepositoryMessage(repository).to_json(), 0, time.perf_counter()
    while message:
        event: Any = {"Records": [{"messageId": "1", "body": message}]}
        response = images_scanner.handler(event, Context(time.monotonic() + seconds))
        assert response == {"batchItemFailures": []}, response
        invocations += 1
        left = sqs.receive_message(QueueUrl=url).get("Messages", [])
        for entry in left:
            sqs.delete_message(QueueUrl=url, ReceiptHandle=entry["ReceiptHandle"])
        message = left[0]["Body"] if left else ""
    took = time.perf_counter() - started
    print(json.dumps({"invocations": invocations, "seconds": took, "peak_mb": peak_mb()}))


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
