"""What ECR answers, in the words of this package."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber
from ecr_scan_reporter.errors import (
    AccessDenied,
    ImageGone,
    RegistryError,
    RepositoryGone,
    ScanningDisabled,
    ScanQuotaReached,
    Throttled,
)
from ecr_scan_reporter.models import Image, IndexChild, Scan, StartOutcome
from ecr_scan_reporter.registry import Registry, scan_client

IMAGE = Image("team-a/app", "sha256:" + "1" * 64)
START = {"repositoryName": IMAGE.repository, "imageId": {"imageDigest": IMAGE.digest}}
PER_IMAGE = "The scan quota per image has been exceeded. Wait and try again."


@pytest.fixture
def ecr() -> Iterator[tuple[Registry, Stubber]]:
    client = boto3.client("ecr")
    with Stubber(client) as stubber:
        yield Registry(client), stubber
        stubber.assert_no_pending_responses()


def test_repositories_are_read_in_pages_of_1000(ecr: tuple[Registry, Stubber]) -> None:
    registry, stubber = ecr
    page = {"repositories": [{"repositoryName": "aa"}], "nextToken": "more"}
    stubber.add_response("describe_repositories", page, {"maxResults": 1000})
    page = {"repositories": [{"repositoryName": "bb"}]}
    stubber.add_response("describe_repositories", page, {"maxResults": 1000, "nextToken": "more"})
    assert list(registry.repository_names()) == ["aa", "bb"]


def test_images_are_read_in_pages_of_1000_once_per_digest(ecr: tuple[Registry, Stubber]) -> None:
    registry, stubber = ecr
    page: dict[str, Any] = {"imageDetails": [{"imageDigest": "sha256:1", "imageTags": ["a", "b"]}], "nextToken": "x"}
    stubber.add_response("describe_images", page, {"repositoryName": "team-a/app", "maxResults": 1000})
    page = {"imageDetails": [{"imageDigest": "sha256:2"}]}
    stubber.add_response(
        "describe_images", page, {"repositoryName": "team-a/app", "maxResults": 1000, "nextToken": "x"}
    )
    assert list(registry.images("team-a/app")) == [
        Image("team-a/app", "sha256:1", ("a", "b")),
        Image("team-a/app", "sha256:2", ()),
    ]


def test_the_last_scan_is_asked_for_with_one_finding(ecr: tuple[Registry, Stubber]) -> None:
    registry, stubber = ecr
    completed = datetime(2026, 11, 1, tzinfo=UTC)
    answer = {"imageScanStatus": {"status": "COMPLETE"}, "imageScanFindings": {"imageScanCompletedAt": completed}}
    stubber.add_response("describe_image_scan_findings", answer, {**START, "maxResults": 1})
    assert registry.last_scan(IMAGE) == Scan("COMPLETE", completed)


def test_a_failed_scan_has_no_date(ecr: tuple[Registry, Stubber]) -> None:
    registry, stubber = ecr
    stubber.add_response("describe_image_scan_findings", {"imageScanStatus": {"status": "FAILED"}})
    assert registry.last_scan(IMAGE) == Scan("FAILED", None)


def test_an_image_without_a_scan_has_none(ecr: tuple[Registry, Stubber]) -> None:
    registry, stubber = ecr
    stubber.add_client_error("describe_image_scan_findings", "ScanNotFoundException")
    assert registry.last_scan(IMAGE) is None


@pytest.mark.parametrize(
    ("code", "error"), [("ImageNotFoundException", ImageGone), ("RepositoryNotFoundException", RepositoryGone)]
)
def test_what_was_deleted_meanwhile_is_gone(
    ecr: tuple[Registry, Stubber], code: str, error: type[RegistryError]
) -> None:
    registry, stubber = ecr
    stubber.add_client_error("describe_image_scan_findings", code)
    with pytest.raises(error):
        registry.last_scan(IMAGE)


def test_a_scan_is_started_by_digest(ecr: tuple[Registry, Stubber]) -> None:
    registry, stubber = ecr
    stubber.add_response("start_image_scan", {}, START)
    assert registry.start_scan(IMAGE) is StartOutcome.STARTED


@pytest.mark.parametrize(
    ("code", "message", "outcome"),
    [
        ("LimitExceededException", PER_IMAGE, StartOutcome.SCANNED_WITHIN_24_HOURS),
        ("UnsupportedImageTypeException", "An artifact ... cannot be scanned.", StartOutcome.UNSUPPORTED_TYPE),
        ("ImageArchivedException", "archived and cannot be scanned", StartOutcome.ARCHIVED),
        ("ImageNotFoundException", "", StartOutcome.IMAGE_GONE),
    ],
)
def test_a_refusal_that_concerns_one_image_is_an_outcome(
    ecr: tuple[Registry, Stubber], code: str, message: str, outcome: StartOutcome
) -> None:
    registry, stubber = ecr
    stubber.add_client_error("start_image_scan", code, message, http_status_code=400)
    assert registry.start_scan(IMAGE) is outcome


@pytest.mark.parametrize(
    ("code", "message", "status", "error"),
    [
        ("ThrottlingException", "Rate exceeded", 400, Throttled),
        ("SomethingNew", "", 429, Throttled),
        ("SomethingNew", "", 503, Throttled),
        ("ServerException", "", 500, Throttled),
        ("LimitExceededException", "The quota of the account", 400, ScanQuotaReached),
        ("ValidationException", "This feature is disabled", 400, ScanningDisabled),
        ("ValidationException", "1 validation error detected", 400, RegistryError),
        ("RepositoryNotFoundException", "", 400, RepositoryGone),
        ("AccessDeniedException", "User: ... is not authorized", 403, AccessDenied),
        ("InvalidParameterException", "", 400, RegistryError),
    ],
)
def test_a_refusal_that_concerns_more_is_an_error(
    ecr: tuple[Registry, Stubber], code: str, message: str, status: int, error: type[RegistryError]
) -> None:
    registry, stubber = ecr
    stubber.add_client_error("start_image_scan", code, message, http_status_code=status)
    with pytest.raises(RegistryError) as raised:
        registry.start_scan(IMAGE)
    assert type(raised.value) is error


def test_access_denied_names_the_action_that_is_missing(ecr: tuple[Registry, Stubber]) -> None:
    registry, stubber = ecr
    stubber.add_client_error("describe_repositories", "AccessDeniedException", "User: x", http_status_code=400)
    with pytest.raises(AccessDenied, match="the function's role lacks ecr:DescribeRepositories: User: x"):
        list(registry.repository_names())


def test_a_repository_deleted_while_its_images_are_read_is_gone(ecr: tuple[Registry, Stubber]) -> None:
    registry, stubber = ecr
    stubber.add_client_error("describe_images", "RepositoryNotFoundException")
    with pytest.raises(RepositoryGone):
        list(registry.images("team-a/app"))


@pytest.mark.parametrize(("scan_type", "by_hand"), [("BASIC", True), ("ENHANCED", False), (None, True)])
def test_with_enhanced_scanning_there_are_no_scans_by_hand(
    ecr: tuple[Registry, Stubber], scan_type: str | None, by_hand: bool
) -> None:
    registry, stubber = ecr
    configuration = {"scanningConfiguration": {"scanType": scan_type}} if scan_type else {}
    stubber.add_response("get_registry_scanning_configuration", configuration)
    assert registry.scans_by_hand() is by_hand


def test_the_scanning_configuration_may_be_refused(ecr: tuple[Registry, Stubber]) -> None:
    registry, stubber = ecr
    stubber.add_client_error("get_registry_scanning_configuration", "AccessDeniedException")
    with pytest.raises(AccessDenied, match="ecr:GetRegistryScanningConfiguration"):
        registry.scans_by_hand()


def test_an_index_says_what_it_consists_of(ecr: tuple[Registry, Stubber]) -> None:
    registry, stubber = ecr
    attestation = {"vnd.docker.reference.type": "attestation-manifest"}
    manifest = {
        "manifests": [
            {"digest": "sha256:1", "platform": {"os": "linux", "architecture": "arm", "variant": "v7"}},
            {"digest": "sha256:2", "platform": {"os": "unknown", "architecture": "unknown"}},
            {"digest": "sha256:3", "annotations": attestation},
            {"digest": "sha256:4", "platform": None},
        ]
    }
    answer = {"images": [{"imageId": {"imageDigest": "sha256:0"}, "imageManifest": json.dumps(manifest)}]}
    stubber.add_response("batch_get_image", answer)
    assert list(registry.index_children([Image("team-a/app", "sha256:0")])) == [
        IndexChild("sha256:0", "sha256:1", "linux/arm/v7", attestation=False),
        IndexChild("sha256:0", "sha256:2", "unknown/unknown", attestation=True),
        IndexChild("sha256:0", "sha256:3", "", attestation=True),
        IndexChild("sha256:0", "sha256:4", "", attestation=False),
    ]


def test_indexes_of_a_repository_that_is_gone_are_gone(ecr: tuple[Registry, Stubber]) -> None:
    registry, stubber = ecr
    stubber.add_client_error("batch_get_image", "RepositoryNotFoundException")
    with pytest.raises(RepositoryGone):
        list(registry.index_children([Image("team-a/app", "sha256:0")]))


def test_a_start_is_tried_once() -> None:
    """botocore would retry LimitExceededException, which only says that the image was scanned today."""
    config: Any = scan_client().meta.config
    assert config.retries["total_max_attempts"] == 1
