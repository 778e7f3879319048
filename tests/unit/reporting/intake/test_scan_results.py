"""Reads the result of the scan that an event announces."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from ecr_scan_reporter.errors import (
    AwsError,
    FindingsNotReadError,
    ImageNotFoundError,
    RepositoryNotFoundError,
    ThrottledError,
)
from ecr_scan_reporter.models.findings import Finding
from ecr_scan_reporter.models.images import RegistryId
from ecr_scan_reporter.models.scan_statuses import ACTIVE, COMPLETE, EXPIRED, FAILED, IN_PROGRESS
from ecr_scan_reporter.models.scans import ScanResult
from ecr_scan_reporter.reporting.intake.events import ScanEvent
from ecr_scan_reporter.reporting.intake.scan_results import CompleteScan, FailedScan, UnreadScan, read_scan
from support.world import StubRegistry

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
EARLIER = NOW - timedelta(minutes=5)
OWN = RegistryId("123456789012", "eu-west-1")
EVENT = ScanEvent(OWN.image("app", "sha256:0"), ("1.0",), NOW, failed=False, counts={"HIGH": 1})
FAILED_EVENT = EVENT._replace(failed=True, counts=None)
FOUND = (Finding("CVE-1", "HIGH"),)


def read(result: ScanResult | Exception, event: ScanEvent = EVENT, receives: int = 3) -> Any:
    registry: Any = StubRegistry()
    registry.results["sha256:0"] = result
    return read_scan(event, receives, registry, OWN)


def test_complete_scan_has_the_date_of_ecr() -> None:
    result = ScanResult(COMPLETE, "", FOUND, EARLIER, "ALPINE")
    assert read(result, receives=1) == CompleteScan(EARLIER, FOUND, "ALPINE", {"HIGH": 1})
    assert read(result._replace(completed_at=None)) == CompleteScan(NOW, FOUND, "ALPINE", {"HIGH": 1})


def test_result_of_continuous_scanning_has_the_date_of_its_event() -> None:
    # The date of ECR may be that of the first scan.
    assert read(ScanResult(ACTIVE, "", FOUND, EARLIER)) == CompleteScan(NOW, FOUND, "", {"HIGH": 1})


@pytest.mark.parametrize("counts", [None, {}, {"HIGH": 0}])
def test_scan_without_findings_is_complete_if_its_event_has_none(counts: dict[str, int] | None) -> None:
    result = ScanResult(COMPLETE, "", (), NOW)
    assert read(result, EVENT._replace(counts=counts), receives=1) == CompleteScan(NOW, (), "")


def test_scan_whose_entries_are_all_closed_was_read() -> None:
    result = ScanResult(COMPLETE, "", (), NOW, listed={"HIGH": 2})
    assert read(result, receives=1) == CompleteScan(NOW, (), "", {"HIGH": 2})


@pytest.mark.parametrize(
    ("result", "reason"),
    [
        (ScanResult(COMPLETE, "", (), NOW), "ECR returns no findings yet"),
        *((ScanResult(status, "", ()), "the image is being scanned again") for status in sorted(IN_PROGRESS)),
        (ThrottledError("slow down"), "slow down"),
        (AwsError("no"), "no"),
    ],
)
def test_scan_that_cannot_be_read_yet_is_tried_three_times(result: ScanResult | Exception, reason: str) -> None:
    for receives in (1, 2):
        with pytest.raises(FindingsNotReadError, match=reason):
            read(result, receives=receives)
    assert read(result, receives=3) == UnreadScan(reason)


def test_failed_scan_whose_reason_cannot_be_read_yet_is_tried_three_times() -> None:
    with pytest.raises(FindingsNotReadError):
        read(AwsError("no"), FAILED_EVENT, receives=2)
    assert read(AwsError("no"), FAILED_EVENT, receives=3) == FailedScan("no")


@pytest.mark.parametrize("error", [ImageNotFoundError("gone"), RepositoryNotFoundError("gone")])
def test_deleted_image_is_not_tried_again(error: Exception) -> None:
    assert read(error, receives=1) == UnreadScan("the image was deleted")
    assert read(error, FAILED_EVENT, receives=1) == FailedScan("the image was deleted")


@pytest.mark.parametrize("registry", [RegistryId("123456789012", "us-east-1"), RegistryId("2", "eu-west-1")])
def test_image_of_another_registry_is_not_read(registry: RegistryId) -> None:
    event = EVENT._replace(image=registry.image("app", "sha256:0"))
    reason = f"the image is in account {registry.account}, {registry.region}"
    assert read(ScanResult(COMPLETE, "", FOUND, NOW), event, receives=1) == UnreadScan(reason)
    assert read(ScanResult(COMPLETE, "", FOUND, NOW), event._replace(failed=True)) == FailedScan(reason)


def test_failed_scan_has_the_reason_of_ecr() -> None:
    scan = read(ScanResult(FAILED, "UnsupportedImageError: no such system", ()), FAILED_EVENT, receives=1)
    assert scan == FailedScan("UnsupportedImageError: no such system")
    assert scan.unsupported
    assert not FailedScan("another reason").unsupported


def test_scan_that_succeeded_after_the_event_of_a_failure_is_complete() -> None:
    assert read(ScanResult(COMPLETE, "", (), EARLIER), FAILED_EVENT, receives=1) == CompleteScan(EARLIER, (), "")


def test_last_scan_with_another_status_says_nothing_about_findings() -> None:
    result = ScanResult(FAILED, "a reason", ())
    assert read(result, receives=1) == UnreadScan("the last scan ended with FAILED: a reason")
    expired = UnreadScan("the last scan ended with SCAN_ELIGIBILITY_EXPIRED", expired=True)
    assert read(ScanResult(EXPIRED, "", ()), receives=1) == expired


@pytest.mark.parametrize("found", [(), FOUND])
def test_counts_of_an_event_do_not_matter_for_a_later_scan(found: tuple[Finding, ...]) -> None:
    later = NOW + timedelta(days=1)
    scan = read(ScanResult(COMPLETE, "", found, later), EVENT._replace(counts={"HIGH": 5}), receives=1)
    assert (scan.completed_at, scan.shorter) == (later, "")
