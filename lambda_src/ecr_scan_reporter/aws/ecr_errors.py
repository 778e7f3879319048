"""Translates the errors of Amazon ECR: throttling, used-up quotas, and those that concern one image or every one."""

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import BotoCoreError, ClientError, ConnectionError, HTTPClientError

from ecr_scan_reporter.aws.clients import error_code
from ecr_scan_reporter.errors import (
    AccessDeniedError,
    AwsError,
    ImageNotFoundError,
    ImageRejectedError,
    ManualScanningDisabledError,
    RegistryError,
    RepositoryNotFoundError,
    ScanNotFoundError,
    ScanQuotaExceededError,
    ThrottledError,
    TransientError,
)

# Codes that ECR has returned for throttling. They are compared as strings, because an older botocore lacks the newer
# exception classes. https://docs.aws.amazon.com/AmazonECR/latest/userguide/common-errors.html
_THROTTLING_CODES = {
    "ThrottlingException",
    "ThrottleException",
    "TooManyRequestsException",
    "RequestLimitExceeded",
    "ServiceUnavailable",
    "ServiceUnavailableException",
}
# Codes that ECR has returned for temporary failures. HTTP 5xx counts as one, too.
_TRANSIENT_CODES = {"ServerException", "InternalFailure", "RequestTimeoutException", "RequestTimeout"}
# Codes that AWS returns because of the caller's credentials, so for every image.
# https://docs.aws.amazon.com/AmazonECR/latest/APIReference/CommonErrors.html
_CREDENTIAL_CODES = {
    "ExpiredTokenException",
    "ExpiredToken",
    "IncompleteSignature",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "MissingAuthenticationToken",
    "NotAuthorized",
    "OptInRequired",
    "UnrecognizedClientException",
}


@contextmanager
def translated(*, of_one_image: bool = False) -> Iterator[None]:
    """Translate the errors of calls to ECR into those of this package."""
    try:
        yield
    except (ClientError, BotoCoreError) as error:
        raise _to_domain_error(error, of_one_image=of_one_image) from error


def _to_domain_error(error: ClientError | BotoCoreError, *, of_one_image: bool) -> AwsError:
    """Translate an error. An unknown code of a call for one image is assumed to concern that image alone."""
    if isinstance(error, ConnectionError | HTTPClientError):  # no response: a timeout or a closed connection
        return TransientError(str(error), type(error).__name__)
    if isinstance(error, BotoCoreError):  # such as missing credentials
        return RegistryError(str(error), type(error).__name__)
    code = error_code(error)
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    text = f"{error.operation_name}: {code}: {error_message(error)}"
    if code in _THROTTLING_CODES or status in (429, 503):
        return ThrottledError(text, code)
    if code in _TRANSIENT_CODES or status >= 500:
        return TransientError(text, code)
    match code:
        case "AccessDeniedException" | "AccessDenied" | "UnauthorizedOperation":
            return AccessDeniedError(f"the function's role lacks ecr:{error.operation_name}: {error_message(error)}")
        case "RepositoryNotFoundException":
            return RepositoryNotFoundError(text, code)
        case "ImageNotFoundException":
            return ImageNotFoundError(text, code)
        case "ScanNotFoundException":
            return ScanNotFoundError(text, code)
        case "LimitExceededException" if error.operation_name == "StartImageScan":
            return ScanQuotaExceededError(text, code)
        case "ValidationException" if "disabled" in error_message(error):
            return ManualScanningDisabledError(text, code)
    if of_one_image and code not in _CREDENTIAL_CODES:
        return ImageRejectedError(text, code)
    return RegistryError(text, code)


def error_message(error: ClientError) -> str:
    """Return the text of an error that ECR answered."""
    return error.response.get("Error", {}).get("Message", "")
