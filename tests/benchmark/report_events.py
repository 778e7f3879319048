"""Report events in batches; print what was measured as JSON. Run by environment.py.

In a process of its own, so that its peak memory is the reporter's alone.
"""

import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic
from typing import Any

from ecr_scan_reporter import reporter
from ecr_scan_reporter.aws.deadline import Deadline
from ecr_scan_reporter.memory.outbox import PUSH, Outbox
from ecr_scan_reporter.messages.reports_queue import CHECK
from ecr_scan_reporter.reporter import report_batch
from process import Context, Meter
from support.invocations import finding_event, scan_event, sqs_records

# The reporter's default timeout.
_SECONDS = 300
_FINDING = json.loads((Path(__file__).parents[1] / "events" / "inspector2-finding.json").read_text())
# Bytes of an event of a single finding, about.
_FINDING_SIZE = 3072


def event(repository: str, digest: str, counts: dict[str, int], tags: list[str], time: str) -> dict[str, Any]:
    """Return the event of a scan."""
    return scan_event(digest, datetime.fromisoformat(time), counts, tags, repository=repository)


def large_finding_event(repository: str, digest: str, tags: Sequence[str]) -> dict[str, Any]:
    """Return an event of Inspector, as large as they are, of a finding that it has updated now."""
    event = finding_event(digest, datetime.now(UTC), tags, repository)
    text = "A vulnerability. " * ((_FINDING_SIZE - len(json.dumps(_FINDING))) // 17)
    return {**_FINDING, **event, "detail": {**_FINDING["detail"], **event["detail"], "description": text}}


def batch(events: Sequence[Any], kind: str) -> Any:
    """Return the messages of a batch: of scans, of single findings, or of what the reporter sent itself."""
    if kind == "bodies":
        return sqs_records(*events)
    if kind == "findings":
        return sqs_records(*(large_finding_event(name, digest, tags) for name, digest, _, tags, _ in events))
    return sqs_records(*(event(*each) for each in events))


def main(events: list[Any], size: int, kind: str, check: bool) -> None:
    """Invoke the reporter with `size` events at a time; with `check`, let it publish what waits.

    Messages that the reporter sent itself arrive an hour later.
    """
    deps, later = reporter.dependencies(), datetime.now(UTC) + timedelta(hours=1)
    meter = Meter()
    for first in range(0, len(events), size):
        records, context = batch(events[first : first + size], kind), Context(_SECONDS)
        if kind == "bodies":
            response: Any = report_batch(records, deps, Deadline.of_invocation(context), later)
        else:
            response = reporter.handler({"Records": records}, context)
        returned = len(response["batchItemFailures"])
        assert not returned, f"{returned} of {len(records)} messages are returned; expected none"
    measured = {"checks": 0.0, "longest": 0.0}
    while check:
        started = monotonic()
        response = report_batch(
            sqs_records(CHECK), deps, Deadline.of_invocation(Context(_SECONDS)), datetime.now(UTC) + timedelta(hours=1)
        )
        assert response == {"batchItemFailures": []}, response
        measured = {"checks": measured["checks"] + 1, "longest": max(measured["longest"], monotonic() - started)}
        # What one invocation has no room for is published by the next one.
        check = any(window.name == PUSH for window in Outbox(deps.table).windows(datetime.now(UTC)).windows)
    print(json.dumps(meter.measured() | measured))


if __name__ == "__main__":
    main(json.load(sys.stdin), int(sys.argv[1]), sys.argv[2], "--check" in sys.argv)
