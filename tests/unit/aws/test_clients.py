"""Clients cost little at a cold start. A paged read ends: a token that was seen before in the read is an error."""

from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore import loaders
from botocore.stub import Stubber
from ecr_scan_reporter.aws import clients, deadline
from ecr_scan_reporter.aws.dynamodb import Table
from ecr_scan_reporter.aws.ecr import EcrRegistry
from ecr_scan_reporter.aws.sns import ReportPublisher
from ecr_scan_reporter.errors import AwsError
from support.invocations import REGISTRY

make_client: Any = boto3.client
TOPIC = "arn:aws:sns:eu-west-1:123456789012:reports"


def ecr(client: Any) -> EcrRegistry:
    return EcrRegistry(REGISTRY.account, client)


def key(name: str) -> dict[str, Any]:
    return {"pk": {"S": "a"}, "sk": {"S": name}}


# By operation: the service, a read of all pages with a client, a page without a token, the name of the token in a
# request and in a page, and a token of this name.
READS: dict[str, tuple[str, Callable[[Any], object], dict[str, Any], str, str, Callable[[str], Any]]] = {
    "describe_repositories": (
        *("ecr", lambda client: list(ecr(client).repository_names()), {"repositories": []}),
        *("nextToken", "nextToken", str),
    ),
    "describe_images": (
        *("ecr", lambda client: list(ecr(client).image_pages("app")), {"imageDetails": []}),
        *("nextToken", "nextToken", str),
    ),
    "describe_image_scan_findings": (
        *("ecr", lambda client: ecr(client).findings.scan_result("app", "sha256:1").findings, {}),
        *("nextToken", "nextToken", str),
    ),
    "list_subscriptions_by_topic": (
        *("sns", lambda client: ReportPublisher(client, TOPIC, "").unconfirmed_addresses(), {"Subscriptions": []}),
        *("NextToken", "NextToken", str),
    ),
    "query": (
        *("dynamodb", lambda client: list(Table(client, "memory").query("a", " ", "~")), {"Items": []}),
        *("ExclusiveStartKey", "LastEvaluatedKey", key),
    ),
}


@pytest.mark.parametrize("operation", READS)
@pytest.mark.parametrize("tokens", ["AA", "ABA", "ABCB"])
def test_token_that_comes_again_is_an_error(operation: str, tokens: str) -> None:
    service, read, page, _, answered, token = READS[operation]
    client = make_client(service)
    with Stubber(client) as stubber:
        for name in tokens:
            stubber.add_response(operation, page | {answered: token(name)})
        with pytest.raises(AwsError, match=f"{answered} .* for the second time, after {len(tokens)} pages"):
            read(client)
        stubber.assert_no_pending_responses()


@pytest.mark.parametrize("operation", READS)
def test_each_page_is_asked_for_with_the_token_of_the_one_before(operation: str) -> None:
    service, read, page, asked, answered, token = READS[operation]
    client, sent = make_client(service), []
    client.meta.events.register(
        f"provide-client-params.{service}", lambda params, **_: sent.append(params.get(asked)), unique_id="sent"
    )
    with Stubber(client) as stubber:
        for name in "ABC":
            stubber.add_response(operation, page | {answered: token(name)})
        stubber.add_response(operation, page)
        read(client)
    assert sent == [None, token("A"), token("B"), token("C")]


def test_read_with_a_limit_takes_one_page() -> None:
    client = boto3.client("dynamodb")
    with Stubber(client) as stubber:
        stubber.add_response("query", {"Items": [], "LastEvaluatedKey": key("A")})
        assert list(Table(client, "memory").query("a", " ", "~", limit=5)) == []


def test_clients_are_created_without_a_look_at_all_services(monkeypatch: pytest.MonkeyPatch) -> None:
    def looked(*_: object) -> list[str]:
        raise AssertionError("botocore looks into the folders of all services")

    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.setattr(loaders.Loader, "list_available_services", looked)
    clients._session.cache_clear()
    try:
        created = [clients.create_client(service) for service in ("dynamodb", "ecr", "sns", "sqs")]
    finally:
        clients._session.cache_clear()
    assert [client.meta.service_model.service_name for client in created] == ["dynamodb", "ecr", "sns", "sqs"]


@pytest.mark.usefixtures("product_timeouts")
def test_two_attempts_of_a_call_that_hangs_fit_into_the_margin_of_an_invocation() -> None:
    for client in (
        clients.create_client("ecr"),
        clients.create_client("ecr", attempts=1),
        clients.create_client("dynamodb"),
        clients.create_client("sqs"),
    ):
        config: Any = client.meta.config
        assert 2 * (config.connect_timeout + config.read_timeout) <= deadline._MAX_MARGIN
