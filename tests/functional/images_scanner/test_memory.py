"""The images scanner remembers scans, so that the next run looks up few images."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

import pytest
from ecr_scan_reporter import images_scanner
from ecr_scan_reporter.aws.dynamodb import Item
from ecr_scan_reporter.aws.ecr import EcrRegistry
from ecr_scan_reporter.memory.images import ImageMemory, ImageRecord, image_item
from ecr_scan_reporter.memory.items import formatted, image_key, repository_key, to_seconds
from ecr_scan_reporter.memory.scans import KnownImage, ScanMemory
from ecr_scan_reporter.messages.repository import RepositoryMessage
from ecr_scan_reporter.models.scans import StartOutcome
from ecr_scan_reporter.scanning import known_scans
from fake_aws import FakeScan, Fault, digest_of, plain_images
from support.configuration import memory_table
from support.images_scanner import (
    NOW,
    REPOSITORY,
    Scanner,
    asked_item,
    asked_key,
    image,
    put_indexes,
    report_findings,
    scanned,
    state,
    summary,
)
from support.invocations import REGISTRY


@pytest.mark.slow
def test_scan_that_was_not_started_is_not_remembered_as_asked_for(scanner: Scanner) -> None:
    scanner.registry.account_scan_quota = 10
    images = list(plain_images(60))
    scanner.add(*images, scans={entry.digest: scanned(9) for entry in images[:30]})
    assert scanner.handle(RepositoryMessage(REGISTRY, REPOSITORY, run="run-1").to_json()) == []
    started = {start.digest for start in scanner.aws.starts()}
    assert len(started) == 10
    for entry in images:
        item = asked_item(scanner, entry.digest)
        assert (item.get("run"), "asked_at" in item) == (("run-1", True) if entry.digest in started else (None, False))


def test_start_whose_answer_was_lost_is_remembered_as_asked_for(scanner: Scanner) -> None:
    scanner.add(image("app", "1.0"))
    scanner.aws.behavior.faults.append(Fault("StartImageScan", "ServerException", status=500, times=1, lost=True))
    assert scanner.handle(RepositoryMessage(REGISTRY, REPOSITORY, run="run-1").to_json()) == []
    assert scanner.aws.calls()["StartImageScan"] == 2
    assert asked_item(scanner, digest_of("app"))["run"] == "run-1"


def test_message_delivered_twice_keeps_the_time_at_which_its_run_asked(scanner: Scanner) -> None:
    scanner.add(image("app", "1.0"))
    asked_at = NOW - timedelta(minutes=20)
    memory = ScanMemory(memory_table(scanner.aws), REGISTRY)
    memory.remember(REPOSITORY, {digest_of("app"): None}, [digest_of("app")], "run-1", asked_at)
    per_image = "The scan quota per image has been exceeded. Wait and try again."
    scanner.aws.behavior.faults.append(Fault("StartImageScan", "LimitExceededException", per_image))
    assert scanner.handle(RepositoryMessage(REGISTRY, REPOSITORY, run="run-1").to_json()) == []
    item = asked_item(scanner, digest_of("app"))
    assert (item["run"], item["asked_at"]) == ("run-1", to_seconds(asked_at))


def test_look_up_keeps_the_run_that_asked_for_the_scan(scanner: Scanner) -> None:
    scanner.add(image("app", "1.0"), scans={digest_of("app"): scanned(0.001)})
    asked_at = NOW - timedelta(minutes=10)
    memory = ScanMemory(memory_table(scanner.aws), REGISTRY)
    memory.remember(REPOSITORY, {digest_of("app"): None}, [digest_of("app")], "run-1", asked_at)
    assert scanner.handle(RepositoryMessage(REGISTRY, REPOSITORY, run="run-1").to_json()) == []
    # The event of the scan is still in the queue of the reporter.
    item = asked_item(scanner, digest_of("app"))
    assert (item["status"], item["run"], item["asked_at"]) == ("COMPLETE", "run-1", to_seconds(asked_at))


def test_scan_in_progress_that_someone_else_started_is_stuck_after_a_day(
    scanner: Scanner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ecr_scan_reporter.scanning.decisions._has_turn", lambda *_: False)
    scanner.add(image("app", "1.0"), scans={digest_of("app"): FakeScan("IN_PROGRESS")})
    body = RepositoryMessage(REGISTRY, REPOSITORY, run="run-1").to_json()
    assert scanner.handle(body) == []
    item = asked_item(scanner, digest_of("app"))
    assert "run" not in item
    for hours, starts in ((23, 0), (25, 1)):
        memory_table(scanner.aws).put({**item, "asked_at": to_seconds(NOW - timedelta(hours=hours))})
        assert scanner.handle(body) == []
        assert len(scanner.aws.starts()) == starts


def test_scan_in_progress_has_not_the_date_of_a_request_that_was_answered(
    scanner: Scanner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ecr_scan_reporter.scanning.decisions._has_turn", lambda *_: False)
    digest = digest_of("app")
    scanner.add(image("app", "1.0"), scans={digest: FakeScan("IN_PROGRESS")})
    asked_at, memory = NOW - timedelta(days=8), ScanMemory(memory_table(scanner.aws), REGISTRY)
    memory.remember(REPOSITORY, {digest: None}, [digest], "run-1", asked_at)
    answer = ImageRecord(scanned_at=asked_at + timedelta(minutes=1))
    memory_table(scanner.aws).put(image_item(repository_key(REGISTRY, REPOSITORY), digest, answer))
    # Someone else has just started another one.
    assert scanner.scan() == []
    [(_, remembered, _)] = memory.scans(REPOSITORY, "", "", NOW)
    assert remembered.asked_at
    assert to_seconds(remembered.asked_at) >= to_seconds(NOW)


def test_items_of_a_later_release_are_as_if_they_were_not_there(
    scanner: Scanner, caplog: pytest.LogCaptureFixture
) -> None:
    images = [image(f"image {number}", str(number)) for number in range(5)]
    indexes = put_indexes(scanner, 2)
    for entry in images:
        scanner.registry.repository(REPOSITORY).put(entry)
        scanner.registry.repository(REPOSITORY).scans[entry.digest] = scanned(1)
    scanner.scan()
    report_findings(scanner, [entry.digest for entry in images])
    pk, table = repository_key(REGISTRY, REPOSITORY), memory_table(scanner.aws)
    changed: dict[str, Item] = {
        image_key(images[0].digest): {"ledger": '["1"]'},
        image_key(images[1].digest): {"updates": '[["openssl"]]'},
        asked_key(images[2].digest): {"asked_at": 10**20, "status": "COMPLETE"},
        formatted(f"INDEX#{indexes[0]}"): {"children": "[[1]]"},
    }
    for sk, values in changed.items():
        table.put({**(table.get(pk, sk) or {"pk": pk, "sk": sk}), **values})
    scanner.aws.reset()
    assert scanner.handle(RepositoryMessage(REGISTRY, REPOSITORY).to_json()) == []
    assert scanner.aws.starts() == []
    assert scanner.aws.calls()["BatchGetImage"] == 1
    # What the reporter knows of three of them cannot be read, or is nothing.
    assert summary(scanner).coverage.counts == {"in_time": 3, "not_read": 3}
    # The findings of the others count.
    assert summary(scanner).open == {"HIGH": 4 + 5}
    assert len([record for record in caplog.records if "cannot be read" in record.message]) == 4
    known = [digest for digest, _ in ImageMemory(table, NOW).records(REGISTRY, REPOSITORY)]
    assert sorted(known) == sorted(entry.digest for entry in images[2:])


def test_second_run_looks_up_no_image_except_spot_checks(scanner: Scanner, monkeypatch: pytest.MonkeyPatch) -> None:
    images = [image(f"image {number}", str(number)) for number in range(20)]
    scanner.add(*images, scans={entry.digest: scanned(1) for entry in images})
    assert scanner.handle(RepositoryMessage(REGISTRY, REPOSITORY).to_json()) == []
    assert scanner.aws.calls()["DescribeImageScanFindings"] == 20
    for most in (0, 2):
        monkeypatch.setattr(known_scans, "_ONE_SPOT_CHECK_IN", 1)
        monkeypatch.setattr(known_scans, "_MAX_SPOT_CHECKS", most)
        scanner.aws.reset()
        assert scanner.handle(RepositoryMessage(REGISTRY, REPOSITORY).to_json()) == []
        assert scanner.aws.calls().get("DescribeImageScanFindings", 0) == most
        assert scanner.aws.starts() == []


def test_without_the_table_every_image_is_looked_up(scanner: Scanner, caplog: pytest.LogCaptureFixture) -> None:
    images = [image(f"image {number}", str(number)) for number in range(5)]
    scanner.add(*images, scans={entry.digest: scanned(9) for entry in images})
    scanner.aws.client("dynamodb").delete_table(TableName="memory")
    assert scanner.handle(RepositoryMessage(REGISTRY, REPOSITORY).to_json()) == []
    assert len(scanner.aws.starts()) == 5
    assert any("memory is not available" in record.message for record in caplog.records)


def test_chunks_read_every_image_from_memory_once(scanner: Scanner, monkeypatch: pytest.MonkeyPatch) -> None:
    images = sorted(plain_images(250), key=lambda image: image.digest)
    scanner.add(*images, scans={image.digest: scanned(1) for image in images})
    scanner.scan()
    # What memory knows of images that are not there any more is left out.
    scanner.registry.repository(REPOSITORY).remove(images[17].digest)
    monkeypatch.setattr(images_scanner, "CHUNK_SIZE", 100)
    read: list[list[str]] = []
    scans = ScanMemory.scans

    def spy(memory: ScanMemory, name: str, after: str, until: str, now: datetime) -> Iterator[KnownImage]:
        read.append([])
        for found in scans(memory, name, after, until, now):
            read[-1].append(found[0])
            yield found

    monkeypatch.setattr(ScanMemory, "scans", spy)
    scanner.aws.reset()
    scanner.scan()
    digests = [image.digest for image in images]
    # The one that was deleted is still known, and its changes count.
    assert read == [digests[:101], digests[101:201], digests[201:]]
    assert scanner.aws.calls()["Query"] == 3
    read.clear()
    monkeypatch.setattr(known_scans, "_IMAGES_PER_RANGE", 100)
    assert scanner.handle(RepositoryMessage(REGISTRY, REPOSITORY, after=digests[150]).to_json()) == []
    assert read == [digests[151:], digests[:101], digests[101:151]]
    read.clear()
    # All images after this one were deleted.
    for entry in images[150:]:
        scanner.registry.repository(REPOSITORY).remove(entry.digest)
    assert scanner.handle(RepositoryMessage(REGISTRY, REPOSITORY, after=digests[200]).to_json()) == []
    assert read == [digests[201:], digests[:101], digests[101:201]]


def test_what_is_asked_for_is_remembered_before_the_scan_is_started(
    scanner: Scanner, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = list(plain_images(200))
    scanner.add(*images, scans={image.digest: scanned(9 if n < 120 else 1) for n, image in enumerate(images)})
    scanner.aws.behavior.latency = {"BatchWriteItem": 0.1}
    table = memory_table(scanner.aws)
    pk = repository_key(REGISTRY, REPOSITORY)
    start_scan = EcrRegistry.start_scan
    unknown: list[str] = []

    def spy(ecr: EcrRegistry, name: str, digest: str) -> StartOutcome:
        if not table.get(pk, asked_key(digest)):
            unknown.append(digest)
        return start_scan(ecr, name, digest)

    monkeypatch.setattr(EcrRegistry, "start_scan", spy)
    body = RepositoryMessage(REGISTRY, REPOSITORY, run="run-1").to_json()
    assert scanner.handle(body) == []
    assert len(scanner.aws.starts()) == 120
    assert unknown == []
    items = table.get_many((pk, asked_key(image.digest)) for image in images)
    assert {item.get("run") for item in items.values()} == {"run-1", None}
    assert len(items) == 200


def test_scan_that_the_next_run_looks_up_anyway_is_not_remembered(make_scanner: Callable[..., Scanner]) -> None:
    scanner = make_scanner(ECR_IMAGES_DURATION_DELTA="1d")
    images = list(plain_images(50))
    scanner.add(*images, scans={image.digest: scanned(0.25) for image in images})
    scanner.scan()
    # That of the state of the repository.
    assert scanner.aws.calls()["BatchWriteItem"] == 1


def test_memory_that_fails_in_the_second_chunk_is_given_up(
    scanner: Scanner, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    images = sorted(plain_images(60), key=lambda image: image.digest)
    scanner.add(*images, scans={image.digest: scanned(1) for image in images} | {images[30].digest: scanned(9)})
    scanner.scan()
    scanner.registry.repository(REPOSITORY).scans[images[50].digest] = scanned(9)
    monkeypatch.setattr(images_scanner, "CHUNK_SIZE", 20)
    scanner.aws.reset()
    scanner.aws.behavior.faults.append(Fault("Query", "AccessDeniedException", containing=images[39].digest))
    assert scanner.scan() == [images[50].digest]
    calls = scanner.aws.calls()
    # All images of the second and the third chunk; and in the first one, spot checks.
    assert 40 <= calls["DescribeImageScanFindings"] <= 45
    assert calls["Query"] == 2
    assert "PutItem" not in calls
    assert "BatchWriteItem" not in calls
    assert [record.message for record in caplog.records if "memory" in record.message] == [
        "memory is not available; this invocation goes on without it"
    ]


@pytest.mark.slow
def test_spot_checks_are_limited_for_all_chunks_together(scanner: Scanner, monkeypatch: pytest.MonkeyPatch) -> None:
    images = list(plain_images(90))
    scanner.add(*images, scans={image.digest: scanned(1) for image in images})
    scanner.scan()
    scanner.aws.reset()
    monkeypatch.setattr(known_scans, "_ONE_SPOT_CHECK_IN", 1)
    monkeypatch.setattr(known_scans, "_MAX_SPOT_CHECKS", 35)
    monkeypatch.setattr(images_scanner, "CHUNK_SIZE", 30)
    scanner.scan()
    assert scanner.aws.calls()["DescribeImageScanFindings"] == 35


def test_image_without_a_scan_before_a_continuation_is_remembered(scanner: Scanner) -> None:
    images = sorted(plain_images(30), key=lambda image: image.digest)
    scanner.add(*images, scans={image.digest: scanned(1) for image in images})
    body = RepositoryMessage(REGISTRY, REPOSITORY, after=images[9].digest, oldest=0).to_json()
    assert scanner.handle(body) == []
    assert state(scanner).oldest_scan is None
