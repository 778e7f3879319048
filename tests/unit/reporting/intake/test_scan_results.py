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
from ecr_scan_reporter.models.scans import BASIC, ENHANCED, ScanResult
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
    """Return what is read, without the hash of its content."""
    scan = read_all(result, event, receives)
    return scan._replace(content="") if isinstance(scan, CompleteScan) else scan


def read_all(result: ScanResult | Exception, event: ScanEvent = EVENT, receives: int = 3) -> Any:
    registry: Any = StubRegistry()
    registry.results["sha256:0"] = result
    return read_scan(event, receives, registry)


def test_complete_scan_has_the_date_of_ecr() -> None:
    result = ScanResult(COMPLETE, "", FOUND, EARLIER, "ALPINE")
    assert read(result, receives=1) == CompleteScan(EARLIER, FOUND, "ALPINE", {"HIGH": 1}, last_read=False)
    assert read(result._replace(completed_at=None)) == CompleteScan(NOW, FOUND, "ALPINE", {"HIGH": 1})


def test_result_of_continuous_scanning_has_the_date_of_its_event() -> None:
    # The date of ECR may be that of the first scan.
    assert read(ScanResult(ACTIVE, "", FOUND, EARLIER)) == CompleteScan(NOW, FOUND, "", {"HIGH": 1})


@pytest.mark.parametrize("counts", [None, {}, {"HIGH": 0}])
def test_scan_without_findings_is_complete_if_its_event_has_none(counts: dict[str, int] | None) -> None:
    result = ScanResult(COMPLETE, "", (), NOW)
    scan = read(result, EVENT._replace(counts=counts), receives=1)
    assert scan == CompleteScan(NOW, (), "", last_read=False)


def test_scan_whose_entries_are_all_closed_was_read() -> None:
    result = ScanResult(COMPLETE, "", (), NOW, listed={"HIGH": 2})
    assert read(result, receives=1) == CompleteScan(NOW, (), "", {"HIGH": 2}, last_read=False)


@pytest.mark.parametrize(("of_result", "of_event"), [(BASIC, BASIC), (ENHANCED, ENHANCED), ("", ENHANCED), ("", "")])
def test_scanner_is_that_of_the_list_or_else_of_the_event(of_result: str, of_event: str) -> None:
    scan = read(ScanResult(COMPLETE, "", FOUND, NOW, scanner=of_result), EVENT._replace(scanner=of_event))
    assert scan.scanner == of_event
    other = {BASIC: ENHANCED, ENHANCED: BASIC, "": ENHANCED}[of_event]
    assert scan.is_other_scanner(other) is bool(of_event)
    assert not scan.is_other_scanner(of_event)
    # Nobody knows which one listed what is remembered.
    assert not scan.is_other_scanner("")


TWO = EVENT._replace(counts={"HIGH": 1, "LOW": 1})
SHORTER = "The list of findings is shorter than its event says: it has 1 of 2."


def test_list_that_is_shorter_than_its_event_is_read_three_times() -> None:
    result = ScanResult(COMPLETE, "", FOUND, NOW)
    for receives in (1, 2):
        with pytest.raises(FindingsNotReadError, match="ECR lists 1 of 2 findings yet"):
            read(result, TWO, receives)
    assert read(result, TWO) == CompleteScan(NOW, FOUND, "", {"HIGH": 1}, shorter=SHORTER)
    # ECR has all of them by now: entries that were merged count as well.
    assert read(result._replace(listed={"HIGH": 1, "LOW": 1}), TWO, receives=1).shorter == ""


def test_list_that_is_longer_than_its_event_is_whole() -> None:
    result = ScanResult(COMPLETE, "", FOUND, NOW, listed={"HIGH": 1, "MEDIUM": 2})
    assert read(result, TWO, receives=1).shorter == ""


@pytest.mark.parametrize("event", [TWO._replace(counts=None), TWO._replace(counts=None, is_look=True)])
def test_event_without_counts_says_nothing_of_the_list(event: ScanEvent) -> None:
    assert read(ScanResult(COMPLETE, "", FOUND, NOW), event, receives=1).shorter == ""


LAST_WEEK = NOW - timedelta(days=7)


@pytest.mark.parametrize("event", [EVENT, FAILED_EVENT, TWO])
def test_answer_that_is_older_than_the_event_is_read_three_times(event: ScanEvent) -> None:
    result = ScanResult(COMPLETE, "", FOUND, LAST_WEEK)
    for receives in (1, 2):
        with pytest.raises(FindingsNotReadError, match="ECR lists the scan of .* still"):
            read(result, event, receives)


def test_answer_that_stays_older_says_nothing_of_what_is_absent_or_of_a_scan_that_failed() -> None:
    result = ScanResult(COMPLETE, "", FOUND, LAST_WEEK)
    shorter = "ECR lists the scan of 2026-11-16 09:00 UTC still, which is older than its event."
    for event in (EVENT, TWO):
        assert read(result, event) == CompleteScan(LAST_WEEK, FOUND, "", {"HIGH": 1}, shorter=shorter, is_older=True)
        assert not read(result, event).agrees_with(event)
    assert read(result, FAILED_EVENT) == FailedScan("")


def test_content_is_all_that_a_dated_scan_lists_in_whatever_order() -> None:
    both = (*FOUND, Finding("CVE-2", "HIGH"))
    result = ScanResult(COMPLETE, "", both, NOW)
    content = read_all(result).content
    assert read_all(result._replace(findings=both[::-1])).content == content != ""
    for other in (
        result._replace(findings=FOUND),
        result._replace(completed_at=EARLIER),
        result._replace(findings=(both[0], both[1]._replace(severity="LOW"))),
        result._replace(listed={"HIGH": 3}),
        result._replace(left_out=1),
    ):
        assert read_all(other).content not in (content, "")
    # Nothing tells of which scan the list is.
    assert read_all(result._replace(scanner=ENHANCED)).content == ""


def test_scan_agrees_with_the_counts_of_its_event() -> None:
    scan = read(ScanResult(COMPLETE, "", FOUND, NOW))
    assert scan.agrees_with(EVENT)
    assert scan.agrees_with(EVENT._replace(counts={"HIGH": 1, "LOW": 0}))
    assert scan.agrees_with(EVENT._replace(counts=None))
    assert not scan.agrees_with(EVENT._replace(counts={"CRITICAL": 1}))
    # They are those of an earlier scan.
    assert scan.agrees_with(EVENT._replace(counts={"CRITICAL": 1}, time=NOW - timedelta(hours=1)))
    assert scan.agrees_with(FAILED_EVENT)


def test_dates_of_one_scan_may_differ_by_half_an_hour() -> None:
    at = NOW - timedelta(minutes=30)
    assert read(ScanResult(COMPLETE, "", FOUND, at), receives=1).completed_at == at
    with pytest.raises(FindingsNotReadError):
        read(ScanResult(COMPLETE, "", FOUND, at - timedelta(seconds=1)), receives=1)


def test_date_of_continuous_scanning_makes_no_answer_older() -> None:
    assert read(ScanResult(ACTIVE, "", FOUND, NOW - timedelta(days=90)), receives=1).completed_at == NOW


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
    assert read(ScanResult(COMPLETE, "", (), EARLIER), FAILED_EVENT, receives=1) == CompleteScan(
        EARLIER, (), "", last_read=False
    )


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
