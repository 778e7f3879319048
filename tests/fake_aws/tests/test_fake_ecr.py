"""The fake's ECR, as boto3 sees it."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError
from fake_aws import (
    DOCKER_INDEX,
    OCI_INDEX,
    FakeAws,
    FakeImage,
    FakeRegistry,
    FakeScan,
    Fault,
    digest_of,
    finding,
    index_image,
    plain_images,
)

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient
    from mypy_boto3_ecr.type_defs import ImageIdentifierTypeDef

NOW = datetime(2025, 6, 1, 12, tzinfo=UTC)
DIGEST = digest_of("web")
BY_DIGEST: "ImageIdentifierTypeDef" = {"imageDigest": DIGEST}


@pytest.fixture
def fake_aws() -> Iterator[FakeAws]:
    registry = FakeRegistry(clock=lambda: NOW)
    registry.add("team/web", [FakeImage(DIGEST, ("latest", "1.0"), pushed_at=NOW - timedelta(days=3))])
    with FakeAws(registry) as running:
        yield running


@pytest.fixture
def ecr(fake_aws: FakeAws) -> "ECRClient":
    return fake_aws.client("ecr")


def refusal(call: Callable[..., object], **params: Any) -> tuple[str, str]:
    """The code and the words with which a call is refused."""
    with pytest.raises(ClientError) as caught:
        call(**params)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def start(ecr: "ECRClient", digest: str = DIGEST) -> None:
    ecr.start_image_scan(repositoryName="team/web", imageId={"imageDigest": digest})


def refused_start(ecr: "ECRClient", digest: str = DIGEST) -> tuple[str, str]:
    return refusal(ecr.start_image_scan, repositoryName="team/web", imageId={"imageDigest": digest})


def test_repositories_come_in_pages_and_all_of_them(fake_aws: FakeAws, ecr: "ECRClient") -> None:
    for number in range(6):
        fake_aws.registry.add(f"app-{number}")
    pages = list(ecr.get_paginator("describe_repositories").paginate(PaginationConfig={"PageSize": 3}))
    assert [len(page["repositories"]) for page in pages] == [3, 3, 1]
    names = [repository["repositoryName"] for page in pages for repository in page["repositories"]]
    assert names == ["team/web", *(f"app-{number}" for number in range(6))]


def test_a_page_of_repositories_holds_a_hundred_unless_told(fake_aws: FakeAws, ecr: "ECRClient") -> None:
    for number in range(120):
        fake_aws.registry.add(f"app-{number}")
    assert len(ecr.describe_repositories()["repositories"]) == 100


def test_named_repositories_are_described(ecr: "ECRClient") -> None:
    repository = ecr.describe_repositories(repositoryNames=["team/web"])["repositories"][0]
    assert repository["repositoryArn"] == "arn:aws:ecr:eu-west-1:123456789012:repository/team/web"
    assert repository["repositoryUri"] == "123456789012.dkr.ecr.eu-west-1.amazonaws.com/team/web"
    code, words = refusal(ecr.describe_repositories, repositoryNames=["gone"])
    assert code == "RepositoryNotFoundException"
    assert words == "The repository with name 'gone' does not exist in the registry with id '123456789012'"


def test_names_and_paging_exclude_each_other(ecr: "ECRClient") -> None:
    code, _ = refusal(ecr.describe_repositories, repositoryNames=["team/web"], maxResults=10)
    assert code == "InvalidParameterException"


def test_images_come_in_pages_and_each_once(fake_aws: FakeAws, ecr: "ECRClient") -> None:
    images = list(plain_images(2500))
    fake_aws.registry.add("big", images)
    pages = list(
        ecr.get_paginator("describe_images").paginate(repositoryName="big", PaginationConfig={"PageSize": 1000})
    )
    assert [len(page["imageDetails"]) for page in pages] == [1000, 1000, 500]
    assert [detail["imageDigest"] for page in pages for detail in page["imageDetails"]] == [i.digest for i in images]


def test_an_image_removed_while_paging_hides_no_other(fake_aws: FakeAws, ecr: "ECRClient") -> None:
    images = list(plain_images(4))
    repository = fake_aws.registry.add("small", images)
    first = ecr.describe_images(repositoryName="small", maxResults=2)
    repository.remove(images[0].digest)
    second = ecr.describe_images(repositoryName="small", maxResults=2, nextToken=first["nextToken"])
    assert [detail["imageDigest"] for detail in second["imageDetails"]] == [image.digest for image in images[2:]]


def test_an_image_has_the_fields_that_ecr_gives_it(fake_aws: FakeAws, ecr: "ECRClient") -> None:
    pulled, subject = NOW - timedelta(hours=1), digest_of("subject")
    signature = FakeImage(
        digest_of("signature"), artifact_media_type="application/x", subject=subject, last_pull=pulled
    )
    fake_aws.registry.repository("team/web").put(signature)
    web, signed = ecr.describe_images(repositoryName="team/web")["imageDetails"]
    assert web["imageTags"] == ["latest", "1.0"]
    assert web["imagePushedAt"] == NOW - timedelta(days=3)
    assert web["imageStatus"] == "ACTIVE"
    assert not {"lastRecordedPullTime", "subjectManifestDigest", "imageScanStatus"} & set(web)
    assert "imageTags" not in signed
    assert (signed["lastRecordedPullTime"], signed["subjectManifestDigest"]) == (pulled, subject)
    assert signed["artifactMediaType"] == "application/x"


def test_images_are_filtered_by_status_and_tags(fake_aws: FakeAws, ecr: "ECRClient") -> None:
    repository = fake_aws.registry.repository("team/web")
    repository.put(FakeImage(digest_of("old"), ("old",), archived=True))
    repository.put(FakeImage(digest_of("untagged")))

    def digests(**chosen: Any) -> list[str]:
        details = ecr.describe_images(repositoryName="team/web", filter=chosen)["imageDetails"]  # type: ignore[arg-type]
        return [detail["imageDigest"] for detail in details]

    assert digests() == [DIGEST, digest_of("untagged")]
    assert digests(imageStatus="ARCHIVED") == [digest_of("old")]
    assert digests(imageStatus="ANY", tagStatus="TAGGED") == [DIGEST, digest_of("old")]
    assert digests(tagStatus="UNTAGGED") == [digest_of("untagged")]


def test_a_page_shows_a_change_at_once(fake_aws: FakeAws, ecr: "ECRClient") -> None:
    repository = fake_aws.registry.repository("team/web")
    assert len(ecr.describe_images(repositoryName="team/web")["imageDetails"]) == 1
    repository.put(replace(repository.images[0], archived=True))
    assert ecr.describe_images(repositoryName="team/web")["imageDetails"] == []


def test_a_tag_moves_to_the_image_pushed_last(fake_aws: FakeAws, ecr: "ECRClient") -> None:
    fake_aws.registry.repository("team/web").put(FakeImage(digest_of("newer"), ("latest",)))
    details = ecr.describe_images(repositoryName="team/web")["imageDetails"]
    assert [detail["imageTags"] for detail in details] == [["1.0"], ["latest"]]
    latest = ecr.describe_images(repositoryName="team/web", imageIds=[{"imageTag": "latest"}])["imageDetails"]
    assert latest[0]["imageDigest"] == digest_of("newer")


def test_a_missing_image_is_not_found(ecr: "ECRClient") -> None:
    code, words = refusal(ecr.describe_images, repositoryName="team/web", imageIds=[{"imageTag": "no"}])
    assert code == "ImageNotFoundException"
    assert words.startswith("The image with imageId {imageDigest:'null', imageTag:'no'} does not exist within")


@pytest.mark.parametrize("token", ["nonsense", "MDAwMA==", "%%%"])
def test_an_unknown_token_is_invalid(ecr: "ECRClient", token: str) -> None:
    code, words = refusal(ecr.describe_images, repositoryName="team/web", nextToken=token)
    assert code == "InvalidParameterException"
    assert "Invalid token" in words


def test_a_token_is_good_for_its_own_listing_alone(fake_aws: FakeAws, ecr: "ECRClient") -> None:
    fake_aws.registry.add("big", plain_images(3))
    token = ecr.describe_images(repositoryName="big", maxResults=1)["nextToken"]
    assert refusal(ecr.describe_images, repositoryName="team/web", nextToken=token)[0] == "InvalidParameterException"


def test_a_token_expires(fake_aws: FakeAws, ecr: "ECRClient") -> None:
    fake_aws.registry.add("big", plain_images(3))
    token = ecr.describe_images(repositoryName="big", maxResults=1)["nextToken"]
    fake_aws.registry.token_lifetime = 60
    assert ecr.describe_images(repositoryName="big", maxResults=1, nextToken=token)["imageDetails"]
    fake_aws.registry.clock = lambda: NOW + timedelta(seconds=60)
    code, words = refusal(ecr.describe_images, repositoryName="big", maxResults=1, nextToken=token)
    assert code == "InvalidParameterException"
    assert "expired" in words


def test_more_than_a_thousand_results_are_invalid(ecr: "ECRClient") -> None:
    assert refusal(ecr.describe_images, repositoryName="team/web", maxResults=1001)[0] == "InvalidParameterException"


def test_a_summary_is_shown_only_when_switched_on(fake_aws: FakeAws, ecr: "ECRClient") -> None:
    fake_aws.registry.repository("team/web").scans[DIGEST] = FakeScan(
        completed_at=NOW, findings=[finding("CVE-1", "LOW")]
    )
    assert "imageScanFindingsSummary" not in ecr.describe_images(repositoryName="team/web")["imageDetails"][0]
    fake_aws.registry.summaries = True
    detail = ecr.describe_images(repositoryName="team/web")["imageDetails"][0]
    assert detail["imageScanStatus"]["status"] == "COMPLETE"
    assert detail["imageScanFindingsSummary"]["imageScanCompletedAt"] == NOW
    assert detail["imageScanFindingsSummary"]["findingSeverityCounts"] == {"LOW": 1}


def test_an_image_never_scanned_has_no_scan(ecr: "ECRClient") -> None:
    code, words = refusal(ecr.describe_image_scan_findings, repositoryName="team/web", imageId=BY_DIGEST)
    assert code == "ScanNotFoundException"
    assert words.startswith("Image scan does not exist for the image with")


def test_findings_come_in_pages_with_their_counts(fake_aws: FakeAws, ecr: "ECRClient") -> None:
    findings = [finding(f"CVE-{number}", "HIGH" if number % 2 else "LOW") for number in range(250)]
    fake_aws.registry.repository("team/web").scans[DIGEST] = FakeScan(completed_at=NOW, findings=findings)
    one = ecr.describe_image_scan_findings(repositoryName="team/web", imageId=BY_DIGEST, maxResults=1)
    assert len(one["imageScanFindings"]["findings"]) == 1
    assert one["imageScanFindings"]["findingSeverityCounts"] == {"LOW": 125, "HIGH": 125}
    assert one["imageScanFindings"]["imageScanCompletedAt"] == NOW
    pages = ecr.get_paginator("describe_image_scan_findings").paginate(repositoryName="team/web", imageId=BY_DIGEST)
    assert pages.build_full_result()["imageScanFindings"]["findings"] == findings
    assert fake_aws.calls()["DescribeImageScanFindings"] == 4


def test_enhanced_findings_come_a_hundred_a_page_at_most(fake_aws: FakeAws, ecr: "ECRClient") -> None:
    findings = [{"severity": "UNTRIAGED", "fixAvailable": "YES", "lastObservedAt": NOW} for _ in range(101)]
    fake_aws.registry.repository("team/web").scans[DIGEST] = FakeScan("ACTIVE", NOW, enhanced_findings=findings)
    answer = ecr.describe_image_scan_findings(repositoryName="team/web", imageId=BY_DIGEST, maxResults=1000)
    assert answer["imageScanStatus"]["status"] == "ACTIVE"
    assert len(answer["imageScanFindings"]["enhancedFindings"]) == 100
    assert answer["imageScanFindings"]["enhancedFindings"][0]["lastObservedAt"] == NOW
    assert "nextToken" in answer


def test_a_failed_scan_has_no_result(fake_aws: FakeAws, ecr: "ECRClient") -> None:
    fake_aws.registry.repository("team/web").scans[DIGEST] = FakeScan("FAILED", description="UnsupportedImageError")
    answer = ecr.describe_image_scan_findings(repositoryName="team/web", imageId=BY_DIGEST)
    assert answer["imageScanStatus"] == {"status": "FAILED", "description": "UnsupportedImageError"}
    assert "imageScanFindings" not in answer


def test_a_started_scan_is_in_progress_and_then_complete(fake_aws: FakeAws, ecr: "ECRClient") -> None:
    fake_aws.registry.scan_seconds = 30
    answer = ecr.start_image_scan(repositoryName="team/web", imageId={"imageTag": "1.0"})
    assert answer["imageId"] == {"imageDigest": DIGEST, "imageTag": "1.0"}
    assert answer["imageScanStatus"]["status"] == "IN_PROGRESS"
    underway = ecr.describe_image_scan_findings(repositoryName="team/web", imageId=BY_DIGEST)
    assert underway["imageScanStatus"]["status"] == "IN_PROGRESS"
    fake_aws.registry.clock = lambda: NOW + timedelta(seconds=30)
    done = ecr.describe_image_scan_findings(repositoryName="team/web", imageId=BY_DIGEST)
    assert done["imageScanStatus"]["status"] == "COMPLETE"
    assert done["imageScanFindings"]["imageScanCompletedAt"] == NOW + timedelta(seconds=30)
    assert fake_aws.starts() == [("team/web", DIGEST, NOW)]


def test_an_image_is_scanned_once_in_24_hours(fake_aws: FakeAws, ecr: "ECRClient") -> None:
    start(ecr)
    fake_aws.registry.clock = lambda: NOW + timedelta(hours=23, minutes=59)
    code, words = refused_start(ecr)
    assert code == "LimitExceededException"
    assert words == "The scan quota per image has been exceeded. Wait and try again."
    fake_aws.registry.clock = lambda: NOW + timedelta(hours=24)
    start(ecr)
    assert len(fake_aws.starts()) == 2


def test_a_scan_on_push_counts_for_the_24_hours(fake_aws: FakeAws, ecr: "ECRClient") -> None:
    fake_aws.registry.repository("team/web").scans[DIGEST] = FakeScan(completed_at=NOW - timedelta(hours=1))
    assert refused_start(ecr)[0] == "LimitExceededException"


def test_the_account_has_a_quota_of_its_own(fake_aws: FakeAws, ecr: "ECRClient") -> None:
    images = list(plain_images(3))
    for image in images:
        fake_aws.registry.repository("team/web").put(image)
    fake_aws.registry.account_scan_quota = 2
    for image in images[:2]:
        start(ecr, image.digest)
    code, words = refused_start(ecr, images[2].digest)
    assert code == "LimitExceededException"
    assert "per image" not in words


@pytest.mark.parametrize(
    ("image", "media_type"),
    [
        (FakeImage(DIGEST, media_type=OCI_INDEX), OCI_INDEX),
        (FakeImage(DIGEST, media_type=DOCKER_INDEX), DOCKER_INDEX),
        (FakeImage(DIGEST, artifact_media_type="application/vnd.cncf.helm.config.v1+json"), "vnd.cncf.helm"),
    ],
)
def test_indexes_and_artifacts_cannot_be_scanned(
    fake_aws: FakeAws, ecr: "ECRClient", image: FakeImage, media_type: str
) -> None:
    fake_aws.registry.repository("team/web").put(image)
    code, words = refused_start(ecr)
    assert code == "UnsupportedImageTypeException"
    assert media_type in words
    assert words.endswith("' cannot be scanned. For more information, see the Amazon ECR documentation.")


def test_an_archived_image_cannot_be_scanned(fake_aws: FakeAws, ecr: "ECRClient") -> None:
    fake_aws.registry.repository("team/web").put(FakeImage(DIGEST, archived=True))
    code, words = refused_start(ecr)
    assert code == "ImageArchivedException"
    assert words.endswith("is archived and cannot be scanned")


def test_an_enhanced_registry_takes_no_starts(fake_aws: FakeAws, ecr: "ECRClient") -> None:
    fake_aws.registry.scan_type = "ENHANCED"
    assert refused_start(ecr) == ("ValidationException", "This feature is disabled")
    configuration = ecr.get_registry_scanning_configuration()["scanningConfiguration"]
    assert configuration == {"scanType": "ENHANCED", "rules": []}


def test_a_registry_turns_enhanced_in_mid_run(fake_aws: FakeAws, ecr: "ECRClient") -> None:
    image = next(plain_images(1))
    fake_aws.registry.repository("team/web").put(image)
    fake_aws.registry.enhanced_after_starts = 1
    assert ecr.get_registry_scanning_configuration()["scanningConfiguration"]["scanType"] == "BASIC"
    start(ecr)
    assert refused_start(ecr, image.digest)[0] == "ValidationException"


def test_a_start_in_a_missing_place_is_not_found(ecr: "ECRClient") -> None:
    assert refused_start(ecr, digest_of("gone"))[0] == "ImageNotFoundException"
    code, _ = refusal(ecr.start_image_scan, repositoryName="gone", imageId=BY_DIGEST)
    assert code == "RepositoryNotFoundException"


def test_access_is_denied_in_the_words_of_aws(fake_aws: FakeAws, ecr: "ECRClient") -> None:
    fake_aws.behavior.faults.append(Fault("StartImageScan", "AccessDeniedException"))
    code, words = refused_start(ecr)
    assert code == "AccessDeniedException"
    assert words == (
        "User: arn:aws:sts::123456789012:assumed-role/scanner/scanner is not authorized to perform: "
        "ecr:StartImageScan on resource: arn:aws:ecr:eu-west-1:123456789012:repository/team/web "
        "because no identity-based policy allows the ecr:StartImageScan action"
    )
    assert ecr.describe_images(repositoryName="team/web")["imageDetails"]


def test_manifests_come_with_the_platforms_of_an_index(fake_aws: FakeAws, ecr: "ECRClient") -> None:
    children = {digest_of("amd"): "linux/amd64", digest_of("arm"): "linux/arm64/v8"}
    fake_aws.registry.repository("team/web").put(index_image(digest_of("index"), children, ("multi",)))
    ids = [{"imageTag": "multi"}, {"imageDigest": digest_of("gone")}]
    answer = ecr.batch_get_image(repositoryName="team/web", imageIds=ids)  # type: ignore[arg-type]
    (image,), (failure,) = answer["images"], answer["failures"]
    assert (image["imageId"]["imageDigest"], image["imageManifestMediaType"]) == (digest_of("index"), OCI_INDEX)
    assert [(child["digest"], child["platform"]) for child in json.loads(image["imageManifest"])["manifests"]] == [
        (digest_of("amd"), {"os": "linux", "architecture": "amd64"}),
        (digest_of("arm"), {"os": "linux", "architecture": "arm64", "variant": "v8"}),
    ]
    assert (failure["imageId"], failure["failureCode"]) == ({"imageDigest": digest_of("gone")}, "ImageNotFound")


def test_more_than_a_hundred_manifests_are_too_many(ecr: "ECRClient") -> None:
    ids = [{"imageDigest": image.digest} for image in plain_images(101)]
    code, _ = refusal(ecr.batch_get_image, repositoryName="team/web", imageIds=ids)
    assert code == "InvalidParameterException"
