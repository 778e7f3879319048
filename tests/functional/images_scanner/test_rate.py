"""The images scanner calls ECR as fast as it permits."""

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest
from ecr_scan_reporter import images_scanner
from ecr_scan_reporter.aws.deadline import Deadline
from ecr_scan_reporter.aws.ecr import EcrRegistry
from ecr_scan_reporter.messages.repository import RepositoryMessage
from fake_aws import Fault, Rate, plain_images
from support.fixtures import embedded_metrics
from support.images_scanner import NOW, SUMMARY, Scanner, scanned
from support.invocations import REGISTRY
from support.virtual_time import TIME


def test_throttled_starts_are_repeated_until_all_are_started(
    scanner: Scanner, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    scanner.aws.behavior.rates["StartImageScan"] = Rate(100, 5)
    scanner.add(*plain_images(60))
    started = scanner.scan()
    assert len(started) == len(set(started)) == 60
    throttled = scanner.aws.refused()["StartImageScan"]["ThrottlingException"]
    assert throttled > 0
    assert embedded_metrics(caplog, SUMMARY)["Throttled"] == throttled


def test_calls_are_concurrent(scanner: Scanner) -> None:
    scanner.aws.behavior.together = {"DescribeImageScanFindings": 8, "StartImageScan": 8}
    scanner.add(*plain_images(64))
    scanner.scan()
    assert scanner.aws.max_in_flight() == 8


@pytest.mark.slow
@pytest.mark.parametrize("per_second", [20, 100])
def test_throttled_look_ups_settle_at_the_permitted_rate(scanner: Scanner, per_second: int) -> None:
    scanner.aws.behavior.rates["DescribeImageScanFindings"] = Rate(per_second, per_second)
    # Down from the first rate, a few calls are refused whatever the number of images: here over ten seconds.
    images = list(plain_images(per_second * 10))
    scanner.add(*images, scans={image.digest: scanned(9) for image in images})
    started = TIME.monotonic()
    assert set(scanner.scan(seconds=120)) == {image.digest for image in images}
    assert scanner.continuations() == []
    # At the permitted rate the look-ups take nine seconds, and the starts at most ten.
    assert TIME.monotonic() - started < 2 * (9 + per_second / 10)
    assert refused_share(scanner, "DescribeImageScanFindings") < 0.3


@pytest.mark.slow
def test_invocations_that_are_throttled_together_all_end_at_the_permitted_rate(
    make_scanner: Callable[..., Scanner], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    names = [f"team-a/app-{number}" for number in range(5)]
    invocations = []
    for name in names:
        # Each has clients, limiters and threads of its own.
        scanner = make_scanner()
        images = list(plain_images(100, name))
        scanner.registry.add(name, images).scans.update({image.digest: scanned(9) for image in images})
        body = RepositoryMessage(REGISTRY, name).to_json()
        invocations.append(
            partial(images_scanner.process_message, body, images_scanner.dependencies(), Deadline(120), NOW)
        )
    scanner.aws.behavior.rates["DescribeImageScanFindings"] = Rate(100, 100)
    started = TIME.monotonic()
    with ThreadPoolExecutor(len(names)) as pool:
        for ended in [pool.submit(invocation) for invocation in invocations]:
            ended.result()
    assert len({start.digest for start in scanner.aws.starts()}) == len(scanner.aws.starts()) == 500
    assert scanner.continuations() == []
    assert [record.__dict__["failures"] for record in caplog.records if record.message == SUMMARY] == 5 * [{}]
    # At the permitted rate the look-ups take four seconds.
    assert TIME.monotonic() - started < 5 * 4
    assert refused_share(scanner, "DescribeImageScanFindings") < 0.3


@pytest.mark.slow
@pytest.mark.parametrize("operation", ["DescribeImageScanFindings", "StartImageScan"])
def test_one_throttled_image_does_not_slow_down_the_others(
    scanner: Scanner, monkeypatch: pytest.MonkeyPatch, operation: str
) -> None:
    images = list(plain_images(200))
    scanner.add(*images)
    throttled = images[7].digest
    scanner.aws.behavior.faults.append(Fault(operation, "ThrottlingException", containing=throttled))
    started = TIME.monotonic()
    calls: list[tuple[float, str]] = []
    call = getattr(EcrRegistry, {"StartImageScan": "start_scan"}.get(operation, "last_scan"))

    def spy(ecr: EcrRegistry, name: str, digest: str) -> Any:
        calls.append((TIME.monotonic() - started, digest))
        return call(ecr, name, digest)

    monkeypatch.setattr(EcrRegistry, call.__name__, spy)
    assert set(scanner.scan()) == {image.digest for image in images} - {throttled}
    # All others are called once, before the throttled one is repeated with longer and longer pauses.
    others = [at for at, digest in calls if digest != throttled]
    repeated = [at for at, digest in calls if digest == throttled]
    assert len(others) == 199
    assert 2 < len(repeated) <= 8
    assert max(others) < repeated[1]
    # Starts begin at 100 per second, look-ups at more.
    assert max(others) - min(others) < 2 * 5


def refused_share(scanner: Scanner, operation: str) -> float:
    """Return which share of the calls was throttled."""
    return scanner.aws.refused()[operation]["ThrottlingException"] / scanner.aws.calls()[operation]
