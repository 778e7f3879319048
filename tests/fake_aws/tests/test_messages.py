"""SQS and SNS of the fake, through boto3."""

import json
from collections.abc import Iterator
from hashlib import md5
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError
from fake_aws import FakeAws, FakeRegistry, Fault, Publication

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sqs import SQSClient

TOPIC = "arn:aws:sns:eu-west-1:123456789012:reports"


@pytest.fixture
def fake_aws() -> Iterator[FakeAws]:
    with FakeAws(FakeRegistry()) as running:
        yield running


@pytest.fixture
def sqs(fake_aws: FakeAws) -> "SQSClient":
    return fake_aws.client("sqs")


@pytest.fixture
def sns(fake_aws: FakeAws) -> "SNSClient":
    return fake_aws.client("sns")


def entries(*bodies: str) -> Any:
    return [{"Id": str(number), "MessageBody": body} for number, body in enumerate(bodies)]


def batch_refusal(fake_aws: FakeAws, sqs: "SQSClient", batch: Any) -> str:
    with pytest.raises(ClientError) as caught:
        sqs.send_message_batch(QueueUrl=fake_aws.queue_url(), Entries=batch)
    return caught.value.response["Error"]["Code"]


def publish_refusal(sns: "SNSClient", **params: Any) -> tuple[int, str, str]:
    with pytest.raises(ClientError) as caught:
        sns.publish(TopicArn=TOPIC, **params)
    response = caught.value.response
    return response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Code"], response["Error"]["Message"]


def test_messages_are_recorded_with_their_delay(fake_aws: FakeAws, sqs: "SQSClient") -> None:
    url = fake_aws.queue_url("images")
    single = sqs.send_message(QueueUrl=url, MessageBody="é", DelaySeconds=900)
    assert single["MD5OfMessageBody"] == md5("é".encode(), usedforsecurity=False).hexdigest()
    answer = sqs.send_message_batch(QueueUrl=url, Entries=entries("a", "b"))
    assert [result["Id"] for result in answer["Successful"]] == ["0", "1"]
    assert "Failed" not in answer
    kept = [(message.queue, message.body, message.delay) for message in fake_aws.messages()]
    assert kept == [("images", "é", 900), ("images", "a", 0), ("images", "b", 0)]


def test_message_is_received_from_its_queue_and_deleted(fake_aws: FakeAws, sqs: "SQSClient") -> None:
    url = fake_aws.queue_url("images")
    sqs.send_message_batch(QueueUrl=url, Entries=entries("a", "b"))
    assert "Messages" not in sqs.receive_message(QueueUrl=fake_aws.queue_url("others"))
    messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
    assert [message["Body"] for message in messages] == ["a", "b"]
    sqs.delete_message(QueueUrl=url, ReceiptHandle=messages[0]["ReceiptHandle"])
    assert "Messages" not in sqs.receive_message(QueueUrl=url)
    with pytest.raises(ClientError, match="ReceiptHandleIsInvalid"):
        sqs.delete_message(QueueUrl=url, ReceiptHandle="nonsense")


@pytest.mark.parametrize(
    ("batch", "code"),
    [
        ([], "EmptyBatchRequest"),
        (entries(*"abcdefghijk"), "TooManyEntriesInBatchRequest"),
        ([{"Id": "1", "MessageBody": "a"}] * 2, "BatchEntryIdsNotDistinct"),
        ([{"Id": "team/web", "MessageBody": "a"}], "InvalidBatchEntryId"),
        (entries("a" * 600_000, "b" * 600_000), "BatchRequestTooLong"),
    ],
)
def test_invalid_batch_is_refused(fake_aws: FakeAws, sqs: "SQSClient", batch: Any, code: str) -> None:
    assert batch_refusal(fake_aws, sqs, batch) == f"AWS.SimpleQueueService.{code}"
    assert fake_aws.messages() == []


def test_message_over_256_kib_is_refused(fake_aws: FakeAws, sqs: "SQSClient") -> None:
    url = fake_aws.queue_url()
    sqs.send_message(QueueUrl=url, MessageBody="a" * 262_144)
    with pytest.raises(ClientError, match="InvalidParameterValue"):
        sqs.send_message(QueueUrl=url, MessageBody="a" * 262_145)
    [failed] = sqs.send_message_batch(QueueUrl=url, Entries=entries("a" * 262_145, "b"))["Failed"]
    assert (failed["Id"], failed["Code"], failed["SenderFault"]) == ("0", "InvalidParameterValue", True)


def test_entry_with_too_long_a_delay_is_a_sender_fault(fake_aws: FakeAws, sqs: "SQSClient") -> None:
    batch: Any = [{"Id": "1", "MessageBody": "a", "DelaySeconds": 901}, {"Id": "2", "MessageBody": "b"}]
    answer = sqs.send_message_batch(QueueUrl=fake_aws.queue_url(), Entries=batch)
    (failed,) = answer["Failed"]
    assert (failed["Id"], failed["SenderFault"]) == ("1", True)
    assert [message.body for message in fake_aws.messages()] == ["b"]


def test_first_attempt_of_every_kth_entry_fails(fake_aws: FakeAws, sqs: "SQSClient") -> None:
    fake_aws.behavior.queue_faults.first_attempt_every = 2
    url = fake_aws.queue_url()
    answer = sqs.send_message_batch(QueueUrl=url, Entries=entries("a", "b", "c", "d"))
    assert [entry["Id"] for entry in answer["Successful"]] == ["0", "2"]
    assert [(entry["Id"], entry["Code"], entry["SenderFault"]) for entry in answer["Failed"]] == [
        ("1", "InternalError", False),
        ("3", "InternalError", False),
    ]
    again = sqs.send_message_batch(QueueUrl=url, Entries=entries("b", "d"))
    assert "Failed" not in again
    assert [message.body for message in fake_aws.messages()] == ["a", "c", "b", "d"]


def test_entries_that_contain_a_text_always_fail(fake_aws: FakeAws, sqs: "SQSClient") -> None:
    fake_aws.behavior.queue_faults.containing = "poison"
    for _ in range(2):
        answer = sqs.send_message_batch(QueueUrl=fake_aws.queue_url(), Entries=entries("a", "poisoned"))
        assert [entry["Id"] for entry in answer["Failed"]] == ["1"]


def test_denied_access_to_a_batch_names_the_action_of_a_single_message(fake_aws: FakeAws, sqs: "SQSClient") -> None:
    fake_aws.behavior.faults.append(Fault("SendMessageBatch", "AccessDenied", status=403))
    with pytest.raises(ClientError, match=r"sqs:sendmessage on resource: arn:aws:sqs:\S+:images because"):
        sqs.send_message_batch(QueueUrl=fake_aws.queue_url(), Entries=entries("a"))


def test_publication_is_recorded(fake_aws: FakeAws, sns: "SNSClient") -> None:
    message = json.dumps({"default": "2 new findings & more", "email": "zwei <neue> Lücken"})
    attributes: Any = {
        "severity": {"DataType": "String", "StringValue": "CRITICAL"},
        "count": {"DataType": "Number", "StringValue": "2"},
    }
    answer = sns.publish(
        TopicArn=TOPIC, Subject="ECR", Message=message, MessageStructure="json", MessageAttributes=attributes
    )
    assert answer["MessageId"]
    kept = {"severity": ("String", "CRITICAL"), "count": ("Number", "2")}
    assert fake_aws.publications() == [Publication(TOPIC, "ECR", message, "json", kept)]


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"Message": ""}, "Empty message"),
        ({"Message": "a" * 262_145}, "Message too long"),
        ({"Message": "a", "Subject": "a" * 100}, "Subject"),
        ({"Message": "a", "Subject": "two\nlines"}, "Subject"),
        ({"Message": "a", "Subject": "Lücke"}, "Subject"),
        ({"Message": "a", "MessageStructure": "json"}, "Message Structure - JSON message body failed to parse"),
        (
            {"Message": '{"email":"a"}', "MessageStructure": "json"},
            "Message Structure - No default entry in JSON message body",
        ),
    ],
)
def test_invalid_publication_is_refused(fake_aws: FakeAws, sns: "SNSClient", params: Any, words: str) -> None:
    assert publish_refusal(sns, **params) == (400, "InvalidParameter", f"Invalid parameter: {words}")
    assert fake_aws.publications() == []


def test_size_of_a_publication_includes_its_attributes(sns: "SNSClient") -> None:
    largest, attribute = "é" * (262_144 // 2), {"DataType": "String", "StringValue": "b"}
    sns.publish(TopicArn=TOPIC, Message=largest, Subject="s" * 99)
    status, _, words = publish_refusal(sns, Message=largest, MessageAttributes={"a": attribute})
    assert (status, words) == (400, "Invalid parameter: Message too long")


def test_subscriptions_are_listed_by_topic_and_page(sns: "SNSClient") -> None:
    for number in range(101):
        sns.subscribe(TopicArn=TOPIC, Protocol="email", Endpoint=f"{number}@example.com")
    sns.subscribe(TopicArn=TOPIC, Protocol="sqs", Endpoint="arn:aws:sqs:eu-west-1:123456789012:reports")
    sns.subscribe(TopicArn=f"{TOPIC}-other", Protocol="email", Endpoint="other@example.com")
    first = sns.list_subscriptions_by_topic(TopicArn=TOPIC)
    second = sns.list_subscriptions_by_topic(TopicArn=TOPIC, NextToken=first["NextToken"])
    assert [entry["Endpoint"] for entry in first["Subscriptions"]] == [f"{number}@example.com" for number in range(100)]
    assert [entry["SubscriptionArn"] == "PendingConfirmation" for entry in second["Subscriptions"]] == [True, False]
    assert "NextToken" not in second


def test_messages_of_a_queue_are_counted(fake_aws: FakeAws, sqs: "SQSClient") -> None:
    sqs.send_message_batch(QueueUrl=fake_aws.queue_url(), Entries=entries("a", "b"))
    answer = sqs.get_queue_attributes(QueueUrl=fake_aws.queue_url(), AttributeNames=["ApproximateNumberOfMessages"])
    assert answer["Attributes"] == {"ApproximateNumberOfMessages": "2"}


def test_fault_of_sns_matches_a_text_and_a_number_of_calls(fake_aws: FakeAws, sns: "SNSClient") -> None:
    fake_aws.behavior.faults.append(Fault("Publish", "InternalError", status=500, containing="team/web", times=1))
    sns.publish(TopicArn=TOPIC, Message="about team/api")
    assert publish_refusal(sns, Message="about team/web")[:2] == (500, "InternalError")
    sns.publish(TopicArn=TOPIC, Message="about team/web")
    assert [publication.message for publication in fake_aws.publications()] == ["about team/api", "about team/web"]


def test_denied_access_to_a_topic_names_the_action(fake_aws: FakeAws, sns: "SNSClient") -> None:
    fake_aws.behavior.faults.append(Fault("Publish", "AuthorizationError", status=403))
    status, code, words = publish_refusal(sns, Message="a")
    assert (status, code) == (403, "AuthorizationError")
    assert f"is not authorized to perform: SNS:Publish on resource: {TOPIC} because" in words
