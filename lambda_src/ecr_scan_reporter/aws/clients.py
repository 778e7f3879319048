"""Creates the clients of AWS services."""

from functools import cache
from typing import Any

from botocore.config import Config
from botocore.loaders import Loader
from botocore.session import Session, get_session

# Seconds. These services answer in well under a second. At the deadline of an invocation, 20 seconds are left at most:
# two attempts of a call that hangs fit in there, so that Lambda does not end the invocation before it has queued its
# continuation. The images scanner tries no call to ECR or SQS more often. Those to DynamoDB are: it throttles bursts of
# writes. If they hang for so long that Lambda ends the invocation, SQS delivers the message again.
_CONNECT_TIMEOUT, _READ_TIMEOUT = 2, 8


def create_client(service: str, *, threads: int = 1, attempts: int = 4) -> Any:
    """Create a client in the function's own Region.

    botocore is enough: no function uses boto3's resources and S3 transfers, which take time to import.

    Args:
        service: such as "ecr".
        threads: how many threads use the client.
        attempts: how often each call is tried, the first time included.
    """
    retries: Any = {"mode": "standard", "total_max_attempts": attempts}
    # AWS validates parameters anyway; botocore's own validation is a fifth of the processor time of a small call.
    config = Config(
        max_pool_connections=threads,
        connect_timeout=_CONNECT_TIMEOUT,
        read_timeout=_READ_TIMEOUT,
        retries=retries,
        parameter_validation=False,
    )
    return _session().create_client(service, config=config)


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
