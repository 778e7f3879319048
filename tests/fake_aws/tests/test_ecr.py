"""The fake's ECR: wire format for boto3, and over HTTP the control API for the registry client of local_aws.

tools/local_aws/tests has the tests of the model.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from botocore.exceptions import ClientError
from fake_aws import FakeAws, FakeImage, FakeRegistry, FakeScan, Fault, digest_of, finding, plain_images
from local_aws import Finding, RegistryClient

NOW = datetime(2026, 11, 23, 9, 14, 5, 250_000, tzinfo=UTC)


@pytest.fixture
def fake_aws() -> Iterator[FakeAws]:
    with FakeAws(FakeRegistry(clock=lambda: NOW)) as running:
        yield running


@pytest.fixture(scope="module")
def served() -> Iterator[FakeAws]:
    clock = partial(datetime.fromisoformat, NOW.isoformat())
    with FakeAws(partial(FakeRegistry, clock=clock), serve="process") as running:
        yield running


@pytest.fixture
def registry(served: FakeAws) -> RegistryClient:
    return RegistryClient.connect(served.environment())


def test_paginators_of_boto3_return_every_item_once(fake_aws: FakeAws) -> None:
    ecr, images = fake_aws.client("ecr"), list(plain_images(250))
    findings = [finding(f"CVE-{number}", "HIGH") for number in range(250)]
    fake_aws.registry.add("big", images).scans[images[0].digest] = FakeScan(completed_at=NOW, findings=findings)
    described = ecr.get_paginator("describe_images").paginate(repositoryName="big").build_full_result()
    assert [detail["imageDigest"] for detail in described["imageDetails"]] == [image.digest for image in images]
    pages = ecr.get_paginator("describe_image_scan_findings").paginate(
        repositoryName="big", imageId={"imageDigest": images[0].digest}
    )
    assert pages.build_full_result()["imageScanFindings"]["findings"] == findings
    assert fake_aws.calls() == {"DescribeImages": 3, "DescribeImageScanFindings": 3}


def test_times_and_starts_keep_their_values(fake_aws: FakeAws) -> None:
    ecr, digest = fake_aws.client("ecr"), digest_of("web")
    fake_aws.registry.add("web", [FakeImage(digest, pushed_at=NOW)])
    [detail] = ecr.describe_images(repositoryName="web")["imageDetails"]
    assert detail["imagePushedAt"] == NOW
    ecr.start_image_scan(repositoryName="web", imageId={"imageDigest": digest})
    result = ecr.describe_image_scan_findings(repositoryName="web", imageId={"imageDigest": digest})
    assert result["imageScanFindings"]["imageScanCompletedAt"] == NOW
    assert fake_aws.starts() == [("web", digest, NOW)]


def test_fault_of_the_behavior_names_the_repository(fake_aws: FakeAws) -> None:
    fake_aws.behavior.faults.append(Fault("DescribeImages", "AccessDeniedException"))
    with pytest.raises(ClientError, match=r"perform: ecr:DescribeImages on resource: arn:aws:ecr:\S+:repository/web "):
        fake_aws.client("ecr").describe_images(repositoryName="web")


def test_registry_client_pushes_images_with_their_scans(registry: RegistryClient) -> None:
    week_ago = NOW - timedelta(days=7)
    digest = registry.push("app", "1.0", findings=[Finding("CVE-2026-1", "HIGH")], scanned_at=week_ago)
    registry.archive("app", registry.push("app", "0.9"))
    result = registry.scan_result("app", digest)
    assert result is not None
    assert result["imageScanFindings"]["imageScanCompletedAt"] == week_ago
    assert result["imageScanFindings"]["findingSeverityCounts"] == {"HIGH": 1}
    [detail] = registry.ecr.describe_images(repositoryName="app")["imageDetails"]
    assert detail["imageDigest"] == digest


def test_registry_client_lists_started_scans(registry: RegistryClient) -> None:
    digest, other = registry.push("worker"), registry.push("worker")
    for started in (other, digest):
        registry.ecr.start_image_scan(repositoryName="worker", imageId={"imageDigest": started})
    with pytest.raises(ClientError, match="LimitExceededException"):
        registry.ecr.start_image_scan(repositoryName="worker", imageId={"imageDigest": digest})
    assert [(scan.digest, scan.at) for scan in registry.scans_started("worker")] == [(other, NOW), (digest, NOW)]
    assert registry.calls()["StartImageScan"] == 3


def test_registry_client_counts_look_ups_by_image(registry: RegistryClient) -> None:
    digest = registry.push("api", findings=[Finding("CVE-2026-1", "HIGH")])
    for image in (digest, digest, registry.push("api")):
        registry.scan_result("api", image)
    assert sorted(registry.look_ups().values())[-2:] == [1, 2]
    assert registry.look_ups()[digest] == 2


def test_time_of_a_scan_needs_a_time_zone(registry: RegistryClient) -> None:
    with pytest.raises(ValueError, match="scanned_at is 2026-01-01T00:00:00; expected a time with a time zone"):
        registry.push("app", scanned_at=datetime(2026, 1, 1))
