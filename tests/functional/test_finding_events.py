"""The reporter, with the events that Inspector sends of single findings in images that it monitors."""

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from ecr_scan_reporter.messages.reports_queue import LookMessage, to_body
from fake_aws import FakeImage, FakeScan, digest_of
from support.invocations import ECR, REGISTRY, finding_event, inspector_event
from support.reporter_harness import ReporterHarness, document, enhanced

SECOND, MINUTE, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(days=1)
START = datetime(2025, 11, 9, 9, 0, tzinfo=UTC)
PUBLISHED = START + 7 * DAY
OLD = enhanced("CVE-2026-0001", "HIGH", "openssl", fixed="1.1")
LATER = enhanced("CVE-2026-0002", "CRITICAL", "zlib")


def event_of(image: str, at: datetime, registry: str = ECR) -> dict[str, Any]:
    """Return an event of a finding in an image by its name."""
    return finding_event(digest_of(image), at, [image], registry=registry)


class Monitored:
    """Images that Inspector monitors, and the messages that the reporter sends itself."""

    def __init__(self, inbox: ReporterHarness) -> None:
        self.inbox, self._sent = inbox, 0

    def first_scan(self, *images: str, findings: Sequence[dict[str, Any]] = (OLD,)) -> None:
        events = []
        for image in images:
            scan = FakeScan("ACTIVE", START, enhanced_findings=list(findings))
            event = self.inbox.image("app", image, name=image, scan=scan, pushed_at=START - MINUTE, at=START)
            events.append(inspector_event(event))
        assert self.inbox.report(*events, now=START + 5 * SECOND) == []
        self.sent()

    def lists(self, image: str, *findings: dict[str, Any]) -> None:
        """Let ECR list these findings of an image from now on."""
        scan = FakeScan("ACTIVE", START, enhanced_findings=list(findings))
        self.inbox.repositories["app"].scans[digest_of(image)] = scan

    def read(self, now: datetime, *events: Any, receives: int = 1) -> list[dict[str, Any]]:
        before = len(self.inbox.reports())
        assert self.inbox.report(*events, now=now, receives=receives, seconds=250) == []
        return [image for report in self.inbox.reports()[before:] for image in document(report)["images"]]

    def calls(self) -> Counter[str]:
        return Counter(self.inbox.aws.calls())

    def sent(self) -> list[str]:
        """Return the messages that ask to read findings again, and forget them."""
        messages = [message.body for message in self.inbox.aws.messages() if "look" in message.body]
        new, self._sent = messages[self._sent :], len(messages)
        return new


@pytest.fixture
def monitored(inbox: ReporterHarness) -> Monitored:
    return Monitored(inbox)


def new(images: Sequence[dict[str, Any]]) -> list[str]:
    return [entry["id"] for image in images for entry in image["changes"]["new"]]


def looks(calls: Counter[str]) -> int:
    return calls["DescribeImageScanFindings"]


def test_finding_that_is_published_after_the_first_scan_is_reported_once(monitored: Monitored) -> None:
    monitored.first_scan("1.0")
    monitored.lists("1.0", OLD, LATER)
    assert new(monitored.read(PUBLISHED + 5 * SECOND, event_of("1.0", PUBLISHED))) == ["CVE-2026-0002"]
    before = monitored.calls()
    assert monitored.read(PUBLISHED + 7 * SECOND, event_of("1.0", PUBLISHED)) == []
    assert monitored.read(PUBLISHED + 9 * SECOND, event_of("1.0", PUBLISHED + 6 * SECOND)) == []
    assert looks(monitored.calls()) == looks(before)
    # The second event may be about something that came after the first look.
    [message] = monitored.sent()
    assert monitored.read(PUBLISHED + 66 * SECOND, message) == []
    assert looks(monitored.calls()) == looks(before) + 1
    assert monitored.sent() == []


def test_update_that_changes_nothing_is_silent_and_a_closed_finding_is_gone_in_time(monitored: Monitored) -> None:
    monitored.first_scan("1.0", findings=[OLD, LATER])
    assert monitored.read(PUBLISHED + 5 * SECOND, event_of("1.0", PUBLISHED)) == []
    monitored.lists("1.0", OLD, LATER | {"status": "CLOSED"})
    for days in (1, 2, 3):
        event = event_of("1.0", PUBLISHED + days * DAY)
        monitored.read(PUBLISHED + days * DAY + 5 * SECOND, event)
    [image] = monitored.read(PUBLISHED + 4 * DAY, *[_added(monitored)])
    assert (image["totals"]["withdrawn"], image["counts"]) == (0, {"CRITICAL": 1, "HIGH": 1})


def _added(monitored: Monitored) -> dict[str, Any]:
    monitored.lists("1.0", OLD, enhanced("CVE-2026-0003", "CRITICAL", "curl"))
    return event_of("1.0", PUBLISHED + 4 * DAY - 5 * SECOND)


def test_first_events_of_findings_wait_for_the_event_of_the_first_scan(monitored: Monitored) -> None:
    scan = FakeScan("ACTIVE", START, enhanced_findings=[OLD])
    monitored.inbox.image("app", "1.0", name="1.0", scan=scan, pushed_at=START - MINUTE, at=START)
    failed = monitored.inbox.report(event_of("1.0", START), now=START + 5 * SECOND)
    assert failed == ["0"]
    # If the event of the scan never comes, the third delivery is enough.
    assert new(monitored.read(START + 40 * MINUTE, event_of("1.0", START), receives=3)) == ["CVE-2026-0001"]


def test_findings_of_the_first_scan_are_one_report_and_are_read_once(monitored: Monitored) -> None:
    scan = FakeScan("ACTIVE", START, enhanced_findings=[OLD, LATER])
    event = monitored.inbox.image("app", "1.0", name="1.0", scan=scan, pushed_at=START - MINUTE, at=START)
    # Inspector sends them before the event of the scan.
    findings = [event_of("1.0", START - number * SECOND) for number in range(20)]
    assert len(monitored.inbox.report(*findings, now=START + SECOND)) == 20
    assert sorted(new(monitored.read(START + 5 * SECOND, inspector_event(event)))) == ["CVE-2026-0001", "CVE-2026-0002"]
    assert monitored.read(START + 61 * SECOND, *findings) == []
    assert looks(monitored.calls()) == 1
    assert monitored.sent() == []


def test_list_that_lacks_the_finding_still_is_read_again(monitored: Monitored) -> None:
    monitored.first_scan("1.0")
    assert monitored.read(PUBLISHED + 5 * SECOND, event_of("1.0", PUBLISHED)) == []
    [message] = monitored.sent()
    monitored.lists("1.0", OLD, LATER)
    assert new(monitored.read(PUBLISHED + 66 * SECOND, message)) == ["CVE-2026-0002"]
    assert monitored.sent() == []


def test_findings_are_read_again_once_for_an_event_that_changes_nothing(monitored: Monitored) -> None:
    monitored.first_scan("1.0")
    assert monitored.read(PUBLISHED + 5 * SECOND, event_of("1.0", PUBLISHED)) == []
    [message] = monitored.sent()
    before = monitored.calls()
    assert monitored.read(PUBLISHED + 66 * SECOND, message) == []
    assert looks(monitored.calls()) == looks(before) + 1
    assert monitored.sent() == []
    # The images scanner asks because ECR lists something else already.
    assert monitored.read(PUBLISHED + 2 * DAY, to_body(LookMessage(REGISTRY.image("app", digest_of("1.0"))))) == []
    assert looks(monitored.calls()) == looks(before) + 2
    assert monitored.sent() == []


@pytest.mark.slow
@pytest.mark.parametrize("size", [1, 7, 1000])
def test_events_are_folded_per_image_however_they_are_cut(
    make_reporter: Callable[..., ReporterHarness], size: int
) -> None:
    images, number = {1: (5, 100), 7: (20, 280)}.get(size, (50, 1000))
    monitored = Monitored(make_reporter(REPORT_WINDOW_SECONDS="600"))
    monitored.first_scan(*[f"1.{n}" for n in range(images)], findings=[OLD])
    monitored.inbox.check(START + 11 * MINUTE)
    for n in range(images):
        monitored.lists(f"1.{n}", OLD, LATER)
    events = [event_of(f"1.{n % images}", PUBLISHED + n * SECOND / 10) for n in range(number)]
    before = monitored.calls()
    for start in range(0, number, size):
        now = PUBLISHED + start * SECOND / 10 + 30 * SECOND
        assert monitored.read(now, *events[start : start + size]) == []
    assert looks(monitored.calls()) - looks(before) == images
    planned = monitored.sent()
    assert len(planned) <= images
    monitored.read(PUBLISHED + 12 * MINUTE, *planned)
    assert looks(monitored.calls()) - looks(before) <= 2 * images
    reads = {"BatchGetItem", "Query", "UpdateItem", "PutItem", "TransactWriteItems"}
    spent = monitored.calls() - before
    assert sum(spent[name] for name in reads) <= 2 * number + 8 * images
    monitored.inbox.check(PUBLISHED + 30 * MINUTE)
    [report] = [document(report) for report in monitored.inbox.reports() if document(report)["totals"]["new"]][-1:]
    assert report["totals"]["new"] == images


def test_image_that_inspector_scanned_on_push_alone_is_read_at_once(monitored: Monitored) -> None:
    monitored.first_scan("1.0")
    scan = FakeScan("COMPLETE", START, enhanced_findings=[OLD, LATER])
    monitored.inbox.repositories["app"].scans[digest_of("1.0")] = scan
    assert new(monitored.read(PUBLISHED + 5 * SECOND, event_of("1.0", PUBLISHED))) == ["CVE-2026-0002"]


def test_finding_of_another_account_is_not_read(monitored: Monitored) -> None:
    monitored.first_scan("1.0")
    before = monitored.calls()
    foreign = event_of("1.0", PUBLISHED, registry="arn:aws:ecr:eu-west-1:999999999999")
    assert monitored.read(PUBLISHED + 5 * SECOND, foreign) == []
    assert looks(monitored.calls()) == looks(before)


def test_message_that_comes_early_is_sent_again(monitored: Monitored) -> None:
    monitored.first_scan("1.0")
    at = int((PUBLISHED + 30 * MINUTE).timestamp())
    assert monitored.read(PUBLISHED, to_body(LookMessage(REGISTRY.image("app", digest_of("1.0")), at))) == []
    [message] = monitored.sent()
    assert to_body(LookMessage(REGISTRY.image("app", digest_of("1.0")), at)) == message


def test_image_that_is_gone_is_no_trouble(monitored: Monitored) -> None:
    monitored.first_scan("1.0")
    monitored.inbox.repositories["app"].remove(digest_of("1.0"))
    monitored.inbox.repositories["app"].put(FakeImage(digest_of("other"), ("2.0",)))
    assert monitored.read(PUBLISHED + 5 * SECOND, event_of("1.0", PUBLISHED)) == []
