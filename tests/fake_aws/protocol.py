"""What the services have in common on the wire."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Protocol

from .errors import AwsError

# A decoded request: its shape is botocore's business, so it stays open here.
Params = Mapping[str, Any]


class Service(Protocol):
    """One AWS service: it answers decoded calls with encoded bodies."""

    content_type: str

    def call(self, operation: str, params: Params) -> bytes:
        """The body of the answer. Raises AwsError where AWS refuses."""

    def refusal(self, error: AwsError) -> tuple[bytes, dict[str, str]]:
        """Body and extra headers of an error."""

    def action(self, operation: str) -> str:
        """The IAM action that allows an operation, as it stands in an access-denied message."""

    def resource(self, params: Params) -> str:
        """The ARN that the call is about, as it stands in an access-denied message."""


def encode(answer: Mapping[str, object] | list[dict[str, object]]) -> bytes:
    """JSON as the AWS JSON protocols have it: compact, a moment as Unix seconds."""
    return json.dumps(answer, separators=(",", ":"), default=_seconds).encode()


def _seconds(value: object) -> float:
    if isinstance(value, datetime):
        return value.timestamp()
    raise TypeError(f"{type(value).__name__} has no place in an AWS answer")


def json_refusal(error: AwsError) -> bytes:
    """An error's body in the AWS JSON protocols."""
    return encode({"__type": error.code, "message": error.message})
