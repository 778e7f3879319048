"""The module, applied by Terraform and running, for all tests of the session.

It runs at AWS_ENDPOINT_URL if that is set (any LocalStack, with ECR at AWS_ENDPOINT_URL_ECR), else on a local AWS that
the session starts.
"""

import json
import os
import signal
from collections.abc import Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
import replacements
from harness import (
    CONFIG,
    DIRECT,
    EXAMPLES,
    PROVIDER,
    ROOT,
    RUN,
    Inbox,
    Incidents,
    Module,
    Seed,
    Terraform,
    repository_message,
    second_plan,
    send,
    wait_until,
)
from local_aws import UNSUPPORTED_OS, Finding, LocalAws, NotSupportedError, RegistryClient, ScanEvents
from support.feed import Feed, catalog, entry, serve

# Scanning is basic or enhanced for a whole registry, so the tests of enhanced scanning come after those of basic
# scanning. What an invalid message comes to takes minutes, in which the other tests run. The examples, the instance
# whose resources are replaced, and the one that is renamed, have their own accounts, and are applied meanwhile.
ORDER = [
    "test_messages.py",
    "test_pipeline.py",
    "test_catalog.py",
    "test_enhanced.py",
    "test_failures.py",
    "test_destroy.py",
    "test_examples.py",
    "test_rename.py",
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
def background(aws: dict[str, str]) -> Iterator[Executor]:
    """What runs beside the tests, in accounts that end with the local AWS. Terraform mostly waits."""
    with ThreadPoolExecutor(3) as executor:
        yield executor


@pytest.fixture(scope="session")
def life(
    local_aws: LocalAws | None, background: Executor, aws: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Future[replacements.Seen] | None:
    """What an instance goes through, as soon as it is over; None at another endpoint."""
    return background.submit(replacements.live, tmp_path_factory.mktemp("life"), aws) if local_aws else None


@pytest.fixture(scope="session")
def renamed(
    local_aws: LocalAws | None, background: Executor, aws: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Future[replacements.Renamed] | None:
    """What a rename keeps, as soon as it is done; None at another endpoint."""
    return background.submit(replacements.rename, tmp_path_factory.mktemp("rename"), aws) if local_aws else None


@pytest.fixture(scope="session")
def second_plans(
    local_aws: LocalAws | None, background: Executor, aws: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Future[set[tuple[str, str]]]]:
    """What the second plan of each example changes, as soon as there is one; empty at another endpoint."""
    names = EXAMPLES if local_aws else []
    return {name: background.submit(second_plan, name, tmp_path_factory.mktemp(name), aws) for name in names}


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
    life: object,
    second_plans: object,
    renamed: object,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Module]:
    """The applied module. The registry is seeded before its first run."""
    environment = {name: value for name, value in aws.items() if name == "AWS_ENDPOINT_URL_ECR"}
    environment["SSL_CERT_FILE"] = str(feed.certificate)
    config = PROVIDER + CONFIG.format(
        root=ROOT, run=RUN, environment=json.dumps(environment), inbox=inbox.arn, feed=feed.address
    )
    directory = tmp_path_factory.mktemp("applied")
    (directory / "main.tf").write_text(config)
    with Terraform(directory, aws) as terraform:
        applied = Module(terraform)
        try:
            applied.apply()
            yield applied
        finally:
            applied.destroy()


@pytest.fixture(scope="session")
def incidents(module: Module, registry: RegistryClient, local_aws: LocalAws | None) -> Incidents:
    """Send invalid messages, and kill the images scanner while it scans a repository."""
    late = f"{DIRECT}/late"
    valid = registry.push(late, "1.0")
    invalid: dict[str, dict[str, str]] = {"images": {}, "reports": {}}
    unknown_version = json.dumps({"version": 99})
    invalid["images"] |= send(module.outputs["images_queue_url"], "not JSON")
    send(module.outputs["images_queue_url"], repository_message(module, late))
    invalid["images"] |= send(module.outputs["images_queue_url"], unknown_version)
    invalid["reports"] |= send(module.outputs["reports_queue_url"], "not an event")
    module.invalid.update({queue: len(messages) for queue, messages in invalid.items()})
    return Incidents(invalid, valid, _interrupt(module, registry, local_aws) if local_aws else set())


def _interrupt(module: Module, registry: RegistryClient, local_aws: LocalAws) -> set[str]:
    repository, name = f"{DIRECT}/interrupted", module.outputs["images_scanner_function_name"]
    digests = {registry.push(repository, f"1.{number}") for number in range(150)}
    send(module.outputs["images_queue_url"], repository_message(module, repository))

    def kill() -> bool:
        # The schedule may have fired meanwhile: then several processes are busy, and all of them must recover.
        busy = [process.pid for process in local_aws.functions(name) if process.request_id]
        if not busy or not registry.scans_started(repository):
            return False
        for pid in busy:
            os.kill(pid, signal.SIGKILL)
        return True

    wait_until(kill, "the images scanner starts scans", interval=0.01)
    assert 0 < len(registry.scans_started(repository)) < len(digests)
    return digests
