"""Clients cost little at a cold start."""

import pytest
from botocore import loaders
from ecr_scan_reporter.aws import clients
from ecr_scan_reporter.aws.dynamodb import dynamodb_client
from ecr_scan_reporter.aws.ecr import ecr_client
from ecr_scan_reporter.aws.sns import sns_client
from ecr_scan_reporter.aws.sqs import sqs_client


def test_clients_are_created_without_a_look_at_all_services(monkeypatch: pytest.MonkeyPatch) -> None:
    def looked(*_: object) -> list[str]:
        raise AssertionError("botocore looks into the folders of all services")

    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.setattr(loaders.Loader, "list_available_services", looked)
    clients._session.cache_clear()
    try:
        created = [dynamodb_client(), ecr_client(), sns_client(), sqs_client()]
    finally:
        clients._session.cache_clear()
    assert [client.meta.service_model.service_name for client in created] == ["dynamodb", "ecr", "sns", "sqs"]
