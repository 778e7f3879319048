"""DynamoDB for LocalStack: moto's. LocalStack's own provider downloads DynamoDB Local, and Java for it."""

from typing import Any

from localstack.aws.api import RequestContext
from localstack.aws.skeleton import Skeleton
from localstack.aws.spec import load_service
from localstack.services.moto import call_moto
from localstack.services.plugins import Service, aws_provider


def _dispatch(context: RequestContext, _request: Any) -> Any:
    return call_moto(context)


@aws_provider(api="dynamodb", name="local_aws")
def dynamodb() -> Service:
    """Make the service when LocalStack loads it."""
    spec = load_service("dynamodb")
    table = dict.fromkeys(spec.operation_names, _dispatch)
    return Service(name="dynamodb", skeleton=Skeleton(spec, table))
