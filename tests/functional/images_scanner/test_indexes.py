"""The images scanner reads each image index once."""

import logging
from dataclasses import replace

import pytest
from ecr_scan_reporter.memory.items import formatted, repository_key
from ecr_scan_reporter.messages.repository import RepositoryMessage
from fake_aws import (
    DOCKER_INDEX,
    FakeImage,
    Fault,
    digest_of,
    index_image,
)
from support.configuration import memory_table
from support.images_scanner import REPOSITORY, Scanner, counted, image, put_indexes
from support.invocations import REGISTRY


def test_children_of_an_index_are_scanned_except_attestations(
    scanner: Scanner, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    children = {
        digest_of("amd64"): "linux/amd64",
        digest_of("arm64"): "linux/arm64",
        digest_of("sbom"): "unknown/unknown",
    }
    scanner.add(index_image(digest_of("index"), children, ("1.0",)), *map(FakeImage, children))
    assert set(scanner.scan()) == {digest_of("amd64"), digest_of("arm64")}
    assert counted(caplog)["attestation"] == 1
    assert scanner.aws.calls()["BatchGetImage"] == 1


def test_indexes_are_read_100_per_call_and_only_for_untagged_images(scanner: Scanner) -> None:
    indexes = [index_image(digest_of(f"x{n}"), {digest_of(f"c{n}"): "linux/amd64"}, (f"t{n}",)) for n in range(250)]
    scanner.add(*indexes, image("plain", "plain"))
    scanner.scan()
    assert "BatchGetImage" not in scanner.aws.calls()
    scanner.registry.repository(REPOSITORY).put(image("untagged"))
    scanner.scan()
    assert scanner.aws.calls()["BatchGetImage"] == 3


@pytest.mark.parametrize(
    "manifest", ["", "no JSON", "[]", '{"manifests": 7}', '{"manifests": [{}]}', '{"manifests": ["x"]}']
)
def test_malformed_index_is_ignored(scanner: Scanner, manifest: str) -> None:
    scanner.add(replace(image("index", "1.0", media_type=DOCKER_INDEX), manifest=manifest), image("untagged"))
    assert scanner.scan() == [digest_of("untagged")]


def test_indexes_that_were_read_before_a_failure_are_not_read_again(scanner: Scanner) -> None:
    indexes = put_indexes(scanner, 250)
    fault = Fault("BatchGetImage", "InvalidParameterException", containing=indexes[-1])
    scanner.aws.behavior.faults.append(fault)
    assert scanner.handle(RepositoryMessage(REGISTRY, REPOSITORY).to_json()) == ["0"]
    scanner.aws.reset()
    scanner.aws.behavior.faults.clear()
    assert scanner.scan() == [digest_of("amd64")]
    assert scanner.aws.calls()["BatchGetImage"] == 1


def test_indexes_that_take_too_long_continue_in_the_next_invocation(scanner: Scanner) -> None:
    put_indexes(scanner, 450)
    scanner.aws.behavior.latency = {"BatchGetImage": 0.4}
    assert scanner.handle(RepositoryMessage(REGISTRY, REPOSITORY).to_json(), seconds=1) == []
    assert 1 <= scanner.aws.calls()["BatchGetImage"] < 5
    scanner.aws.behavior.latency = {}
    assert scanner.handle(*(message.to_json() for message in scanner.continuations())) == []
    assert scanner.aws.calls()["BatchGetImage"] == 5
    assert len(scanner.aws.starts()) == 1


def test_index_that_is_too_large_for_an_item_is_not_remembered(
    scanner: Scanner, caplog: pytest.LogCaptureFixture
) -> None:
    large = index_image(digest_of("large"), {digest_of(f"c{n}"): "linux/amd64" for n in range(5000)}, ("1.0",))
    small = index_image(digest_of("small"), {digest_of("amd64"): "linux/amd64"}, ("2.0",))
    scanner.add(large, small, image("amd64"))
    scanner.scan()
    pk, table = repository_key(REGISTRY, REPOSITORY), memory_table(scanner.aws)
    assert [bool(table.get(pk, formatted(f"INDEX#{entry.digest}"))) for entry in (large, small)] == [False, True]
    [warning] = [record.__dict__ for record in caplog.records if "too large" in record.message]
    assert (warning["digest"], warning["manifests"]) == (large.digest, 5000)
