"""Reads what EventBridge says of a finished scan.

https://docs.aws.amazon.com/AmazonECR/latest/userguide/ecr-eventbridge.html
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from .errors import MessageError


@dataclass(frozen=True, slots=True)
class ScanEvent:
    """A scan that ended. `counts` maps a severity to its number of findings; `time` is aware (UTC)."""

    account: str
    region: str
    repository: str
    digest: str
    tags: tuple[str, ...]
    time: datetime
    failed: bool
    counts: Mapping[str, int]


def read(body: str) -> ScanEvent:
    """Read an `ECR Image Scan` event.

    Tags and counts may be missing, and severities without findings are left out or 0.

    Raises:
        MessageError: it is not such an event.
    """
    try:
        event = json.loads(body)
    except ValueError as error:
        raise MessageError(f"the message is not JSON ({error}); accepted: an event of EventBridge") from error
    try:
        kind, status = event["detail-type"], event["detail"]["scan-status"]
        if (kind, status) not in (("ECR Image Scan", "COMPLETE"), ("ECR Image Scan", "FAILED")):
            raise MessageError(f"the event is {kind!r} {status!r}; accepted: 'ECR Image Scan' 'COMPLETE' or 'FAILED'")
        return _scan_event(event, event["detail"])
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        if isinstance(error, MessageError):
            raise
        raise MessageError(f"the event is no scan event: {type(error).__name__}: {error}") from error


def _scan_event(event: Mapping[str, Any], detail: Mapping[str, Any]) -> ScanEvent:
    return ScanEvent(
        account=_text(event, "account"),
        region=_text(event, "region"),
        repository=_text(detail, "repository-name"),
        digest=_text(detail, "image-digest"),
        tags=tuple(str(tag) for tag in detail.get("image-tags") or ()),
        time=datetime.fromisoformat(_text(event, "time")),
        failed=detail["scan-status"] == "FAILED",
        counts={str(severity): int(n) for severity, n in (detail.get("finding-severity-counts") or {}).items()},
    )


def _text(values: Mapping[str, Any], name: str) -> str:
    value = values[name]
    if not isinstance(value, str) or not value:
        raise ValueError(f"{name} is {value!r}; accepted: a text")
    return value
