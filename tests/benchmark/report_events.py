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
from support.invocations import scan_event, sqs_records

# The reporter's default timeout.
_SECONDS = 300


def event(repository: str, digest: str, counts: dict[str, int], tags: list[str], time: str) -> dict[str, Any]:
    """Return the event of a scan."""
    return scan_event(digest, datetime.fromisoformat(time), counts, tags, repository=repository)


def main(events: list[Any], size: int, check: bool) -> None:
    """Invoke the reporter with `size` events at a time; with `check`, let it publish what waits."""
    reporter.dependencies()
    meter = Meter()
    for first in range(0, len(events), size):
        records = sqs_records(*(event(*each) for each in events[first : first + size]))
        response = reporter.handler({"Records": records}, Context(_SECONDS))
        returned = len(response["batchItemFailures"])
        assert not returned, f"{returned} of {len(records)} messages are returned; expected none"
    if check:
        later = datetime.now(UTC) + timedelta(hours=1)
        response = report_batch(
            sqs_records(CHECK), reporter.dependencies(), Deadline.of_invocation(Context(_SECONDS)), later
        )
        assert response == {"batchItemFailures": []}, response
    print(json.dumps(meter.measured()))


if __name__ == "__main__":
    main(json.load(sys.stdin), int(sys.argv[1]), "--check" in sys.argv)
