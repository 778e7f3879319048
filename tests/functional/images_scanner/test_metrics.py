"""The images scanner writes a summary with metrics."""

import logging
from collections.abc import Callable

import pytest
from fake_aws import Fault, digest_of, plain_images
from support.fixtures import embedded_metrics
from support.images_scanner import HELM, SUMMARY, Scanner, image, put_indexes, scanned, summary_of, varied_images


def test_summary_has_the_metrics_of_its_images(scanner: Scanner, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    helm = image("chart", "c", artifact_media_type=HELM)
    due, recent, failing = list(plain_images(5)), image("recent", "r"), image("failing", "f")
    scanner.add(*due, recent, helm, failing, scans={recent.digest: scanned(1)})
    scanner.aws.behavior.faults.append(Fault("StartImageScan", "NewException", containing=failing.digest))
    assert len(scanner.scan()) == 5
    assert embedded_metrics(caplog, SUMMARY) == {
        "ImagesSeen": 8,
        "ScansStarted": 5,
        "SkippedScannedRecently": 1,
        "SkippedNotSelected": 0,
        "SkippedUnsupported": 0,
        "SkippedArchived": 0,
        "SkippedOther": 1,
        "ImagesFailed": 1,
        "Throttled": 0,
        "QuotaReached": 0,
        "MemoryUnavailable": 0,
    }
    assert summary_of(caplog).Instance == "platform"


def test_numbers_are_in_the_line_although_they_are_no_metrics(
    make_scanner: Callable[..., Scanner], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    scanner = make_scanner(DETAILED_METRICS="false")
    scanner.add(*plain_images(2))
    scanner.scan()
    assert summary_of(caplog).ScansStarted == 2
    assert not hasattr(summary_of(caplog), "_aws")


def test_skipped_images_add_up(make_scanner: Callable[..., Scanner], caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    scanner = make_scanner(IMAGES_SELECTION='{"tag_regexp": "v"}')
    images, scans = varied_images(150)
    scanner.add(*images, scans=scans)
    names = ["ImageArchivedException", "UnsupportedImageTypeException", "ImageNotFoundException"]
    faults = [Fault("StartImageScan", name, times=2) for name in names]
    per_image = "The scan quota per image has been exceeded. Wait and try again."
    scanner.aws.behavior.faults += [*faults, Fault("StartImageScan", "LimitExceededException", per_image, times=2)]
    scanner.scan()
    metrics = embedded_metrics(caplog, SUMMARY)
    skipped = {name: number for name, number in metrics.items() if name.startswith("Skipped")}
    assert all(skipped.values())
    listed = [entry for entry in images if not entry.archived]
    assert metrics["ImagesSeen"] == len(listed) == metrics["ScansStarted"] + sum(skipped.values())


def test_metric_says_that_memory_is_not_available(scanner: Scanner, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    scanner.add(image("app"))
    scanner.aws.client("dynamodb").delete_table(TableName="memory")
    scanner.scan()
    assert embedded_metrics(caplog, SUMMARY)["MemoryUnavailable"] == 1


@pytest.mark.parametrize("operation", ["BatchGetItem", "BatchWriteItem"])
def test_metric_says_that_the_memory_of_indexes_is_not_available(
    scanner: Scanner, caplog: pytest.LogCaptureFixture, operation: str
) -> None:
    caplog.set_level(logging.INFO)
    put_indexes(scanner, 1)
    index = digest_of("x0")
    scanner.aws.behavior.faults.append(Fault(operation, "AccessDeniedException", containing=f"INDEX#{index}"))
    scanner.scan()
    assert embedded_metrics(caplog, SUMMARY)["MemoryUnavailable"] == 1
    scanner.aws.behavior.faults.clear()
    scanner.scan()
    assert embedded_metrics(caplog, SUMMARY)["MemoryUnavailable"] == 0
