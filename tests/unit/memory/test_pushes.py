"""Remembers which images of a repository were pushed last, and what tells which of them are alike."""

from datetime import UTC, datetime, timedelta

import pytest
from ecr_scan_reporter.aws.dynamodb import Item, Table
from ecr_scan_reporter.memory.items import repository_key
from ecr_scan_reporter.memory.pushes import PushedImage, PushedImages, pushed_item
from ecr_scan_reporter.models.findings import Finding
from ecr_scan_reporter.models.images import ImageId
from support.invocations import REGISTRY

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
NEW = REGISTRY.image("app", f"sha256:{999:064}")
FOUND = [Finding(f"CVE-2026-{n}", "HIGH", f"package-{n % 3}") for n in range(9)]


def pushed(number: int, *tags: str, platform: str = "", findings: list[Finding] = FOUND) -> PushedImage:
    known = PushedImage(f"sha256:{number:064}", NOW + number * MINUTE, tags, platform)
    return known.with_findings(findings)


def item(image: PushedImage, of: ImageId = NEW) -> Item:
    return pushed_item(of._replace(digest=image.digest), image, NOW)


def checksums(image: PushedImage) -> frozenset[int]:
    assert image.findings is not None
    return image.findings


def test_images_survive_and_the_last_push_comes_first(table: Table) -> None:
    images = [
        pushed(1, "1.0", "latest", platform="linux/arm64"),
        pushed(2, "main-3f2a9c1", findings=[]),
        pushed(3),
        pushed(4, "日本語", "#"),
    ]
    table.put_many(map(item, images))
    known = PushedImages(table, [])
    assert known.others(NEW) == [image._replace(tags=tuple(sorted(image.tags))) for image in reversed(images)]
    # An image is not among those that it may replace.
    assert [image.digest for image in known.others(NEW._replace(digest=images[1].digest))] == [
        images[number].digest for number in (3, 2, 0)
    ]


@pytest.mark.parametrize(
    "other", [NEW._replace(repository="app2"), NEW._replace(account="210987654321"), NEW._replace(region="us-east-1")]
)
def test_other_repositories_have_their_own_images(table: Table, other: ImageId) -> None:
    table.put_many([item(pushed(1)), item(pushed(2), other)])
    assert PushedImages(table, []).others(NEW) == [pushed(1)]
    assert PushedImages(table, []).others(other) == [pushed(2)]


def test_repository_without_images_is_no_error(table: Table) -> None:
    assert PushedImages(table, []).others(NEW) == []


def test_two_hundred_images_are_considered(table: Table) -> None:
    table.put_many(item(pushed(number)) for number in range(1, 211))
    assert PushedImages(table, []).others(NEW) == [pushed(number) for number in range(210, 10, -1)]


def test_later_write_of_an_image_replaces_the_one_before(table: Table) -> None:
    table.put(item(pushed(1, "1.0")))
    table.put(item(pushed(1, "1.0", "stable")))
    assert PushedImages(table, []).others(NEW) == [pushed(1, "1.0", "stable")]


def test_ten_tags_are_kept_in_alphabetical_order() -> None:
    tags = [f"{number:02}" for number in range(1000)]
    found = item(pushed(1, *tags[::-1]))["tags"]
    assert found == '["00","01","02","03","04","05","06","07","08","09"]'


def test_item_is_small(table: Table) -> None:
    findings = [Finding(f"CVE-2026-{n}", "HIGH", f"package-{n}") for n in range(20_000)]
    made = item(pushed(1, *(f"{number:0128}" for number in range(1000)), platform="linux/amd64", findings=findings))
    # 200 of them are read for each first scan, with one call: it returns at most 1 MB.
    assert sum(len(name) + len(str(value).encode()) for name, value in made.items()) < 5000


def test_findings_are_told_by_vulnerability_and_package() -> None:
    finding = Finding("CVE-2026-1", "HIGH", "openssl", ("1.0",))
    same = finding._replace(severity="LOW", installed_versions=("1.1",), fix_available=True)
    assert pushed(1, findings=[finding]) == pushed(1, findings=[same, finding])
    for other in (finding._replace(id="CVE-2026-2"), finding._replace(package="zlib")):
        assert checksums(pushed(1, findings=[finding])).isdisjoint(checksums(pushed(1, findings=[other])))
    # What cannot be encoded is no error.
    assert len(pushed(1, findings=[finding._replace(package="\ud800")]).packages) == 1


def test_two_large_images_that_are_alike_keep_mostly_the_same_part() -> None:
    many = [Finding(f"CVE-2026-{n}", "HIGH", f"package-{n % 500}") for n in range(5000)]
    first, second = pushed(1, findings=many), pushed(2, findings=many[100:][::-1])
    assert (len(checksums(first)), len(first.packages)) == (64, 32)
    assert len(checksums(first) & checksums(second)) > 50


@pytest.mark.parametrize(
    "damaged",
    [
        {"sk": "PUSHED##1"},
        {"sk": "PUSHED#yesterday#sha256:1#1"},
        {"sk": "PUSHED#2026-11-23T09:00:00Z#1"},
        {"sk": "PUSHED#2026-99-99T09:00:00Z#sha256:1#1"},
        {"tags": "1.0"},
        {"tags": '{"1.0": 1}'},
        {"tags": "[1]"},
        {"tags": "[" * 5000},
        {"tags": 7},
        {"platform": 7},
        {"platform": b"arm64"},
    ],
)
def test_damaged_item_is_left_out(table: Table, caplog: pytest.LogCaptureFixture, damaged: dict[str, str]) -> None:
    table.put_many([{**item(pushed(1, "1.0")), **damaged}, item(pushed(2))])
    assert PushedImages(table, []).others(NEW) == [pushed(2)]
    assert [record.message for record in caplog.records] == ["what memory holds cannot be read"]


@pytest.mark.parametrize("value", ["text", 7, b"", b"123", b"12345"])
def test_damaged_checksums_are_alike_to_nothing(table: Table, value: str | int | bytes) -> None:
    table.put({**item(pushed(1)), "findings": value, "packages": value})
    [found] = PushedImages(table, []).others(NEW)
    assert found.digest == pushed(1).digest
    assert checksums(pushed(1)).isdisjoint(checksums(found))


def test_what_a_later_release_wrote_is_ignored(table: Table) -> None:
    assert repository_key(REGISTRY, "app") == item(pushed(1))["pk"]
    table.put({**item(pushed(1)), "later": 1})
    assert PushedImages(table, []).others(NEW) == [pushed(1)]


def test_repository_with_several_images_in_a_batch_is_read_once_and_has_what_the_batch_adds(table: Table) -> None:
    table.put(item(pushed(1, "1.0")))
    batch = [NEW._replace(digest=pushed(number).digest) for number in range(2, 5)]
    images = PushedImages(table, batch)
    assert images.others(batch[0]) == [pushed(1, "1.0")]
    # What others add meanwhile is not seen, but what this batch adds.
    table.put(item(pushed(9)))
    images.add(batch[0], pushed(2, "1.1"), [pushed(1, "1.0")])
    replaced = pushed(1, "1.0")._replace(successors=frozenset({batch[0].digest}))
    assert images.others(batch[1]) == [pushed(2, "1.1"), replaced]
    images.add(batch[1], None, [pushed(2, "1.1")])
    assert images.others(batch[2])[0].successors == {batch[1].digest}
    for number in range(10, 500):
        images.add(batch[0], pushed(number), [])
    assert images.others(batch[2]) == [pushed(number) for number in range(499, 299, -1)]


def test_few_images_of_a_repository_read_it_each_time(table: Table) -> None:
    images = PushedImages(table, [NEW, NEW._replace(digest=pushed(1).digest)])
    assert images.others(NEW) == []
    images.add(NEW, pushed(3), [])
    table.put(item(pushed(1)))
    assert images.others(NEW) == [pushed(1)]
