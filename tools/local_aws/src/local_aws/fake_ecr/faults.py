"""Errors on demand: rules that reject calls which would succeed."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from local_aws.fake_ecr.errors import AwsError

_DENIED = ("AccessDenied", "AccessDeniedException", "AuthorizationError")
_USER = "arn:aws:sts::123456789012:assumed-role/scanner/scanner"


@dataclass(slots=True)
class Fault:
    """A rule that rejects calls of one operation.

    Attributes:
        operation: AWS's name of the operation, such as "StartImageScan" or "Publish".
        code: error code of the answer.
        message: message of the answer; where empty, AWS's message for denied access, else the code.
        status: HTTP status; 5xx for a server error.
        containing: reject only calls with a parameter that contains this text, such as a digest; every call if empty.
        times: number of calls that are still rejected; None for all.
        lost: whether the call takes effect all the same, and only its answer is lost.
        passed: number of calls that are still let pass before.
    """

    operation: str
    code: str
    message: str = ""
    status: int = 400
    containing: str = ""
    times: int | None = None
    lost: bool = False
    passed: int = 0

    def matches(self, operation: str, params: object) -> bool:
        """Return whether the rule rejects this call, and count the call if so."""
        if operation != self.operation or self.times == 0:
            return False
        if self.containing and not _contains(params, self.containing):
            return False
        if self.passed:
            self.passed -= 1
            return False
        if self.times is not None:
            self.times -= 1
        return True


def raise_fault(faults: Iterable[Fault], operation: str, params: object, action: str, resource: str) -> None:
    """Raise the error of the first fault that matches a call.

    Args:
        faults: the rules.
        operation: name of the operation.
        params: parameters of the call.
        action: IAM action of the operation, for the message of denied access.
        resource: ARN of the resource, for the same message.

    Raises:
        AwsError: a fault matches.
    """
    for fault in faults:
        if fault.matches(operation, params):
            message = fault.message or (_denied(action, resource) if fault.code in _DENIED else fault.code)
            raise AwsError(fault.code, message, fault.status)


def _denied(action: str, resource: str) -> str:
    message = f"User: {_USER} is not authorized to perform: {action} on resource: {resource}"
    return f"{message} because no identity-based policy allows the {action} action"


def _contains(value: object, text: str) -> bool:
    if isinstance(value, Mapping):
        return any(_contains(item, text) for item in value.values())
    if isinstance(value, list):
        return any(_contains(item, text) for item in value)
    return text in str(value)
