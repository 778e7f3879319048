"""Delivers a message to each topic by itself, and queues what SNS rejects."""

import json
import logging
from typing import Any

import pytest
from botocore.exceptions import ClientError
from ecr_scan_reporter.aws.deadline import Deadline
from ecr_scan_reporter.aws.sns import CHAT, REPORTS, Publication, ReportMessage, ReportPublisher
from ecr_scan_reporter.aws.sqs import SqsQueue
from ecr_scan_reporter.messages.publication import parse_publication
from ecr_scan_reporter.reporting.delivery import deliver, publish_again, publish_later

MESSAGE = ReportMessage("subject", "mail", "{}", "chat", {})


class TopicClient:
    """Accepts messages, but not those for some topics."""

    def __init__(self, *rejecting: str) -> None:
        self.rejecting, self.published = rejecting, list[str]()

    def publish(self, TopicArn: str, **_: Any) -> None:
        if TopicArn in self.rejecting:
            raise ClientError({"Error": {"Code": "InternalError", "Message": ""}}, "Publish")
        self.published.append(TopicArn)


class QueueClient:
    """Records what is sent."""

    def __init__(self) -> None:
        self.sent: list[Any] = []

    def send_message_batch(self, QueueUrl: str, Entries: list[Any]) -> dict[str, Any]:
        self.sent += Entries
        return {}


def publisher(client: Any) -> ReportPublisher:
    return ReportPublisher(client, REPORTS, CHAT)


def topics(publications: list[Publication]) -> list[str]:
    return [publication.topic for publication in publications]


@pytest.mark.parametrize(
    ("rejecting", "accepted"),
    [((), [REPORTS, CHAT]), ((REPORTS,), [CHAT]), ((CHAT,), [REPORTS]), ((REPORTS, CHAT), [])],
)
def test_one_topic_does_not_hold_back_the_other(rejecting: tuple[str, ...], accepted: list[str]) -> None:
    client = TopicClient(*rejecting)
    delivery = deliver(MESSAGE, publisher(client), Deadline(60))
    assert client.published == topics(delivery.accepted) == accepted
    assert topics(delivery.rejected) == list(rejecting)


def test_message_without_a_text_for_chat_has_one_topic() -> None:
    delivery = deliver(MESSAGE._replace(chat=""), publisher(TopicClient()), Deadline(60))
    assert topics(delivery.accepted) == [REPORTS]


def test_nothing_is_published_without_time_and_the_log_says_so(caplog: pytest.LogCaptureFixture) -> None:
    client = TopicClient()
    with caplog.at_level(logging.ERROR):
        delivery = deliver(MESSAGE, publisher(client), Deadline(0), "not this time")
    assert (client.published, topics(delivery.rejected)) == ([], [REPORTS, CHAT])
    assert [record.message for record in caplog.records] == ["not this time"] * 2


def test_rejected_publications_are_published_from_the_queue() -> None:
    queue: Any = QueueClient()
    rejected = deliver(MESSAGE, publisher(TopicClient(CHAT)), Deadline(60)).rejected
    publish_later(rejected, SqsQueue(queue, "url"))
    [entry] = queue.sent
    assert entry["DelaySeconds"] == 60
    publication = parse_publication(json.loads(entry["MessageBody"])["publish"])
    assert [publication] == rejected
    client = TopicClient()
    assert publish_again(publication, publisher(client))
    assert client.published == [CHAT]
    assert not publish_again(publication, publisher(TopicClient(CHAT)))


def test_nothing_is_queued_if_nothing_was_rejected() -> None:
    queue: Any = QueueClient()
    publish_later([], SqsQueue(queue, "url"))
    assert queue.sent == []
