"""Repositories, images and pages of the ECR model."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from local_aws.fake_ecr import (
    OCI_CONFIG,
    OCI_IMAGE,
    OCI_INDEX,
    FakeImage,
    FakeRegistry,
    FakeRepository,
    Fault,
    digest_of,
    index_image,
    plain_images,
)
from local_aws.fake_ecr.listing import Listing

Call = Callable[..., dict[str, Any]]
Error = Callable[..., tuple[str, str]]

DIGEST = digest_of("web")


def manifest(**fields: Any) -> str:
    config = {"mediaType": OCI_CONFIG, "digest": DIGEST, "size": 10}
    return json.dumps({"schemaVersion": 2, "mediaType": OCI_IMAGE, "config": config, "layers": [], **fields})


@given(st.lists(st.integers(), max_size=60), st.integers(min_value=1, max_value=20))
def test_pages_contain_every_item_once(items: list[int], size: int) -> None:
    listing: Listing[int] = Listing()
    for number, item in enumerate(items):
        listing.put(str(number), item)
    collected: list[int] = []
    position: int | None = 0
    while position is not None:
        page, position = listing.page(position, size, lambda _: True)
        assert len(page) <= size
        collected += page
    assert collected == items


def test_repositories_have_pages(registry: FakeRegistry, call: Call) -> None:
    for number in range(6):
        registry.add(f"app-{number}")
    names: list[str] = []
    sizes: list[int] = []
    page: dict[str, Any] = {"nextToken": None}
    while "nextToken" in page:
        token = {"nextToken": page["nextToken"]} if page["nextToken"] else {}
        page = call("DescribeRepositories", maxResults=3, **token)
        sizes.append(len(page["repositories"]))
        names += [repository["repositoryName"] for repository in page["repositories"]]
    assert sizes == [3, 3, 1]
    assert names == ["team/web", *(f"app-{number}" for number in range(6))]


def test_page_has_100_items_by_default(registry: FakeRegistry, call: Call) -> None:
    registry.add("big", plain_images(120))
    assert len(call("DescribeImages", repositoryName="big")["imageDetails"]) == 100


def test_named_repositories_are_described(call: Call, error_of: Error) -> None:
    [repository] = call("DescribeRepositories", repositoryNames=["team/web"])["repositories"]
    assert repository["repositoryArn"] == "arn:aws:ecr:eu-west-1:123456789012:repository/team/web"
    assert repository["repositoryUri"] == "123456789012.dkr.ecr.eu-west-1.amazonaws.com/team/web"
    assert error_of("DescribeRepositories", repositoryNames=["gone"]) == (
        "RepositoryNotFoundException",
        "The repository with name 'gone' does not exist in the registry with id '123456789012'",
    )


def test_created_repository_exists_once(call: Call, error_of: Error) -> None:
    assert call("CreateRepository", repositoryName="new")["repository"]["repositoryName"] == "new"
    assert error_of("CreateRepository", repositoryName="new")[0] == "RepositoryAlreadyExistsException"


@pytest.mark.parametrize(
    ("operation", "params"),
    [
        ("DescribeRepositories", {"repositoryNames": ["team/web"], "maxResults": 10}),
        ("DescribeImages", {"imageIds": [{"imageDigest": DIGEST}], "nextToken": "x"}),
        ("DescribeImages", {"imageIds": [{"imageDigest": DIGEST}] * 101}),
        ("BatchGetImage", {"imageIds": [{"imageDigest": DIGEST}] * 101}),
        ("DescribeImages", {"maxResults": 1001}),
        ("DescribeImages", {"maxResults": -1}),
        ("StartImageScan", {"imageId": {}}),
    ],
)
def test_invalid_parameters_are_rejected(error_of: Error, operation: str, params: dict[str, Any]) -> None:
    assert error_of(operation, **params)[0] == "InvalidParameterException"


def test_image_removed_between_pages_hides_no_other(registry: FakeRegistry, call: Call) -> None:
    images = list(plain_images(4))
    small = registry.add("small", images)
    first = call("DescribeImages", repositoryName="small", maxResults=2)
    small.remove(images[0].digest)
    second = call("DescribeImages", repositoryName="small", maxResults=2, nextToken=first["nextToken"])
    assert [detail["imageDigest"] for detail in second["imageDetails"]] == [image.digest for image in images[2:]]


@pytest.mark.parametrize("token", ["nonsense", "MDAwMA==", "%%%", "é", "LTF8MC4wfGltYWdlc3x0ZWFtL3dlYnxBQ1RJVkV8QU5Z"])
def test_unknown_token_is_invalid(error_of: Error, token: str) -> None:
    code, message = error_of("DescribeImages", nextToken=token)
    assert code == "InvalidParameterException"
    assert "Invalid token" in message


def test_token_of_another_list_is_invalid(registry: FakeRegistry, call: Call, error_of: Error) -> None:
    registry.add("big", plain_images(3))
    token = call("DescribeImages", repositoryName="big", maxResults=1)["nextToken"]
    assert error_of("DescribeImages", nextToken=token)[0] == "InvalidParameterException"


def test_token_expires(registry: FakeRegistry, clock: Any, call: Call, error_of: Error) -> None:
    registry.add("big", plain_images(3))
    registry.token_lifetime = 60
    token = call("DescribeImages", repositoryName="big", maxResults=1)["nextToken"]
    clock.advance(seconds=59)
    assert call("DescribeImages", repositoryName="big", maxResults=1, nextToken=token)["imageDetails"]
    clock.advance(seconds=1)
    code, message = error_of("DescribeImages", repositoryName="big", maxResults=1, nextToken=token)
    assert code == "InvalidParameterException"
    assert "expired" in message


def test_image_has_the_fields_of_ecr(repository: FakeRepository, clock: Any, call: Call) -> None:
    pulled, subject = clock.now - timedelta(hours=1), digest_of("subject")
    repository.put(
        FakeImage(digest_of("signature"), artifact_media_type="application/x", subject=subject, last_pull=pulled)
    )
    web, signature = call("DescribeImages")["imageDetails"]
    assert web["imageTags"] == ["latest", "1.0"]
    assert web["imagePushedAt"] == clock.now - timedelta(days=3)
    assert web["imageStatus"] == "ACTIVE"
    assert not {"lastRecordedPullTime", "subjectManifestDigest", "imageScanStatus"} & set(web)
    assert "imageTags" not in signature
    assert (signature["lastRecordedPullTime"], signature["subjectManifestDigest"]) == (pulled, subject)
    assert signature["artifactMediaType"] == "application/x"


def test_images_are_filtered_by_status_and_tags(repository: FakeRepository, call: Call) -> None:
    repository.put(FakeImage(digest_of("old"), ("old",), archived=True))
    repository.put(FakeImage(digest_of("untagged")))

    def digests(**selected: Any) -> list[str]:
        return [detail["imageDigest"] for detail in call("DescribeImages", filter=selected)["imageDetails"]]

    assert digests() == [DIGEST, digest_of("untagged")]
    assert digests(imageStatus="ARCHIVED") == [digest_of("old")]
    assert digests(imageStatus="ANY", tagStatus="TAGGED") == [DIGEST, digest_of("old")]
    assert digests(tagStatus="UNTAGGED") == [digest_of("untagged")]


def test_tag_moves_to_the_image_that_was_pushed_last(repository: FakeRepository, call: Call) -> None:
    repository.put(FakeImage(digest_of("newer"), ("latest",)))
    assert [detail["imageTags"] for detail in call("DescribeImages")["imageDetails"]] == [["1.0"], ["latest"]]
    [latest] = call("DescribeImages", imageIds=[{"imageTag": "latest"}])["imageDetails"]
    assert latest["imageDigest"] == digest_of("newer")


def test_tag_that_a_replaced_image_lost_is_not_found(repository: FakeRepository, error_of: Error) -> None:
    repository.put(replace(repository.images[0], tags=("1.0",)))
    assert error_of("DescribeImages", imageIds=[{"imageTag": "latest"}])[0] == "ImageNotFoundException"


def test_missing_image_is_not_found(error_of: Error) -> None:
    code, message = error_of("DescribeImages", imageIds=[{"imageTag": "no"}])
    assert code == "ImageNotFoundException"
    assert message.startswith("The image with imageId {imageDigest:'null', imageTag:'no'} does not exist within")


def test_pushed_image_is_described_from_its_manifest(call: Call, clock: Any) -> None:
    layers = [{"mediaType": "layer", "digest": DIGEST, "size": size} for size in (1000, 500)]
    subject = {"mediaType": OCI_IMAGE, "digest": DIGEST, "size": 1}
    text = manifest(layers=layers, subject=subject)
    answer = call("PutImage", imageManifest=text, imageTag="signed")
    assert answer["image"]["imageId"] == {"imageDigest": digest_of(text), "imageTag": "signed"}
    [detail] = call("DescribeImages", imageIds=[{"imageTag": "signed"}])["imageDetails"]
    assert (detail["imageManifestMediaType"], detail["artifactMediaType"]) == (OCI_IMAGE, OCI_CONFIG)
    assert (detail["imageSizeInBytes"], detail["subjectManifestDigest"]) == (1500, DIGEST)
    assert detail["imagePushedAt"] == clock.now


def test_second_push_of_a_manifest_adds_a_tag(call: Call, error_of: Error) -> None:
    call("PutImage", imageManifest=manifest(), imageTag="a")
    call("PutImage", imageManifest=manifest(), imageTag="b")
    [detail] = call("DescribeImages", imageIds=[{"imageTag": "b"}])["imageDetails"]
    assert detail["imageTags"] == ["a", "b"]
    assert error_of("PutImage", imageManifest=manifest(), imageTag="b")[0] == "ImageAlreadyExistsException"


def test_push_with_another_digest_is_rejected(error_of: Error) -> None:
    code, _ = error_of("PutImage", imageManifest=manifest(), imageDigest=DIGEST)
    assert code == "ImageDigestDoesNotMatchException"


def test_manifest_of_an_index_has_the_platforms(repository: FakeRepository, call: Call) -> None:
    children = {digest_of("amd"): "linux/amd64", digest_of("arm"): "linux/arm64/v8"}
    repository.put(index_image(digest_of("index"), children, ("multi",)))
    answer = call("BatchGetImage", imageIds=[{"imageTag": "multi"}, {"imageDigest": digest_of("gone")}])
    (image,), (failure,) = answer["images"], answer["failures"]
    assert (image["imageId"]["imageDigest"], image["imageManifestMediaType"]) == (digest_of("index"), OCI_INDEX)
    assert [(child["digest"], child["platform"]) for child in json.loads(image["imageManifest"])["manifests"]] == [
        (digest_of("amd"), {"os": "linux", "architecture": "amd64"}),
        (digest_of("arm"), {"os": "linux", "architecture": "arm64", "variant": "v8"}),
    ]
    assert (failure["imageId"], failure["failureCode"]) == ({"imageDigest": digest_of("gone")}, "ImageNotFound")


def test_batch_get_image_counts_as_a_pull(repository: FakeRepository, clock: Any, call: Call) -> None:
    repository.put(FakeImage(digest_of("other")))
    call("BatchGetImage", imageIds=[{"imageTag": "latest"}])
    web, other = call("DescribeImages")["imageDetails"]
    assert web["lastRecordedPullTime"] == clock.now
    assert "lastRecordedPullTime" not in other


def test_scanning_configuration_is_stored(call: Call) -> None:
    assert call("GetRegistryScanningConfiguration")["scanningConfiguration"] == {"scanType": "BASIC", "rules": []}
    filters = [{"filter": "team-*", "filterType": "WILDCARD"}]
    configuration = {
        "scanType": "ENHANCED",
        "rules": [{"scanFrequency": "CONTINUOUS_SCAN", "repositoryFilters": filters}],
    }
    call("PutRegistryScanningConfiguration", **configuration)
    assert call("GetRegistryScanningConfiguration")["scanningConfiguration"] == configuration


def test_operation_that_is_not_implemented_is_named(error_of: Error) -> None:
    code, message = error_of("DeleteLifecyclePolicy")
    assert (code, message) == ("UnknownOperationException", "the fake does not implement DeleteLifecyclePolicy")


def test_fault_rejects_calls_as_often_as_set(registry: FakeRegistry, call: Call, error_of: Error) -> None:
    registry.faults.append(Fault("DescribeImages", "ThrottlingException", "Rate exceeded", times=2))
    for _ in range(2):
        assert error_of("DescribeImages") == ("ThrottlingException", "Rate exceeded")
    assert call("DescribeImages")["imageDetails"]


@pytest.mark.parametrize("operation", ["DescribeImageScanFindings", "StartImageScan"])
def test_fault_of_a_digest_rejects_every_call_for_that_image_only(
    registry: FakeRegistry, repository: FakeRepository, call: Call, error_of: Error, operation: str
) -> None:
    other = digest_of("other")
    repository.put(FakeImage(other))
    registry.start_scan(repository, repository.images[0])
    registry.faults.append(Fault(operation, "ServerException", "no", status=500, containing=other))
    for _ in range(3):
        assert error_of(operation, imageId={"imageDigest": other}) == ("ServerException", "no")
    if operation == "DescribeImageScanFindings":
        assert call(operation)["imageScanStatus"]["status"] == "COMPLETE"
    else:
        assert error_of(operation)[0] == "LimitExceededException"


def test_denied_access_has_the_message_of_aws(registry: FakeRegistry, error_of: Error) -> None:
    registry.faults.append(Fault("StartImageScan", "AccessDeniedException"))
    assert error_of("StartImageScan") == (
        "AccessDeniedException",
        "User: arn:aws:sts::123456789012:assumed-role/scanner/scanner is not authorized to perform: "
        "ecr:StartImageScan on resource: arn:aws:ecr:eu-west-1:123456789012:repository/team/web "
        "because no identity-based policy allows the ecr:StartImageScan action",
    )
