"""Creates the clients of AWS services, with timeouts and retries, and reads pages and error codes of all."""

import gc
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.loaders import Loader
from botocore.session import Session, get_session

from ecr_scan_reporter.errors import AwsError

# Seconds. These services answer in well under a second. At the deadline of an invocation, 20 seconds are left at most:
# two attempts of a call that hangs fit in there, so that Lambda does not end the invocation before it has queued its
# continuation. The images scanner tries no call to ECR or SQS more often. Those to DynamoDB are: it throttles bursts of
# writes. If they hang for so long that Lambda ends the invocation, SQS delivers the message again.
_CONNECT_TIMEOUT, _READ_TIMEOUT = 2, 8
# How often a call is tried, the first time included, unless the caller says otherwise.
_ATTEMPTS, _DEFAULT_ATTEMPTS = {"dynamodb": 6, "ecr": 8}, 4


def create_client(service: str, *, threads: int = 1, attempts: int = 0) -> Any:
    """Create a client in the function's own Region.

    botocore is enough: no function uses boto3's resources and S3 transfers, which take time to import.

    Args:
        service: such as "ecr".
        threads: how many threads use the client.
        attempts: how often each call is tried, the first time included; 0 for as often as suits the service. One is for
            callers that control the rate and repeat calls themselves: botocore's standard and adaptive modes also retry
            LimitExceededException, which StartImageScan returns for an image that was scanned within 24 hours.
    """
    retries: Any = {"mode": "standard", "total_max_attempts": attempts or _ATTEMPTS.get(service, _DEFAULT_ATTEMPTS)}
    # AWS validates parameters anyway; botocore's own validation is a fifth of the processor time of a small call.
    config = Config(
        max_pool_connections=threads,
        connect_timeout=_CONNECT_TIMEOUT,
        read_timeout=_READ_TIMEOUT,
        retries=retries,
        parameter_validation=False,
    )
    # What is read about a service stays: to look through it for garbage, again and again, is a tenth of a cold start.
    gc.disable()
    try:
        return _session().create_client(service, config=config)
    finally:
        gc.enable()


@cache
def _session() -> Session:
    """Create the session that all clients share, so that the endpoints are parsed once."""
    session = get_session()
    session.register_component("data_loader", _Loader())
    return session


class _Loader(Loader):
    """Knows which services there are. botocore's own looks into the folders of more than 400, once per cold start."""

    def list_available_services(self, type_name: str) -> list[str]:
        """Return the services that the functions call; whether they exist is not checked."""
        return ["dynamodb", "ecr", "s3", "sns", "sqs"]


def read_pages(call: Callable[..., Any], token: str, next_token: str = "", **parameters: Any) -> Iterator[Any]:
    """Yield the pages of an answer, one call per page.

    Each page has a token that the next call sends. A token that was seen before in this read would let the read go
    round in circles, so it ends the read. botocore's paginators notice only a token that equals the one just before.

    Args:
        call: makes a call, such as the method of a client.
        token: the name of the token in a request.
        next_token: its name in a page; the same by default.
        parameters: of each call.

    Raises:
        AwsError: AWS returned a token for the second time.
        Exception: from `call`.
    """
    next_token = next_token or token
    seen: list[Any] = []
    while True:
        page = call(**parameters)
        yield page
        if not (found := page.get(next_token)):
            return
        if found in seen:
            raise AwsError(f"AWS returned {next_token} {found!r:.100} for the second time, after {len(seen) + 1} pages")
        seen.append(found)
        parameters[token] = found


def error_code(error: ClientError) -> str:
    """Return the code of an error that a service answered."""
    return error.response.get("Error", {}).get("Code", "")
