"""The images scanner continues in the next invocation."""

import logging

import pytest
from ecr_scan_reporter import images_scanner
from ecr_scan_reporter.messages.repository import RepositoryMessage
from fake_aws import DOCKER_INDEX, Fault, Rate, plain_images
from support.images_scanner import REPOSITORY, SUMMARY, Scanner, image, scanned, summary
from support.invocations import REGISTRY


@pytest.mark.slow
def test_continuations_start_every_image_once(scanner: Scanner) -> None:
    """At 40 starts per second and two seconds per invocation, 200 images take several invocations."""
    scanner.aws.behavior.rates["StartImageScan"] = Rate(40, 5)
    scanner.add(*plain_images(200))
    assert scanner.run_to_completion(seconds=2) > 1
    started = [start.digest for start in scanner.aws.starts()]
    assert len(started) == len(set(started)) == 200
    assert all(message.delay >= 30 for message in scanner.aws.messages())


def test_every_chunk_is_processed_with_one_listing(scanner: Scanner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images_scanner, "CHUNK_SIZE", 100)
    scanner.add(*plain_images(350), image("index", "x", media_type=DOCKER_INDEX))
    started = scanner.scan()
    assert len(started) == len(set(started)) == 350
    assert scanner.aws.calls()["DescribeImageScanFindings"] == 350
    assert scanner.aws.calls()["DescribeImages"] == 1


@pytest.mark.parametrize("deleted", [False, True])
def test_continuation_resumes_after_its_digest(scanner: Scanner, deleted: bool) -> None:
    images = sorted(plain_images(30), key=lambda image: image.digest)
    scanner.add(*(images[:9] + images[10:] if deleted else images))
    assert scanner.handle(RepositoryMessage(REGISTRY, REPOSITORY, after=images[9].digest).to_json()) == []
    assert {start.digest for start in scanner.aws.starts()} == {image.digest for image in images[10:]}


def test_continuation_resumes_after_the_last_look_up(scanner: Scanner) -> None:
    images = sorted(plain_images(1000), key=lambda image: image.digest)
    scanner.add(*images, scans={image.digest: scanned(1) for image in images})
    scanner.aws.behavior.latency = {"DescribeImageScanFindings": 0.02}
    assert scanner.scan(seconds=1) == []
    [continuation] = scanner.continuations()
    looked_up = [image.digest for image in images].index(continuation.after) + 1
    calls = scanner.aws.calls()["DescribeImageScanFindings"]
    assert 0 < looked_up < 1000
    assert calls - 8 <= looked_up <= calls  # all that was read in order, less than one call per thread is repeated


def test_look_ups_read_in_time_are_started(scanner: Scanner) -> None:
    scanner.aws.behavior.rates["DescribeImageScanFindings"] = Rate(10, 10)
    scanner.add(*plain_images(300))
    started = scanner.scan(seconds=3)
    assert 10 <= len(started) < 300
    assert len(scanner.continuations()) == 1


@pytest.mark.parametrize("archived", [False, True])
def test_images_are_seen_once_however_many_invocations_it_takes(
    scanner: Scanner, caplog: pytest.LogCaptureFixture, archived: bool
) -> None:
    caplog.set_level(logging.INFO)
    images = list(plain_images(150))
    scanner.aws.behavior.rates["StartImageScan"] = Rate(40, 5)
    if archived:  # between the listing and the start
        scanner.aws.behavior.faults.append(
            Fault("StartImageScan", "ImageArchivedException", containing=images[7].digest)
        )
    scanner.add(*images, image("index", "x", media_type=DOCKER_INDEX))
    assert scanner.run_to_completion(seconds=2) > 1
    records = [record.__dict__ for record in caplog.records if record.message == SUMMARY]
    assert sum(record["ImagesSeen"] for record in records) == 151
    assert sum(record["ScansStarted"] for record in records) == 150 - archived
    assert sum(record["SkippedArchived"] for record in records) == archived
    assert summary(scanner).coverage.counts.get("archived", 0) == archived


def test_slow_pages_end_in_continuations_and_then_in_the_dlq(
    scanner: Scanner, caplog: pytest.LogCaptureFixture
) -> None:
    """A listing that never fits into an invocation must not be repeated for ever, and not end in silence."""
    scanner.aws.behavior.latency = {"DescribeImages": 0.3}
    scanner.add(*plain_images(3000))
    message, delays = RepositoryMessage(REGISTRY, REPOSITORY), []
    for _ in range(2):
        assert scanner.handle(message.to_json(), seconds=0.5) == []
        message = scanner.continuations()[-1]
        delays.append(scanner.aws.messages()[-1].delay)
    assert (message.stalled, delays) == (2, [120, 480])
    assert scanner.handle(message.to_json(), seconds=0.5) == ["0"]
    assert "team-a/app made no progress in 3 invocations" in caplog.text


def test_slow_pages_do_not_outlast_the_invocation(scanner: Scanner) -> None:
    scanner.aws.behavior.latency = {"DescribeImages": 0.2}
    scanner.add(*plain_images(5000))
    assert scanner.handle(RepositoryMessage(REGISTRY, REPOSITORY).to_json(), seconds=0.6) == []
    assert scanner.aws.calls()["DescribeImages"] <= 3
    assert len(scanner.continuations()) == 1


def test_progress_resets_the_count_of_stalled_invocations(scanner: Scanner) -> None:
    scanner.aws.behavior.rates["StartImageScan"] = Rate(20, 5)
    scanner.add(*plain_images(200))
    assert scanner.handle(RepositoryMessage(REGISTRY, REPOSITORY, stalled=2).to_json(), seconds=2) == []
    assert [message.stalled for message in scanner.continuations()] == [0]
