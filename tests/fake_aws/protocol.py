"""The parts that the services share: the interface of a service, and AWS's JSON protocols."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Protocol

from local_aws.fake_ecr import AwsError, EcrApi

# A decoded request; botocore defines its shape.
Params = Mapping[str, Any]


class Service(Protocol):
    """One AWS service: decoded calls in, encoded bodies out."""

    content_type: str

    def call(self, operation: str, params: Params) -> bytes:
        """Answer a call with a body. Raises AwsError where AWS rejects the call."""

    def encode_error(self, error: AwsError) -> tuple[bytes, dict[str, str]]:
        """Return the body and the extra headers of an error."""

    def action(self, operation: str) -> str:
        """Return the IAM action of an operation, for the message of denied access."""

    def resource(self, params: Params) -> str:
        """Return the ARN of the resource of a call, for the same message."""


class Ecr:
    """Amazon ECR in AWS JSON 1.1."""

    content_type = "application/x-amz-json-1.1"

    def __init__(self, api: EcrApi) -> None:
        self._api = api
        self.action, self.resource = api.action, api.resource

    def call(self, operation: str, params: Params) -> bytes:
        """Answer a call with a body. Raises AwsError where ECR rejects the call."""
        return encode(self._api.call(operation, params))

    def encode_error(self, error: AwsError) -> tuple[bytes, dict[str, str]]:
        """Return the body of an error."""
        return encode_json_error(error), {}


def encode(answer: Mapping[str, object]) -> bytes:
    """Return compact JSON, with times as Unix seconds."""
    return json.dumps(answer, separators=(",", ":"), default=_seconds).encode()


def _seconds(value: object) -> float:
    if isinstance(value, datetime):
        return value.timestamp()
    raise TypeError(f"{type(value).__name__} is not a type of AWS's JSON protocols")


def encode_json_error(error: AwsError, **more: object) -> bytes:
    """Return the body of an error in the AWS JSON protocols, and what else it has."""
    return encode({"__type": error.code, "message": error.message, **more})
