"""Scans of the ECR model: results, limits, rejections, events and the control API."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from local_aws.fake_ecr import (
    DOCKER_INDEX,
    FAILED,
    OCI_INDEX,
    UNSUPPORTED_OS,
    AwsError,
    EnhancedFinding,
    FakeImage,
    FakeRegistry,
    FakeRepository,
    FakeScan,
    Fault,
    control,
    digest_of,
    finding,
    plain_images,
)

Call = Callable[..., dict[str, Any]]
Error = Callable[..., tuple[str, str]]

DIGEST = digest_of("web")
DAY = timedelta(hours=24)
PER_IMAGE_LIMIT = ("LimitExceededException", "The scan quota per image has been exceeded. Wait and try again.")


def test_image_without_a_scan_has_no_findings(error_of: Error) -> None:
    code, message = error_of("DescribeImageScanFindings")
    assert code == "ScanNotFoundException"
    assert message.startswith("Image scan does not exist for the image with")


def test_findings_have_pages_and_each_page_has_all_counts(repository: FakeRepository, clock: Any, call: Call) -> None:
    findings = [finding(f"CVE-{number}", "HIGH" if number % 2 else "LOW") for number in range(250)]
    repository.scans[DIGEST] = FakeScan(completed_at=clock.now, findings=findings)
    first = call("DescribeImageScanFindings", maxResults=200)
    second = call("DescribeImageScanFindings", maxResults=200, nextToken=first["nextToken"])
    pages = [page["imageScanFindings"] for page in (first, second)]
    assert [*pages[0]["findings"], *pages[1]["findings"]] == findings
    assert [page["findingSeverityCounts"] for page in pages] == [{"LOW": 125, "HIGH": 125}] * 2
    assert pages[0]["imageScanCompletedAt"] == clock.now
    assert "nextToken" not in second


def test_page_of_enhanced_findings_has_at_most_100(repository: FakeRepository, clock: Any, call: Call) -> None:
    findings = [{"severity": "UNTRIAGED", "fixAvailable": "YES", "lastObservedAt": clock.now} for _ in range(101)]
    repository.scans[DIGEST] = FakeScan("ACTIVE", clock.now, enhanced_findings=findings)
    answer = call("DescribeImageScanFindings", maxResults=1000)
    assert answer["imageScanStatus"] == {"status": "ACTIVE", "description": "Continuous scan is selected for image."}
    assert answer["imageScanFindings"]["enhancedFindings"] == findings[:100]
    assert "nextToken" in answer


def test_scan_is_in_progress_until_it_ends(
    registry: FakeRegistry, repository: FakeRepository, clock: Any, call: Call
) -> None:
    repository.scan_results[DIGEST] = FakeScan(findings=[finding("CVE-1", "HIGH")])
    registry.scan_seconds = 30
    answer = call("StartImageScan", imageId={"imageTag": "1.0"})
    assert answer["imageId"] == {"imageDigest": DIGEST, "imageTag": "1.0"}
    assert answer["imageScanStatus"]["status"] == "IN_PROGRESS"
    clock.advance(seconds=29)
    running = call("DescribeImageScanFindings")
    assert running["imageScanStatus"]["status"] == "IN_PROGRESS"
    assert "imageScanFindings" not in running
    clock.advance(seconds=1)
    done = call("DescribeImageScanFindings")
    assert done["imageScanStatus"] == {"status": "COMPLETE", "description": "The scan was completed."}
    assert done["imageScanFindings"]["imageScanCompletedAt"] == clock.now
    assert done["imageScanFindings"]["findingSeverityCounts"] == {"HIGH": 1}


def test_scan_without_a_duration_stays_in_progress(registry: FakeRegistry, clock: Any, call: Call) -> None:
    registry.scan_seconds = None
    call("StartImageScan")
    clock.advance(days=30)
    assert call("DescribeImageScanFindings")["imageScanStatus"]["status"] == "IN_PROGRESS"


def test_next_scan_repeats_the_findings_of_the_last_one(repository: FakeRepository, clock: Any, call: Call) -> None:
    findings = [finding("CVE-1", "LOW")]
    repository.scans[DIGEST] = FakeScan("FAILED", clock.now - 8 * DAY, "No space.", findings)
    call("StartImageScan")
    answer = call("DescribeImageScanFindings")
    assert answer["imageScanStatus"]["status"] == "COMPLETE"
    assert answer["imageScanFindings"]["findings"] == findings


def test_failed_scan_has_no_result(repository: FakeRepository, call: Call) -> None:
    repository.scan_results[DIGEST] = FakeScan(FAILED, description=UNSUPPORTED_OS)
    call("StartImageScan")
    answer = call("DescribeImageScanFindings")
    assert answer["imageScanStatus"] == {"status": FAILED, "description": UNSUPPORTED_OS}
    assert "imageScanFindings" not in answer


def test_describe_images_shows_a_summary_only_if_enabled(
    registry: FakeRegistry, repository: FakeRepository, clock: Any, call: Call
) -> None:
    repository.scans[DIGEST] = FakeScan(completed_at=clock.now, findings=[finding("CVE-1", "LOW")])
    assert "imageScanFindingsSummary" not in call("DescribeImages")["imageDetails"][0]
    registry.summaries = True
    [detail] = call("DescribeImages")["imageDetails"]
    assert detail["imageScanStatus"]["status"] == "COMPLETE"
    assert detail["imageScanFindingsSummary"]["imageScanCompletedAt"] == clock.now
    assert detail["imageScanFindingsSummary"]["findingSeverityCounts"] == {"LOW": 1}


@given(st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=10)), st.sampled_from(["COMPLETE", FAILED]))
def test_image_is_scanned_once_in_24_hours(elapsed: timedelta, status: str) -> None:
    now = datetime(2026, 11, 23, 9, 14, tzinfo=UTC)
    registry = FakeRegistry(clock=lambda: now)
    repository = registry.add("app", [FakeImage(DIGEST)])
    repository.scan_results[DIGEST] = FakeScan(status)
    registry.start_scan(repository, repository.images[0])
    now += elapsed
    if elapsed >= DAY:
        registry.start_scan(repository, repository.images[0])
    else:
        with pytest.raises(AwsError) as caught:
            registry.start_scan(repository, repository.images[0])
        assert (caught.value.code, caught.value.message) == PER_IMAGE_LIMIT


@pytest.mark.parametrize(
    ("scan", "error"),
    [
        ({"completed_at": -timedelta(hours=1)}, PER_IMAGE_LIMIT),
        ({"status": "IN_PROGRESS", "started_at": -timedelta(hours=23)}, PER_IMAGE_LIMIT),
        ({"status": "IN_PROGRESS", "started_at": -timedelta(hours=24)}, None),
        ({"status": "FAILED"}, None),
    ],
)
def test_existing_scan_counts_from_its_start(
    repository: FakeRepository, clock: Any, call: Call, error_of: Error, scan: dict[str, Any], error: Any
) -> None:
    times = {name: clock.now + value for name, value in scan.items() if name != "status"}
    repository.scans[DIGEST] = FakeScan(**{**scan, **times})
    if error:
        assert error_of("StartImageScan") == error
    else:
        assert call("StartImageScan")["imageScanStatus"]["status"] == "IN_PROGRESS"


def test_account_has_a_daily_quota_of_its_own(
    registry: FakeRegistry, repository: FakeRepository, clock: Any, call: Call, error_of: Error
) -> None:
    ids = [{"imageDigest": image.digest} for image in plain_images(3)]
    for image in plain_images(3):
        repository.put(image)
    registry.account_scan_quota = 2
    for image_id in ids[:2]:
        call("StartImageScan", imageId=image_id)
    code, message = error_of("StartImageScan", imageId=ids[2])
    assert code == "LimitExceededException"
    assert "per image" not in message
    clock.advance(hours=24)
    call("StartImageScan", imageId=ids[2])


@pytest.mark.parametrize(
    ("image", "media_type"),
    [
        (FakeImage(DIGEST, media_type=OCI_INDEX), OCI_INDEX),
        (FakeImage(DIGEST, media_type=DOCKER_INDEX), DOCKER_INDEX),
        (FakeImage(DIGEST, artifact_media_type="application/vnd.cncf.helm.config.v1+json"), "vnd.cncf.helm"),
    ],
)
def test_indexes_and_artifacts_cannot_be_scanned(
    repository: FakeRepository, error_of: Error, image: FakeImage, media_type: str
) -> None:
    repository.put(image)
    code, message = error_of("StartImageScan")
    assert code == "UnsupportedImageTypeException"
    assert media_type in message
    assert message.endswith("' cannot be scanned. For more information, see the Amazon ECR documentation.")


def test_archived_image_cannot_be_scanned(repository: FakeRepository, error_of: Error) -> None:
    repository.put(FakeImage(DIGEST, archived=True))
    code, message = error_of("StartImageScan")
    assert code == "ImageArchivedException"
    assert message.endswith("is archived and cannot be scanned")


def test_registry_that_becomes_enhanced_rejects_manual_scans(
    registry: FakeRegistry, repository: FakeRepository, call: Call, error_of: Error
) -> None:
    image = next(plain_images(1))
    repository.put(image)
    registry.enhanced_after_starts = 1
    assert call("GetRegistryScanningConfiguration")["scanningConfiguration"]["scanType"] == "BASIC"
    call("StartImageScan")
    rejected = error_of("StartImageScan", imageId={"imageDigest": image.digest})
    assert rejected == ("ValidationException", "This feature is disabled")


def test_scan_of_a_missing_image_or_repository_is_not_found(error_of: Error) -> None:
    assert error_of("StartImageScan", imageId={"imageDigest": digest_of("gone")})[0] == "ImageNotFoundException"
    assert error_of("StartImageScan", repositoryName="gone")[0] == "RepositoryNotFoundException"


def test_requests_are_recorded_with_their_errors(
    registry: FakeRegistry, clock: Any, call: Call, error_of: Error
) -> None:
    call("StartImageScan")
    error_of("StartImageScan")
    registry.faults.append(Fault("StartImageScan", "ThrottlingException", "Rate exceeded"))
    error_of("StartImageScan")
    assert registry.scan_requests == [
        ("team/web", DIGEST, clock.now, None, None),
        ("team/web", DIGEST, clock.now, *PER_IMAGE_LIMIT),
        ("team/web", DIGEST, clock.now, "ThrottlingException", "Rate exceeded"),
    ]


@pytest.mark.parametrize(
    ("scan_on_push", "wildcard", "scanned"),
    [
        (True, None, True),
        (False, None, False),
        (False, "my", True),
        (False, "my-*", True),
        (False, "team-*", False),
        (False, "*", True),
    ],
)
def test_scan_on_push(
    registry: FakeRegistry, call: Call, scan_on_push: bool, wildcard: str | None, scanned: bool
) -> None:
    if wildcard:
        filters = [{"filter": wildcard, "filterType": "WILDCARD"}]
        rules = [{"scanFrequency": "SCAN_ON_PUSH", "repositoryFilters": filters}]
        call("PutRegistryScanningConfiguration", scanType="BASIC", rules=rules)
    call("CreateRepository", repositoryName="my-team", imageScanningConfiguration={"scanOnPush": scan_on_push})
    call("PutImage", repositoryName="my-team", imageManifest='{"mediaType": "image"}')
    assert [request.repository for request in registry.scan_requests] == ["my-team"] * scanned


def test_scan_on_push_of_an_index_reports_no_error(registry: FakeRegistry, call: Call) -> None:
    call("CreateRepository", repositoryName="new", imageScanningConfiguration={"scanOnPush": True})
    call("PutImage", repositoryName="new", imageManifest=json.dumps({"mediaType": OCI_INDEX, "manifests": []}))
    assert [request.code for request in registry.scan_requests] == ["UnsupportedImageTypeException"]


def test_finished_scan_has_one_event(
    registry: FakeRegistry, repository: FakeRepository, clock: Any, call: Call
) -> None:
    findings = [finding("CVE-1", "CRITICAL"), finding("CVE-2", "LOW"), finding("CVE-3", "LOW")]
    repository.scan_results[DIGEST] = FakeScan(findings=findings)
    registry.scan_seconds = 1
    call("StartImageScan")
    assert registry.take_events() == []
    ends_at = registry.next_completion()
    assert ends_at == clock.now + timedelta(seconds=1)
    clock.advance(seconds=5)
    [event] = registry.take_events()
    detail = json.loads(event.pop("Detail"))
    assert event == {
        "Time": ends_at,
        "Source": "aws.ecr",
        "DetailType": "ECR Image Scan",
        "Resources": ["arn:aws:ecr:eu-west-1:123456789012:repository/team/web"],
    }
    assert detail == {
        "scan-status": "COMPLETE",
        "repository-name": "team/web",
        "finding-severity-counts": {"CRITICAL": 1, "LOW": 2},
        "image-digest": DIGEST,
        "image-tags": ["latest", "1.0"],
    }
    assert registry.take_events() == []
    assert registry.next_completion() is None


def test_event_of_a_failed_scan_has_no_counts(registry: FakeRegistry, repository: FakeRepository, call: Call) -> None:
    repository.scan_results[DIGEST] = FakeScan(FAILED, description=UNSUPPORTED_OS)
    call("StartImageScan")
    [event] = registry.take_events()
    assert json.loads(event["Detail"]) == {
        "scan-status": "FAILED",
        "repository-name": "team/web",
        "image-digest": DIGEST,
        "image-tags": ["latest", "1.0"],
    }


def test_deleted_image_has_no_scan_and_no_event(registry: FakeRegistry, repository: FakeRepository, call: Call) -> None:
    image = repository.images[0]
    call("StartImageScan")
    repository.remove(DIGEST)
    assert registry.take_events() == []
    repository.put(image)
    call("StartImageScan")


OPENSSL = EnhancedFinding("CVE-2023-0286", "HIGH", fixed_in="0:1.1.1n-0+deb11u5")
ZLIB = EnhancedFinding("CVE-2023-45853", "CRITICAL", "zlib1g", "1.2.11.dfsg", "2+deb11u2", epoch=1)


@pytest.fixture
def inspect(registry: FakeRegistry, call: Call) -> Callable[..., list[dict[str, Any]]]:
    """Sets what Inspector finds in the image; returns the events of it."""
    call("PutRegistryScanningConfiguration", scanType="ENHANCED", rules=[])
    image = {"repositoryName": "team/web", "imageDigest": DIGEST}

    def inspect(*findings: EnhancedFinding) -> list[dict[str, Any]]:
        control(registry, "findings", {**image, "findings": [finding.to_api() for finding in findings]})
        return registry.take_events()

    return inspect


def listed(call: Call) -> dict[str, Any]:
    """Return what ECR lists by vulnerability."""
    found = call("DescribeImageScanFindings")["imageScanFindings"]["enhancedFindings"]
    return {finding["packageVulnerabilityDetails"]["vulnerabilityId"]: finding for finding in found}


def test_first_scan_of_inspector_has_an_event_for_each_finding_and_one_for_the_scan(
    registry: FakeRegistry, call: Call, clock: Any, inspect: Callable[..., list[dict[str, Any]]]
) -> None:
    registry.scan_seconds = 30
    assert inspect(OPENSSL, ZLIB) == []
    assert call("DescribeImageScanFindings")["imageScanStatus"]["status"] == "IN_PROGRESS"
    clock.advance(seconds=30)
    first, second, scan = registry.take_events()
    assert [event["DetailType"] for event in (first, second)] == ["Inspector2 Finding"] * 2
    arn = "arn:aws:ecr:eu-west-1:123456789012:repository/team/web"
    assert json.loads(scan.pop("Detail")) == {
        "scan-status": "INITIAL_SCAN_COMPLETE",
        "repository-name": arn,
        "finding-severity-counts": {"HIGH": 1, "CRITICAL": 1, "TOTAL": 2},
        "image-digest": DIGEST,
        "image-tags": ["latest", "1.0"],
    }
    assert scan == {
        "Time": clock.now,
        "Source": "aws.inspector2",
        "DetailType": "Inspector2 Scan",
        "Resources": [arn],
    }
    answer = call("DescribeImageScanFindings")
    assert answer["imageScanStatus"]["status"] == "ACTIVE"
    assert answer["imageScanFindings"]["imageScanCompletedAt"] == clock.now
    assert answer["imageScanFindings"]["findingSeverityCounts"] == {"HIGH": 1, "CRITICAL": 1}
    [package] = listed(call)["CVE-2023-0286"]["packageVulnerabilityDetails"]["vulnerablePackages"]
    assert package == {
        "name": "openssl",
        "epoch": 0,
        "version": "1.1.1n",
        "release": "0+deb11u4",
        "arch": "X86_64",
        "packageManager": "OS",
        "fixedInVersion": "0:1.1.1n-0+deb11u5",
    }


def test_later_finding_of_inspector_has_an_event_of_its_own(
    call: Call, clock: Any, inspect: Callable[..., list[dict[str, Any]]]
) -> None:
    inspect(OPENSSL)
    begun = clock.now
    clock.advance(days=7)
    [event] = inspect(OPENSSL, ZLIB)
    image = f"arn:aws:ecr:eu-west-1:123456789012:repository/team/web/{DIGEST}"
    detail = json.loads(event.pop("Detail"))
    assert event == {
        "Time": clock.now,
        "Source": "aws.inspector2",
        "DetailType": "Inspector2 Finding",
        "Resources": [image],
    }
    [resource] = detail["resources"]
    assert {name: resource[name] for name in ("id", "partition", "region", "type")} == {
        "id": image,
        "partition": "N/A",
        "region": "N/A",
        "type": "AWS_ECR_CONTAINER_IMAGE",
    }
    assert resource["details"]["awsEcrContainerImage"]["imageHash"] == DIGEST
    assert (detail["title"], detail["severity"], detail["status"]) == ("CVE-2023-45853 - zlib1g", "CRITICAL", "ACTIVE")
    assert detail["firstObservedAt"] == detail["updatedAt"] == "Nov 30, 2026, 9:14:00 AM"
    assert inspect(OPENSSL, ZLIB) == []
    found = listed(call)
    assert [found[cve]["firstObservedAt"] for cve in ("CVE-2023-0286", "CVE-2023-45853")] == [begun, clock.now]
    assert call("DescribeImageScanFindings")["imageScanFindings"]["imageScanCompletedAt"] == clock.now


@pytest.mark.parametrize(
    ("later", "status", "counts"),
    [
        ([replace(OPENSSL, status="SUPPRESSED")], "SUPPRESSED", {"HIGH": 1}),
        ([replace(OPENSSL, status="CLOSED")], "CLOSED", {}),
        ([replace(OPENSSL, severity="LOW")], "ACTIVE", {"LOW": 1}),
        ([], "CLOSED", {}),
    ],
)
def test_changed_and_missing_findings_of_inspector_have_an_event(
    call: Call,
    inspect: Callable[..., list[dict[str, Any]]],
    later: list[EnhancedFinding],
    status: str,
    counts: dict[str, int],
) -> None:
    inspect(OPENSSL)
    [event] = inspect(*later)
    assert json.loads(event["Detail"])["status"] == status
    summary = call("DescribeImageScanFindings")["imageScanFindings"]
    assert summary["findingSeverityCounts"] == counts
    assert [finding["status"] for finding in summary.get("enhancedFindings", [])] == [status] * len(later)


def test_inspector_scans_no_image_of_a_basic_registry(registry: FakeRegistry) -> None:
    body = {"repositoryName": "team/web", "imageDigest": DIGEST, "findings": []}
    with pytest.raises(AwsError, match="basic scanning"):
        control(registry, "findings", body)


def test_control_api_sets_results_and_dates_and_lists_requests(
    registry: FakeRegistry, clock: Any, call: Call, error_of: Error
) -> None:
    image = {"repositoryName": "team/web", "imageDigest": DIGEST}
    result = {"status": "COMPLETE", "description": "Done.", "findings": [finding("CVE-1", "HIGH")]}
    week_ago = clock.now - 7 * DAY
    control(registry, "image", {**image, "result": result, "scannedAt": week_ago.isoformat()})
    answer = call("DescribeImageScanFindings")
    assert answer["imageScanStatus"]["description"] == "Done."
    assert answer["imageScanFindings"]["imageScanCompletedAt"] == week_ago
    assert registry.take_events() == []

    registry.faults.append(Fault("StartImageScan", "ServerException", "no", containing=DIGEST, times=1))
    assert error_of("StartImageScan") == ("ServerException", "no")
    registry.scan_seconds = 2
    call("StartImageScan")
    assert registry.next_completion() == clock.now + timedelta(seconds=2)
    requests = control(registry, "requests", {})["requests"]
    assert [(request["digest"], request["code"]) for request in requests] == [
        (DIGEST, "ServerException"),
        (DIGEST, None),
    ]
    assert json.loads(json.dumps(requests)) == requests

    clock.now += timedelta(seconds=2)
    assert error_of("StartImageScan")[0] == "LimitExceededException"
    clock.now += DAY
    assert call("DescribeImageScanFindings")["imageScanFindings"]["imageScanCompletedAt"] == clock.now - DAY
    call("StartImageScan")

    control(registry, "image", {**image, "pushedAt": week_ago.isoformat()})
    assert call("DescribeImages")["imageDetails"][0]["imagePushedAt"] == week_ago
    control(registry, "image", {**image, "archived": True})
    assert call("DescribeImages")["imageDetails"] == []
    with pytest.raises(ValueError, match="resource is 'nonsense'; expected"):
        control(registry, "nonsense", {})
