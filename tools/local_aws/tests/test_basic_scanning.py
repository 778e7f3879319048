"""Basic scanning as ECR does it: what it refuses, how scans end, and what it tells EventBridge."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from local_aws.basic_scanning import (
    BasicScanning,
    EcrError,
    Fault,
    Image,
    Outcome,
    Scan,
    event_entry,
    scans_on_push,
)
from local_aws.findings import COMPLETE_DESCRIPTION, FAILED, UNSUPPORTED_OS, Finding

NOW = datetime(2026, 11, 23, 9, 14, tzinfo=UTC)
SECOND = timedelta(seconds=1)
DAY = timedelta(hours=24)
IMAGE = Image(
    "team-a/checkout",
    "sha256:7f5b",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.oci.image.config.v1+json",
)
INDEX = Image("team-a/checkout", "sha256:1e4c", "application/vnd.oci.image.index.v1+json")
CHART = Image("charts/app", "sha256:0a1b", IMAGE.media_type, "application/vnd.cncf.helm.config.v1+json")


def code_of_start(scanning: BasicScanning, image: Image, now: datetime = NOW, scan_type: str = "BASIC") -> str | None:
    try:
        scanning.start(image, now, scan_type)
    except EcrError as error:
        return error.code
    return None


def test_a_scan_is_in_progress_until_its_delay_is_over() -> None:
    scanning = BasicScanning(delay=SECOND)
    scanning.start(IMAGE, NOW)
    assert scanning.describe(IMAGE, NOW + SECOND / 2) is None
    scan = scanning.describe(IMAGE, NOW + SECOND)
    assert scan is not None
    assert (scan.outcome.status, scan.outcome.description) == ("COMPLETE", COMPLETE_DESCRIPTION)


def test_an_image_without_a_scan_has_no_findings_to_describe() -> None:
    with pytest.raises(EcrError, match="ScanNotFoundException"):
        BasicScanning().describe(IMAGE, NOW)


@given(st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=10)))
def test_an_image_is_scanned_once_in_24_hours_whatever_the_calendar_day(since: timedelta) -> None:
    scanning = BasicScanning()
    scanning.start(IMAGE, NOW)
    assert code_of_start(scanning, IMAGE, NOW + since) == ("LimitExceededException" if since < DAY else None)


def test_a_failed_scan_uses_up_the_24_hours_too() -> None:
    scanning = BasicScanning()
    scanning.plan(IMAGE, Outcome(FAILED, UNSUPPORTED_OS))
    scanning.start(IMAGE, NOW)
    assert code_of_start(scanning, IMAGE, NOW + SECOND) == "LimitExceededException"


def test_the_limit_of_an_image_has_the_message_that_tells_it_from_the_limit_of_the_account() -> None:
    scanning = BasicScanning()
    scanning.start(IMAGE, NOW)
    with pytest.raises(EcrError) as refusal:
        scanning.start(IMAGE, NOW)
    assert refusal.value.message == "The scan quota per image has been exceeded. Wait and try again."


def test_an_image_scanned_days_ago_has_a_result_and_is_scanned_again() -> None:
    scanning = BasicScanning()
    before = Outcome(findings=[Finding("CVE-2026-1", "HIGH").to_api()])
    scanning.plan(IMAGE, before, NOW - 8 * DAY)
    scan = scanning.describe(IMAGE, NOW)
    assert scan is not None
    assert scan.completes_at == NOW - 8 * DAY
    assert scanning.take_finished(NOW) == []
    assert code_of_start(scanning, IMAGE) is None


@pytest.mark.parametrize("image", [INDEX, CHART])
def test_what_is_no_single_image_cannot_be_scanned(image: Image) -> None:
    with pytest.raises(EcrError, match="UnsupportedImageTypeException.*cannot be scanned"):
        BasicScanning().start(image, NOW)


def test_an_archived_image_cannot_be_scanned() -> None:
    scanning = BasicScanning()
    scanning.archive(IMAGE)
    assert scanning.is_archived(*IMAGE.key)
    assert code_of_start(scanning, IMAGE) == "ImageArchivedException"


def test_manual_scans_are_disabled_in_a_registry_with_enhanced_scanning() -> None:
    with pytest.raises(EcrError, match="ValidationException: This feature is disabled"):
        BasicScanning().start(IMAGE, NOW, "ENHANCED")


def test_an_operation_is_throttled_as_often_as_asked_and_then_works() -> None:
    scanning = BasicScanning()
    scanning.fail_operation("StartImageScan", Fault("ThrottlingException", "Rate exceeded", times=2))
    codes = [code_of_start(scanning, IMAGE) for _ in range(3)]
    assert codes == ["ThrottlingException", "ThrottlingException", None]


def test_an_image_refuses_to_be_scanned_for_as_long_as_no_number_of_times_is_given() -> None:
    scanning = BasicScanning()
    scanning.fail_start(IMAGE, Fault("ServerException", "no"))
    assert {code_of_start(scanning, IMAGE) for _ in range(5)} == {"ServerException"}


def test_every_request_is_listed_with_its_refusal() -> None:
    scanning = BasicScanning()
    scanning.start(IMAGE, NOW)
    code_of_start(scanning, IMAGE, NOW + SECOND)
    assert [(request.digest, request.at, request.code) for request in scanning.requests] == [
        (IMAGE.digest, NOW, None),
        (IMAGE.digest, NOW + SECOND, "LimitExceededException"),
    ]


def test_a_finished_scan_is_told_of_once() -> None:
    scanning = BasicScanning(delay=SECOND)
    scan = scanning.start(IMAGE, NOW)
    assert scanning.next_completion() == NOW + SECOND
    assert scanning.take_finished(NOW) == []
    assert scanning.take_finished(NOW + SECOND) == [scan]
    assert scanning.take_finished(NOW + SECOND) == []
    assert scanning.next_completion() is None


def test_a_deleted_image_has_no_scan_and_no_event() -> None:
    scanning = BasicScanning()
    scanning.start(IMAGE, NOW)
    scanning.forget(IMAGE.repository, [IMAGE.digest])
    assert scanning.take_finished(NOW + DAY) == []
    assert code_of_start(scanning, IMAGE, NOW + SECOND) is None


def test_the_event_of_a_complete_scan_counts_only_severities_with_findings() -> None:
    findings = [Finding("CVE-1", "CRITICAL"), Finding("CVE-2", "LOW"), Finding("CVE-3", "LOW")]
    outcome = Outcome(findings=[finding.to_api() for finding in findings])
    entry = event_entry(Scan(IMAGE, NOW, NOW, outcome), "arn:aws:ecr:eu-west-1:123456789012:repository/x", ["4.2.0"])
    assert entry["Source"] == "aws.ecr"
    assert entry["DetailType"] == "ECR Image Scan"
    assert entry["Resources"] == ["arn:aws:ecr:eu-west-1:123456789012:repository/x"]
    assert json.loads(entry["Detail"]) == {
        "scan-status": "COMPLETE",
        "repository-name": "team-a/checkout",
        "finding-severity-counts": {"CRITICAL": 1, "LOW": 2},
        "image-digest": "sha256:7f5b",
        "image-tags": ["4.2.0"],
    }


def test_the_event_of_a_failed_scan_has_no_counts() -> None:
    entry = event_entry(Scan(IMAGE, NOW, NOW, Outcome(FAILED, UNSUPPORTED_OS)), "arn", [])
    assert json.loads(entry["Detail"]) == {
        "scan-status": "FAILED",
        "repository-name": "team-a/checkout",
        "image-digest": "sha256:7f5b",
        "image-tags": [],
    }


@pytest.mark.parametrize(
    ("wildcard", "repository", "matches"),
    [
        ("team", "my-team/app", True),
        ("team-*", "team-a/app", True),
        ("team-*", "my-team-a", False),
        ("*", "anything", True),
    ],
)
def test_scan_on_push_filters(wildcard: str, repository: str, matches: bool) -> None:
    filters = [{"filter": wildcard, "filterType": "WILDCARD"}]
    rules = [{"scanFrequency": "SCAN_ON_PUSH", "repositoryFilters": filters}]
    assert scans_on_push(repository, {"scanType": "BASIC", "rules": rules}) is matches
