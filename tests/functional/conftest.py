"""The fixtures of the functional tests."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from botocore.client import BaseClient
from ecr_scan_reporter import reporter
from support import random_tests  # noqa: F401 - before any test chooses its settings
from support.fixtures import aws_environment, aws_event, product_timeouts, virtual_aws, virtual_time
from support.inbox import TOPIC, ReporterHarness
from support.killer import Killer

__all__ = ["aws_environment", "aws_event", "product_timeouts", "virtual_time"]


WRITES = {
    *("PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem", "TransactWriteItems"),
    *("SendMessageBatch", "Publish", "StartImageScan"),
}


@pytest.fixture
def killer(monkeypatch: pytest.MonkeyPatch) -> Killer:
    """Kills a function at a write of any boto3 client."""
    killer, call = Killer(), BaseClient._make_api_call  # type: ignore[attr-defined]

    def intercept(client: Any, operation: str, parameters: Any) -> Any:
        effect = partial(call, client, operation, parameters)
        return killer.write(operation, effect) if operation in WRITES else effect()

    monkeypatch.setattr(BaseClient, "_make_api_call", intercept)
    return killer


@pytest.fixture
def make_reporter(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., ReporterHarness]]:
    """Make an inbox for a reporter with these settings."""
    with virtual_aws() as aws:
        table = aws.create_memory_table()

        def make(**settings: str) -> ReporterHarness:
            defaults = {
                "REPORTS_TOPIC_ARN": TOPIC,
                "REPORTS_QUEUE_URL": aws.queue_url("reports"),
                "MEMORY_TABLE_NAME": table,
                "REPORT_WINDOW_SECONDS": "0",
                "REPOSITORIES_FILTER_REGEXP": "^(?!sandbox/)",
                "SEVERITY_THRESHOLDS": '{"CRITICAL":1,"HIGH":1}',
                "NOTIFY_ON_SCAN_FAILURE": "true",
                "REPORTER_NAME": "platform",
            }
            for name, value in {**aws.environment(), **defaults, **settings}.items():
                monkeypatch.setenv(name, value)
            reporter.dependencies.cache_clear()
            reporter.overview_dependencies.cache_clear()
            return ReporterHarness(aws)

        yield make
    reporter.dependencies.cache_clear()
    reporter.overview_dependencies.cache_clear()


@pytest.fixture
def inbox(make_reporter: Callable[..., ReporterHarness]) -> ReporterHarness:
    return make_reporter()
