"""The repositories scanner queues the repositories that match, each once."""

import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from ecr_scan_reporter import repositories_scanner
from ecr_scan_reporter.aws.dynamodb import Table
from ecr_scan_reporter.aws.ecr import EcrRegistry
from ecr_scan_reporter.aws.sqs import SqsQueue
from ecr_scan_reporter.errors import QueueError, SettingError
from ecr_scan_reporter.memory.scans import RepositoryState, ScanMemory
from ecr_scan_reporter.models import RepositoryFilter
from ecr_scan_reporter.scanning.messages import RepositoryMessage
from ecr_scan_reporter.scanning.repositories import Dependencies, queue_repositories
from ecr_scan_reporter.settings import RepositoriesScannerSettings
from fake_aws import FakeAws, FakeRegistry, Fault, QueueFaults
from moto import mock_aws

NAMES = ["team-a/app", "team-b/app", "sandbox/app", *(f"bulk/r{number:02}" for number in range(20))]


@pytest.fixture
def queued(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], list[str]]]:
    """A registry of 23 repositories and a queue; calling it reads which repositories were queued."""
    with mock_aws():
        for name in NAMES:
            boto3.client("ecr").create_repository(repositoryName=name)
        queue = boto3.resource("sqs").create_queue(QueueName="images")
        boto3.client("dynamodb").create_table(
            TableName="memory",
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
            AttributeDefinitions=[
                {"AttributeName": "pk", "AttributeType": "S"},
                {"AttributeName": "sk", "AttributeType": "S"},
            ],
        )
        monkeypatch.setenv("IMAGES_QUEUE_URL", queue.url)
        monkeypatch.setenv("MEMORY_TABLE_NAME", "memory")
        monkeypatch.setenv("REPORTER_NAME", "platform")
        monkeypatch.setenv("REPOSITORIES_FILTER_REGEXP", "^(?!sandbox/)")
        repositories_scanner.dependencies.cache_clear()

        def read() -> list[str]:
            bodies: list[str] = []
            while messages := queue.receive_messages(MaxNumberOfMessages=10):
                bodies += [message.body for message in messages]
            return sorted(RepositoryMessage.from_json(body).repository for body in bodies)

        yield read
        repositories_scanner.dependencies.cache_clear()


def test_matching_repositories_are_queued(queued: Callable[[], list[str]]) -> None:
    assert repositories_scanner.handler({}, None) == {"found": 23, "sent": 22}
    assert queued() == sorted(set(NAMES) - {"sandbox/app"})


def test_event_may_replace_the_filter(queued: Callable[[], list[str]]) -> None:
    assert repositories_scanner.handler({"repositoriesFilterRegexp": "team-"}, None) == {"found": 23, "sent": 2}
    assert queued() == ["team-a/app", "team-b/app"]


def test_filter_matches_from_the_start(queued: Callable[[], list[str]]) -> None:
    assert repositories_scanner.handler({"repositoriesFilterRegexp": "app"}, None)["sent"] == 0


def test_excluded_repositories_are_not_queued(queued: Callable[[], list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REPOSITORIES_EXCLUDE_REGEXP", "bulk/")
    assert repositories_scanner.handler({}, None) == {"found": 23, "sent": 2}
    assert queued() == ["team-a/app", "team-b/app"]


def test_enhanced_scanning_queues_nothing_and_logs_why(
    queued: Callable[[], list[str]], caplog: pytest.LogCaptureFixture
) -> None:
    boto3.client("ecr").put_registry_scanning_configuration(scanType="ENHANCED", rules=[])
    assert repositories_scanner.handler({}, None) == {"found": 0, "sent": 0}
    assert queued() == []
    assert [record.levelname for record in caplog.records if "enhanced scanning is on" in record.message] == ["WARNING"]


@pytest.fixture
def run() -> Callable[[FakeAws], list[str]]:
    """Starts a run with one thread, so that messages keep their order; returns the repositories in this order."""

    def start(aws: FakeAws) -> list[str]:
        settings = RepositoriesScannerSettings(RepositoryFilter(re.compile("")), aws.queue_url(), "memory", 1, "platform")
        queue = SqsQueue(aws.client("sqs"), aws.queue_url())
        memory = ScanMemory(Table(aws.client("dynamodb"), "memory"))
        aws.reset()
        queue_repositories({}, Dependencies(settings, EcrRegistry(aws.client("ecr")), queue, memory))
        return [RepositoryMessage.from_json(message.body).repository for message in aws.messages()]

    return start


def test_order_of_unknown_repositories_changes_from_run_to_run(run: Callable[[FakeAws], list[str]]) -> None:
    with FakeAws(FakeRegistry()) as aws:
        aws.create_memory_table()
        names = [aws.registry.add(f"r{number:02}").name for number in range(50)]
        first, second = run(aws), run(aws)
    assert sorted(first) == sorted(second) == names
    assert first != second


def test_repository_whose_oldest_scan_is_oldest_comes_first(run: Callable[[FakeAws], list[str]]) -> None:
    now = datetime.now(UTC)
    days = {"week": 7, "today": 0, "month": 30, "unknown": None, "never": None}
    with FakeAws(FakeRegistry()) as aws:
        memory = ScanMemory(Table(aws.client("dynamodb"), aws.create_memory_table()))
        for name, age in days.items():
            aws.registry.add(name)
            if name != "unknown":
                oldest = None if age is None else now - timedelta(days=age)
                memory.remember_state(RepositoryState(name, oldest, 10, 0, "run"), now)
        order = run(aws)
    assert set(order[:2]) == {"unknown", "never"}
    assert order[2:] == ["month", "week", "today"]


@pytest.mark.parametrize("code", ["AccessDeniedException", "ResourceNotFoundException"])
def test_without_memory_all_repositories_are_queued(
    run: Callable[[FakeAws], list[str]], caplog: pytest.LogCaptureFixture, code: str
) -> None:
    with FakeAws(FakeRegistry(), faults=[Fault("Query", code)]) as aws:
        aws.create_memory_table()
        names = [aws.registry.add(f"r{number:02}").name for number in range(20)]
        assert sorted(run(aws)) == names
    assert "memory is not available" in caplog.text


@pytest.mark.parametrize("value", ["(", None, 7])
def test_invalid_filter_in_the_event_is_rejected(queued: Any, value: Any) -> None:
    with pytest.raises(SettingError, match="repositoriesFilterRegexp is .*; expected a Python regular expression"):
        repositories_scanner.handler({"repositoriesFilterRegexp": value}, None)


def test_entries_that_sqs_rejects_with_200_are_sent_again() -> None:
    with FakeAws(FakeRegistry(), queue_faults=QueueFaults(first_attempt_every=3)) as aws:
        queue = SqsQueue(aws.client("sqs"), aws.queue_url(), threads=4)
        assert queue.send(RepositoryMessage(name).to_json() for name in NAMES) == 23
        assert sorted(RepositoryMessage.from_json(message.body).repository for message in aws.messages()) == sorted(
            NAMES
        )


def test_entry_that_sqs_keeps_rejecting_is_named() -> None:
    with FakeAws(FakeRegistry(), queue_faults=QueueFaults(containing="sandbox")) as aws:
        queue = SqsQueue(aws.client("sqs"), aws.queue_url(), threads=4)
        with pytest.raises(QueueError, match="rejected .*sandbox/app"):
            queue.send(RepositoryMessage(name).to_json() for name in NAMES)
        assert len(aws.messages()) == 22


def test_messages_are_sent_ten_per_call() -> None:
    client, sizes = boto3.client("sqs"), []
    client.meta.events.register(
        "before-call.sqs.SendMessageBatch",
        lambda params, **_: sizes.append(len(json.loads(params["body"])["Entries"])),
    )
    with mock_aws():
        url = client.create_queue(QueueName="images")["QueueUrl"]
        assert SqsQueue(client, url).send(RepositoryMessage(name).to_json() for name in NAMES) == 23
    assert sorted(sizes) == [3, 10, 10]
