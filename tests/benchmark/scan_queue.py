"""Scan repositories until the images queue is empty; print what was measured as JSON. Run by environment.py.

In a process of its own, so that its peak memory is the images scanner's alone.
"""

import json
import os
import sys

import boto3
from ecr_scan_reporter import images_scanner
from process import Context, Meter
from support.invocations import sqs_records


def main(seconds: float) -> None:
    """Invoke the images scanner for each message, with `seconds` left each time."""
    images_scanner.dependencies()
    sqs, url, invocations = boto3.client("sqs"), os.environ["IMAGES_QUEUE_URL"], 0
    meter = Meter()
    while messages := sqs.receive_message(QueueUrl=url).get("Messages", []):
        for message in messages:
            response = images_scanner.handler({"Records": sqs_records(message["Body"])}, Context(seconds))
            assert response == {"batchItemFailures": []}, response
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            invocations += 1
    print(json.dumps(meter.measured() | {"invocations": invocations}))


if __name__ == "__main__":
    main(float(sys.argv[1]))
