"""The reporter: scans whose findings are not there yet, or cannot be read: retries, and what is reported then."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest
from ecr_scan_reporter.messages.reports_queue import DueMessage, to_body
from fake_aws import FakeScan, Fault, digest_of, index_image
from support.invocations import REGISTRY
from support.reporter_harness import CHAT, ReporterHarness, document, found, mail
from support.virtual_time import TIME

START = TIME.now().replace(microsecond=0) - timedelta(days=10)
OLD = TIME.now() - timedelta(days=30)


def unread(
    inbox: ReporterHarness,
    day: float,
    counts: Mapping[str, int] | None,
    pushed_at: datetime | None = None,
    **event: Any,
) -> dict[str, Any]:
    """Return the event of a scan that is in progress again when its event arrives."""
    detail: dict[str, Any] = {"finding-severity-counts": counts} if counts is not None else {}
    made = inbox.image("app", "1.0", scan=FakeScan("IN_PROGRESS"), event=detail, pushed_at=pushed_at)
    if counts is None:
        del made["detail"]["finding-severity-counts"]
    return made | {"time": f"{START + timedelta(days=day):%Y-%m-%dT%H:%M:%SZ}", **event}


def failed(inbox: ReporterHarness, day: float, **event: Any) -> dict[str, Any]:
    detail = {"scan-status": "FAILED", "finding-severity-counts": {}}
    made = inbox.image("app", "1.0", scan=FakeScan("FAILED", description="No space."), event=detail)
    return made | {"time": f"{START + timedelta(days=day):%Y-%m-%dT%H:%M:%SZ}", **event}


@pytest.mark.parametrize("status", ["IN_PROGRESS", "PENDING"])
def test_findings_not_there_yet_are_retried_and_then_reported_as_unread(inbox: ReporterHarness, status: str) -> None:
    event = inbox.image("app", "1", scan=FakeScan(status), event={"finding-severity-counts": {"HIGH": 2}})
    assert inbox.report(event) == ["0"]
    assert inbox.reports() == []
    assert inbox.aws.visibility() == {"handle-0": 60}
    assert inbox.report(event, receives=3) == []
    [image] = document(inbox.reports()[0])["images"]
    assert (image["counts"], image["findings_error"]) == ({"HIGH": 2}, "the image is being scanned again")
    assert "The findings could not be read:\n   the image is being scanned again." in mail(inbox.reports()[0])


def test_retry_without_the_permission_waits_for_the_visibility_timeout(inbox: ReporterHarness) -> None:
    inbox.aws.behavior.faults.append(Fault("ChangeMessageVisibilityBatch", "AccessDenied", status=403))
    event = inbox.image("app", "1", scan=FakeScan("IN_PROGRESS"), event={"finding-severity-counts": {"HIGH": 2}})
    assert inbox.report(event) == ["0"]
    # The message keeps the timeout of its queue.
    assert inbox.aws.visibility() == {}


def test_complete_scan_whose_findings_are_late_is_retried(inbox: ReporterHarness) -> None:
    event = inbox.image("app", "1", scan=FakeScan(), event={"finding-severity-counts": {"HIGH": 2}})
    assert inbox.report(event) == ["0"]
    assert inbox.report(event, receives=3) == []
    assert document(inbox.reports()[0])["images"][0]["findings_error"] == "ECR returns no findings yet"


def test_findings_that_ecr_refuses_are_retried_and_then_reported_as_unread(
    make_reporter: Callable[..., ReporterHarness],
) -> None:
    inbox = make_reporter(CHAT_TOPIC_ARN=CHAT, FIXABLE_ONLY="true")
    inbox.aws.behavior.faults.append(Fault("DescribeImageScanFindings", "AccessDeniedException", containing="app"))
    events = [inbox.image("app", "1", scan=found("HIGH")), inbox.image("other", "1", scan=found("LOW"))]
    assert inbox.report(*events) == ["0"]
    assert inbox.report(*events, receives=3) == []
    [image] = document(inbox.reports()[0])["images"]
    assert "lacks ecr:DescribeImageScanFindings" in image["findings_error"]
    assert "The findings could not be read" in inbox.chats()[0]["content"]["description"]


@pytest.mark.parametrize(
    ("counts", "subject", "severity", "line"),
    [
        ({"CRITICAL": 2, "LOW": 1}, " (2 critical)", "CRITICAL", " (2 critical, 1 low)"),
        (None, "", "UNDEFINED", ""),
    ],
)
def test_unread_findings_are_not_announced_as_none(
    make_reporter: Callable[..., ReporterHarness],
    counts: Mapping[str, int] | None,
    subject: str,
    severity: str,
    line: str,
) -> None:
    inbox = make_reporter(CHAT_TOPIC_ARN=CHAT)
    assert inbox.report(unread(inbox, 0, counts), receives=3) == []
    [report] = inbox.reports()
    assert report.subject == f"[ECR] Findings of 1 image not read{subject}: app:1.0"
    assert report.attributes["severity"][1] == severity
    assert f"\n   findings not read{line}\n" in mail(report)
    assert f": findings not read{line}\n" in inbox.chats()[0]["content"]["description"]


def test_reason_that_is_cut_or_ends_with_a_period_gets_none(inbox: ReporterHarness) -> None:
    for number, reason in enumerate(("It ended.", "x" * 100, "short")):
        scan = FakeScan("FAILED", description=reason)
        inbox.report(inbox.image(f"app-{number}", "1", scan=scan, event={"finding-severity-counts": {"HIGH": 1}}))
    texts = [mail(report) for report in inbox.reports()]
    assert "   the last scan ended with FAILED: It ended.\n" in texts[0]
    assert "xxx...\n" in texts[1]
    assert "   the last scan ended with FAILED: short.\n" in texts[2]


def test_unread_scan_of_an_image_that_was_there_before_is_inventory(inbox: ReporterHarness) -> None:
    assert inbox.report(unread(inbox, 0, {"HIGH": 2}, OLD), receives=3) == []
    assert inbox.report(unread(inbox, 1, {"HIGH": 3}, OLD), receives=3) == []
    assert inbox.reports() == []
    inbox.check(TIME.now() + timedelta(minutes=11))
    [report] = inbox.reports()
    assert report.subject == "[ECR] First inventory of 1 image: 3 high"
    inventory = document(report)["inventory"]
    assert (inventory["images"], inventory["failed_scans"], inventory["counts"]) == (1, 0, {"HIGH": 3})
    assert inventory["worst_images"][0]["tags"] == ["1.0"]


def test_zeros_in_the_counts_of_an_event_change_nothing(inbox: ReporterHarness) -> None:
    assert inbox.report(unread(inbox, 0, {"HIGH": 2}), receives=3) == []
    assert inbox.report(unread(inbox, 1, {"HIGH": 2, "LOW": 0}), receives=3) == []
    assert len(inbox.reports()) == 1
    assert inbox.report(unread(inbox, 2, {"HIGH": 2, "LOW": 1}), receives=3) == []
    assert len(inbox.reports()) == 2


@pytest.mark.parametrize("event", [{}, {"account": "210987654321"}])
def test_failure_after_an_unread_scan_is_reported_again(inbox: ReporterHarness, event: dict[str, Any]) -> None:
    for day, make in enumerate((failed, failed)):
        assert inbox.report(make(inbox, day, **event), receives=3) == []
    assert inbox.report(unread(inbox, 2, {"LOW": 1}, **event), receives=3) == []
    assert inbox.report(failed(inbox, 3, **event), receives=3) == []
    assert [len(document(report)["failed_scans"]) for report in inbox.reports()] == [1, 1]


def test_failure_after_an_expired_scan_is_not_reported_again(inbox: ReporterHarness) -> None:
    assert inbox.report(failed(inbox, 0)) == []
    expired = unread(inbox, 1, {})
    inbox.image("app", "1.0", scan=FakeScan("SCAN_ELIGIBILITY_EXPIRED"))
    assert inbox.report(expired) == []
    assert inbox.report(failed(inbox, 2)) == []
    assert len(inbox.reports()) == 1


def test_unread_scan_beside_news_leaves_the_headline_alone(inbox: ReporterHarness) -> None:
    news = inbox.image("web", "1", scan=found("HIGH"))
    assert inbox.report(news, unread(inbox, 0, {"CRITICAL": 1}), receives=3) == []
    [report] = inbox.reports()
    assert (
        report.subject == "[ECR] 1 new high in 1 image, findings of 1 image not read (1 critical): app:1.0 and 1 more"
    )


def test_scan_is_reported_as_unread_although_ecr_answers_nothing(inbox: ReporterHarness) -> None:
    event = unread(inbox, 0, {"HIGH": 2})
    inbox.aws.behavior.faults = [Fault("DescribeImages", "AccessDeniedException", "Not authorized", status=400)]
    assert inbox.report(event, receives=3) == []
    [report] = inbox.reports()
    assert report.subject == "[ECR] Findings of 1 image not read (2 high): app:1.0"


def test_unread_scan_of_an_image_that_was_there_before_says_nothing_without_counts(inbox: ReporterHarness) -> None:
    assert inbox.report(unread(inbox, 0, None, OLD), receives=3) == []
    inbox.check(TIME.now() + timedelta(minutes=11))
    assert inbox.reports() == []


SHORTER = "The list of findings is shorter than its event says: it has 1 of 2."


def short(inbox: ReporterHarness, repository: str, *tags: str, **options: Any) -> dict[str, Any]:
    """Return the event of a scan that counts two findings, one of which ECR does not list."""
    event = {"finding-severity-counts": {"HIGH": 1, "LOW": 1}}
    return inbox.image(repository, *tags, scan=found("HIGH"), event=event, **options)


def test_list_that_is_shorter_than_its_event_was_read(make_reporter: Callable[..., ReporterHarness]) -> None:
    inbox = make_reporter(CHAT_TOPIC_ARN=CHAT)
    assert inbox.report(short(inbox, "app", "1.0"), receives=3) == []
    [report] = inbox.reports()
    [image] = document(report)["images"]
    assert (image["reason"], image["counts"], image["findings_error"]) == ("news", {"HIGH": 1}, SHORTER)
    assert f"\n   {SHORTER}\n   NEW HIGH CVE-2026-0001 in openssl 3.0.1\n" in mail(report)
    assert "could not be read" not in mail(report)
    assert f"\n• {SHORTER}\n• *NEW* high `CVE-2026-0001`" in inbox.chats()[0]["content"]["description"]
    assert "could not be read" not in inbox.chats()[0]["content"]["description"]


def test_image_of_the_inventory_with_a_short_list_did_not_fail(inbox: ReporterHarness) -> None:
    assert inbox.report(short(inbox, "app", "1.0", pushed_at=OLD), receives=3) == []
    inbox.check(TIME.now() + timedelta(minutes=11))
    inventory = document(inbox.reports()[0])["inventory"]
    assert (inventory["images"], inventory["failed_scans"], inventory["counts"]) == (1, 0, {"HIGH": 1})
    assert [image["tags"] for image in inventory["worst_images"]] == [["1.0"]]


def test_platform_with_a_short_list_is_an_entry_of_its_own(inbox: ReporterHarness) -> None:
    platforms = {"amd": "linux/amd64", "arm": "linux/arm64"}
    events = [short(inbox, "app", name="amd"), inbox.image("app", name="arm", scan=found("HIGH"))]
    index = index_image(digest_of("index"), {digest_of(name): each for name, each in platforms.items()}, ("1.0",))
    inbox.repositories["app"].put(index)
    assert inbox.report(*events, receives=3) == []
    images = document(inbox.reports()[0])["images"]
    assert {image["platforms"][0]: image["findings_error"] for image in images} == {
        "linux/amd64": SHORTER,
        "linux/arm64": None,
    }


@pytest.mark.slow
@pytest.mark.parametrize("is_scan", [True, False])
def test_short_list_in_a_window_with_another_report(
    make_reporter: Callable[..., ReporterHarness], is_scan: bool
) -> None:
    """The list of the last scan counts. What is overdue may come from no scan of its own."""
    inbox = make_reporter(REPORT_WINDOW_SECONDS="7200", FIX_WITHIN='{"HIGH": 1}')
    start = TIME.now().replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=2)
    almost = start + timedelta(hours=23, minutes=30)
    pushed: Any = {"pushed_at": start, "name": "image"}
    assert inbox.report(inbox.image("app", "1.0", scan=found("HIGH"), at=start, **pushed), now=start) == []
    inbox.check(start + timedelta(hours=3))
    assert len(inbox.reports()) == 1
    both, counts = found("HIGH", "HIGH"), {"finding-severity-counts": {"HIGH": 3}}
    event = inbox.image("app", "1.0", scan=both, at=almost, event=counts, **pushed)
    assert inbox.report(event, receives=3, now=almost) == []
    midnight = start + timedelta(days=1, minutes=5)
    message: Any = to_body(DueMessage(REGISTRY.image("app", digest_of("image"))))
    if is_scan:
        message = inbox.image("app", "1.0", scan=both, at=midnight, **pushed)
    assert inbox.report(message, now=midnight) == []
    inbox.check(midnight + timedelta(hours=3))
    [image] = document(inbox.reports()[-1])["images"]
    assert len(inbox.reports()) == 2
    assert [entry["id"] for entry in image["overdue"]] == ["CVE-2026-0001", "CVE-2026-0002"]
    assert image["findings_error"] == (None if is_scan else SHORTER.replace("1 of 2", "2 of 3"))
