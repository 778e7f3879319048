"""The reporter, with deadlines: what passes its date is reported on that day, once."""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from ecr_scan_reporter import reporter
from ecr_scan_reporter.memory.images import FindingDeadline, ImageRecord, image_record
from ecr_scan_reporter.memory.items import image_key, repository_key
from ecr_scan_reporter.messages.reports_queue import DueMessage, to_body
from fake_aws import FakeScan, Fault, digest_of
from support.invocations import REGISTRY
from support.reporter_harness import ReporterHarness, document, enhanced, mail

DAY = timedelta(days=1)
# Builds that the registry keeps.
_KEPT = 12
# The fake has no results of scans that end in the future.
START = datetime(2025, 11, 9, 9, 0, tzinfo=UTC)
FIX_WITHIN = '{"CRITICAL": 7, "HIGH": 30, "EXPLOITED": 3}'
A = enhanced("CVE-2026-0001", "CRITICAL", "openssl")
B = enhanced("CVE-2026-0002", "HIGH", "zlib")


@pytest.fixture
def dated(make_reporter: Callable[..., ReporterHarness]) -> ReporterHarness:
    return make_reporter(FIX_WITHIN=FIX_WITHIN)


def scan(
    inbox: ReporterHarness, day: float, findings: Sequence[dict[str, Any]], build: int = 0, pushed: float = 0
) -> list[dict[str, Any]]:
    """Report a scan of a build so many days after the start; return the images of the new reports."""
    now = START + day * DAY
    listed = FakeScan("COMPLETE", now, enhanced_findings=list(findings))
    event = inbox.image(
        "app", f"1.0.{build}", name=f"build {build}", scan=listed, pushed_at=START + pushed * DAY, at=now
    )
    return inbox.images_reported(now + timedelta(seconds=5), event)


def due_message(build: int) -> str:
    message: str = to_body(DueMessage(REGISTRY.image("app", digest_of(f"build {build}"))))
    return message


def records(builds: Iterable[int]) -> dict[int, ImageRecord]:
    """Return the records of builds."""
    keys = {(repository_key(REGISTRY, "app"), image_key(digest_of(f"build {build}"))): build for build in builds}
    return {keys[key]: image_record(item) for key, item in reporter.dependencies().table.get_many(keys).items()}


def record(build: int = 0) -> ImageRecord:
    return records([build])[build]


def overdue(images: Sequence[dict[str, Any]]) -> list[str]:
    return [finding["id"] for image in images for finding in image["overdue"]]


@pytest.mark.slow
def test_ninety_rebuilds_report_each_overdue_finding_on_its_day_once(dated: ReporterHarness) -> None:
    fixed_in_time = enhanced("CVE-2026-0003", "HIGH", "curl")
    plain = enhanced("CVE-2026-0004", "HIGH", "log4j-core")
    exploited = enhanced("CVE-2026-0004", "HIGH", "log4j-core", exploitAvailable="YES")

    def listed(build: int) -> list[dict[str, Any]]:
        found = [A]
        found += [B] if build >= 20 else []
        found += [fixed_in_time] if 10 <= build < 35 else []
        return found + ([plain] if 55 <= build < 60 else [exploited] if build >= 60 else [])

    reported: list[tuple[int, str, str]] = []

    def note(day: int, images: Sequence[dict[str, Any]]) -> None:
        reported.extend((day, image["tags"][0], finding["id"]) for image in images for finding in image["overdue"])

    def look(day: int, hours: int) -> None:
        """Send what the daily pass sends: a message for each image with a date that has passed, here twice."""
        now = START + day * DAY + timedelta(hours=hours)
        found = records(range(day - _KEPT, day + 1))
        bodies = [due_message(build) for build, known in found.items() if known.due_at and known.due_at <= now]
        for _ in range(2 if bodies else 0):
            note(day, dated.images_reported(now, *bodies))

    for day in range(90):
        if day % 2 == 0:
            look(day, -5)
        note(day, scan(dated, day, listed(day), day, day))
        if day % 3 == 0 and day >= 8:
            note(day, scan(dated, day + 0.1, listed(day - 8), day - 8, day - 8))
        if day % 2 == 1:
            look(day, 5)
    assert reported == [
        (7, "1.0.7", "CVE-2026-0001"),
        (50, "1.0.49", "CVE-2026-0002"),
        (60, "1.0.60", "CVE-2026-0004"),
    ]


def test_overdue_finding_is_not_named_as_open_as_well(dated: ReporterHarness) -> None:
    scan(dated, 0, [A, B])
    scan(dated, 8, [A, B, enhanced("CVE-2026-0005", "CRITICAL", "curl")])
    text = mail(dated.reports()[-1])
    assert "   OVERDUE CRITICAL CVE-2026-0001 in openssl 1.0\n" in text
    assert "   open 8 days: CVE-2026-0002 (high) in zlib\n" in text


def test_overdue_finding_is_named_with_its_date_and_why(dated: ReporterHarness) -> None:
    scan(dated, 0, [A, B])
    assert record().due_at == datetime(2025, 11, 16, tzinfo=UTC)
    assert dated.images_reported(datetime(2025, 11, 15, 23, 59, tzinfo=UTC), due_message(0)) == []
    [image] = dated.images_reported(datetime(2025, 11, 16, 4, 0, tzinfo=UTC), due_message(0))
    assert (image["reason"], image["overdue_total"], image["open_before"], image["open_now"]) == ("overdue", 1, 2, 2)
    assert image["scanned_at"] == "2025-11-09T09:00:00Z"
    [finding] = image["overdue"]
    assert (finding["id"], finding["due_at"]) == ("CVE-2026-0001", "2025-11-16T00:00:00Z")
    assert (finding["within_days"], finding["within_days_of"]) == (7, "CRITICAL")
    report = dated.reports()[-1]
    assert report.subject == "[ECR] 1 critical overdue in 1 image (CVE-2026-0001): app:1.0.0"
    assert report.attributes["overdue"] == ("Number", "1")
    assert report.attributes["severity"][1] == "CRITICAL"
    text = mail(report)
    # The day is that of the deadline, not that of the last scan.
    assert text.splitlines()[1] == "Account 123456789012, eu-west-1, 16 Nov 2025, 00:00 UTC."
    assert "   1 overdue, 2 still open\n" in text
    assert "   OVERDUE CRITICAL CVE-2026-0001 in openssl 1.0\n" in text
    assert "     due 16 Nov 2025 (first seen 9 Nov; CRITICAL: fix within 7 days)\n" in text
    remembered = record()
    assert remembered.due_at == datetime(2025, 12, 9, tzinfo=UTC)
    assert (remembered.overdue, remembered.earliest_deadlines) == (
        1,
        (
            FindingDeadline("CVE-2026-0001", "openssl", "CRITICAL", datetime(2025, 11, 16, tzinfo=UTC), "CRITICAL", 7),
            FindingDeadline("CVE-2026-0002", "zlib", "HIGH", datetime(2025, 12, 9, tzinfo=UTC), "HIGH", 30),
        ),
    )


@pytest.mark.slow
def test_scan_after_the_date_reports_and_the_message_is_silent(dated: ReporterHarness) -> None:
    scan(dated, 0, [A])
    assert overdue(scan(dated, 8, [A])) == ["CVE-2026-0001"]
    assert dated.images_reported(START + 9 * DAY, due_message(0)) == []
    assert scan(dated, 10, [A]) == []
    assert record().overdue == 1
    assert scan(dated, 11, []) == scan(dated, 12, []) == []
    assert record().overdue == 0


def test_message_is_silent_about_what_is_not_there(dated: ReporterHarness) -> None:
    assert dated.images_reported(START, due_message(1)) == []
    scan(dated, 0, [B])
    assert dated.images_reported(START + 8 * DAY, due_message(0)) == []


def test_message_about_no_image_is_returned(dated: ReporterHarness) -> None:
    assert dated.report('{"due": {"repository": "app"}}', '{"due": 7}', due_message(1)) == ["0", "1"]


def test_message_is_retried_while_the_table_rejects_it(dated: ReporterHarness) -> None:
    scan(dated, -30, [A], pushed=-30)
    dated.aws.behavior.faults.append(Fault("TransactWriteItems", "AccessDeniedException", times=1))
    assert dated.report(due_message(0)) == ["0"]
    assert dated.report(due_message(0)) == []
    assert [document(report)["totals"]["overdue"] for report in dated.reports()[1:]] == [1]


def test_image_with_a_later_one_is_not_reported(dated: ReporterHarness) -> None:
    scan(dated, 0, [A], 0, 0)
    scan(dated, 1, [], 1, 1)
    assert dated.images_reported(START + 8 * DAY, due_message(0)) == []
    assert scan(dated, 9, [A], 0, 0) == []
    # It is overdue all the same, should its successor be deleted.
    assert record().overdue == 1


def test_scan_and_message_in_one_window_are_one_entry(make_reporter: Callable[..., ReporterHarness]) -> None:
    inbox = make_reporter(FIX_WITHIN=FIX_WITHIN, REPORT_WINDOW_SECONDS="3600")
    scan(inbox, 0, [A])
    inbox.check(START + timedelta(hours=2))
    midnight = datetime(2025, 11, 16, tzinfo=UTC)
    scan(inbox, (midnight - START) / DAY - 0.01, [A, B])
    assert inbox.images_reported(midnight, due_message(0)) == []
    inbox.check(START + 8 * DAY)
    [image] = document(inbox.reports()[-1])["images"]
    assert (image["reason"], image["overdue_total"], image["totals"]["new"]) == ("news", 1, 1)
    assert image["open_before"] + 1 == image["open_now"] == 2
    assert inbox.reports()[-1].subject == (
        "[ECR] 1 new high in 1 image, 1 critical overdue in 1 image (CVE-2026-0001): app:1.0.0"
    )


def test_group_has_no_attribute_for_overdue_findings(make_reporter: Callable[..., ReporterHarness]) -> None:
    inbox = make_reporter(FIX_WITHIN=FIX_WITHIN, GROUP_BY="^(a)")
    scan(inbox, 0, [A])
    assert overdue(inbox.images_reported(START + 8 * DAY, due_message(0))) == ["CVE-2026-0001"]
    assert len(inbox.reports()[-1].attributes) == 10
    assert "overdue" not in inbox.reports()[-1].attributes


def test_removed_deadlines_are_forgotten(make_reporter: Callable[..., ReporterHarness]) -> None:
    inbox = make_reporter(FIX_WITHIN=FIX_WITHIN)
    scan(inbox, 0, [A])
    inbox = make_reporter(FIX_WITHIN="")
    assert inbox.images_reported(START + 8 * DAY, due_message(0)) == []
    assert record().due_at is None


def test_overdue_finding_is_not_hidden_by_fixed_ones(make_reporter: Callable[..., ReporterHarness]) -> None:
    inbox = make_reporter(FIX_WITHIN=FIX_WITHIN, NOTIFY_ON_FIXED="true")
    scan(inbox, 0, [A, B])
    [image] = scan(inbox, 8, [A], build=1, pushed=1)
    assert (image["reason"], overdue([image]), image["totals"]["fixed"]) == ("overdue", ["CVE-2026-0001"], 1)
    report = inbox.reports()[-1]
    assert report.subject == "[ECR] 1 critical overdue in 1 image (CVE-2026-0001), 1 fixed: app:1.0.1"
    assert report.attributes["severity"][1] == "CRITICAL"


def test_reason_of_a_date_that_has_no_room_has_its_own_line(make_reporter: Callable[..., ReporterHarness]) -> None:
    inbox = make_reporter(FIX_WITHIN='{"INFORMATIONAL": 300}')
    scan(inbox, 0, [enhanced("CVE-2026-0001", "INFORMATIONAL", "openssl")])
    assert overdue(inbox.images_reported(START + 301 * DAY, due_message(0))) == ["CVE-2026-0001"]
    expected = "     due 5 Sep 2026 (first seen 9 Nov 2025; INFORMATIONAL: fix within 300\n     days)\n"
    assert expected in mail(inbox.reports()[-1])
