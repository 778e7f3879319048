"""The repositories scanner: what is queued, and what is not."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber
from ecr_scan_reporter import repositories_scanner
from ecr_scan_reporter.errors import SettingError
from ecr_scan_reporter.messages import RepositoryMessage
from ecr_scan_reporter.queues import ImagesQueue, QueueError
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


@pytest.mark.parametrize("value", ["(", None, 7])
def test_a_filter_that_is_no_expression_is_refused(queued: Any, value: Any) -> None:
    with pytest.raises(SettingError, match="repositoriesFilterRegexp is .*; accepted: a Python regular expression"):
        repositories_scanner.handler({"repositoriesFilterRegexp": value}, None)


def test_a_message_that_sqs_refuses_is_an_error_that_names_it() -> None:
    client = boto3.client("sqs")
    with Stubber(client) as stubber:
        failed = [{"Id": "1", "SenderFault": False, "Code": "InternalError", "Message": "try again"}]
        stubber.add_response("send_message_batch", {"Successful": [], "Failed": failed})
        with pytest.raises(QueueError, match="refused the messages for b: InternalError: try again"):
            ImagesQueue(client, "https://queue").send([RepositoryMessage("a"), RepositoryMessage("b")])


def test_messages_go_out_ten_a_call() -> None:
    client, sizes = boto3.client("sqs"), []
    client.meta.events.register(
        "before-call.sqs.SendMessageBatch",
        lambda params, **_: sizes.append(len(json.loads(params["body"])["Entries"])),
    )
    with mock_aws():
        url = client.create_queue(QueueName="images")["QueueUrl"]
        assert ImagesQueue(client, url).send(RepositoryMessage(name) for name in NAMES) == 23
    assert sizes == [10, 10, 3]
