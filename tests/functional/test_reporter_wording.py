"""The reporter: what mail and chat say, and that all formats say the same."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from fake_aws import FakeScan, digest_of, finding, index_image
from support.reporter_harness import CHAT, ReporterHarness, document, enhanced, found, mail
from support.virtual_time import TIME

A = finding("CVE-2026-0001", "CRITICAL", "openssl", "3.0.1")
B = finding("CVE-2026-0002", "HIGH", "zlib", "1.2.13")
C = finding("CVE-2026-0003", "HIGH", "busybox", "1.36.1")
START = TIME.now().replace(microsecond=0) - timedelta(days=50)


def scan(
    inbox: ReporterHarness, day: float, *findings: dict[str, Any], tag: str = "1.0", repository: str = "app"
) -> None:
    """Report a scan of an image so many days after the start."""
    ended = START + timedelta(days=day)
    pushed_at = TIME.now() - timedelta(hours=12) + timedelta(minutes=day)
    listed = FakeScan("COMPLETE", ended, findings=list(findings))
    event = inbox.image(repository, tag, scan=listed, pushed_at=pushed_at)
    assert inbox.report(event | {"time": f"{ended:%Y-%m-%dT%H:%M:%SZ}"}) == []


def chat(inbox: ReporterHarness) -> str:
    text: str = inbox.chats()[-1]["content"]["description"]
    return text


def test_platforms_of_an_index_count_as_images_in_every_format(make_reporter: Callable[..., ReporterHarness]) -> None:
    inbox = make_reporter(CHAT_TOPIC_ARN=CHAT)
    events = [inbox.image("app", name=name, scan=FakeScan(findings=[A, B])) for name in ("arm", "amd")]
    children = {digest_of("arm"): "linux/arm64", digest_of("amd"): "linux/amd64"}
    inbox.repositories["app"].put(index_image(digest_of("index"), children, ("1.0",)))
    assert inbox.report(*events) == []
    [report] = inbox.reports()
    said = document(report)
    assert report.subject == "[ECR] 2 new critical, 2 new high in 2 images: app:1.0"
    assert (report.attributes["new_critical"][1], report.attributes["new_high"][1]) == ("2", "2")
    assert (said["totals"]["images"], said["totals"]["new"]) == (2, 4)
    assert [len(image["digests"]) for image in said["images"]] == [2]
    line = "first scan: 2 new (1 critical), on each platform\n"
    assert f"1. app:1.0 (linux/amd64, linux/arm64)\n   {line}" in mail(report)
    assert line in chat(inbox)


@pytest.mark.parametrize("successor", [True, False])
def test_report_of_fixed_findings_names_them(make_reporter: Callable[..., ReporterHarness], successor: bool) -> None:
    inbox = make_reporter(CHAT_TOPIC_ARN=CHAT, NOTIFY_ON_FIXED="true")
    scan(inbox, 0, A, B, C)
    for day in (1, 2):
        scan(inbox, day, B, tag=f"1.{day}" if successor else "1.0")
    text, word = mail(inbox.reports()[-1]), "FIXED" if successor else "WITHDRAWN"
    assert document(inbox.reports()[-1])["images"][0]["reason"] == "fixed"
    assert f"   {word} CRITICAL CVE-2026-0001 in openssl 3.0.1\n" in text
    assert f"   {word} HIGH CVE-2026-0003 in busybox 1.36.1\n" in text
    assert "CVE-2026-0002" not in text
    assert f"• *{word}* critical `CVE-2026-0001` in `openssl 3.0.1`" in chat(inbox)
    assert "CVE-2026-0002" not in chat(inbox)


def test_report_of_fixed_findings_has_room_for_them(make_reporter: Callable[..., ReporterHarness]) -> None:
    inbox = make_reporter(NOTIFY_ON_FIXED="true")
    many = [finding(f"CVE-2025-{number}", "CRITICAL", f"package-{number}", "1.0") for number in range(300)]
    scan(inbox, 0, *many, C)
    scan(inbox, 1, *many, tag="1.1")
    [image] = document(inbox.reports()[-1])["images"]
    assert [entry["id"] for entry in image["changes"]["fixed"]] == ["CVE-2026-0003"]
    assert "   FIXED HIGH CVE-2026-0003 in busybox 1.36.1\n" in mail(inbox.reports()[-1])


def test_image_line_has_the_date_if_the_days_differ(make_reporter: Callable[..., ReporterHarness]) -> None:
    inbox = make_reporter(REPORT_WINDOW_SECONDS="3600")
    for repository, time in (("one", "2025-11-09T23:59:00Z"), ("two", "2025-11-10T00:01:00Z")):
        assert inbox.report(inbox.image(repository, "1", scan=found("HIGH")) | {"time": time}) == []
    inbox.check(TIME.now() + timedelta(hours=2))
    text = mail(inbox.reports()[0])
    assert ", 9 Nov 2025, 23:59 to 10 Nov 2025, 00:01 UTC.\n" in text
    assert ", scanned 9 Nov 2025, 23:59 UTC\n" in text
    assert ", scanned 10 Nov 2025, 00:01 UTC\n" in text


def test_inventory_of_one_image_is_in_the_singular(make_reporter: Callable[..., ReporterHarness]) -> None:
    inbox = make_reporter(CHAT_TOPIC_ARN=CHAT)
    old = TIME.now() - timedelta(days=30)
    assert inbox.report(inbox.image("app", "1", scan=found("HIGH"), pushed_at=old)) == []
    inbox.check(TIME.now() + timedelta(minutes=11))
    assert "\n\n*First inventory*: 1 image in 1 repository, 1 high\n" in chat(inbox)
    assert "\nFirst inventory\n  1 image in 1 repository has 1 high.\n" in mail(inbox.reports()[-1])


def test_thousands_are_separated(make_reporter: Callable[..., ReporterHarness]) -> None:
    inbox = make_reporter(CHAT_TOPIC_ARN=CHAT)
    many = [enhanced(f"CVE-2026-{number}", "HIGH", f"package-{number}") for number in range(1234)]
    assert inbox.report(inbox.image("app", "1", scan=FakeScan(enhanced_findings=many))) == []
    [report] = inbox.reports()
    assert report.subject == "[ECR] 1,234 new high in 1 image: app:1"
    assert "first scan: 1,234 new (1,234 high)\n" in mail(report)
    assert "and 1,224 more\n" in mail(report)
    assert chat(inbox).endswith("• and 1,229 more")


@pytest.mark.parametrize(
    ("times", "period"),
    [
        (("2026-11-23T09:14:00Z", "2026-11-23T09:14:59Z"), "23 Nov 2026, 09:14 UTC."),
        (("2026-11-23T09:14:00Z", "2026-11-23T09:15:00Z"), "23 Nov 2026, 09:14 to 09:15 UTC."),
        (("2026-11-23T23:59:00Z", "2026-11-24T00:01:00Z"), "23 Nov 2026, 23:59 to 24 Nov 2026, 00:01 UTC."),
    ],
)
def test_mail_says_when_its_scans_ended(inbox: ReporterHarness, times: tuple[str, str], period: str) -> None:
    events = [inbox.image(f"app-{number}", "1", scan=found("HIGH")) for number in range(2)]
    assert inbox.report(*(event | {"time": time} for event, time in zip(events, times, strict=True))) == []
    [report] = inbox.reports()
    assert f"\nAccount 123456789012, eu-west-1, {period}\n" in mail(report)


GO = ("v0.0.0-20230731152917-f99041a5c027", "v0.0.0-20230822171919-50b966667fb2")
LONG = "github.com/open-policy-agent/opa-envoy-plugin/v2"


@pytest.mark.parametrize(
    ("package", "installed", "fixed", "fields"),
    [
        ("golang.org/x/net", GO[0], [GO[1]], {}),
        (LONG, GO[0], [GO[1]], {"exploitAvailable": "YES"}),
        (LONG, "x" * 256, [GO[1], "v1.2.3", GO[0], "v2.0.0"], {"exploitAvailable": "YES"}),
        ("log4j-core", "2.14.1", ["1" * 71], {}),
        ("p" * 256, "1.0", [], {"exploitAvailable": "YES"}),
    ],
    ids=["pseudo-versions", "long package", "several", "as long as a line", "no fix"],
)
def test_version_that_fixes_is_whole_in_the_mail(
    inbox: ReporterHarness, package: str, installed: str, fixed: list[str], fields: dict[str, str]
) -> None:
    entry = enhanced("CVE-2023-39325", "HIGH", package, **fields)
    versions = [{"name": package, "version": installed, "fixedInVersion": version} for version in fixed]
    entry["packageVulnerabilityDetails"]["vulnerablePackages"] = versions or [{"name": package, "version": installed}]
    scan = FakeScan(enhanced_findings=[entry, enhanced("CVE-2023-0001", "HIGH", "zlib", "1.3")])
    assert inbox.report(*(inbox.image(f"app-{number}", "1.0", scan=scan) for number in range(2))) == []
    text = mail(inbox.reports()[-1])
    fix_first, first, _ = text.split("app-")[0], text.split("app-")[1], text.split("app-")[2]
    shown = sorted(fixed)
    assert all(version in fix_first for version in shown[:2])
    assert all(version in first for version in shown[:3])
    assert ("exploit known" in first) == bool(fields)
    assert max(len(line) for line in text.splitlines() if "https://" not in line) <= 76
    # What fits on one line stays on one.
    assert "\n  zlib 1.0 -> 1.3: 2 images, 2 high\n" in text
    assert "\n   NEW HIGH CVE-2023-0001 in zlib 1.0, fixed in 1.3\n" in text
