"""The reporter: which image a first scan is compared with, by tags as people use them."""

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from fake_aws import FakeScan, finding
from support.reporter_harness import CHAT, ReporterHarness, mail
from support.virtual_time import TIME

START = TIME.now().replace(microsecond=0) - timedelta(days=100)
A = finding("CVE-2026-0001", "CRITICAL", "openssl", "3.0.1")
B = finding("CVE-2026-0002", "HIGH", "zlib", "1.2.13")


def push(inbox: ReporterHarness, day: float, tag: str, *findings: dict[str, Any]) -> list[dict[str, Any]]:
    """Push an image so many days after the start, and report its scan; return the images of the new report."""
    now = START + timedelta(days=day)
    scan = FakeScan("COMPLETE", now, findings=list(findings))
    return inbox.images_reported(now, inbox.image("app", tag, scan=scan, pushed_at=now, at=now))


@pytest.mark.parametrize(
    "tags",
    [
        ["main-3f2a9c1", "main-5176135", "main-77be01d"],
        ["main-5176135", "main-77be01d", "main-1234567"],
        ["v1.2-3-g3f2a9c1", "v1.2-4-g5176135", "v1.3-1-gdeadbee"],
        ["main-51761350-1722500000", "main-3f2a9c1d-1722586400"],
        ["main-3f2a9c1-1722500000", "main-5176135-1722586400"],
        ["prod-deadbeef", "prod-3f2a9c1d", "prod-51761350"],
        ["deadbeef", "51761350", "20261123"],
        ["build-999999", "build-1000000", "build-1000001"],
        ["1.0.999", "1.0.1234567", "1.1.3"],
        ["3f2504e0-4f89-11d3-9a0c-0305e82c3301", "12345678-1234-1234-1234-123456789012"],
    ],
    ids=lambda tags: tags[0],
)
def test_next_build_of_an_application_repeats_nothing(inbox: ReporterHarness, tags: list[str]) -> None:
    assert len(push(inbox, 0, tags[0], A)) == 1
    for day, tag in enumerate(tags[1:-1], start=1):
        assert push(inbox, day, tag, A) == []
    [image] = push(inbox, 9, tags[-1], A, B)
    assert [entry["id"] for entry in image["changes"]["new"]] == ["CVE-2026-0002"]
    # The age goes on.
    [still_open] = image["changes"]["still_open"]
    assert still_open["first_seen"] == f"{START:%Y-%m-%dT%H:%M:%SZ}"
    # The build before this one counts, and no other.
    assert image["predecessor"] == tags[-2]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("python3.9", "python"),
        ("python", "python3.9"),
        ("v12-alpine", "v12-slim"),
        ("main-3f2a9c1", "release-77be01d"),
        ("build-12", "build-3f2a9c1"),
        ("1.0-rc1", "1.0"),
    ],
)
def test_variant_of_an_application_is_another_one(inbox: ReporterHarness, first: str, second: str) -> None:
    assert len(push(inbox, 0, first, A)) == 1
    [image] = push(inbox, 1, second, B)
    assert (image["predecessor"], image["first_scan"], image["open_before"]) == (None, True, 0)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("tag", "findings", "reads"),
    [
        # One query for the images that were pushed last, one read of the candidates.
        ("1.200", [A], {"Query": 1, "BatchGetItem": 1, "DescribeImages": 1}),
        # What is alike may have been given a tag.
        ("feature-login", [A], {"Query": 1, "BatchGetItem": 1, "DescribeImages": 2}),
        # There is no candidate.
        ("feature-login", [], {"Query": 1, "BatchGetItem": 0, "DescribeImages": 1}),
    ],
)
def test_first_scan_costs_one_query_and_one_read_more_than_a_later_one(
    inbox: ReporterHarness, tag: str, findings: list[dict[str, Any]], reads: dict[str, int]
) -> None:
    for number in range(50):
        push(inbox, number, f"1.{number}", A)
    first, later = (calls_of_silent_scan(inbox, day, tag, *findings) for day in (60, 61))
    assert {name: first[name] - later[name] for name in reads} == reads


def calls_of_silent_scan(inbox: ReporterHarness, day: int, tag: str, *findings: dict[str, Any]) -> Counter[str]:
    """Return the calls that the scan of an image costs that is not reported."""
    now = START + timedelta(days=day)
    scan = FakeScan("COMPLETE", now, findings=list(findings))
    event = inbox.image("app", tag, scan=scan, pushed_at=START + timedelta(days=60), at=now)
    inbox.aws.reset()
    assert inbox.images_reported(now, event) == []
    return Counter(inbox.aws.calls())


def test_what_is_known_here_is_listed_if_every_scan_is_reported(make_reporter: Callable[..., ReporterHarness]) -> None:
    inbox = make_reporter(NOTIFY_ON="every_scan", CHAT_TOPIC_ARN=CHAT)
    push(inbox, 0, "main", A)
    [image] = push(inbox, 1, "feature-login", A)
    assert (image["reason"], [entry["id"] for entry in image["changes"]["known_here"]]) == (
        "every_scan",
        ["CVE-2026-0001"],
    )
    assert "\n   CRITICAL CVE-2026-0001 in openssl 3.0.1\n" in mail(inbox.reports()[-1])
    assert "\n• critical `CVE-2026-0001` in `openssl 3.0.1`" in inbox.chats()[-1]["content"]["description"]
