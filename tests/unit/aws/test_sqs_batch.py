"""A batch: what fails comes back alone."""

import json
from typing import Any

from ecr_scan_reporter.batches import SqsEvent, handle_each


def sqs_event(*bodies: str) -> SqsEvent:
    return {"Records": [{"messageId": f"message-{index}", "body": body} for index, body in enumerate(bodies)]}


def test_one_that_fails_is_reported_back_and_its_neighbours_are_done(caplog: Any) -> None:
    done: list[int] = []
    answer = handle_each(sqs_event("1", "poison", "3"), lambda body: done.append(json.loads(body)))
    assert answer == {"batchItemFailures": [{"itemIdentifier": "message-1"}]}
    assert done == [1, 3]
    [record] = caplog.records
    assert (record.levelname, record.message_id) == ("ERROR", "message-1")


def test_a_batch_that_is_handled_has_no_failures() -> None:
    assert handle_each(sqs_event("1", "2"), lambda body: None) == {"batchItemFailures": []}
