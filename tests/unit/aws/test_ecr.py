"""Translates the responses of ECR into domain values and errors."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber
from ecr_scan_reporter.aws.clients import create_client
from ecr_scan_reporter.aws.ecr import EcrRegistry
from ecr_scan_reporter.errors import (
    AccessDeniedError,
    AwsError,
    ImageNotFoundError,
    ImageRejectedError,
    ManualScanningDisabledError,
    RegistryError,
    RepositoryNotFoundError,
    ScanQuotaExceededError,
    ThrottledError,
    TransientError,
)
from ecr_scan_reporter.models.images import Image, IndexChild
from ecr_scan_reporter.models.scans import Scan, StartOutcome

IMAGE = ("team-a/app", "sha256:" + "1" * 64)
DIGESTS = [f"sha256:{number:064x}" for number in range(5)]
START = {"repositoryName": IMAGE[0], "imageId": {"imageDigest": IMAGE[1]}}
Ecr = tuple[EcrRegistry, Stubber]
PER_IMAGE = "The scan quota per image has been exceeded. Wait and try again."


@pytest.fixture
def ecr() -> Iterator[Ecr]:
    client = boto3.client("ecr")
    with Stubber(client) as stubber:
        yield EcrRegistry("123456789012", client), stubber
        stubber.assert_no_pending_responses()


def test_repositories_are_read_in_pages_of_1000(ecr: Ecr) -> None:
    registry, stubber = ecr
    page = {"repositories": [{"repositoryName": "aa"}], "nextToken": "more"}
    stubber.add_response("describe_repositories", page, {"maxResults": 1000})
    page = {"repositories": [{"repositoryName": "bb"}]}
    stubber.add_response("describe_repositories", page, {"maxResults": 1000, "nextToken": "more"})
    assert list(registry.repository_names()) == ["aa", "bb"]


def test_images_are_read_in_pages_of_1000_once_per_digest(ecr: Ecr) -> None:
    registry, stubber = ecr
    page: dict[str, Any] = {"imageDetails": [{"imageDigest": "sha256:1", "imageTags": ["a", "b"]}], "nextToken": "x"}
    stubber.add_response("describe_images", page, {"repositoryName": "team-a/app", "maxResults": 1000})
    page = {"imageDetails": [{"imageDigest": "sha256:2"}]}
    stubber.add_response(
        "describe_images", page, {"repositoryName": "team-a/app", "maxResults": 1000, "nextToken": "x"}
    )
    assert [image for page in registry.image_pages("team-a/app") for image in page] == [
        Image("team-a/app", "sha256:1", ("a", "b")),
        Image("team-a/app", "sha256:2", ()),
    ]


def test_last_scan_requests_one_finding(ecr: Ecr) -> None:
    registry, stubber = ecr
    completed = datetime(2026, 11, 1, tzinfo=UTC)
    answer = {"imageScanStatus": {"status": "COMPLETE"}, "imageScanFindings": {"imageScanCompletedAt": completed}}
    stubber.add_response("describe_image_scan_findings", answer, {**START, "maxResults": 1})
    assert registry.last_scan(*IMAGE) == Scan("COMPLETE", completed)


@pytest.mark.parametrize(
    ("counts", "expected"),
    [({"HIGH": 2, "LOW": 0, "TOTAL": 2}, {"HIGH": 2}), ({}, {})],
)
def test_last_scan_has_the_counts_of_all_findings(ecr: Ecr, counts: dict[str, int], expected: dict[str, int]) -> None:
    registry, stubber = ecr
    answer = {"imageScanStatus": {"status": "ACTIVE"}, "imageScanFindings": {"findingSeverityCounts": counts}}
    stubber.add_response("describe_image_scan_findings", answer)
    assert registry.last_scan(*IMAGE) == Scan("ACTIVE", None, counts=expected)


def test_failed_scan_has_no_date(ecr: Ecr) -> None:
    registry, stubber = ecr
    stubber.add_response("describe_image_scan_findings", {"imageScanStatus": {"status": "FAILED"}})
    assert registry.last_scan(*IMAGE) == Scan("FAILED", None)


def test_image_never_scanned_has_no_scan(ecr: Ecr) -> None:
    registry, stubber = ecr
    stubber.add_client_error("describe_image_scan_findings", "ScanNotFoundException")
    assert registry.last_scan(*IMAGE) is None


@pytest.mark.parametrize(
    ("code", "error"),
    [("ImageNotFoundException", ImageNotFoundError), ("RepositoryNotFoundException", RepositoryNotFoundError)],
)
def test_deleted_image_or_repository_is_not_found(ecr: Ecr, code: str, error: type[RegistryError]) -> None:
    registry, stubber = ecr
    stubber.add_client_error("describe_image_scan_findings", code)
    with pytest.raises(error):
        registry.last_scan(*IMAGE)


def test_scan_is_started_by_digest(ecr: Ecr) -> None:
    registry, stubber = ecr
    stubber.add_response("start_image_scan", {}, START)
    assert registry.start_scan(*IMAGE) is StartOutcome.STARTED


@pytest.mark.parametrize(
    ("code", "message", "outcome"),
    [
        ("LimitExceededException", PER_IMAGE, StartOutcome.SCANNED_WITHIN_24_HOURS),
        ("UnsupportedImageTypeException", "An artifact ... cannot be scanned.", StartOutcome.UNSUPPORTED_TYPE),
        ("ImageArchivedException", "archived and cannot be scanned", StartOutcome.ARCHIVED),
        ("ImageNotFoundException", "", StartOutcome.IMAGE_NOT_FOUND),
    ],
)
def test_rejection_of_one_image_is_an_outcome(ecr: Ecr, code: str, message: str, outcome: StartOutcome) -> None:
    registry, stubber = ecr
    stubber.add_client_error("start_image_scan", code, message, http_status_code=400)
    assert registry.start_scan(*IMAGE) is outcome


@pytest.mark.parametrize(
    ("code", "message", "status", "error"),
    [
        ("ThrottlingException", "Rate exceeded", 400, ThrottledError),
        ("SomethingNew", "", 429, ThrottledError),
        ("SomethingNew", "", 503, ThrottledError),
        ("ServerException", "", 500, TransientError),
        ("SomethingNew", "", 502, TransientError),
        ("ExpiredTokenException", "", 403, RegistryError),
        ("LimitExceededException", "The quota of the account", 400, ScanQuotaExceededError),
        ("ValidationException", "This feature is disabled", 400, ManualScanningDisabledError),
        ("ValidationException", "1 validation error detected", 400, ImageRejectedError),
        ("RepositoryNotFoundException", "", 400, RepositoryNotFoundError),
        ("AccessDeniedException", "User: ... is not authorized", 403, AccessDeniedError),
        ("InvalidParameterException", "", 400, ImageRejectedError),
        ("CodeOfTomorrow", "", 400, ImageRejectedError),
    ],
)
def test_other_rejections_are_errors(ecr: Ecr, code: str, message: str, status: int, error: type[AwsError]) -> None:
    registry, stubber = ecr
    stubber.add_client_error("start_image_scan", code, message, http_status_code=status)
    with pytest.raises(AwsError) as raised:
        registry.start_scan(*IMAGE)
    assert type(raised.value) is error


def test_access_denied_names_the_missing_action(ecr: Ecr) -> None:
    registry, stubber = ecr
    stubber.add_client_error("describe_repositories", "AccessDeniedException", "User: x", http_status_code=400)
    with pytest.raises(AccessDeniedError, match="the function's role lacks ecr:DescribeRepositories: User: x"):
        list(registry.repository_names())


def test_repository_deleted_during_paging_is_not_found(ecr: Ecr) -> None:
    registry, stubber = ecr
    stubber.add_client_error("describe_images", "RepositoryNotFoundException")
    with pytest.raises(RepositoryNotFoundError):
        list(registry.image_pages("team-a/app"))


@pytest.mark.parametrize(("scan_type", "manual"), [("BASIC", True), ("ENHANCED", False), (None, True)])
def test_enhanced_scanning_supports_no_manual_scans(ecr: Ecr, scan_type: str | None, manual: bool) -> None:
    registry, stubber = ecr
    configuration = {"scanningConfiguration": {"scanType": scan_type}} if scan_type else {}
    stubber.add_response("get_registry_scanning_configuration", configuration)
    assert registry.supports_manual_scans() is manual


def test_scanning_configuration_access_denied(ecr: Ecr) -> None:
    registry, stubber = ecr
    stubber.add_client_error("get_registry_scanning_configuration", "AccessDeniedException")
    with pytest.raises(AccessDeniedError, match="ecr:GetRegistryScanningConfiguration"):
        registry.supports_manual_scans()


def test_index_children_have_platforms(ecr: Ecr) -> None:
    registry, stubber = ecr
    attestation = {"vnd.docker.reference.type": "attestation-manifest"}
    manifest = {
        "manifests": [
            {"digest": DIGESTS[1], "platform": {"os": "linux", "architecture": "arm", "variant": "v7"}},
            {"digest": DIGESTS[2], "platform": {"os": "unknown", "architecture": "unknown"}},
            {"digest": DIGESTS[3], "annotations": attestation},
            {"digest": DIGESTS[4], "platform": None},
        ]
    }
    answer = {"images": [{"imageId": {"imageDigest": "sha256:0"}, "imageManifest": json.dumps(manifest)}]}
    stubber.add_response("batch_get_image", answer)
    assert registry.index_manifests("team-a/app", ["sha256:0"])["sha256:0"] == [
        IndexChild("sha256:0", DIGESTS[1], "linux/arm/v7", attestation=False),
        IndexChild("sha256:0", DIGESTS[2], "unknown/unknown", attestation=True),
        IndexChild("sha256:0", DIGESTS[3], "", attestation=True),
        IndexChild("sha256:0", DIGESTS[4], "", attestation=False),
    ]


def test_indexes_of_a_deleted_repository_are_not_found(ecr: Ecr) -> None:
    registry, stubber = ecr
    stubber.add_client_error("batch_get_image", "RepositoryNotFoundException")
    with pytest.raises(RepositoryNotFoundError):
        registry.index_manifests("team-a/app", ["sha256:0"])["sha256:0"]


def test_single_attempt_client_does_not_retry() -> None:
    """Botocore would retry LimitExceededException, which only says that the image was scanned within 24 hours."""
    config: Any = create_client("ecr", attempts=1).meta.config
    assert config.retries["total_max_attempts"] == 1


@pytest.mark.parametrize(
    "manifest",
    ["no JSON", "[]", "[" * 100_000, '{"manifests": 7}', '{"manifests": [{}, null, "x", {"digest": ["d"]}]}'],
)
def test_malformed_index_has_no_children(ecr: Ecr, manifest: str) -> None:
    registry, stubber = ecr
    response = {"images": [{"imageId": {"imageDigest": "sha256:0"}, "imageManifest": manifest}]}
    stubber.add_response("batch_get_image", response)
    assert registry.index_manifests("team-a/app", ["sha256:0"])["sha256:0"] == []


def test_malformed_entry_does_not_hide_the_others(ecr: Ecr) -> None:
    registry, stubber = ecr
    good = {"digest": DIGESTS[1], "platform": [], "annotations": 7}
    others = ("sha256:1", DIGESTS[1] + "1", DIGESTS[1].upper(), f" {DIGESTS[1]}", "sha512:" + "1" * 128, "x" * 500_000)
    manifest = json.dumps({"manifests": [{"digest": ["d"]}, *({"digest": other} for other in others), good]})
    response = {"images": [{"imageId": {"imageDigest": "sha256:0"}, "imageManifest": manifest}]}
    stubber.add_response("batch_get_image", response)
    assert [child.digest for child in registry.index_manifests("team-a/app", ["sha256:0"])["sha256:0"]] == DIGESTS[1:2]


def test_response_without_a_scan_status_rejects_that_image_only(ecr: Ecr) -> None:
    registry, stubber = ecr
    stubber.add_response("describe_image_scan_findings", {})
    with pytest.raises(ImageRejectedError, match="no status"):
        registry.last_scan(*IMAGE)
