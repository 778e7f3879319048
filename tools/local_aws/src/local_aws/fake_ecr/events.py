"""The EventBridge event of a finished scan."""

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from local_aws.fake_ecr.findings import COMPLETE
from local_aws.fake_ecr.images import FakeScan


def event_entry(
    repository_arn: str, repository: str, digest: str, tags: Iterable[str], scan: FakeScan, time: datetime
) -> dict[str, Any]:
    """Return the event of a finished scan as an entry for PutEvents.

    The shape is that of AWS's sample: https://docs.aws.amazon.com/AmazonECR/latest/userguide/ecr-eventbridge.html.
    There is no sample for a failed scan; that its event has no counts is an assumption.
    """
    detail: dict[str, Any] = {"scan-status": scan.status, "repository-name": repository}
    if scan.status == COMPLETE:
        detail["finding-severity-counts"] = dict(scan.counts())
    detail |= {"image-digest": digest, "image-tags": list(tags)}
    return {
        "Time": time,
        "Source": "aws.ecr",
        "DetailType": "ECR Image Scan",
        "Resources": [repository_arn],
        "Detail": json.dumps(detail),
    }
