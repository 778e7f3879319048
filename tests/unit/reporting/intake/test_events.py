"""Parses scan events and rejects everything else."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from ecr_scan_reporter.errors import MessageError
from ecr_scan_reporter.reporting.intake.events import ScanEvent, load, parse

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
        ({"HIGH": 0, "UNDEFINED": 2, "UNTRIAGED": 1}, {"HIGH": 0, "UNDEFINED": 2, "UNTRIAGED": 1}),
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
