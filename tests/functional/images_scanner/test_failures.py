"""The images scanner loses nothing when calls fail, messages come twice, or it is killed."""

import itertools
import logging
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ConnectionClosedError, ReadTimeoutError
from ecr_scan_reporter import images_scanner
from ecr_scan_reporter.aws import deadline
from ecr_scan_reporter.aws.clients import create_client
from ecr_scan_reporter.memory.coverage import Coverage, CoverageReason
from ecr_scan_reporter.messages.repository import RepositoryMessage
from ecr_scan_reporter.scanning import rate_limiter
from fake_aws import (
    FakeScan,
    Fault,
    Rate,
    digest_of,
    plain_images,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from support.images_scanner import REPOSITORY, Scanner, counted, image, scanned, state, summary, summary_of
from support.invocations import REGISTRY
from support.killer import Killer
from support.random_tests import examples


def test_access_denied_names_the_action_and_returns_the_message(
    scanner: Scanner, caplog: pytest.LogCaptureFixture
) -> None:
    scanner.add(*plain_images(300))
    scanner.aws.behavior.faults.append(Fault("StartImageScan", "AccessDeniedException"))
    assert scanner.handle(RepositoryMessage(REGISTRY, REPOSITORY).to_json()) == ["0"]
    assert scanner.aws.calls()["StartImageScan"] <= 8  # one per thread
    errors: list[Any] = [record for record in caplog.records if record.levelname == "ERROR"]
    assert "the function's role lacks ecr:StartImageScan" in errors[0].reason


def test_deleted_image_or_repository_is_only_counted(scanner: Scanner, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    scanner.add(*plain_images(3))
    scanner.aws.behavior.faults += [
        Fault("DescribeImageScanFindings", "ImageNotFoundException", times=1),
        Fault("StartImageScan", "ImageNotFoundException", times=1),
    ]
    assert len(scanner.scan()) == 1
    assert counted(caplog)["image_not_found"] == 2
    assert summary(scanner).coverage.counts == {"never_scanned": 1}
    assert scanner.handle(RepositoryMessage(REGISTRY, "team-a/deleted").to_json()) == []
    assert counted(caplog) == {"repository_not_found": 1}


def test_message_about_another_registry_is_returned(scanner: Scanner, caplog: pytest.LogCaptureFixture) -> None:
    scanner.add(image("app"))
    others = REGISTRY._replace(region="us-east-1"), REGISTRY._replace(account="210987654321")
    assert scanner.handle(*(RepositoryMessage(other, REPOSITORY).to_json() for other in others)) == ["0", "1"]
    assert "the message names a repository of 123456789012/us-east-1; expected 123456789012/eu-west-1" in caplog.text
    assert scanner.aws.calls() == {}


def test_invalid_message_is_returned_and_others_are_processed(scanner: Scanner) -> None:
    scanner.add(image("app"))
    good = RepositoryMessage(REGISTRY, REPOSITORY).to_json()
    assert scanner.handle("invalid", good, '{"version":9}', '{"version":1}') == ["0", "2", "3"]
    assert len(scanner.aws.starts()) == 1


def test_message_delivered_twice_starts_no_scan_twice(scanner: Scanner) -> None:
    scanner.add(*plain_images(50))
    assert len(scanner.scan()) == 50
    assert len(scanner.scan()) == 50
    # ECR gives no date for a scan in progress, so each hour one in 23 is requested again; ECR rejects that request.
    assert scanner.aws.calls()["StartImageScan"] <= 60


SERVER_ERROR = {"code": "ServerException", "status": 500}
THROTTLED = {"code": "ThrottlingException"}


@pytest.mark.slow
@pytest.mark.parametrize("operation", ["DescribeImageScanFindings", "StartImageScan"])
@pytest.mark.parametrize(
    "fault",
    [SERVER_ERROR, THROTTLED, {"code": "NewException"}, {"code": "LimitExceededException", "message": "?"}],
    ids=lambda fault: fault["code"],
)
def test_failing_image_is_named_and_all_others_are_scanned(
    scanner: Scanner, caplog: pytest.LogCaptureFixture, operation: str, fault: dict[str, Any]
) -> None:
    caplog.set_level(logging.INFO)
    images = list(plain_images(200))
    failing = images[7].digest
    scanner.add(*images)
    scanner.aws.behavior.faults.append(Fault(operation, containing=failing, **fault))
    assert set(scanner.scan(seconds=60)) == {image.digest for image in images} - {failing}
    assert scanner.continuations() == []
    summary = summary_of(caplog)
    assert summary.levelname == "WARNING"
    assert summary.failures == {fault["code"]: {"count": 1, "digests": [failing]}}


def test_single_failed_calls_are_repeated(scanner: Scanner, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    for operation in ("DescribeImageScanFindings", "StartImageScan"):
        scanner.aws.behavior.faults.append(Fault(operation, "InternalFailure", status=500, times=3))
    scanner.add(*plain_images(30))
    assert len(scanner.scan()) == 30
    assert summary_of(caplog).failures == {}


@pytest.mark.parametrize("operation", ["DescribeImageScanFindings", "StartImageScan"])
@pytest.mark.parametrize("error", [ReadTimeoutError, ConnectionClosedError])
@pytest.mark.parametrize("always", [False, True])
def test_call_without_an_answer_is_made_again_and_then_is_that_images_failure(
    make_scanner: Callable[..., Scanner],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    operation: str,
    error: type[ReadTimeoutError | ConnectionClosedError],
    always: bool,
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(images_scanner, "RETRY_PAUSE", 0.001)
    images = list(plain_images(20))
    failing, failed = images[7].digest, list[str]()

    def fail(request: Any, **_: Any) -> None:
        if failing.encode() in request.body and (always or not failed):
            failed.append(failing)
            raise error(endpoint_url=request.url)

    def client(service: str, **options: Any) -> Any:
        created = create_client(service, **options)
        if options.get("attempts") == 1:
            created.meta.events.register(f"before-send.ecr.{operation}", fail)
        return created

    monkeypatch.setattr(images_scanner, "create_client", client)
    scanner = make_scanner()
    scanner.add(*images)
    assert set(scanner.scan()) == {entry.digest for entry in images} - ({failing} if always else set())
    expected = {error.__name__: {"count": 1, "digests": [failing]}} if always else {}
    assert summary_of(caplog).failures == expected
    assert len(failed) > 1 if always else len(failed) == 1
    assert scanner.continuations() == []


def test_failed_images_that_an_invocation_had_no_time_for_are_started_by_the_next(scanner: Scanner) -> None:
    scanner.aws.behavior.rates["StartImageScan"] = Rate(40, 5)
    images = list(plain_images(150))
    scanner.add(*images, scans={entry.digest: FakeScan("FAILED") for entry in images})
    assert scanner.run_to_completion(seconds=2) > 1
    assert len(scanner.aws.starts()) == 150


@pytest.mark.slow
@given(
    faults=st.dictionaries(
        st.integers(0, 59),
        st.tuples(
            st.sampled_from(["DescribeImageScanFindings", "StartImageScan"]),
            st.sampled_from([SERVER_ERROR, THROTTLED, {"code": "NewException"}, {"code": "InvalidParameterException"}]),
        ),
        min_size=1,
        max_size=5,
    )
)
@settings(max_examples=examples(200))
def test_random_failing_images_never_stop_the_others(
    make_scanner: Callable[..., Scanner],
    monkeypatch: pytest.MonkeyPatch,
    faults: dict[int, tuple[str, dict[str, Any]]],
) -> None:
    monkeypatch.setattr(images_scanner, "RETRY_PAUSE", 0.001)
    monkeypatch.setattr(rate_limiter, "_FIRST_PAUSE", 0.001)
    scanner = make_scanner()
    scanner.aws.reset()
    if REPOSITORY in {repository.name for repository in scanner.registry.repositories}:
        scanner.registry.remove(REPOSITORY)
    images = list(plain_images(60))
    scanner.add(*images)
    scanner.aws.behavior.faults[:] = [
        Fault(operation, containing=images[number].digest, **fault) for number, (operation, fault) in faults.items()
    ]
    assert set(scanner.scan()) == {image.digest for number, image in enumerate(images) if number not in faults}


@pytest.mark.usefixtures("scanner")
@pytest.mark.usefixtures("product_timeouts")
def test_calls_to_ecr_and_sqs_that_hang_fit_into_the_margin_of_an_invocation() -> None:
    deps = images_scanner.dependencies()
    clients: list[Any] = [deps.ecr._ecr, deps.ecr._single_attempt_ecr, deps.images_queue._sqs, deps.reports_queue._sqs]
    for client in clients:
        config = client.meta.config
        attempts = config.retries["total_max_attempts"]
        assert attempts * (config.connect_timeout + config.read_timeout) <= deadline._MAX_MARGIN


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_scanner_killed_at_any_write_starts_every_scan_once(
    make_scanner: Callable[..., Scanner], killer: Killer, after: bool
) -> None:
    """It remembers what it asks for, and then asks: what it did not come to ask for is still due."""
    scans = {"never": None, "old": scanned(9), "failed": scanned(2, "FAILED"), "recent": scanned(1)}
    due = sorted(digest_of(name) for name in ("never", "old", "failed"))
    for number in itertools.count():
        scanner = make_scanner(THREADS="1")
        scanner.aws.start_over()
        scanner.add(*map(image, scans), scans={digest_of(name): scan for name, scan in scans.items() if scan})
        with killer.at(number, after=after):
            scanner.handle(RepositoryMessage(REGISTRY, REPOSITORY).to_json())
        killed_at = killer.writes[number : number + 1]
        assert scanner.handle(RepositoryMessage(REGISTRY, REPOSITORY).to_json()) == []
        assert sorted(start.digest for start in scanner.aws.starts()) == due, f"killed at {killed_at}, write {number}"
        if not killed_at:
            break
    # What is asked for, the recent scan, three scans, its result that the reporter does not know, and the state.
    assert number == 7


@pytest.mark.slow
def test_image_whose_look_up_fails_is_not_taken_for_never_scanned(
    scanner: Scanner, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    images = list(plain_images(20))
    scanner.add(*images, scans={image.digest: scanned(1) for image in images})
    scanner.aws.behavior.faults += [
        Fault("DescribeImageScanFindings", "InvalidParameterException", containing=images[4].digest),
        Fault("DescribeImageScanFindings", "ImageNotFoundException", containing=images[5].digest),
    ]
    scanner.scan()
    coverage = Coverage.from_json(summary_of(caplog).coverage)
    assert coverage.counts == {CoverageReason.NOT_READ: 18, CoverageReason.UNKNOWN: 1}
    assert state(scanner).oldest_scan is None
