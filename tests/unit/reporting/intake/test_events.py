"""Parses scan events, rejects everything else, and reduces a batch to the events that count for each image."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from ecr_scan_reporter.errors import MessageError
from ecr_scan_reporter.models.images import ImageId
from ecr_scan_reporter.models.scans import ENHANCED
from ecr_scan_reporter.reporting.intake.events import ReceivedEvent, ScanEvent, latest_per_image, load, parse

AwsEvent = Callable[..., dict[str, Any]]


def parsed(event: dict[str, Any]) -> ScanEvent:
    return parse(load(json.dumps(event)))


def test_event_of_ecr(aws_event: AwsEvent) -> None:
    event = parsed(aws_event("ecr-image-scan-complete"))
    assert event.image == (
        "123456789012",
        "us-east-1",
        "my-repository-name",
        "sha256:7f5b2640fe6fb4f46592dfd3410c4a79dac4f89e4782432e0378abcd1234",
    )
    assert (event.tags, event.failed, event.counts) == ((), False, {"CRITICAL": 10, "MEDIUM": 9})
    assert event.time.isoformat() == "2019-10-29T02:36:48+00:00"


def test_event_of_inspector_loses_its_arn_and_its_total(aws_event: AwsEvent) -> None:
    event = parsed(aws_event("inspector2-scan"))
    assert (event.image.region, event.image.repository) == ("us-east-2", "amazon/amazon-ecs-sample")
    assert (event.tags, event.failed) == (("latest",), False)
    assert event.counts == {"CRITICAL": 7, "HIGH": 61, "MEDIUM": 62}


@pytest.mark.parametrize("status", ["SCAN_COMPLETE", "UNKNOWN_STATUS"])
def test_inspector_rescan_is_a_scan(aws_event: AwsEvent, status: str) -> None:
    assert parsed(aws_event("inspector2-scan", scan_status=status)).failed is False


def test_failed_scan_has_no_counts(aws_event: AwsEvent) -> None:
    event = parsed(aws_event("ecr-image-scan-failed", image_tags=None))
    assert (event.failed, event.counts, event.tags) == (True, None, ())


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        (None, None),
        ({}, {}),
        ({"HIGH": 2.0}, {"HIGH": 2}),
        ({"HIGH": 0, "UNDEFINED": 2, "UNTRIAGED": 1}, {"UNDEFINED": 2, "UNTRIAGED": 1}),
    ],
)
def test_counts_may_be_missing_zero_or_of_any_severity(aws_event: AwsEvent, counts: Any, expected: Any) -> None:
    assert parsed(aws_event("ecr-image-scan-complete", finding_severity_counts=counts)).counts == expected


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"scan_status": "PENDING"}, "the event is 'ECR Image Scan' with 'PENDING'; expected 'ECR Image Scan'"),
        ({"scan_status": None}, "scan-status is None; expected a non-empty string"),
        ({"repository_name": None}, "repository-name is None; expected"),
        ({"repository_name": 7}, "repository-name is 7; expected"),
        ({"repository_name": "arn:aws:ecr:eu-west-1:1:repository/"}, "repository-name is 'arn.*'; expected a name"),
        ({"image_digest": ""}, "image-digest is ''; expected"),
        ({"image_tags": "latest"}, "image-tags is 'latest'; expected a list of strings"),
        ({"image_tags": [1]}, r"image-tags is \[1\]; expected a list of strings"),
        ({"finding_severity_counts": {"HIGH": "many"}}, "finding-severity-counts is .*; expected whole numbers"),
        ({"finding_severity_counts": {"HIGH": -1}}, "finding-severity-counts is .*; expected whole numbers"),
        ({"finding_severity_counts": {"HIGH": 1.5}}, "finding-severity-counts is .*; expected whole numbers"),
        ({"finding_severity_counts": {"HIGH": True}}, "finding-severity-counts is .*; expected whole numbers"),
        ({"finding_severity_counts": {"HIGH": None}}, "finding-severity-counts is .*; expected whole numbers"),
        ({"finding_severity_counts": [1]}, "finding-severity-counts is .*; expected whole numbers"),
    ],
)
def test_invalid_field_is_named(aws_event: AwsEvent, change: dict[str, Any], complaint: str) -> None:
    with pytest.raises(MessageError, match=complaint):
        parsed(aws_event("ecr-image-scan-complete", **change))


IMAGE_ARN = "arn:aws:ecr:eu-west-1:123456789012:repository/team-a/web/sha256:5d1f"
INSTANCE = {"type": "AWS_EC2_INSTANCE", "id": "i-0123456789abcdef0"}
FUNCTION = {"type": "AWS_LAMBDA_FUNCTION", "id": "arn:aws:lambda:eu-west-1:123456789012:function:f"}


def resource(arn: object = IMAGE_ARN) -> dict[str, object]:
    return {"type": "AWS_ECR_CONTAINER_IMAGE", "id": arn, "partition": "N/A", "region": "N/A"}


def test_event_of_a_finding_names_its_image_and_says_nothing_else(aws_event: AwsEvent) -> None:
    event = parsed(aws_event("inspector2-finding"))
    digest = "sha256:5d1f0a9a0f3f4f3b8f0f2c6f1f6b7a0c9e8d7c6b5a49382716050f4e3d2c1b0a"
    assert event.image == ("123456789012", "eu-west-1", "team-a/web", digest)
    assert (event.is_look, event.failed, event.counts, event.scanner) == (True, False, None, ENHANCED)
    # Its tags and its status may be out of date.
    assert event.tags == ()
    assert event.time.isoformat() == "2023-02-08T11:20:31+00:00"
    for status in ("CLOSED", "SUPPRESSED", "no such status", None):
        assert parsed(aws_event("inspector2-finding", status=status)) == event


@pytest.mark.parametrize("arn", [IMAGE_ARN, IMAGE_ARN.replace("arn:aws:", "arn:aws-cn:")])
def test_image_of_a_finding_is_that_of_the_arn_and_not_of_the_envelope(aws_event: AwsEvent, arn: str) -> None:
    event = aws_event("inspector2-finding", resources=[resource(arn)]) | {"account": "999999999999", "region": "N/A"}
    assert parsed(event).image == ("123456789012", "eu-west-1", "team-a/web", "sha256:5d1f")


@pytest.mark.parametrize(
    "resources",
    [
        [INSTANCE, resource()],
        [FUNCTION, resource(), INSTANCE],
        [None, 7, "arn", [resource()], {}, {"type": None}, resource()],
        # Inspector documents one image for each finding.
        [resource(), resource(IMAGE_ARN.replace("web", "api"))],
    ],
)
def test_first_image_among_the_resources_of_a_finding_counts(aws_event: AwsEvent, resources: list[object]) -> None:
    assert parsed(aws_event("inspector2-finding", resources=resources)).image.repository == "team-a/web"


@pytest.mark.parametrize(
    "resources", [None, [], "arn", 7, {}, resource(), [INSTANCE], [FUNCTION], [None], [{"id": IMAGE_ARN}]]
)
def test_finding_of_no_image_is_rejected(aws_event: AwsEvent, resources: object) -> None:
    with pytest.raises(MessageError, match="resources is .*; expected one of the type AWS_ECR_CONTAINER_IMAGE"):
        parsed(aws_event("inspector2-finding", resources=resources))


@pytest.mark.parametrize(
    ("arn", "complaint"),
    [
        (IMAGE_ARN.rpartition("/")[0], "resources.id is 'arn.*'; expected the ARN of an image, with its digest"),
        (IMAGE_ARN.replace("sha256:", "latest:"), "resources.id is .*; expected the ARN of an image, with its digest"),
        (IMAGE_ARN.replace("ecr", "ecs"), "resources.id is .*; expected"),
        (IMAGE_ARN.replace("eu-west-1", "N/A"), "resources.id is .*; expected"),
        (IMAGE_ARN.replace("123456789012", "N/A"), "resources.id is .*; expected"),
        ("sha256:5d1f", "resources.id is .*; expected"),
        ("", "resources.id is ''; expected"),
        (None, "resources.id is .*; expected"),
        (7, "resources.id is .*; expected"),
    ],
)
def test_finding_whose_resource_is_not_the_arn_of_an_image_is_rejected(
    aws_event: AwsEvent, arn: object, complaint: str
) -> None:
    with pytest.raises(MessageError, match=complaint):
        parsed(aws_event("inspector2-finding", resources=[resource(arn)]))


@pytest.mark.parametrize("time", ["Feb 8, 2023, 11:20:31 AM", "", None])
def test_finding_without_a_time_is_rejected(aws_event: AwsEvent, time: object) -> None:
    with pytest.raises(MessageError, match="time is .*; expected"):
        parsed({**aws_event("inspector2-finding"), "time": time})


def test_finding_of_another_resource_is_rejected(aws_event: AwsEvent) -> None:
    with pytest.raises(MessageError, match="expected one of the type AWS_ECR_CONTAINER_IMAGE"):
        parsed(aws_event("inspector2-finding-of-ec2"))


OTHERS = {"account": "999999999999", "region": "ap-southeast-1"}
SHA = "sha256:36c7b282abd0186e01419f2e58743e1bf635808231049bbc9d77e5EXAMPLE"


@pytest.mark.parametrize(
    ("arn", "expected"),
    [
        ("arn:aws:ecr:us-east-2:123456789012:repository/team/app", ("123456789012", "us-east-2", "team/app")),
        (f"arn:aws:ecr:us-east-2:123456789012:repository/team/app/{SHA}", ("123456789012", "us-east-2", "team/app")),
        ("arn:aws-cn:ecr:cn-north-1:123456789012:repository/a", ("123456789012", "cn-north-1", "a")),
        ("arn:aws-us-gov:ecr:us-gov-west-1:000000000000:repository/a", ("000000000000", "us-gov-west-1", "a")),
        ("arn:aws-iso-b:ecr:us-isob-east-1:000000000000:repository/a", ("000000000000", "us-isob-east-1", "a")),
    ],
)
def test_arn_says_whose_image_it_is_and_not_the_envelope(
    aws_event: AwsEvent, arn: str, expected: tuple[str, str, str]
) -> None:
    name = expected[2]
    for envelope in (OTHERS, {"account": None, "region": "N/A"}):
        inspector = parsed({**aws_event("inspector2-scan", repository_name=arn), **envelope, "resources": None})
        assert inspector.image[:3] == expected
        ecr = parsed({**aws_event("ecr-image-scan-complete", repository_name=name), **envelope, "resources": [arn]})
        assert ecr.image[:3] == expected
    # Inspector's name counts more than its resources.
    both = {**aws_event("inspector2-scan", repository_name=arn), "resources": ["arn:aws:s3:::bucket"]}
    assert parsed(both).image[:3] == expected


def test_envelope_says_whose_image_it_is_if_there_is_no_arn(aws_event: AwsEvent) -> None:
    changes: list[dict[str, Any]] = [{"resources": []}, {"resources": None}]
    for without in changes:
        event = parsed({**aws_event("ecr-image-scan-complete"), **OTHERS, **without})
        assert event.image[:3] == ("999999999999", "ap-southeast-1", "my-repository-name")


BAD_ARNS = [
    "arn:aws:ecr:eu-west-1:1:repository/app",
    "arn:aws:ecr:eu-west-1:123456789012:repository/",
    "arn:aws:ecr:N/A:123456789012:repository/app",
    "arn:aws:ecr::123456789012:repository/app",
    "arn:aws:ecr:eu-west-1:N/A:repository/app",
    "arn:aws:ecs:eu-west-1:123456789012:repository/app",
    "arn:N/A:ecr:eu-west-1:123456789012:repository/app",
    "arn:aws:ecr:eu-west-1:123456789012:repository/a\nb",
    "arn:",
]


@pytest.mark.parametrize("arn", BAD_ARNS)
def test_bad_arn_is_named(aws_event: AwsEvent, arn: str) -> None:
    with pytest.raises(MessageError, match="repository-name is 'arn:.*; expected a name, or the ARN of a repository"):
        parsed(aws_event("inspector2-scan", repository_name=arn))


@pytest.mark.parametrize("resources", [*([arn] for arn in BAD_ARNS), ["app"], [7], [None], "arn", {"a": 1}, 7])
def test_bad_resources_are_named(aws_event: AwsEvent, resources: Any) -> None:
    with pytest.raises(MessageError, match="resources is .*; expected"):
        parsed({**aws_event("ecr-image-scan-complete"), "resources": resources})


@pytest.mark.parametrize(
    ("envelope", "complaint"),
    [
        ({"account": "1"}, "account is '1'; expected"),
        ({"account": "a/b"}, "account is 'a/b'; expected"),
        ({"account": None}, "account is None; expected"),
        ({"region": "N/A"}, "region is 'N/A'; expected"),
        ({"region": ""}, "region is ''; expected"),
    ],
)
def test_envelope_that_names_no_registry_is_named(
    aws_event: AwsEvent, envelope: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(MessageError, match=complaint):
        parsed({**aws_event("ecr-image-scan-complete"), "resources": [], **envelope})


@pytest.mark.parametrize("time", ["2026-11-23T09:14:00", "yesterday", "", None, 7])
def test_time_without_an_offset_is_rejected(aws_event: AwsEvent, time: Any) -> None:
    with pytest.raises(MessageError, match="time is .*; expected"):
        parsed({**aws_event("ecr-image-scan-complete"), "time": time})


HOSTILE_COUNTS = ["1e999", "-1e999", "9" * 4000, "9" * 5000, "NaN", "1e10"]


@pytest.mark.parametrize("number", HOSTILE_COUNTS)
def test_count_that_is_no_number_of_findings_is_rejected(aws_event: AwsEvent, number: str) -> None:
    body = json.dumps(aws_event("ecr-image-scan-complete", finding_severity_counts={"HIGH": 12345}))
    with pytest.raises(MessageError, match="expected"):
        parse(body.replace("12345", number))


@pytest.mark.parametrize(
    "body",
    [
        "",
        "hello",
        "null",
        "[]",
        "{}",
        '{"detail": null}',
        "[" * 100_000,
        '{"a":' * 100_000,
        '{"detail-type": "ECR Image Action", "detail": {"scan-status": "COMPLETE"}}',
    ],
)
def test_other_message_is_rejected(body: str) -> None:
    with pytest.raises(MessageError, match="expected "):
        parse(load(body))


def test_lone_surrogates_are_replaced(aws_event: AwsEvent) -> None:
    body = json.dumps(aws_event("ecr-image-scan-complete", image_tags=["v\ud8001"], repository_name="a\udfff"))
    event = parse(load(body))
    assert (event.tags, event.image.repository) == (("v?1",), "a?")


NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
IMAGE = ImageId("123456789012", "eu-west-1", "app", "sha256:0")


def event_at(
    minute: int, *, failed: bool = False, image: ImageId = IMAGE, is_look: bool = False, ids: tuple[str, ...] = ()
) -> ScanEvent:
    return ScanEvent(image, (), NOW + timedelta(minutes=minute), failed, None, is_look=is_look, ids=ids)


def latest(*events: ScanEvent) -> tuple[ScanEvent, ...]:
    """Return which events of one image count, in whatever order they come."""
    answers = {
        latest_per_image(ReceivedEvent(str(n), 1, event) for n, event in enumerate(order))[0].events
        for order in (events, events[::-1])
    }
    [answer] = answers
    return answer


def test_last_scan_counts() -> None:
    assert latest(event_at(1), event_at(3), event_at(2)) == (event_at(3),)
    assert latest(event_at(1, failed=True), event_at(2, failed=True)) == (event_at(2, failed=True),)


def test_failed_scan_counts_if_it_is_the_last_one() -> None:
    assert latest(event_at(1), event_at(2, failed=True)) == (event_at(1), event_at(2, failed=True))
    assert latest(event_at(1, failed=True), event_at(2)) == (event_at(2),)
    # Of two in one second, nobody knows which is the last one.
    assert latest(event_at(1, failed=True), event_at(1)) == (event_at(1), event_at(1, failed=True))


def test_event_has_the_ids_of_those_that_it_stands_for() -> None:
    failed, complete = event_at(1, failed=True, ids=("a",)), [event_at(minute, ids=(str(minute),)) for minute in (2, 3)]
    received = [ReceivedEvent("1", 1, event) for event in (failed, *complete, complete[0])]
    [event] = latest_per_image(received)[0].events
    assert (event.time, set(event.ids)) == (complete[1].time, {"a", "2", "3"})


def test_event_of_a_finding_counts_if_there_is_no_complete_scan() -> None:
    look = event_at(3, is_look=True)
    assert latest(look, event_at(1, is_look=True)) == (look,)
    # The findings are read once for all of them, and a scan says more.
    assert latest(look, event_at(1)) == (event_at(1),)
    assert latest(look, event_at(1), event_at(2)) == (event_at(2),)
    # A scan that failed says nothing of findings.
    assert latest(look, event_at(4, failed=True)) == (look, event_at(4, failed=True))
    assert latest(look, event_at(1), event_at(4, failed=True)) == (event_at(1), event_at(4, failed=True))


def test_thousands_of_finding_events_are_one_look_and_no_repetition() -> None:
    received = [ReceivedEvent(str(n), 1, event_at(n, is_look=True)) for n in range(1000)]
    [image] = latest_per_image(received)
    assert image.events == (event_at(999, is_look=True),)
    assert (len(image.message_ids), image.scans, image.repeated) == (1000, 0, False)


def test_each_image_has_its_own_events() -> None:
    others = [
        IMAGE._replace(digest="sha256:1"),
        IMAGE._replace(repository="api"),
        IMAGE._replace(account="210987654321"),
        IMAGE._replace(region="us-east-1"),
    ]
    events = [event_at(number, image=image) for number, image in enumerate((IMAGE, *others))]
    images = latest_per_image(ReceivedEvent(str(n), 1, event) for n, event in enumerate(events))
    assert [image.image for image in images] == [IMAGE, *others]
    assert [image.events for image in images] == [(event,) for event in events]
    assert [image.message_ids for image in images] == [(str(n),) for n in range(5)]


def test_image_is_done_when_all_its_messages_are() -> None:
    received = [
        ReceivedEvent("a", 1, event_at(2)),
        ReceivedEvent("b", 3, event_at(1)),
        ReceivedEvent("c", 2, event_at(2)),
    ]
    [image] = latest_per_image(received)
    assert (image.events, image.message_ids, image.receives) == ((event_at(2),), ("a", "b", "c"), 3)


def test_message_may_have_been_processed_before() -> None:
    def repeated(*received: ReceivedEvent) -> bool:
        return latest_per_image(received)[0].repeated

    assert not repeated(ReceivedEvent("a", 1, event_at(1)))
    assert not repeated(ReceivedEvent("a", 1, event_at(1)), ReceivedEvent("b", 1, event_at(2, failed=True)))
    assert repeated(ReceivedEvent("a", 2, event_at(1)))
    # An earlier invocation may have processed the message whose event does not count here.
    assert repeated(ReceivedEvent("a", 1, event_at(1)), ReceivedEvent("b", 1, event_at(2)))
    # The event of a finding is not that of a scan.
    look = ReceivedEvent("c", 1, event_at(3, is_look=True))
    assert not repeated(ReceivedEvent("a", 1, event_at(1)), look)
    assert not repeated(look, ReceivedEvent("b", 1, event_at(4, failed=True)))
    assert repeated(ReceivedEvent("a", 1, event_at(1)), ReceivedEvent("b", 1, event_at(2)), look)
    assert repeated(look._replace(receives=2))
