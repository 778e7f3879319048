"""The reporter makes one entry of the platforms of an index, and one line of an update for many images."""

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from fake_aws import FakeScan, digest_of, finding, index_image
from support.reporter_harness import CHAT, ReporterHarness, document, enhanced, mail
from support.virtual_time import TIME

A = finding("CVE-2026-0001", "CRITICAL", "openssl", "3.0.1")
B = finding("CVE-2026-0002", "HIGH", "zlib", "1.2.13")
PLATFORMS = {"linux/amd64": "amd64", "linux/arm64": "arm64"}


def report_index(inbox: ReporterHarness, **findings: list[dict[str, Any]]) -> list[str]:
    """Report the scans of both platforms of an index in one batch."""
    events = [inbox.image("app", name=name, scan=FakeScan(findings=found)) for name, found in findings.items()]
    children = {digest_of(name): platform for platform, name in PLATFORMS.items()}
    inbox.repositories["app"].put(index_image(digest_of("index"), children, ("1.0",)))
    return inbox.report(*events)


def test_platforms_with_equal_changes_are_one_entry(make_reporter: Callable[..., ReporterHarness]) -> None:
    inbox = make_reporter(CHAT_TOPIC_ARN=CHAT)
    assert report_index(inbox, amd64=[A], arm64=[A]) == []
    [report] = inbox.reports()
    [image] = document(report)["images"]
    assert (image["tags"], image["platforms"]) == (["1.0"], list(PLATFORMS))
    assert sorted(image["digests"]) == sorted(map(digest_of, PLATFORMS.values()))
    assert image["totals"]["new"] == 1
    assert "1. app:1.0 (linux/amd64, linux/arm64)\n" in mail(report)
    assert "`app:1.0` `linux/amd64, linux/arm64` (" in inbox.chats()[0]["content"]["description"]


@pytest.mark.slow
def test_news_of_platforms_in_one_entry_counts_for_each_image(inbox: ReporterHarness) -> None:
    assert report_index(inbox, amd64=[A], arm64=[A]) == []
    [report] = inbox.reports()
    totals = document(report)["totals"]
    assert (totals["images"], totals["new"]) == (2, 2)
    assert report.attributes["new_critical"] == ("Number", "2")
    assert report.subject == "[ECR] 2 new critical in 2 images: app:1.0"


def test_platforms_with_different_changes_are_two_entries(inbox: ReporterHarness) -> None:
    assert report_index(inbox, amd64=[A], arm64=[A, B]) == []
    [report] = inbox.reports()
    images = {image["digest"]: image for image in document(report)["images"]}
    assert {image["platforms"][0]: image["totals"]["new"] for image in images.values()} == {
        "linux/amd64": 1,
        "linux/arm64": 2,
    }
    assert [image["digests"] for image in images.values()] == [[digest] for digest in images]
    assert "1. app:1.0 (linux/arm64)\n" in mail(report)
    assert "2. app:1.0 (linux/amd64)\n" in mail(report)
    assert report.attributes["new_critical"] == ("Number", "2")


def test_platforms_of_different_indexes_are_two_entries(inbox: ReporterHarness) -> None:
    # What both have would be known here in the one that is compared last.
    scans = [(name, FakeScan(findings=[entry])) for name, entry in zip(PLATFORMS.values(), (A, B), strict=True)]
    events = [inbox.image("app", name=name, scan=scan) for name, scan in scans]
    for tag, (platform, name) in zip(("1.0", "2.0"), PLATFORMS.items(), strict=True):
        inbox.repositories["app"].put(index_image(digest_of(tag), {digest_of(name): platform}, (tag,)))
    assert inbox.report(*events) == []
    images = document(inbox.reports()[0])["images"]
    assert sorted((image["tags"], image["platforms"]) for image in images) == [
        (["1.0"], ["linux/amd64"]),
        (["2.0"], ["linux/arm64"]),
    ]


def test_child_of_two_indexes_has_the_tags_of_both(inbox: ReporterHarness) -> None:
    earlier = TIME.now() - timedelta(hours=1)
    event = inbox.image("app", name="amd64", scan=FakeScan(findings=[A]), pushed_at=earlier)
    for tag in ("1.0", "latest"):
        inbox.repositories["app"].put(index_image(digest_of(tag), {digest_of("amd64"): "linux/amd64"}, (tag,)))
    assert inbox.report(event) == []
    [report] = inbox.reports()
    [image] = document(report)["images"]
    assert (image["tags"], image["platforms"]) == (["1.0", "latest"], ["linux/amd64"])
    assert image["totals"]["new"] == 1
    assert "1. app:1.0 (linux/amd64)\n" in mail(report)
    # A rebuild under either tag is compared with it.
    rebuilt = inbox.image("app", name="rebuilt", scan=FakeScan(findings=[A]))
    inbox.repositories["app"].put(index_image(digest_of("next"), {digest_of("rebuilt"): "linux/amd64"}, ("latest",)))
    assert inbox.report(rebuilt) == []
    assert len(inbox.reports()) == 1


@pytest.mark.slow
def test_one_vulnerability_in_many_images_is_one_line_in_one_mail_per_group(
    make_reporter: Callable[..., ReporterHarness],
) -> None:
    inbox = make_reporter(GROUP_BY="^([^/]+)/")
    found = FakeScan(enhanced_findings=[enhanced("CVE-2026-0001", "CRITICAL", "openssl", "3.0.15")])
    names = [f"team-{team}/app-{number}" for number in range(10) for team in "abc"]
    assert inbox.report(*(inbox.image(name, "1.0", scan=found) for name in names)) == []
    reports = inbox.reports()
    assert Counter(document(report)["group"] for report in reports) == Counter(["team-a", "team-b", "team-c"])
    for report in reports:
        [fix] = document(report)["fix_first"]
        assert (fix["package"], fix["fixed_versions"], fix["images"]) == ("openssl", ["3.0.15"], 10)
        fixes = mail(report).split("Fix first\n")[1].split("\n\n")[0].splitlines()
        assert fixes == ["  openssl 1.0 -> 3.0.15: 10 images, 10 critical"]
        assert report.attributes["new_critical"] == ("Number", "10")
