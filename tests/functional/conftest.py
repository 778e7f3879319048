"""The fixtures of the functional tests."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from botocore.client import BaseClient
from fake_aws import FakeAws
from support import random_tests  # noqa: F401 - before any test chooses its settings
from support.configuration import environment, forget_dependencies
from support.feed import Feed, serve
from support.fixtures import aws_environment, aws_event, product_timeouts, quiet, virtual_aws, virtual_time
from support.instance import Instance
from support.killer import Killer
from support.reporter_harness import ReporterHarness

__all__ = ["aws_environment", "aws_event", "product_timeouts", "quiet", "virtual_time"]


WRITES = {
    *("PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem", "TransactWriteItems"),
    *("SendMessageBatch", "Publish", "StartImageScan"),
    *("PutObject", "CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload", "AbortMultipartUpload"),
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
def aws() -> Iterator[FakeAws]:
    """A fake of AWS with an empty registry and an empty memory table."""
    with virtual_aws() as fake_aws:
        fake_aws.create_memory_table()
        fake_aws.reset()
        yield fake_aws


@pytest.fixture
def configure(aws: FakeAws, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Configures all functions for the fake of AWS, with other settings than the defaults."""

    def set_environment(**settings: str) -> None:
        for name, value in environment(aws, **settings).items():
            monkeypatch.setenv(name, value)
        forget_dependencies()

    yield set_environment
    forget_dependencies()


@pytest.fixture(scope="module")
def feed_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Feed]:
    """A server of the catalog, which keeps what the tests before have set."""
    with serve(tmp_path_factory.mktemp("feed")) as feed:
        yield feed


@pytest.fixture
def feed(feed_server: Feed, monkeypatch: pytest.MonkeyPatch) -> Feed:
    """A server of the catalog of known exploited vulnerabilities, whose certificate the functions trust."""
    feed_server.reset()
    monkeypatch.setenv("SSL_CERT_FILE", str(feed_server.certificate))
    return feed_server


@pytest.fixture
def make_reporter(aws: FakeAws, configure: Callable[..., None]) -> Callable[..., ReporterHarness]:
    """Make an inbox for a reporter with these settings."""

    def make(**settings: str) -> ReporterHarness:
        configure(**settings)
        return ReporterHarness(aws)

    return make


@pytest.fixture
def make_instance(make_reporter: Callable[..., ReporterHarness]) -> Callable[[], Instance]:
    """Make a whole instance, with an empty registry and an empty memory."""
    return lambda: Instance(make_reporter(REPORT_WINDOW_SECONDS="60", ECR_IMAGES_DURATION_DELTA="7d"))


@pytest.fixture
def inbox(make_reporter: Callable[..., ReporterHarness]) -> ReporterHarness:
    return make_reporter()
