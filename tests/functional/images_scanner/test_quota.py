"""The images scanner accepts what ECR refuses: quotas, types of images, and enhanced scanning."""

import logging
from collections.abc import Callable
from datetime import timedelta

import pytest
from ecr_scan_reporter import images_scanner
from ecr_scan_reporter.memory.coverage import Coverage, CoverageReason
from ecr_scan_reporter.memory.items import repository_key, to_seconds
from ecr_scan_reporter.messages.repository import RepositoryMessage
from fake_aws import Fault, Rate, digest_of, plain_images
from support.configuration import memory_table
from support.fixtures import embedded_metrics
from support.images_scanner import (
    NOW,
    REPOSITORY,
    SUMMARY,
    Scanner,
    asked_item,
    asked_key,
    counted,
    image,
    report_findings,
    scanned,
    state,
    summary,
    summary_of,
)
from support.invocations import REGISTRY


def test_limit_per_image_is_skipped_immediately(scanner: Scanner, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    per_image = "The scan quota per image has been exceeded. Wait and try again."
    scanner.add(*plain_images(10))
    scanner.aws.behavior.faults.append(Fault("StartImageScan", "LimitExceededException", per_image, times=4))
    assert len(scanner.scan(seconds=10)) == 6
    assert counted(caplog)["scanned_within_24_hours"] == 4


# The third rejection in a row is believed. With eight threads, each may have one more in flight, and each of the seven
# that were sent before the first rejection may be answered after two of them.
@pytest.mark.parametrize(("threads", "rejections"), [(1, 3), (8, 3 + 8 + 2 * 7)])
def test_daily_quota_ends_the_run_without_a_failure(
    make_scanner: Callable[..., Scanner], caplog: pytest.LogCaptureFixture, threads: int, rejections: int
) -> None:
    caplog.set_level(logging.INFO)
    scanner = make_scanner(THREADS=str(threads))
    scanner.registry.account_scan_quota = 30
    scanner.add(*plain_images(500))
    assert len(scanner.scan()) == 30
    assert 3 <= scanner.aws.refused()["StartImageScan"]["LimitExceededException"] <= rejections
    assert counted(caplog)["quota_exceeded"] == 1
    assert embedded_metrics(caplog, SUMMARY)["QuotaReached"] == 1
    assert "daily quota of scans exceeded" in caplog.messages
    assert scanner.continuations() == []


def test_enhanced_scanning_looks_up_and_starts_nothing(scanner: Scanner, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    kinds = {
        "active": scanned(60, "ACTIVE"),
        "recent": scanned(1, "ACTIVE"),
        "lapsed": scanned(60, "SCAN_ELIGIBILITY_EXPIRED"),
        "never": None,
    }
    scanner.add(
        *(image(name, name, pushed_at=NOW - timedelta(days=20)) for name in kinds),
        scans={digest_of(name): scan for name, scan in kinds.items() if scan},
    )
    report_findings(scanner, [digest_of("active")])
    for _ in range(2):
        assert scanner.handle(RepositoryMessage(REGISTRY, REPOSITORY, enhanced=True).to_json()) == []
        found = summary(scanner)
        assert found.coverage == Coverage(
            # The reporter does not know the result of one of them.
            {"in_time": 1, "not_read": 1, "expired": 1, "never_scanned": 1},
            {"not_read": ("recent",), "expired": ("lapsed",), "never_scanned": ("never",)},
        )
        assert found.open == {"HIGH": 1}
    assert scanner.aws.starts() == []
    assert "StartImageScan" not in scanner.aws.refused()
    assert to_seconds(state(scanner).waiting_since) == to_seconds(NOW - timedelta(days=60))


def test_image_of_a_type_that_ecr_rejects_is_asked_for_once_and_counts_as_unsupported(
    scanner: Scanner, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    old = NOW - timedelta(days=90)
    scanner.add(image("odd", "odd", pushed_at=old), image("app", "1.0", pushed_at=old))
    scanner.registry.repository(REPOSITORY).scans[digest_of("app")] = scanned(2)
    message = "An artifact ... cannot be scanned."
    scanner.aws.behavior.faults.append(Fault("StartImageScan", "UnsupportedImageTypeException", message))
    for _ in range(3):
        assert scanner.scan() == []
        assert summary(scanner).coverage.counts == {"not_read": 1, "unsupported": 1}
        assert to_seconds(state(scanner).waiting_since) == to_seconds(NOW - timedelta(days=2))
        assert embedded_metrics(caplog, SUMMARY)["SkippedUnsupported"] == 1
    assert scanner.aws.calls()["StartImageScan"] == 1
    # It is asked for again when a scan would be too old.
    item = asked_item(scanner, digest_of("odd"))
    memory_table(scanner.aws).put({**item, "asked_at": to_seconds(NOW - timedelta(days=8))})
    scanner.scan()
    assert scanner.aws.calls()["StartImageScan"] == 2


def test_unsupported_type_is_remembered_if_the_quota_leaves_no_request_for_it(scanner: Scanner) -> None:
    scanner.add(image("odd", "odd", pushed_at=NOW - timedelta(days=90)), image("app", "1.0"))
    scanner.registry.repository(REPOSITORY).scans[digest_of("app")] = scanned(2)
    fault = Fault("StartImageScan", "UnsupportedImageTypeException")
    scanner.aws.behavior.faults.append(fault)
    scanner.scan()
    item = asked_item(scanner, digest_of("odd"))
    memory_table(scanner.aws).put({**item, "asked_at": to_seconds(NOW - timedelta(days=8))})
    scanner.aws.behavior.faults.clear()
    scanner.registry.account_scan_quota = 0
    scanner.scan()
    assert asked_item(scanner, digest_of("odd"))["status"] == "UNSUPPORTED_IMAGE"
    assert to_seconds(state(scanner).waiting_since) == to_seconds(NOW - timedelta(days=2))


@pytest.mark.slow
def test_quota_is_recognized_across_repositories(scanner: Scanner, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    names = [f"team-a/app-{number}" for number in range(10)]
    for name in names:
        scanner.registry.add(name, [image(name, "1.0")])
    bodies = [RepositoryMessage(REGISTRY, name).to_json() for name in names]
    scanner.registry.account_scan_quota = 0
    assert scanner.handle(*bodies) == []
    reached = [record.__dict__["QuotaReached"] for record in caplog.records if record.message == SUMMARY]
    assert reached == [0, 0] + [1] * 8
    scanner.registry.account_scan_quota = 1
    caplog.clear()
    assert scanner.handle(*bodies) == []
    # The scan that was started ended the count; the first two rejections are those of their images again.
    reached = [record.__dict__["QuotaReached"] for record in caplog.records if record.message == SUMMARY]
    assert reached == [0, 0, 0] + [1] * 7


def test_switch_to_enhanced_scanning_ends_the_run_cleanly(scanner: Scanner, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    scanner.registry.enhanced_after_starts = 10
    scanner.add(*plain_images(200))
    assert len(scanner.scan()) == 10
    assert counted(caplog)["manual_scanning_disabled"] == 1


def test_quota_does_not_let_the_other_images_outlast_the_invocation(
    scanner: Scanner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(images_scanner, "CHUNK_SIZE", 10)
    scanner.add(*plain_images(100))
    scanner.registry.account_scan_quota = 0
    scanner.aws.behavior.latency = {"Query": 0.3}
    assert scanner.run_to_completion(seconds=1.5) > 1
    assert state(scanner).images == 100
    assert summary(scanner).coverage.images == 100


def test_quota_leaves_the_rest_to_what_memory_knows(
    scanner: Scanner, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    images = sorted(plain_images(60), key=lambda image: image.digest)
    scanner.add(*images, scans={image.digest: scanned(1) for image in images})
    scanner.scan()
    for entry in images[:20]:
        scanner.registry.repository(REPOSITORY).scans.pop(entry.digest)
    keys = [(repository_key(REGISTRY, REPOSITORY), asked_key(entry.digest)) for entry in [*images[:20], images[50]]]
    memory_table(scanner.aws).delete_many(keys)
    monkeypatch.setattr(images_scanner, "CHUNK_SIZE", 20)
    scanner.registry.account_scan_quota = 0
    scanner.aws.reset()
    assert scanner.scan() == []
    assert scanner.aws.calls()["DescribeImageScanFindings"] == 20
    coverage = Coverage.from_json(summary_of(caplog).coverage)
    assert coverage.counts == {CoverageReason.QUOTA: 20, CoverageReason.NOT_READ: 39, CoverageReason.UNKNOWN: 1}
    assert coverage.names[CoverageReason.UNKNOWN] == images[50].tags
    assert state(scanner).oldest_scan is None


def test_quota_leaves_images_that_there_was_no_time_to_look_up_to_what_memory_knows(
    scanner: Scanner, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    scanner.aws.behavior.rates["DescribeImageScanFindings"] = Rate(10, 10)
    scanner.registry.account_scan_quota = 0
    scanner.add(*plain_images(300))
    assert scanner.scan(seconds=3) == []
    assert scanner.continuations() == []
    assert state(scanner).images == 300
    coverage = Coverage.from_json(summary_of(caplog).coverage)
    assert coverage.images == 300
    looked_up = coverage.counts[CoverageReason.QUOTA]
    assert 10 <= looked_up < 300
    assert coverage.counts == {CoverageReason.QUOTA: looked_up, CoverageReason.UNKNOWN: 300 - looked_up}
    assert embedded_metrics(caplog, SUMMARY)["ImagesSeen"] <= looked_up
