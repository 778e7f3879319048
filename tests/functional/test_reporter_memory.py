"""The reporter, with its memory: what is reported of a history of scans."""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import pytest
from ecr_scan_reporter.aws.dynamodb import Table
from ecr_scan_reporter.memory import items
from ecr_scan_reporter.memory.codec import unpack_as
from ecr_scan_reporter.memory.images import ImageMemory
from ecr_scan_reporter.memory.runs import RepositoryState, RunMemory
from ecr_scan_reporter.memory.scans import ScanMemory
from ecr_scan_reporter.reporting import baseline
from ecr_scan_reporter.reporting.baseline import Findings
from fake_aws import FakeScan, Fault, digest_of, finding, index_image
from support.fixtures import embedded_metrics
from support.invocations import REGISTRY
from support.reporter_harness import CHAT, UNSUPPORTED, ReporterHarness, document, enhanced, found, mail
from support.virtual_time import TIME

DAY = timedelta(days=1)
START = TIME.now().replace(microsecond=0) - 100 * DAY
# Images that are older than a day are inventory; these are not, and are pushed in the order of their scans.
PUSHED = TIME.now() - timedelta(hours=12)


def rescan(
    inbox: ReporterHarness,
    findings: Sequence[dict[str, Any]],
    days: int,
    *tags: str,
    name: str = "image",
    status: str = "COMPLETE",
    platform: str = "",
    **options: Any,
) -> dict[str, Any] | None:
    """Report a scan of an image so many days after the start; return the image's entry in the new report."""
    ended, tags = START + days * DAY, tags or ("1.0",)
    listed = "enhanced_findings" if "packageVulnerabilityDetails" in (findings or [{}])[0] else "findings"
    scan = FakeScan(status, ended, **{listed: findings})  # type: ignore[arg-type]
    detail: dict[str, Any] = {} if status == "COMPLETE" else {"finding-severity-counts": {}}
    detail |= {"scan-status": "FAILED"} if status == "FAILED" else {}
    pushed_at = PUSHED + timedelta(minutes=days)
    own_tags = () if platform else tags
    event = inbox.image("app", *own_tags, name=name, scan=scan, pushed_at=pushed_at, event=detail)
    if platform:
        inbox.repositories["app"].put(index_image(digest_of(f"index of {name}"), {digest_of(name): platform}, tags))
    event["time"] = f"{ended:%Y-%m-%dT%H:%M:%SZ}"
    before = len(inbox.reports())
    assert inbox.report(event, **options) == []
    reports = inbox.reports()[before:]
    assert len(reports) <= 1
    images: list[dict[str, Any]] = (
        document(reports[0])["images"] + document(reports[0])["failed_scans"] if reports else []
    )
    return images[0] if images else None


def ids(image: dict[str, Any] | None, change: str) -> list[str]:
    assert image is not None, "nothing is reported"
    return [finding["id"] for finding in image["changes"][change]]


def totals(image: dict[str, Any] | None) -> dict[str, int]:
    """Return how many findings have changed by what a report says of an image; {} if it is not reported."""
    if image is None or "totals" not in image:
        return {"failed": 1} if image else {}
    return {change: number for change, number in image["totals"].items() if number and change != "still_open"}


def open_findings(inbox: ReporterHarness, name: str = "image") -> dict[str, int]:
    """Return what is remembered as open in an image, and how many days after the start it was first seen."""
    memory = ImageMemory(Table(inbox.aws.client("dynamodb"), "memory"), TIME.now())
    known = unpack_as(Findings, memory.read(REGISTRY.image("app", digest_of(name))).findings)
    return {entry.finding.id: (entry.first_seen - START).days for entry in known if not entry.gone_at}


A = finding("CVE-2026-0001", "CRITICAL", "openssl", "3.0.1")
B = finding("CVE-2026-0002", "HIGH", "zlib", "1.2.13")
C = finding("CVE-2026-0003", "HIGH", "busybox", "1.36.1")
A_UPDATED = finding("CVE-2026-0001", "CRITICAL", "openssl", "3.0.2")
MEDIUM = finding("CVE-2026-0009", "MEDIUM", "tar", "1.34")
LOW = finding("CVE-2026-0009", "LOW", "tar", "1.34")
EXPIRED = "SCAN_ELIGIBILITY_EXPIRED"


def test_first_scan_is_news_and_its_repetition_is_silent(inbox: ReporterHarness) -> None:
    assert ids(rescan(inbox, [A, B], 0), "new") == ["CVE-2026-0001", "CVE-2026-0002"]
    assert rescan(inbox, [A, B], 7) is None


@pytest.mark.parametrize(
    "noise",
    [
        [B, A],
        [A, B, A],
        [A | {"description": "Another text.", "uri": "https://example.com/other"}, B],
        [A, B, finding("CVE-2026-0009", "LOW", "tar", "1.0")],
        [A, B, finding("CVE-2026-0002", "HIGH", "zlib", "1.2.12")],
        [A, finding("CVE-2026-0002", "MEDIUM", "zlib", "1.2.13")],
    ],
    ids=["order", "duplicate", "description", "below the threshold", "second version", "lower severity"],
)
def test_noise_is_silent(inbox: ReporterHarness, noise: Sequence[dict[str, Any]]) -> None:
    rescan(inbox, [A, B], 0)
    assert rescan(inbox, noise, 7) is None
    assert rescan(inbox, [A, B], 14) is None


def test_new_finding_is_reported_alone(inbox: ReporterHarness) -> None:
    rescan(inbox, [A, B], 0)
    image = rescan(inbox, [A, B, C], 7)
    assert ids(image, "new") == ["CVE-2026-0003"]
    assert ids(image, "still_open") == ["CVE-2026-0001", "CVE-2026-0002"]
    text = mail(inbox.reports()[-1])
    assert "1 new high in 1 image." in text
    assert "open 7 days: CVE-2026-0001 (critical) in openssl, and 1 more\n" in text
    assert inbox.reports()[-1].attributes["new_high"] == ("Number", "1")


def test_withdrawn_after_two_scans_without_it_and_back_later(make_reporter: Callable[..., ReporterHarness]) -> None:
    inbox = make_reporter(NOTIFY_ON_FIXED="true")
    rescan(inbox, [A, B], 0)
    assert rescan(inbox, [A], 7) is None
    assert ids(rescan(inbox, [A], 14), "withdrawn") == ["CVE-2026-0002"]
    assert ids(rescan(inbox, [A, B], 21), "back") == ["CVE-2026-0002"]


def test_raised_severity_is_reported_once(inbox: ReporterHarness) -> None:
    low, high = (finding("CVE-2026-0004", severity, "tar", "1.0") for severity in ("MEDIUM", "CRITICAL"))
    assert rescan(inbox, [low], 0) is None
    assert ids(rescan(inbox, [high], 7), "raised") == ["CVE-2026-0004"]
    assert rescan(inbox, [low], 14) is None
    assert rescan(inbox, [high], 21) is None


def test_fix_and_exploit_are_reported_once(inbox: ReporterHarness) -> None:
    plain = enhanced("CVE-2026-0005", "HIGH", "log4j-core")
    fixable = enhanced("CVE-2026-0005", "HIGH", "log4j-core", "2.17.1")
    exploited = enhanced("CVE-2026-0005", "HIGH", "log4j-core", "2.17.1", exploitAvailable="YES")
    assert ids(rescan(inbox, [plain], 0), "new") == ["CVE-2026-0005"]
    assert ids(rescan(inbox, [fixable], 7), "fix_available") == ["CVE-2026-0005"]
    assert ids(rescan(inbox, [exploited], 14), "exploit_known") == ["CVE-2026-0005"]
    assert rescan(inbox, [exploited], 21) is None


def test_rebuild_is_compared_with_the_image_before(make_reporter: Callable[..., ReporterHarness]) -> None:
    inbox = make_reporter(NOTIFY_ON_FIXED="true")
    rescan(inbox, [A, B], 0, "1.0", name="first")
    assert rescan(inbox, [A | {"name": "CVE-2026-0001"}, B], 1, "1.1", name="second") is None
    image = rescan(inbox, [B], 2, "1.2", name="third")
    assert ids(image, "fixed") == ["CVE-2026-0001"]
    assert ids(image, "new") == []
    assert "1 fixed" in str(inbox.reports()[-1].subject)


MANY = [finding(f"CVE-2025-{number}", "HIGH", f"package-{number}", "1.0") for number in range(1200)]
GHSA = enhanced("GHSA-aaaa-bbbb-cccc", "CRITICAL", "log4j-core", "2.17.1")
GHSA["packageVulnerabilityDetails"]["relatedVulnerabilities"] = ["CVE-2021-44228"]
CVE = enhanced("CVE-2021-44228", "CRITICAL", "log4j-core", "2.17.1")
JAR = enhanced("CVE-2021-44228", "CRITICAL", "log4j-core", "2.17.1")
JAR["packageVulnerabilityDetails"]["vulnerablePackages"].append(
    {"name": "log4j-core", "version": "2.0", "filePath": "app/lib/other.jar"}
)
LATER = {
    **enhanced("CVE-2021-44228", "HIGH", "log4j-core", "2.17.1", score=7.1, updatedAt=START),
    "description": "Other words.",
}
ONE, TWO, MANY_NEW = {"new": 1}, {"new": 2}, {"new": 1200}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("scans", "expected"),
    [
        pytest.param([(MANY,), (MANY[::-1],)], [MANY_NEW, {}], id="other order on other pages"),
        pytest.param([(MANY,), ([*MANY[600:], *MANY[:600], *MANY[:10]],)], [MANY_NEW, {}], id="duplicates on pages"),
        pytest.param([([CVE],), ([JAR],), ([CVE],)], [ONE, {}, {}], id="another path and version"),
        pytest.param([([CVE],), ([LATER],), ([CVE],)], [ONE, {}, {}], id="other text, date, score and severity"),
        pytest.param([([GHSA],), ([CVE],), ([GHSA],), ([GHSA, CVE],)], [ONE, {}, {}, {}], id="aliases"),
        pytest.param([([A, LOW],), ([A, MEDIUM],), ([A, LOW],)], [TWO, {}, {}], id="severity that does not count"),
        pytest.param([([A, B],), ([A],), ([A, B],)], [TWO, {}, {}], id="absent once"),
        pytest.param([([A, B],), ([], "FAILED"), ([A, B],)], [TWO, {"failed": 1}, {}], id="a scan that fails"),
        pytest.param(
            [([A],), ([], "FAILED"), ([], "FAILED"), ([A, C],)], [ONE, {"failed": 1}, {}, ONE], id="two scans that fail"
        ),
        pytest.param([([A, B],), ([], EXPIRED), ([A, B],)], [TWO, {}, {}], id="closed by Inspector"),
        pytest.param([([A],), ([], EXPIRED), ([], EXPIRED), ([A, C],)], [ONE, {}, {}, ONE], id="closed twice"),
    ],
)
def test_noise_between_scans_is_silent(
    make_reporter: Callable[..., ReporterHarness], scans: Sequence[tuple[Any, ...]], expected: Sequence[dict[str, int]]
) -> None:
    inbox = make_reporter(NOTIFY_ON_FIXED="true")
    said = [
        totals(rescan(inbox, scan, day, status="".join(status) or "COMPLETE"))
        for day, (scan, *status) in enumerate(scans)
    ]
    assert said == list(expected)
    # What was there on the first day is open still, and is as old as it is.
    days = Counter(open_findings(inbox).values())
    assert days[0] == expected[0]["new"]


@pytest.mark.parametrize(
    ("builds", "expected"),
    [
        pytest.param([([A], "1.0"), ([A_UPDATED], "1.1")], [ONE, {}], id="version bump with the CVE still in it"),
        pytest.param([([A], "latest"), ([A], "latest"), ([A, C], "latest")], [ONE, {}, ONE], id="a tag that moves"),
        pytest.param([([A], "1.0", "latest"), ([A], "1.1", "latest")], [ONE, {}], id="latest beside a version"),
        pytest.param([([A], "1.0", "latest"), ([A], "2.0.0-rc", "latest")], [ONE, {}], id="another version"),
        pytest.param([([A], "main-3f2a9c1"), ([A], "main-77be01d")], [ONE, {}], id="commits"),
        pytest.param([([A], "1.0-alpine"), ([B], "1.0-slim"), ([A], "1.1-alpine")], [ONE, ONE, {}], id="variants"),
    ],
)
def test_rebuild_without_news_is_silent(
    make_reporter: Callable[..., ReporterHarness], builds: Sequence[tuple[Any, ...]], expected: Sequence[dict[str, int]]
) -> None:
    inbox = make_reporter(NOTIFY_ON_FIXED="true")
    said = [totals(rescan(inbox, scan, day, *tags, name=f"build {day}")) for day, (scan, *tags) in enumerate(builds)]
    assert said == list(expected)
    assert open_findings(inbox, f"build {len(builds) - 1}")["CVE-2026-0001"] == 0


def test_platforms_of_an_index_have_a_history_each(inbox: ReporterHarness) -> None:
    """The hole of one platform is news for the other one, and each is compared with its own predecessor."""
    said = [
        totals(rescan(inbox, scan, day, f"1.{day // 2}", name=f"build {day}", platform=platform))
        for day, (scan, platform) in enumerate(
            [([A], "linux/amd64"), ([B], "linux/arm64"), ([A], "linux/amd64"), ([A, B], "linux/arm64")]
        )
    ]
    assert said == [ONE, ONE, {}, ONE]


@pytest.mark.slow
def test_unreadable_page_changes_nothing(make_reporter: Callable[..., ReporterHarness]) -> None:
    inbox = make_reporter(NOTIFY_ON_FIXED="true")
    rescan(inbox, MANY, 0)
    for day in (1, 2):
        # The first page would be 1,000 of the 1,200 findings.
        inbox.aws.behavior.faults[:] = [SecondPage("DescribeImageScanFindings", "AccessDeniedException")]
        assert rescan(inbox, MANY, day, receives=3) is None
        inbox.aws.behavior.faults.clear()
    assert len(open_findings(inbox)) == 1200
    assert rescan(inbox, MANY, 3) is None


class SecondPage(Fault):
    """Rejects every call for a further page."""

    def matches(self, operation: str, params: Any) -> bool:
        return operation == self.operation and "nextToken" in params


def test_other_variant_is_not_a_rebuild(make_reporter: Callable[..., ReporterHarness]) -> None:
    inbox = make_reporter(NOTIFY_ON_FIXED="true")
    rescan(inbox, [A, B, LOW], 0, "1.0-alpine", name="alpine")
    image = rescan(inbox, [A, B, C], 1, "1.0-slim", name="slim")
    # What most of both have is known here, but nothing is fixed.
    assert totals(image) == {"new": 1, "known_here": 2}
    assert ids(image, "known_here") == ["CVE-2026-0001", "CVE-2026-0002"]
    assert image
    assert image["predecessor"] is None
    text = mail(inbox.reports()[-1])
    assert "\n   first scan: 1 new (1 high), 2 known here\n" in text
    assert "CVE-2026-0001" not in text


@pytest.mark.slow
def test_ninety_daily_rebuilds_with_one_hole_are_reported_once(inbox: ReporterHarness) -> None:
    reported = [rescan(inbox, [A], day, f"1.0.{day}", name=f"build {day}") for day in range(90)]
    assert [bool(image) for image in reported] == [True] + 89 * [False]
    assert open_findings(inbox, "build 89") == {"CVE-2026-0001": 0}
    image = rescan(inbox, [A, B], 90, "1.0.90", name="build 90")
    assert ids(image, "new") == ["CVE-2026-0002"]
    assert image
    assert [entry["first_seen"] for entry in image["changes"]["still_open"]] == [f"{START:%Y-%m-%dT%H:%M:%SZ}"]


def test_event_twice_and_older_event_are_silent(inbox: ReporterHarness) -> None:
    rescan(inbox, [A], 7)
    assert rescan(inbox, [A], 7) is None
    assert rescan(inbox, [A, B], 0) is None


def test_reminder_comes_after_remind_after(make_reporter: Callable[..., ReporterHarness]) -> None:
    inbox = make_reporter(REMIND_AFTER="30d", CHAT_TOPIC_ARN=CHAT)

    def scanned_after(days: int) -> int:
        rescan(inbox, [A], days, now=START + days * DAY + timedelta(minutes=1))
        return len(inbox.reports())

    assert scanned_after(0) == 1
    assert scanned_after(29) == 1
    assert scanned_after(31) == 2
    report = inbox.reports()[-1]
    found = document(report)
    assert (found["images"], found["totals"]["images"], found["totals"]["still_open"]) == ([], 0, 0)
    [worst] = found["reminders"].pop("worst_images")
    assert (worst["tags"], worst["counts"]) == (["1.0"], {"CRITICAL": 1})
    assert found["reminders"] == {"images": 1, "counts": {"CRITICAL": 1}}
    assert report.subject == "[ECR] Reminder of 1 image: 1 critical"
    assert report.attributes["severity"] == ("String", "CRITICAL")
    assert report.attributes["new_critical"] == ("Number", "0")
    assert report.attributes["repositories"] == ("String.Array", '["app"]')
    assert mail(report).splitlines()[:10] == [
        "Reminder of 1 image: 1 critical.",
        f"Account 123456789012, eu-west-1, {START + 31 * DAY:%-d %b %Y, %H:%M} UTC.",
        "",
        "Reminder: 1 image",
        "   1 critical",
        "   This image has not been reported for 30 days, and is still at or above a",
        "   threshold.",
        "",
        "The worst image",
        "   app:1.0: 1 critical",
    ]
    assert inbox.chats()[-1]["content"]["description"].splitlines() == [
        "`Account 123456789012, eu-west-1`",
        "",
        "*Reminder*: 1 image, 1 critical",
        "• `app:1.0`: 1 critical",
    ]
    # The next one comes after as many days again.
    assert scanned_after(60) == 2
    assert scanned_after(62) == 3
    assert len(inbox.chats()) == 3


def test_every_scan_is_reported_if_asked_for(make_reporter: Callable[..., ReporterHarness]) -> None:
    inbox = make_reporter(NOTIFY_ON="every_scan")
    rescan(inbox, [A], 0)
    assert ids(rescan(inbox, [A], 7), "still_open") == ["CVE-2026-0001"]


@pytest.mark.slow
def test_images_that_were_there_before_are_one_inventory(inbox: ReporterHarness) -> None:
    old = TIME.now() - 30 * DAY
    events = [
        inbox.image(f"team/app-{number}", "1.0", scan=found("CRITICAL", "HIGH"), pushed_at=old) for number in range(25)
    ]
    failed = {"scan-status": "FAILED", "finding-severity-counts": {}}
    events.append(
        inbox.image("team/legacy", "1.0", scan=FakeScan("FAILED", description="No."), event=failed, pushed_at=old)
    )
    assert inbox.report(*events, seconds=300) == []
    [check] = inbox.aws.messages()
    assert (json.loads(check.body), inbox.reports()) == ({"check": True}, [])
    inbox.check(TIME.now() + timedelta(minutes=11))
    [report] = inbox.reports()
    inventory = document(report)["inventory"]
    assert (inventory["images"], inventory["failed_scans"]) == (26, 1)
    assert inventory["counts"] == {"CRITICAL": 25, "HIGH": 25}
    assert len(inventory["repositories"]) == 26
    assert len(inventory["worst_images"]) == 20
    assert report.subject == "[ECR] First inventory of 26 images: 25 critical, 25 high"
    text = mail(report)
    assert "\nFirst inventory\n  26 images in 26 repositories have 25 critical, 25 high.\n" in text
    # The worst images with their findings, and why a scan failed.
    assert "1. team/app-0:1.0: 1 critical, 1 high\n   CRITICAL CVE-" in text
    assert "\nFailed scans\n   team/legacy:1.0\n     No.\n     https://" in text
    inbox.check(TIME.now() + timedelta(hours=1))
    assert len(inbox.reports()) == 1


@pytest.mark.parametrize(
    ("schedule", "days", "is_news"),
    [
        ("rate(1 day)", 2, True),
        ("rate(1 day)", 8, True),
        ("rate(7 days)", 14, True),
        # Longer than promised: it was excluded, or the promise was not kept, which has an alarm of its own.
        ("rate(1 day)", 10, False),
    ],
)
def test_repository_that_is_created_months_later_is_no_inventory(
    make_reporter: Callable[..., ReporterHarness], schedule: str, days: int, is_news: bool
) -> None:
    inbox = make_reporter(SCHEDULE_EXPRESSION=schedule)
    assert inbox.report(inbox.image("old", "1.0", scan=found("HIGH"), at=TIME.now())) == []
    TIME.sleep(90 * 86_400)
    pushed, images = TIME.now(), range(5)
    TIME.sleep(days * 86_400)
    scans = [FakeScan(findings=[finding(f"CVE-2026-1{n:03}", "HIGH", f"package-{n}")]) for n in images]
    events = [inbox.image("new", f"v{n}-{'abcde'[n]}", scan=scans[n], pushed_at=pushed, at=TIME.now()) for n in images]
    assert inbox.report(*events) == []
    TIME.sleep(700)
    inbox.check(TIME.now())
    [told] = map(document, inbox.reports()[1:])
    if is_news:
        assert told["inventory"] is None
        assert {image["tags"][0] for image in told["images"]} == {"v0-a", "v1-b", "v2-c", "v3-d", "v4-e"}
    else:
        assert (told["inventory"]["images"], told["images"]) == (5, [])


def test_two_scans_in_one_window_are_one_entry(make_reporter: Callable[..., ReporterHarness]) -> None:
    inbox = make_reporter(REPORT_WINDOW_SECONDS="3600")
    assert rescan(inbox, [A, B], 0) is None
    assert rescan(inbox, [A, B, C], 1) is None
    assert inbox.reports() == []
    inbox.check(TIME.now() + timedelta(hours=2))
    [report] = inbox.reports()
    [image] = document(report)["images"]
    assert sorted(ids(image, "new")) == ["CVE-2026-0001", "CVE-2026-0002", "CVE-2026-0003"]
    assert document(report)["totals"]["new"] == 3


def test_results_of_a_run_wait_for_its_end(inbox: ReporterHarness) -> None:
    digest, now = digest_of("image"), TIME.now()
    table = Table(inbox.aws.client("dynamodb"), inbox.aws.create_memory_table())
    RunMemory(table, REGISTRY).begin("run-1", 1, now)
    ScanMemory(table, REGISTRY).remember("app", {digest: None}, [digest], "run-1", START)
    assert rescan(inbox, [A], 0) is None
    inbox.check(now + timedelta(minutes=5))
    assert inbox.reports() == []
    RunMemory(table, REGISTRY).remember_state(RepositoryState("app", now, 1, 1, "run-1"), now)
    inbox.check(now + timedelta(minutes=6))
    [report] = inbox.reports()
    assert document(report)["totals"]["new"] == 1


def test_report_that_sns_rejects_waits_in_memory(inbox: ReporterHarness) -> None:
    inbox.aws.behavior.faults.append(Fault("Publish", "AuthorizationError", status=403, times=3))
    assert rescan(inbox, [A], 0) is None
    for hours in (1, 2):
        inbox.check(TIME.now() + timedelta(hours=hours))
        assert inbox.reports() == []
    inbox.check(TIME.now() + timedelta(hours=3))
    assert [document(report)["totals"]["new"] for report in inbox.reports()] == [1]


def test_event_is_retried_while_the_table_rejects_writes(inbox: ReporterHarness) -> None:
    event = inbox.image("app", "1.0", scan=FakeScan(findings=[A]))
    inbox.aws.behavior.faults.append(Fault("TransactWriteItems", "AccessDeniedException", times=1))
    assert inbox.report(event) == ["0"]
    assert inbox.reports() == []
    assert inbox.report(event) == []
    assert [document(report)["totals"]["new"] for report in inbox.reports()] == [1]


def test_inventory_is_not_new(inbox: ReporterHarness, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    old = TIME.now() - 30 * DAY
    assert inbox.report(inbox.image("app", "1.0", scan=found("CRITICAL"), pushed_at=old)) == []
    assert embedded_metrics(caplog, "batch processed")["NewCritical"] == 0


def test_release_that_identifies_findings_in_another_way_begins_with_an_inventory(
    inbox: ReporterHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert totals(rescan(inbox, [A, B], 0)) == TWO
    monkeypatch.setattr(items, "FORMAT", items.FORMAT + 1)
    monkeypatch.setattr(baseline, "COMPARABLE_FROM_FORMAT", items.FORMAT)
    # Not even what is new is an alert: it cannot be told from what is identified in another way.
    assert rescan(inbox, [A, B, C], 7) is None
    assert rescan(inbox, [A, B, C], 8) is None
    inbox.check(TIME.now() + timedelta(minutes=11))
    [_, report] = inbox.reports()
    assert document(report)["images"] == []
    inventory = document(report)["inventory"]
    assert (inventory["images"], inventory["counts"]) == (1, {"CRITICAL": 1, "HIGH": 2})
    assert ids(rescan(inbox, [A, B, C, finding("CVE-2026-0007", "HIGH", "curl")], 14), "new") == ["CVE-2026-0007"]
    assert open_findings(inbox)["CVE-2026-0003"] == 7


@pytest.mark.parametrize("reason", ["No space.", UNSUPPORTED])
def test_failed_scan_is_remembered_even_if_it_is_not_reported(
    make_reporter: Callable[..., ReporterHarness], reason: str
) -> None:
    inbox = make_reporter(NOTIFY_ON_SCAN_FAILURE="false")
    scan, event = FakeScan("FAILED", description=reason), {"scan-status": "FAILED", "finding-severity-counts": {}}
    assert inbox.report(inbox.image("app", "1.0", name="image", scan=scan, event=event)) == []
    inbox.check(TIME.now() + timedelta(hours=1))
    assert inbox.reports() == []
    table = Table(inbox.aws.client("dynamodb"), "memory")
    record = ImageMemory(table, TIME.now()).read(REGISTRY.image("app", digest_of("image"))).record
    assert (record.failed, record.unsupported, record.scanned_at) == (True, reason == UNSUPPORTED, None)
    # The images scanner finds it there for the overview.
    [(digest, found, _)] = ScanMemory(table, REGISTRY).scans("app", "", "~", TIME.now())
    assert digest == digest_of("image")
    assert found.scan
    assert (found.scan.status, found.scan.completed_at) == ("FAILED", record.event_at)
