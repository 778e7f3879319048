"""Processes each message of a batch by itself."""

import json
from typing import Any

from ecr_scan_reporter.aws.sqs_batch import SqsEvent, process_batch


def sqs_event(*bodies: str) -> SqsEvent:
    return {"Records": [{"messageId": f"message-{index}", "body": body} for index, body in enumerate(bodies)]}


def test_failed_message_is_returned_and_others_are_processed(caplog: Any) -> None:
    processed: list[int] = []
    answer = process_batch(sqs_event("1", "poison", "3"), lambda body: processed.append(json.loads(body)))
    assert answer == {"batchItemFailures": [{"itemIdentifier": "message-1"}]}
    assert processed == [1, 3]
    [record] = caplog.records
    assert (record.levelname, record.message_id) == ("ERROR", "message-1")


def test_processed_batch_has_no_failures() -> None:
    assert process_batch(sqs_event("1", "2"), lambda body: None) == {"batchItemFailures": []}
