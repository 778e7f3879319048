"""What is read from scan events, and what is refused."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from ecr_scan_reporter import scan_events
from ecr_scan_reporter.errors import MessageError

AwsEvent = Callable[..., dict[str, Any]]


def scan(event: dict[str, Any]) -> scan_events.ScanEvent:
    return scan_events.read(json.dumps(event))


def test_the_event_of_ecr_is_read(aws_event: AwsEvent) -> None:
    read = scan(aws_event("ecr-image-scan-complete"))
    assert (read.account, read.region, read.repository) == ("123456789012", "us-east-1", "my-repository-name")
    assert read.digest == "sha256:7f5b2640fe6fb4f46592dfd3410c4a79dac4f89e4782432e0378abcd1234"
    assert (read.tags, read.failed, read.counts) == ((), False, {"CRITICAL": 10, "MEDIUM": 9})
    assert read.time.isoformat() == "2019-10-29T02:36:48+00:00"


def test_the_event_of_inspector_is_read_without_its_arn_and_its_total(aws_event: AwsEvent) -> None:
    read = scan(aws_event("inspector2-scan"))
    assert (read.region, read.repository) == ("us-east-2", "amazon/amazon-ecs-sample")
    assert (read.tags, read.failed) == (("latest",), False)
    assert read.counts == {"CRITICAL": 7, "HIGH": 61, "MEDIUM": 62}


@pytest.mark.parametrize("status", ["SCAN_COMPLETE", "RESCAN_OF_TOMORROW"])
def test_inspectors_further_scans_are_scans(aws_event: AwsEvent, status: str) -> None:
    assert scan(aws_event("inspector2-scan", scan_status=status)).failed is False


def test_a_failed_scan_has_no_counts(aws_event: AwsEvent) -> None:
    read = scan(aws_event("ecr-image-scan-failed", image_tags=None))
    assert (read.failed, read.counts, read.tags) == (True, {}, ())


@pytest.mark.parametrize(
    ("counts", "read"),
    [(None, {}), ({"HIGH": 0, "UNDEFINED": 2, "UNTRIAGED": 1}, {"HIGH": 0, "UNDEFINED": 2, "UNTRIAGED": 1})],
)
def test_counts_may_be_missing_zero_or_of_any_severity(aws_event: AwsEvent, counts: Any, read: Any) -> None:
    assert scan(aws_event("ecr-image-scan-complete", finding_severity_counts=counts)).counts == read


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
    with pytest.raises(MessageError, match="accepted: "):
        scan(aws_event("ecr-image-scan-complete", **change))


@pytest.mark.parametrize(
    "body",
    ["", "hello", "null", "[]", "{}", '{"detail-type": "ECR Image Action", "detail": {"scan-status": "COMPLETE"}}'],
)
def test_what_is_no_event_is_refused(body: str) -> None:
    with pytest.raises(MessageError, match="accepted: "):
        scan_events.read(body)
