"""The EventBridge events of finished scans and of Inspector's findings, as entries for PutEvents."""

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from local_aws.fake_ecr.findings import COMPLETE
from local_aws.fake_ecr.images import FakeScan


def event_entry(
    repository_arn: str, repository: str, digest: str, tags: Iterable[str], scan: FakeScan, time: datetime
) -> dict[str, Any]:
    """Return the event of a finished basic scan.

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


def initial_scan_entry(
    repository_arn: str, digest: str, tags: Iterable[str], scan: FakeScan, time: datetime
) -> dict[str, Any]:
    """Return the event of Inspector's first scan of an image. Unlike ECR, it names the repository by its ARN.

    https://docs.aws.amazon.com/AmazonECR/latest/userguide/image-scanning-enhanced-events.html
    """
    counts = scan.counts()
    detail = {
        "scan-status": "INITIAL_SCAN_COMPLETE",
        "repository-name": repository_arn,
        "finding-severity-counts": {**counts, "TOTAL": sum(counts.values())},
        "image-digest": digest,
        "image-tags": list(tags),
    }
    return {
        "Time": time,
        "Source": "aws.inspector2",
        "DetailType": "Inspector2 Scan",
        "Resources": [repository_arn],
        "Detail": json.dumps(detail),
    }


def finding_entry(account: str, finding: Mapping[str, Any], time: datetime) -> dict[str, Any]:
    """Return the event of a finding that Inspector created, changed or closed.

    Args:
        account: account id.
        finding: the finding in the shape of ECR's enhancedFindings. The event has the same fields, but for the score,
            the dates as text, and "N/A" as the partition and Region of the image.
        time: time of the event.
    """
    [resource] = finding["resources"]
    detail = {name: value for name, value in finding.items() if name != "score"} | {
        "awsAccountId": account,
        "inspectorScore": finding["score"],
        "resources": [{**resource, "partition": "N/A", "region": "N/A"}],
    }
    return {
        "Time": time,
        "Source": "aws.inspector2",
        "DetailType": "Inspector2 Finding",
        "Resources": [resource["id"]],
        "Detail": json.dumps(detail, default=_date),
    }


def _date(time: datetime) -> str:
    """Return a date as Inspector writes it, such as Dec 3, 2021, 6:02:30 PM."""
    return f"{time:%b} {time.day}, {time.year}, {time.hour % 12 or 12}:{time:%M:%S %p}"
