"""The module, applied by Terraform and running, for the whole session of tests.

Where: at AWS_ENDPOINT_URL if that is set (any LocalStack, ECR at AWS_ENDPOINT_URL_ECR), else on a local AWS of its own.
"""

import json
import os
from collections.abc import Callable, Iterator

import boto3
import pytest
from harness import CONFIG, ROOT, RUN, Inbox, Module
from local_aws import LocalAws, NotSupportedError, Registry, ScanEvents


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Iterator[None]:
    """What the endpoint's ECR cannot do is skipped, with its reason."""
    try:
        return (yield)
    except NotSupportedError as reason:
        pytest.skip(str(reason))


@pytest.fixture(scope="session")
def local_aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAws | None]:
    """A local AWS for all tests of the run; None where the tests run at another endpoint."""
    if "AWS_ENDPOINT_URL" in os.environ:
        yield None
        return
    venvs = ROOT / ".venv"
    log = tmp_path_factory.mktemp("local-aws") / "log"
    with LocalAws(venvs / "local-aws/bin/python", venvs / "functions/bin/python", log=log) as local:
        yield local


@pytest.fixture(scope="session")
def aws(local_aws: LocalAws | None) -> Iterator[dict[str, str]]:
    """The environment that leads Terraform and boto3 to the AWS under test."""
    if local_aws is None:
        with pytest.MonkeyPatch.context() as patch:
            foreign = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "eu-west-1"}
            environment = {**foreign, **{k: v for k, v in os.environ.items() if k.startswith("AWS_")}}
            environment.setdefault("AWS_REGION", environment["AWS_DEFAULT_REGION"])
            for name, value in environment.items():
                patch.setenv(name, value)
            yield environment
        return
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            patch.delenv(name)
        for name, value in local_aws.environment.items():
            patch.setenv(name, value)
        yield local_aws.environment


@pytest.fixture(scope="session")
def registry(aws: dict[str, str]) -> Iterator[Registry]:
    """The ECR registry under test."""
    registry = Registry.connect(aws)
    with ScanEvents(registry, boto3.client("events")):
        yield registry


@pytest.fixture(scope="session")
def inbox(aws: dict[str, str]) -> Iterator[Inbox]:
    """Subscribe a queue to the topic; calling it returns all messages so far."""
    queue = boto3.resource("sqs").create_queue(QueueName=f"{RUN}-inbox")
    yield Inbox(queue)
    queue.delete()


@pytest.fixture(scope="session")
def module(
    aws: dict[str, str], seeded: object, inbox: Inbox, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Module]:
    """The applied module; what is in the registry at its first run is there before."""
    functions_ecr = {name: value for name, value in aws.items() if name == "AWS_ENDPOINT_URL_ECR"}
    config = CONFIG.format(root=ROOT, run=RUN, environment=json.dumps(functions_ecr), inbox=inbox.arn)
    applied = Module(tmp_path_factory.mktemp("applied"), aws, config)
    try:
        applied.apply()
        yield applied
    finally:
        applied.destroy()


@pytest.fixture(scope="session")
def started(registry: Registry) -> Callable[[], list[str]]:
    """Reads the digests of all scans that were started so far, in this run's repositories."""
    return lambda: [scan.digest for scan in registry.scans_started() if scan.repository.startswith(RUN)]
