"""Publishes a message to each topic by itself, and returns what SNS rejects."""

import logging
from collections.abc import Iterable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from ecr_scan_reporter.aws.deadline import Deadline
from ecr_scan_reporter.aws.sns import CHAT, REPORTS, Publication, Rejection, ReportMessage, ReportPublisher

MESSAGE = ReportMessage("subject", "mail", "{}", "chat", {})


class TopicClient:
    """Accepts messages, but not those for some topics."""

    def __init__(self, *rejecting: str, code: str = "InternalError") -> None:
        self.rejecting, self.code, self.published = rejecting, code, list[str]()

    def publish(self, TopicArn: str, **_: Any) -> None:
        if TopicArn in self.rejecting:
            raise ClientError({"Error": {"Code": self.code, "Message": ""}}, "Publish")
        self.published.append(TopicArn)


def publisher(client: Any) -> ReportPublisher:
    return ReportPublisher(client, REPORTS, CHAT)


def publish(
    to: ReportPublisher, publications: Iterable[Publication], seconds: float = 60, failure: str = "failed"
) -> list[Rejection]:
    """Publish messages; return those that were rejected."""
    rejections = (to.publish(each, Deadline(seconds), failure) for each in publications)
    return [rejection for rejection in rejections if rejection]


def topics(found: list[Rejection]) -> list[str]:
    return [rejection.publication.topic for rejection in found]


@pytest.mark.parametrize(
    ("rejecting", "accepted"),
    [((), [REPORTS, CHAT]), ((REPORTS,), [CHAT]), ((CHAT,), [REPORTS]), ((REPORTS, CHAT), [])],
)
def test_one_topic_does_not_hold_back_the_other(rejecting: tuple[str, ...], accepted: list[str]) -> None:
    client = TopicClient(*rejecting)
    rejected = publish(publisher(client), MESSAGE.publications)
    assert client.published == accepted
    assert topics(rejected) == list(rejecting)
    # What was rejected can be published later.
    client = TopicClient()
    assert publish(publisher(client), (rejection.publication for rejection in rejected)) == []
    assert client.published == list(rejecting)


@pytest.mark.parametrize(("code", "invalid"), [("InvalidParameter", True), ("NotFound", False), ("KMSDisabled", False)])
def test_rejection_says_whether_it_is_the_message_that_is_invalid(code: str, *, invalid: bool) -> None:
    client = TopicClient(REPORTS, CHAT, code=code)
    rejected = publish(publisher(client), MESSAGE.publications)
    assert [rejection.invalid for rejection in rejected] == [invalid, invalid]


def test_message_without_a_text_for_chat_has_one_topic() -> None:
    client = TopicClient()
    assert publish(publisher(client), MESSAGE._replace(chat="").publications) == []
    assert client.published == [REPORTS]


def test_nothing_is_published_to_a_topic_that_this_instance_does_not_have() -> None:
    client: Any = TopicClient()
    assert publish(ReportPublisher(client, REPORTS, ""), MESSAGE.publications) == []
    assert client.published == [REPORTS]


def test_nothing_is_published_without_time_and_the_log_says_so(caplog: pytest.LogCaptureFixture) -> None:
    client = TopicClient()
    with caplog.at_level(logging.ERROR):
        rejected = publish(publisher(client), MESSAGE.publications, 0, "not this time")
    assert (client.published, topics(rejected)) == ([], [REPORTS, CHAT])
    assert [record.message for record in caplog.records] == ["not this time"] * 2


@pytest.mark.parametrize(
    ("arns", "waits"),
    [
        ([], False),
        (["PendingConfirmation"], True),
        (["PendingConfirmation", "Deleted"], True),
        (["Deleted"], False),
        (["PendingConfirmation", "arn:aws:sns:eu-west-1:123456789012:reports:1"], False),
    ],
)
def test_mail_waits_until_the_first_address_has_confirmed(arns: list[str], *, waits: bool) -> None:
    class Topic:
        def list_subscriptions_by_topic(self, TopicArn: str) -> dict[str, Any]:
            queue = {"Protocol": "sqs", "SubscriptionArn": "arn:aws:sns:eu-west-1:123456789012:reports:2"}
            addresses = [{"Protocol": "email", "SubscriptionArn": arn} for arn in arns]
            return {"Subscriptions": [queue, *addresses]}

    assert publisher(Topic()).waits_for_confirmation() == waits
