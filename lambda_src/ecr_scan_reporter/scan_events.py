"""Reads what EventBridge says of a finished scan, ECR's or Inspector's.

https://docs.aws.amazon.com/AmazonECR/latest/userguide/ecr-eventbridge.html
https://docs.aws.amazon.com/AmazonECR/latest/userguide/image-scanning-enhanced-events.html
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from .errors import MessageError

_ACCEPTED = "accepted: 'ECR Image Scan' with 'COMPLETE' or 'FAILED', and 'Inspector2 Scan' of a repository"


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

    @property
    def image(self) -> tuple[str, str, str, str]:
        """What tells one image from all others."""
        return self.account, self.region, self.repository, self.digest


def read(body: str) -> ScanEvent:
    """Read a scan event.

    Tags and counts may be missing, severities without findings are left out or 0, and Inspector names the repository
    by its ARN and adds a TOTAL.

    Raises:
        MessageError: it is not such an event.
    """
    try:
        event = json.loads(body)
    except ValueError as error:
        raise MessageError(f"the message is not JSON ({error}); accepted: an event of EventBridge") from error
    try:
        return _scan_event(event, event["detail"])
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        if isinstance(error, MessageError):
            raise
        raise MessageError(f"the event is no scan event: {type(error).__name__}: {error}; {_ACCEPTED}") from error


def _scan_event(event: Mapping[str, Any], detail: Mapping[str, Any]) -> ScanEvent:
    kind, status = event["detail-type"], _text(detail, "scan-status")
    if not (kind == "Inspector2 Scan" or (kind == "ECR Image Scan" and status in ("COMPLETE", "FAILED"))):
        raise MessageError(f"the event is {kind!r} {status!r}; {_ACCEPTED}")
    counts = {str(severity): int(n) for severity, n in (detail.get("finding-severity-counts") or {}).items()}
    counts.pop("TOTAL", None)
    return ScanEvent(
        account=_text(event, "account"),
        region=_text(event, "region"),
        repository=_text(detail, "repository-name").rpartition(":repository/")[2],
        digest=_text(detail, "image-digest"),
        tags=tuple(str(tag) for tag in detail.get("image-tags") or ()),
        time=datetime.fromisoformat(_text(event, "time")),
        failed="FAILED" in status,
        counts=counts,
    )


def _text(values: Mapping[str, Any], name: str) -> str:
    value = values[name]
    if not isinstance(value, str) or not value:
        raise ValueError(f"{name} is {value!r}; accepted: a text")
    return value
