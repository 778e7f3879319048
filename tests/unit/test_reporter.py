"""The reporter: which scans are told, and how the mail reads."""

import json
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from ecr_scan_reporter import reporter, scan_events
from ecr_scan_reporter.errors import MessageError
from ecr_scan_reporter.reports import report, worth_telling
from moto import mock_aws

AwsEvent = Callable[..., dict[str, Any]]
HIGH_OR_WORSE = {"CRITICAL": 1, "HIGH": 1}


def scan(event: dict[str, Any]) -> scan_events.ScanEvent:
    return scan_events.read(json.dumps(event))


def test_the_event_of_aws_is_read(aws_event: AwsEvent) -> None:
    read = scan(aws_event("ecr-image-scan-complete"))
    assert (read.account, read.region, read.repository) == ("123456789012", "us-east-1", "my-repository-name")
    assert read.digest == "sha256:7f5b2640fe6fb4f46592dfd3410c4a79dac4f89e4782432e0378abcd1234"
    assert read.tags == ()
    assert read.time.isoformat() == "2019-10-29T02:36:48+00:00"
    assert read.failed is False
    assert read.counts == {"CRITICAL": 10, "MEDIUM": 9}


def test_a_failed_scan_has_no_counts(aws_event: AwsEvent) -> None:
    read = scan(aws_event("ecr-image-scan-failed", image_tags=None))
    assert read.failed is True
    assert (read.counts, read.tags) == ({}, ())


@pytest.mark.parametrize(
    "change",
    [
        {"scan_status": "PENDING"},
        {"scan_status": None},
        {"repository_name": None},
        {"image_digest": ""},
        {"finding_severity_counts": {"HIGH": "many"}},
        {"finding_severity_counts": [1]},
    ],
)
def test_what_is_no_scan_event_is_refused(aws_event: AwsEvent, change: dict[str, Any]) -> None:
    with pytest.raises(MessageError):
        scan(aws_event("ecr-image-scan-complete", **change))


@pytest.mark.parametrize("body", ["", "hello", "null", "[]", "{}", '{"detail-type": "ECR Image Action", "detail": {}}'])
def test_what_is_no_event_is_refused(body: str) -> None:
    with pytest.raises(MessageError):
        scan_events.read(body)


@pytest.mark.parametrize(
    ("counts", "told"),
    [
        ({"CRITICAL": 1}, True),
        ({"HIGH": 1}, True),
        ({"CRITICAL": 0, "HIGH": 0, "MEDIUM": 99}, False),
        ({"MEDIUM": 99, "TOTAL": 99, "UNTRIAGED": 9}, False),
        ({}, False),
        (None, False),
    ],
)
def test_a_scan_is_told_when_a_threshold_is_reached(aws_event: AwsEvent, counts: Any, told: bool) -> None:
    event = scan(aws_event("ecr-image-scan-complete", finding_severity_counts=counts))
    assert worth_telling(event, HIGH_OR_WORSE, notify_on_scan_failure=True) is told


def test_a_threshold_above_one_counts(aws_event: AwsEvent) -> None:
    event = scan(aws_event("ecr-image-scan-complete"))
    assert worth_telling(event, {"MEDIUM": 9}, notify_on_scan_failure=True)
    assert not worth_telling(event, {"MEDIUM": 10}, notify_on_scan_failure=True)


@pytest.mark.parametrize("wanted", [True, False])
def test_a_failed_scan_is_told_where_that_is_wanted(aws_event: AwsEvent, wanted: bool) -> None:
    assert worth_telling(scan(aws_event("ecr-image-scan-failed")), HIGH_OR_WORSE, wanted) is wanted


def test_the_mail_says_what_and_where(aws_event: AwsEvent) -> None:
    event = scan(aws_event("ecr-image-scan-complete", image_tags=["4.2.0", "latest"], repository_name="team-a/app"))
    mail = report(event, partition="aws", name="platform")
    assert mail.subject == "[ECR] 10 critical, 9 medium: team-a/app:4.2.0"
    for words in ("team-a/app:4.2.0", "team-a/app:latest", event.digest, "123456789012", "us-east-1", "10 critical"):
        assert words in mail.text
    assert (
        "https://us-east-1.console.aws.amazon.com/ecr/repositories/private/123456789012/team-a/app/_/image/"
        f"{event.digest.replace(':', '%3A')}/scan-results?region=us-east-1"
    ) in mail.text


@pytest.mark.parametrize(
    ("partition", "host"), [("aws-cn", "console.amazonaws.cn"), ("aws-us-gov", "console.amazonaws-us-gov.com")]
)
def test_the_link_leads_to_the_console_of_the_partition(aws_event: AwsEvent, partition: str, host: str) -> None:
    assert host in report(scan(aws_event("ecr-image-scan-complete")), partition, "platform").text


def test_a_partition_without_a_known_console_has_no_link(aws_event: AwsEvent) -> None:
    assert "https://" not in report(scan(aws_event("ecr-image-scan-complete")), "aws-iso", "platform").text


@pytest.mark.parametrize("name", ["a" * 256, "evil\r\nBcc: x@example.com", "日本/語", "a b " * 60])
def test_the_subject_is_printable_ascii_below_100_whatever_the_repository_is_called(
    aws_event: AwsEvent, name: str
) -> None:
    mail = report(scan(aws_event("ecr-image-scan-failed", repository_name=name)), "aws", "platform")
    assert 0 < len(mail.subject) < 100
    assert mail.subject.isascii()
    assert mail.subject.isprintable()
    assert mail.subject.startswith("[ECR] scan failed: ")
    assert "\nBcc" not in mail.text


@pytest.fixture
def inbox(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A topic with a queue subscribed to it, and the reporter set up for it; calling it reads the messages."""
    with mock_aws():
        topic = boto3.client("sns").create_topic(Name="reports")["TopicArn"]
        queue = boto3.resource("sqs").create_queue(QueueName="inbox")
        boto3.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue.attributes["QueueArn"])
        for name, value in {
            "REPORTS_TOPIC_ARN": topic,
            "REPOSITORIES_FILTER_REGEXP": "^(?!sandbox/)",
            "SEVERITY_THRESHOLDS": '{"CRITICAL":1,"HIGH":1}',
            "NOTIFY_ON_SCAN_FAILURE": "true",
            "REPORTER_NAME": "platform",
        }.items():
            monkeypatch.setenv(name, value)
        reporter._environment.cache_clear()
        yield lambda: [json.loads(message.body) for message in queue.receive_messages(MaxNumberOfMessages=10)]
        reporter._environment.cache_clear()


def test_each_scan_that_is_worth_telling_is_one_message(aws_event: AwsEvent, inbox: Any) -> None:
    events = [
        aws_event("ecr-image-scan-complete", repository_name="team-a/app"),
        aws_event("ecr-image-scan-complete", finding_severity_counts={"LOW": 3}),
        aws_event("ecr-image-scan-complete", repository_name="sandbox/app"),
        aws_event("ecr-image-scan-failed", repository_name="team-b/app"),
    ]
    bodies = [*map(json.dumps, events), "poison"]
    records = [{"messageId": str(index), "body": body} for index, body in enumerate(bodies)]
    answer = reporter.handler({"Records": records}, None)  # type: ignore[typeddict-item]
    assert answer == {"batchItemFailures": [{"itemIdentifier": "4"}]}
    assert sorted(message["Subject"] for message in inbox()) == [
        "[ECR] 10 critical, 9 medium: team-a/app@sha256:7f5b2640fe6f",
        "[ECR] scan failed: team-b/app@sha256:7f5b2640fe6f",
    ]
