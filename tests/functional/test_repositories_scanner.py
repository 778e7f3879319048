"""The repositories scanner: what is queued, and what is not."""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from ecr_scan_reporter import repositories_scanner
from ecr_scan_reporter.errors import SettingError
from ecr_scan_reporter.messages import RepositoryMessage
from ecr_scan_reporter.queues import ImagesQueue, QueueError
from ecr_scan_reporter.registry import Registry as EcrRegistry
from ecr_scan_reporter.settings import RepositoriesScannerSettings, RepositoryFilter
from fake_aws import FakeAws, FakeRegistry, QueueFaults
from moto import mock_aws

NAMES = ["team-a/app", "team-b/app", "sandbox/app", *(f"bulk/r{number:02}" for number in range(20))]


@pytest.fixture
def queued(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], list[str]]]:
    """A registry of 23 repositories and a queue; calling it reads which repositories were queued."""
    with mock_aws():
        for name in NAMES:
            boto3.client("ecr").create_repository(repositoryName=name)
        queue = boto3.resource("sqs").create_queue(QueueName="images")
        monkeypatch.setenv("IMAGES_QUEUE_URL", queue.url)
        monkeypatch.setenv("REPOSITORIES_FILTER_REGEXP", "^(?!sandbox/)")
        repositories_scanner._environment.cache_clear()

        def read() -> list[str]:
            bodies: list[str] = []
            while messages := queue.receive_messages(MaxNumberOfMessages=10):
                bodies += [message.body for message in messages]
            return sorted(RepositoryMessage.from_json(body).repository for body in bodies)

        yield read
        repositories_scanner._environment.cache_clear()


def test_every_repository_that_matches_is_queued_and_no_other(queued: Callable[[], list[str]]) -> None:
    assert repositories_scanner.handler({}, None) == {"found": 23, "sent": 22}
    assert queued() == sorted(set(NAMES) - {"sandbox/app"})


def test_the_event_may_bring_a_filter_for_one_run(queued: Callable[[], list[str]]) -> None:
    assert repositories_scanner.handler({"repositoriesFilterRegexp": "team-"}, None) == {"found": 23, "sent": 2}
    assert queued() == ["team-a/app", "team-b/app"]


def test_the_filter_matches_from_the_start(queued: Callable[[], list[str]]) -> None:
    assert repositories_scanner.handler({"repositoriesFilterRegexp": "app"}, None)["sent"] == 0


def test_what_is_excluded_is_not_queued(queued: Callable[[], list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REPOSITORIES_EXCLUDE_REGEXP", "bulk/")
    assert repositories_scanner.handler({}, None) == {"found": 23, "sent": 2}
    assert queued() == ["team-a/app", "team-b/app"]


def test_with_enhanced_scanning_nothing_is_queued_and_the_log_says_why(
    queued: Callable[[], list[str]], caplog: pytest.LogCaptureFixture
) -> None:
    boto3.client("ecr").put_registry_scanning_configuration(scanType="ENHANCED", rules=[])
    assert repositories_scanner.handler({}, None) == {"found": 0, "sent": 0}
    assert queued() == []
    assert [record.levelname for record in caplog.records if "enhanced scanning is on" in record.message] == ["WARNING"]


def test_the_order_changes_from_run_to_run() -> None:
    with FakeAws(FakeRegistry()) as aws:
        for number in range(50):
            aws.registry.add(f"r{number:02}")
        settings = RepositoriesScannerSettings(RepositoryFilter(re.compile("")), aws.queue_url(), threads=1)
        queue = ImagesQueue(aws.client("sqs"), aws.queue_url())
        orders = []
        for _ in range(2):
            aws.reset()
            repositories_scanner.queue_repositories({}, settings, EcrRegistry(aws.client("ecr")), queue)
            orders.append([message.body for message in aws.messages()])
    assert sorted(orders[0]) == sorted(orders[1])
    assert orders[0] != orders[1]


@pytest.mark.parametrize("value", ["(", None, 7])
def test_a_filter_that_is_no_expression_is_refused(queued: Any, value: Any) -> None:
    with pytest.raises(SettingError, match="repositoriesFilterRegexp is .*; accepted: a Python regular expression"):
        repositories_scanner.handler({"repositoriesFilterRegexp": value}, None)


def test_what_sqs_refuses_in_an_answer_of_200_is_sent_again() -> None:
    with FakeAws(FakeRegistry(), queue_faults=QueueFaults(first_attempt_every=3)) as aws:
        queue = ImagesQueue(aws.client("sqs"), aws.queue_url(), threads=4)
        assert queue.send(RepositoryMessage(name) for name in NAMES) == 23
        assert sorted(RepositoryMessage.from_json(message.body).repository for message in aws.messages()) == sorted(
            NAMES
        )


def test_what_sqs_goes_on_refusing_is_an_error_that_names_it() -> None:
    with FakeAws(FakeRegistry(), queue_faults=QueueFaults(containing="sandbox")) as aws:
        queue = ImagesQueue(aws.client("sqs"), aws.queue_url(), threads=4)
        with pytest.raises(QueueError, match="refused the messages for sandbox/app: "):
            queue.send(RepositoryMessage(name) for name in NAMES)
        assert len(aws.messages()) == 22


def test_messages_go_out_ten_a_call() -> None:
    client, sizes = boto3.client("sqs"), []
    client.meta.events.register(
        "before-call.sqs.SendMessageBatch",
        lambda params, **_: sizes.append(len(json.loads(params["body"])["Entries"])),
    )
    with mock_aws():
        url = client.create_queue(QueueName="images")["QueueUrl"]
        assert ImagesQueue(client, url).send(RepositoryMessage(name) for name in NAMES) == 23
    assert sorted(sizes) == [3, 10, 10]
