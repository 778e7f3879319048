"""The module, applied by Terraform and running, for all tests of the session.

It runs at AWS_ENDPOINT_URL if that is set (any LocalStack, with ECR at AWS_ENDPOINT_URL_ECR), else on a local AWS that
the session starts.
"""

import json
import os
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
import replacements
from harness import CONFIG, EXAMPLES, PROVIDER, ROOT, RUN, Inbox, Module, Seed, second_plan
from local_aws import UNSUPPORTED_OS, Finding, LocalAws, NotSupportedError, RegistryClient, ScanEvents
from support.feed import Feed, catalog, entry, serve

# Scanning is basic or enhanced for a whole registry, so the tests of enhanced scanning come after those of basic
# scanning. The examples, and the instance whose resources are replaced, are applied while the other tests run.
ORDER = [
    "test_messages.py",
    "test_pipeline.py",
    "test_catalog.py",
    "test_enhanced.py",
    "test_rename.py",
    "test_destroy.py",
    "test_examples.py",
    "test_replacements.py",
    "test_permissions.py",
]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Iterator[None]:
    """Skip a test that needs a feature that the ECR of the endpoint does not support."""
    try:
        return (yield)
    except NotSupportedError as reason:
        pytest.skip(str(reason))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the files in their order."""
    items.sort(key=lambda item: ORDER.index(item.path.name))


@pytest.fixture(scope="session")
def local_aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAws | None]:
    """The local AWS of the session; None if the tests run at another endpoint."""
    if "AWS_ENDPOINT_URL" in os.environ:
        yield None
        return
    venvs = ROOT / ".venv"
    log = tmp_path_factory.mktemp("local-aws") / "log"
    with LocalAws(venvs / "local-aws/bin/python", venvs / "functions/bin/python", log=log) as local:
        yield local


@pytest.fixture(scope="session")
def aws(local_aws: LocalAws | None) -> Iterator[dict[str, str]]:
    """The environment that directs Terraform and boto3 to the AWS under test."""
    with pytest.MonkeyPatch.context() as patch:
        caller = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
        if local_aws:
            environment = local_aws.environment
            for name in caller:
                patch.delenv(name)
        else:
            defaults = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "eu-west-1"}
            environment = {**defaults, **caller}
            environment.setdefault("AWS_REGION", environment["AWS_DEFAULT_REGION"])
        for name, value in environment.items():
            patch.setenv(name, value)
        yield environment


@pytest.fixture(scope="session")
def registry(aws: dict[str, str]) -> Iterator[RegistryClient]:
    """The ECR registry under test."""
    registry = RegistryClient.connect(aws)
    with ScanEvents(registry, boto3.client("events")):
        yield registry


@pytest.fixture(scope="session")
def seeded(registry: RegistryClient) -> Seed:
    """Fill the registry, and omit what the ECR of the endpoint cannot represent."""
    now = datetime.now(UTC)
    app, worker, sandbox = (f"{RUN}/{name}" for name in ("team-a/app", "team-b/worker", "sandbox/app"))
    seed = Seed()
    critical, high, medium = (Finding("CVE-2026-0001", severity) for severity in ("CRITICAL", "HIGH", "MEDIUM"))
    # Images that were there before the module was, if the registry can represent that; otherwise they are news.
    age: dict[str, Any] = {"pushed_at": now - timedelta(days=30)} if registry.has_control_api else {}
    seed.due["critical"] = registry.push(app, "1.0", findings=[critical], **age)
    seed.due["high"] = registry.push(app, "1.1", findings=[high], **age)
    seed.due["medium"] = registry.push(worker, "1.0", findings=[medium], **age)
    seed.due["clean"] = registry.push(worker, "1.1", **age)
    seed.not_matching["sandbox"] = registry.push(sandbox, "1.0", findings=[critical], **age)
    try:
        seed.due["scanned 8 days ago"] = registry.push(app, "0.8", scanned_at=now - timedelta(days=8), **age)
        seed.not_due["scanned 2 days ago"] = registry.push(app, "0.9", scanned_at=now - timedelta(days=2), **age)
        seed.not_due["scanned an hour ago"] = registry.push(worker, "0.9", scanned_at=now - timedelta(hours=1), **age)
        seed.due["fails"] = registry.push(worker, "scratch", outcome=("FAILED", UNSUPPORTED_OS), **age)
        seed.due["index child"] = registry.push(app, None, **age)
        seed.not_due["index"] = registry.push_index(app, "2.0", [seed.due["index child"]])
    except NotSupportedError as reason:
        print(f"omitted: {reason}")
    return seed


@pytest.fixture(scope="session")
def inbox(aws: dict[str, str]) -> Iterator[Inbox]:
    """The queue that subscribes to the topic."""
    queue = boto3.resource("sqs").create_queue(QueueName=f"{RUN}-inbox")
    yield Inbox(queue)
    queue.delete()


@pytest.fixture(scope="session")
def second_plans(
    local_aws: LocalAws | None, aws: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Future[set[tuple[str, str]]]]]:
    """What the second plan of each example changes, as soon as there is one; empty at another endpoint.

    Each example has an AWS account of its own, so that they can be applied at the same time: Terraform mostly waits.
    They are not destroyed, because their accounts end with the local AWS.
    """
    with ThreadPoolExecutor(2) as executor:
        names = EXAMPLES if local_aws else []
        yield {name: executor.submit(second_plan, name, tmp_path_factory.mktemp(name), aws) for name in names}


@pytest.fixture(scope="session")
def life(
    local_aws: LocalAws | None, aws: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Future[replacements.Seen] | None]:
    """What an instance goes through, in an account of its own, as soon as it is over; None at another endpoint."""
    with ThreadPoolExecutor(1) as executor:
        yield executor.submit(replacements.live, tmp_path_factory.mktemp("life"), aws) if local_aws else None


@pytest.fixture(scope="session")
def feed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Feed]:
    """A server of the catalog of known exploited vulnerabilities, on loopback."""
    with serve(tmp_path_factory.mktemp("feed")) as feed:
        feed.body = catalog(entry("CVE-2026-7777", datetime.now(UTC).date(), 3, ransomware=True))
        yield feed


@pytest.fixture(scope="session")
def module(
    aws: dict[str, str],
    feed: Feed,
    seeded: object,
    inbox: Inbox,
    second_plans: object,
    life: object,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Module]:
    """The applied module. The registry is seeded before its first run."""
    environment = {name: value for name, value in aws.items() if name == "AWS_ENDPOINT_URL_ECR"}
    environment["SSL_CERT_FILE"] = str(feed.certificate)
    config = PROVIDER + CONFIG.format(
        root=ROOT, run=RUN, environment=json.dumps(environment), inbox=inbox.arn, feed=feed.address
    )
    applied = Module(tmp_path_factory.mktemp("applied"), aws, config)
    try:
        applied.apply()
        yield applied
    finally:
        applied.destroy()
