"""What Lambda passes to the handlers: events, messages of a queue, and the context of an invocation."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ecr_scan_reporter.models.images import RegistryId

# That of the functions.
REGISTRY = RegistryId("123456789012", "eu-west-1")
ECR = "arn:aws:ecr:eu-west-1:123456789012"


@dataclass
class Context:
    """The context of an invocation that has so many seconds left, however long it takes."""

    seconds: float = 60
    invoked_function_arn: str = "arn:aws:lambda:eu-west-1:123456789012:function:console-widget"

    def get_remaining_time_in_millis(self) -> int:
        return int(self.seconds * 1000)


def sqs_records(*bodies: object, receives: int = 1) -> Any:
    """Return messages of a queue, numbered from 0; a body that is no text is encoded."""
    return [
        {
            "messageId": str(number),
            "receiptHandle": f"handle-{number}",
            "body": body if isinstance(body, str) else json.dumps(body),
            "attributes": {"ApproximateReceiveCount": str(receives)},
        }
        for number, body in enumerate(bodies)
    ]


def ecr_event(detail: Mapping[str, Any], at: datetime) -> dict[str, Any]:
    """Return an event of ECR."""
    return {
        "detail-type": "ECR Image Scan",
        "source": "aws.ecr",
        "account": "123456789012",
        "time": f"{at:%Y-%m-%dT%H:%M:%SZ}",
        "region": "eu-west-1",
        "detail": detail,
    }


def scan_event(
    digest: str,
    at: datetime,
    counts: Mapping[str, int],
    tags: Sequence[str] = ("1.0",),
    status: str = "COMPLETE",
    repository: str = "app",
) -> dict[str, Any]:
    """Return the event of a scan that ended at a time (UTC)."""
    detail = {
        "scan-status": status,
        "repository-name": repository,
        "finding-severity-counts": dict(counts),
        "image-digest": digest,
        "image-tags": list(tags),
    }
    return ecr_event(detail, at)


def inspector_event(event: Mapping[str, Any], registry: str = ECR) -> dict[str, Any]:
    """Return the event of a scan as that of Inspector's first scan of the image.

    Args:
        event: as ECR sends it.
        registry: the beginning of the repository's ARN, which names its account and Region.
    """
    arn = f"{registry}:repository/{event['detail']['repository-name']}"
    detail = {**event["detail"], "scan-status": "INITIAL_SCAN_COMPLETE", "repository-name": arn}
    return {**event, "detail-type": "Inspector2 Scan", "source": "aws.inspector2", "detail": detail}


def finding_event(
    digest: str, at: datetime, tags: Sequence[str] = ("1.0",), repository: str = "app", registry: str = ECR
) -> dict[str, Any]:
    """Return Inspector's event of a finding in an image, in the form that AWS documents.

    What it says of the finding is not trusted, so it says the least.

    Args:
        digest: of the image.
        at: when Inspector added, changed or closed the finding (UTC).
        tags: of the image.
        repository: the name of the image's repository.
        registry: the beginning of the repository's ARN, which names its account and Region.
    """
    arn = f"{registry}:repository/{repository}/{digest}"
    image = {"imageHash": digest, "imageTags": list(tags), "repositoryName": repository}
    resource = {
        "details": {"awsEcrContainerImage": image},
        "id": arn,
        "partition": "N/A",
        "region": "N/A",
        "type": "AWS_ECR_CONTAINER_IMAGE",
    }
    detail = {"status": "ACTIVE", "severity": "CRITICAL", "resources": [resource]}
    event = ecr_event(detail, at)
    return {**event, "detail-type": "Inspector2 Finding", "source": "aws.inspector2", "resources": [arn]}
