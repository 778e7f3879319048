"""Report events in batches; print what was measured as JSON. Run by environment.py.

In a process of its own, so that its peak memory is the reporter's alone.
"""

import json
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

from ecr_scan_reporter import reporter
from ecr_scan_reporter.aws.deadline import Deadline
from ecr_scan_reporter.messages.publication import CHECK
from ecr_scan_reporter.reporting.pipeline import report_batch
from process import Context, Meter

# The reporter's default timeout.
_SECONDS = 300


def record(
    number: int, repository: str, digest: str, counts: dict[str, int], tags: list[str], time: str
) -> dict[str, str]:
    """Return a scan event as a message of the reports queue."""
    detail = {
        "scan-status": "COMPLETE",
        "repository-name": repository,
        "finding-severity-counts": counts,
        "image-digest": digest,
        "image-tags": tags,
    }
    body = {
        "detail-type": "ECR Image Scan",
        "source": "aws.ecr",
        "account": "123456789012",
        "time": time,
        "region": "eu-west-1",
        "detail": detail,
    }
    return {"messageId": str(number), "body": json.dumps(body)}


def main(events: list[Any], size: int, check: bool) -> None:
    """Invoke the reporter with `size` events at a time; with `check`, let it publish what waits."""
    reporter.dependencies()
    meter = Meter()
    for first in range(0, len(events), size):
        records: Any = [record(number, *event) for number, event in enumerate(events[first : first + size])]
        response = reporter.handler({"Records": records}, Context(_SECONDS))
        returned = len(response["batchItemFailures"])
        assert not returned, f"{returned} of {len(records)} messages are returned; expected none"
    if check:
        later = datetime.now(UTC) + timedelta(hours=1)
        message: Any = {"messageId": "check", "body": CHECK}
        response = report_batch([message], reporter.dependencies(), Deadline.of_invocation(Context(_SECONDS)), later)
        assert response == {"batchItemFailures": []}, response
    print(json.dumps(meter.measured()))


if __name__ == "__main__":
    main(json.load(sys.stdin), int(sys.argv[1]), "--check" in sys.argv)
