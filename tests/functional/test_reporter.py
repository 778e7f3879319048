"""The reporter publishes what should be reported, once, and loses nothing: thresholds, subjects, pages, metrics."""

import json
import random
import re
import zlib
from base64 import b64encode
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import hypothesis
import pytest
from ecr_scan_reporter import reporter as program
from ecr_scan_reporter.messages.reports_queue import CHECK
from fake_aws import FakeImage, FakeScan, Fault, digest_of, finding, index_image
from hypothesis import given
from hypothesis import strategies as st
from support.fixtures import embedded_metrics
from support.invocations import REGISTRY
from support.random_tests import examples
from support.reporter_harness import (
    CHAT,
    TOPIC,
    UNSUPPORTED,
    ReporterHarness,
    document,
    enhanced,
    findings_of,
    found,
    is_mailed,
    mail,
)
from support.virtual_time import TIME
from syrupy.assertion import SnapshotAssertion


def mixed_batch(inbox: ReporterHarness) -> list[dict[str, Any]]:
    """Return a batch with every kind of result."""
    worst = [
        finding("CVE-2026-1234", "CRITICAL", "openssl", "3.0.1-r2"),
        finding("CVE-2026-2345", "CRITICAL", "openssl", "3.0.1-r2"),
    ]
    worst += [finding(f"CVE-2026-{n}", "HIGH", "openssl", "3.0.1-r2") for n in range(3000, 3005)]
    worst += [finding(f"CVE-2026-{n}", "MEDIUM", f"lib{n}", "1.0") for n in range(4000, 4037)]
    fixable = [
        enhanced("CVE-2026-5001", "HIGH", "log4j-core", "2.17.1", exploitAvailable="YES", score=9.8),
        enhanced("CVE-2026-5002", "HIGH", "zlib", score=8.1),
        enhanced("CVE-2026-5003", "HIGH", "zlib", "1.3", status="SUPPRESSED"),
    ]
    child = inbox.image("team-a/worker", name="child", scan=FakeScan(enhanced_findings=fixable))
    index = {child["detail"]["image-digest"]: "linux/arm64"}
    inbox.repositories["team-a/worker"].put(index_image(digest_of("index"), index, ("2.0", "latest")))
    failed = {"scan-status": "FAILED", "finding-severity-counts": {}}
    return [
        inbox.image("team-b/api", "1.0", scan=found("HIGH")),
        inbox.image("team-a/checkout", "4.2.0", "stable", scan=FakeScan(findings=worst)),
        child,
        inbox.image("team-b/legacy", "1.0", scan=FakeScan("FAILED", description=UNSUPPORTED), event=failed),
        inbox.image("team-b/clean", "1.0", scan=found("MEDIUM", "LOW")),
    ]


def test_batch_is_one_message_with_the_worst_image_first(inbox: ReporterHarness, snapshot: SnapshotAssertion) -> None:
    assert inbox.report(*mixed_batch(inbox)) == []
    [report] = inbox.reports()
    assert (
        report.subject
        == "[ECR] 2 new critical, 8 new high in 3 images, 1 scan failed: team-a/checkout:4.2.0 and 3 more"
    )
    assert report.structure == "json"
    assert {name: value for name, (_, value) in report.attributes.items()} == {
        "severity": "CRITICAL",
        "new_critical": "2",
        "new_high": "8",
        "fixed": "0",
        "repositories": '["team-a/checkout", "team-a/worker", "team-b/api", "team-b/legacy"]',
        "account": "123456789012",
        "region": "eu-west-1",
        "failed_scans": "1",
        "id": document(report)["id"],
        "overdue": "0",
    }
    assert mail(report) == snapshot(name="mail")
    assert document(report) == snapshot(name="document")


def test_mail_keeps_to_76_columns_except_links(inbox: ReporterHarness) -> None:
    inbox.report(*mixed_batch(inbox))
    lines = mail(inbox.reports()[0]).splitlines()
    assert [line for line in lines if len(line) > 76 and "https://" not in line] == []


def test_chat_gets_markdown(make_reporter: Callable[..., ReporterHarness], snapshot: SnapshotAssertion) -> None:
    inbox = make_reporter(CHAT_TOPIC_ARN=CHAT)
    inbox.report(*mixed_batch(inbox))
    [chat] = inbox.chats()
    assert (chat["version"], chat["source"]) == ("1.0", "custom")
    assert chat == snapshot


@pytest.mark.slow
def test_chat_keeps_its_limits(make_reporter: Callable[..., ReporterHarness]) -> None:
    inbox = make_reporter(CHAT_TOPIC_ARN=CHAT)
    inbox.report(*(inbox.image(f"team-{n:03}/{'x' * 100}", "1.0", scan=found("HIGH")) for n in range(120)))
    [chat] = inbox.chats()
    assert len(chat["content"]["title"]) <= 250
    assert len(chat["content"]["description"]) <= 8000
    assert re.search(r"and [0-9]+ more$", chat["content"]["description"])


@pytest.mark.parametrize(
    ("counts", "reported"),
    [
        ({"CRITICAL": 1}, True),
        ({"HIGH": 1}, True),
        ({"CRITICAL": 0, "HIGH": 0, "MEDIUM": 99, "TOTAL": 99}, False),
        ({"UNTRIAGED": 9, "UNDEFINED": 9}, False),
        ({}, False),
    ],
)
def test_image_at_a_threshold_is_reported(inbox: ReporterHarness, counts: dict[str, int], reported: bool) -> None:
    severities = [severity for severity, number in counts.items() if severity != "TOTAL" for _ in range(number)]
    inbox.report(inbox.image("app", "1", scan=found(*severities), event={"finding-severity-counts": counts}))
    assert len(inbox.reports()) == reported


def test_threshold_may_be_more_than_one(make_reporter: Callable[..., ReporterHarness]) -> None:
    inbox = make_reporter(SEVERITY_THRESHOLDS='{"MEDIUM":2}')
    inbox.report(inbox.image("one", "1", scan=found("MEDIUM")), inbox.image("two", "1", scan=found("MEDIUM", "MEDIUM")))
    assert [image["repository"] for image in document(inbox.reports()[0])["images"]] == ["two"]


@pytest.mark.parametrize("wanted", [True, False])
def test_failed_scan_is_reported_with_its_reason_if_configured(
    make_reporter: Callable[..., ReporterHarness], wanted: bool
) -> None:
    inbox = make_reporter(NOTIFY_ON_SCAN_FAILURE=str(wanted).lower())
    inbox.report(
        inbox.image("app", "1", scan=FakeScan("FAILED", description="No space."), event={"scan-status": "FAILED"})
    )
    assert len(inbox.reports()) == wanted
    if wanted:
        [failed] = document(inbox.reports()[0])["failed_scans"]
        assert (failed["reason"], failed["unsupported"]) == ("No space.", False)
        assert inbox.reports()[0].attributes["severity"][1] == "NONE"


def test_repository_that_does_not_match_is_not_reported(inbox: ReporterHarness) -> None:
    assert inbox.report(inbox.image("sandbox/app", "1", scan=found("CRITICAL"))) == []
    assert inbox.reports() == []


def test_fixable_only_ignores_findings_without_a_fix(make_reporter: Callable[..., ReporterHarness]) -> None:
    inbox = make_reporter(FIXABLE_ONLY="true")
    fix = enhanced("CVE-1", "HIGH", "a", "2.0")
    none = enhanced("CVE-2", "CRITICAL", "b")
    inbox.report(
        inbox.image("mixed", "1", scan=FakeScan(enhanced_findings=[fix, none])),
        inbox.image("hopeless", "1", scan=FakeScan(enhanced_findings=[none])),
    )
    [image] = document(inbox.reports()[0])["images"]
    assert (image["repository"], image["counts"]) == ("mixed", {"HIGH": 1})
    assert [entry["id"] for entry in findings_of(image)] == ["CVE-1"]


def test_repeated_event_is_reported_once_with_the_last_scan(inbox: ReporterHarness) -> None:
    event = inbox.image("app", "1", scan=found("HIGH"))
    older = {**event, "time": "2026-11-22T09:14:00Z"}
    assert inbox.report(event, event, older) == []
    [image] = document(inbox.reports()[0])["images"]
    assert image["scanned_at"] == "2026-11-23T09:14:00Z"


def test_deleted_image_is_reported_with_the_counts_of_its_event(inbox: ReporterHarness) -> None:
    event = inbox.image("app", scan=found("HIGH", "HIGH"))
    inbox.repositories["app"].remove(event["detail"]["image-digest"])
    assert inbox.report(event) == []
    [image] = document(inbox.reports()[0])["images"]
    assert (image["counts"], findings_of(image), image["tags"]) == ({"HIGH": 2}, [], [])
    assert "(no tag)" in mail(inbox.reports()[0])


def test_deleted_repository_is_reported(inbox: ReporterHarness) -> None:
    event = inbox.image("app", scan=found("HIGH"))
    inbox.aws.registry.remove("app")
    assert inbox.report(event) == []
    assert len(inbox.reports()) == 1


def test_sample_events_of_aws_are_reported(inbox: ReporterHarness, aws_event: Callable[..., dict[str, Any]]) -> None:
    names = ("ecr-image-scan-complete", "ecr-image-scan-failed", "inspector2-scan")
    assert inbox.report(*map(aws_event, names)) == []
    documents = [document(report) for report in inbox.reports()]
    assert sorted((reported["account"], reported["region"]) for reported in documents) == [
        ("000000000000", "us-east-1"),
        ("123456789012", "us-east-1"),
        ("123456789012", "us-east-2"),
    ]


def test_batch_has_the_metrics_of_its_events(inbox: ReporterHarness, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    unread = inbox.image("app", "2.0", scan=FakeScan("IN_PROGRESS"), event={"finding-severity-counts": {"HIGH": 1}})
    first = inbox.image("app", "1.0", scan=found("CRITICAL", "HIGH", "HIGH", "LOW", "UNDEFINED"))
    other = inbox.image("other", "1.0", scan=found("HIGH", "MEDIUM"))
    assert inbox.report(first, other, unread, "no event") == ["2", "3"]
    counts = {"NewCritical": 1, "NewHigh": 3, "NewMedium": 1, "NewLow": 1}
    assert embedded_metrics(caplog, "batch processed") == {
        "EventsProcessed": 2,
        "ReportsPublished": 1,
        "OldestUnpublished": 0,
        **counts,
    }
    assert inbox.report(first, other) == []
    none = dict.fromkeys(counts, 0)
    assert embedded_metrics(caplog, "batch processed") == {
        "EventsProcessed": 2,
        "ReportsPublished": 0,
        "OldestUnpublished": 0,
        **none,
    }


def test_invalid_event_is_retried_and_others_are_reported(inbox: ReporterHarness) -> None:
    assert inbox.report("poison", inbox.image("app", "1", scan=found("HIGH")), "{}") == ["0", "2"]
    assert len(inbox.reports()) == 1


def test_each_group_gets_its_own_images(make_reporter: Callable[..., ReporterHarness]) -> None:
    inbox = make_reporter(GROUP_BY="^([^/]+)/")
    names = ("team-a/app", "team-b/app", "team-a/worker", "ungrouped")
    inbox.report(*(inbox.image(name, "1", scan=found("HIGH")) for name in names))
    reported = {document(report)["group"]: document(report) for report in inbox.reports()}
    assert {group: sorted(image["repository"] for image in report["images"]) for group, report in reported.items()} == {
        "team-a": ["team-a/app", "team-a/worker"],
        "team-b": ["team-b/app"],
        None: ["ungrouped"],
    }
    groups = [report.attributes.get("group", ("", None))[1] for report in inbox.reports()]
    assert sorted(map(str, groups)) == ["None", "team-a", "team-b"]


@pytest.mark.slow
def test_batch_too_large_for_one_message_becomes_several(inbox: ReporterHarness) -> None:
    many = FakeScan(findings=[finding(f"CVE-2026-{n:04}", "HIGH", f"package-{n}") for n in range(100)])
    images = [inbox.image(f"team/app-{n:03}", "1.0", scan=many) for n in range(200)]
    assert inbox.report(*images, seconds=300) == []
    reports = inbox.reports()
    assert 1 < len(reports) <= 4
    reported = [image["repository"] for report in reports for image in document(report)["images"]]
    assert len(reported) == len(set(reported)) == 200
    assert [(document(report)["part"], document(report)["parts"]) for report in reports] == [
        (number, len(reports)) for number in range(1, len(reports) + 1)
    ]
    ids = [report.attributes["id"][1] for report in reports]
    assert ids == [document(report)["id"] for report in reports]
    assert [id_.rpartition("-")[2] for id_ in ids] == [str(n) for n in range(1, len(reports) + 1)]
    assert [is_mailed(report) for report in reports] == [True] + [False] * (len(reports) - 1)
    assert all(f"This is part {number} of" in mail(report) for number, report in enumerate(reports[1:], start=2))
    image = document(reports[0])["images"][0]
    assert image["findings_omitted"] + len(findings_of(image)) == 100
    assert "and 90 more\n" in mail(reports[0])
    assert "And 180 more images\n" in mail(reports[0])
    assert "and 80 images not named here\n" in mail(reports[0])


def test_only_unpublished_groups_are_published_again(make_reporter: Callable[..., ReporterHarness]) -> None:
    inbox = make_reporter(GROUP_BY="^([^/]+)/")
    events = [inbox.image(f"team-{name}/app", "1", scan=found("HIGH")) for name in ("a", "b", "c")]
    inbox.aws.behavior.faults.append(Fault("Publish", "AuthorizationError", status=403, containing="team-b", times=1))
    assert inbox.report(*events) == []
    [check] = inbox.aws.messages()
    assert (check.queue, check.delay) == ("reports", 60)
    assert inbox.report(check.body) == []
    assert sorted(str(document(report)["group"]) for report in inbox.reports()) == ["team-a", "team-b", "team-c"]


def test_group_that_sns_rejects_does_not_hold_back_the_others(make_reporter: Callable[..., ReporterHarness]) -> None:
    inbox = make_reporter(GROUP_BY="^([^/]+)/", CHAT_TOPIC_ARN=CHAT)
    events = [inbox.image(f"team-{name}/app", "1", scan=found("HIGH")) for name in ("a", "b", "c")]
    inbox.aws.behavior.faults.append(Fault("Publish", "AuthorizationError", status=403, containing="team-a", times=4))
    assert inbox.report(*events) == []
    assert [document(report)["group"] for report in inbox.reports()] == ["team-b", "team-c"]
    for _ in range(2):
        check = inbox.aws.messages()[-1]
        assert (check.body, check.delay) == (CHECK, 60)
        assert inbox.report(check.body) == []
    assert [document(report)["group"] for report in inbox.reports()] == ["team-b", "team-c", "team-a"]
    assert len(inbox.chats()) == 3


@pytest.mark.slow
def test_later_page_that_sns_rejects_is_published_alone(make_reporter: Callable[..., ReporterHarness]) -> None:
    inbox = make_reporter(GROUP_BY="^([^/]+)/", CHAT_TOPIC_ARN=CHAT)
    many = FakeScan(findings=[finding(f"CVE-2026-{n:04}", "HIGH", f"package-{n}") for n in range(100)])
    events = [inbox.image(f"team-a/app-{n:03}", "1.0", scan=many) for n in range(150)]
    events.append(inbox.image("team-b/app", "1.0", scan=found("HIGH")))
    inbox.aws.behavior.faults.append(Fault("Publish", "AuthorizationError", status=403, containing="(2/", times=2))
    assert inbox.report(*events, seconds=300) == []
    parts = [(document(report)["group"], document(report)["part"]) for report in inbox.reports()]
    assert ("team-a", 2) not in parts
    assert {("team-a", 1), ("team-a", 3), ("team-b", 1)} <= set(parts)
    [rejected] = inbox.aws.messages()
    assert rejected.delay == 60
    assert inbox.report(rejected.body) == ["0"]
    assert inbox.report(rejected.body) == []
    now = [(document(report)["group"], document(report)["part"]) for report in inbox.reports()]
    assert now == [*parts, ("team-a", 2)]


@pytest.mark.parametrize(("rejected", "other"), [(CHAT, TOPIC), (TOPIC, CHAT)])
def test_topic_that_fails_does_not_hold_back_the_other(
    make_reporter: Callable[..., ReporterHarness], rejected: str, other: str
) -> None:
    inbox = make_reporter(CHAT_TOPIC_ARN=CHAT)
    inbox.aws.behavior.faults.append(Fault("Publish", "AuthorizationError", status=403, containing=rejected, times=1))
    assert inbox.report(inbox.image("app", "1", scan=found("HIGH"))) == []
    assert [publication.topic for publication in inbox.aws.publications()] == [other]
    [retry] = inbox.aws.messages()
    assert (retry.queue, retry.delay) == ("reports", 60)
    assert inbox.report(retry.body) == []
    assert sorted(publication.topic for publication in inbox.aws.publications()) == sorted([TOPIC, CHAT])


def test_retry_that_sns_rejects_again_stays_on_the_queue(make_reporter: Callable[..., ReporterHarness]) -> None:
    inbox = make_reporter(CHAT_TOPIC_ARN=CHAT)
    inbox.aws.behavior.faults.append(Fault("Publish", "AuthorizationError", status=403, containing=CHAT))
    inbox.report(inbox.image("app", "1", scan=found("HIGH")))
    assert inbox.report(inbox.aws.messages()[0].body) == ["0"]


@pytest.mark.slow
def test_both_topics_failing_keeps_the_report_until_they_work(make_reporter: Callable[..., ReporterHarness]) -> None:
    inbox = make_reporter(CHAT_TOPIC_ARN=CHAT)
    inbox.aws.behavior.faults.append(Fault("Publish", "AuthorizationError", status=403, times=6))
    assert inbox.report(inbox.image("app", "1", scan=found("HIGH"))) == []
    for _ in range(3):
        assert inbox.reports() == []
        check = inbox.aws.messages()[-1]
        assert (check.queue, check.delay) == ("reports", 60)
        assert inbox.report(check.body) == []
    assert sorted(publication.topic for publication in inbox.aws.publications()) == sorted([TOPIC, CHAT])


@pytest.mark.parametrize("change", [{"account": "210987654321"}, {"region": "eu-central-1"}])
def test_event_of_another_registry_gets_no_findings_of_this_one(inbox: ReporterHarness, change: dict[str, str]) -> None:
    event = {**inbox.image("app", "1", scan=found("CRITICAL")), **change}
    assert inbox.report(event) == []
    [image] = document(inbox.reports()[0])["images"]
    assert findings_of(image) == []
    assert "the image is in account" in image["findings_error"]
    assert "DescribeImageScanFindings" not in inbox.aws.calls()


@pytest.mark.parametrize(
    "artifact",
    [
        {"artifact_media_type": "application/vnd.cncf.helm.config.v1+json"},
        {"subject": digest_of("app")},
        {"tags": (f"sha256-{'1' * 64}.sig",)},
    ],
)
def test_failed_scan_of_an_artifact_is_not_reported(inbox: ReporterHarness, artifact: dict[str, Any]) -> None:
    event = inbox.image("app", scan=FakeScan("FAILED"), event={"scan-status": "FAILED"})
    inbox.repositories["app"].put(replace(FakeImage(event["detail"]["image-digest"]), **artifact))
    assert inbox.report(event) == []
    assert inbox.reports() == []


def test_failed_scan_of_an_attestation_is_not_reported(inbox: ReporterHarness) -> None:
    event = inbox.image("app", scan=FakeScan("FAILED"), event={"scan-status": "FAILED"})
    children = {event["detail"]["image-digest"]: "unknown/unknown"}
    inbox.repositories["app"].put(index_image(digest_of("index"), children, ("1.0",)))
    assert inbox.report(event) == []
    assert inbox.reports() == []


def test_failed_scan_that_was_repeated_successfully_is_not_a_failure(inbox: ReporterHarness) -> None:
    events = [
        inbox.image("clean", "1", scan=found(), event={"scan-status": "FAILED", "finding-severity-counts": None}),
        inbox.image("bad", "1", scan=found("HIGH"), event={"scan-status": "FAILED", "finding-severity-counts": None}),
    ]
    assert inbox.report(*events) == []
    [report] = inbox.reports()
    assert document(report)["failed_scans"] == []
    assert [image["repository"] for image in document(report)["images"]] == ["bad"]


def test_complete_scan_without_counts_is_looked_up(inbox: ReporterHarness) -> None:
    events = [
        inbox.image("bad", "1", scan=found("HIGH"), event={"finding-severity-counts": None}),
        inbox.image("good", "1", scan=found("LOW"), event={"finding-severity-counts": None}),
    ]
    assert inbox.report(*events) == []
    assert [image["repository"] for image in document(inbox.reports()[0])["images"]] == ["bad"]


def test_complete_and_then_failed_are_both_reported(inbox: ReporterHarness) -> None:
    complete = inbox.image("app", "1", scan=found("HIGH"))
    failed = inbox.image("app", "1", scan=FakeScan("FAILED", description="No space."), event={"scan-status": "FAILED"})
    assert inbox.report(complete, {**failed, "time": "2026-11-23T10:14:00Z"}) == []
    report = document(inbox.reports()[0])
    [image], [failure] = report["images"], report["failed_scans"]
    assert (image["counts"], image["findings_error"]) == ({"HIGH": 1}, "the last scan ended with FAILED: No space.")
    assert failure["reason"] == "No space."


def test_failed_and_then_complete_is_complete(inbox: ReporterHarness) -> None:
    complete = inbox.image("app", "1", scan=found("HIGH"))
    failed = {**complete, "detail": {**complete["detail"], "scan-status": "FAILED"}, "time": "2026-11-23T08:14:00Z"}
    assert inbox.report(failed, complete) == []
    assert document(inbox.reports()[0])["failed_scans"] == []


def test_one_vulnerability_in_four_jars_is_one_finding(make_reporter: Callable[..., ReporterHarness]) -> None:
    inbox = make_reporter(SEVERITY_THRESHOLDS='{"HIGH":2}')
    entry = enhanced("CVE-1", "HIGH", "log4j-core", "2.17.1")
    packages = entry["packageVulnerabilityDetails"]["vulnerablePackages"]
    entry["packageVulnerabilityDetails"]["vulnerablePackages"] = [
        {**packages[0], "filePath": f"app/lib{number}.jar", "version": f"1.{number % 2}"} for number in range(4)
    ]
    one = FakeScan(enhanced_findings=[entry])
    two = FakeScan(enhanced_findings=[entry, enhanced("CVE-2", "HIGH", "log4j-core", "2.15.0")])
    assert inbox.report(inbox.image("one", "1", scan=one), inbox.image("two", "1", scan=two)) == []
    [image] = document(inbox.reports()[0])["images"]
    assert (image["repository"], image["counts"]) == ("two", {"HIGH": 2})
    [merged] = [finding for finding in findings_of(image) if finding["id"] == "CVE-1"]
    assert merged["paths"] == [f"app/lib{number}.jar" for number in range(4)]
    assert merged["installed_versions"] == ["1.0", "1.1"]


def test_advice_names_a_version_only_for_what_it_fixes(inbox: ReporterHarness) -> None:
    scans = [
        enhanced("CVE-1", "HIGH", "log4j-core", "2.15.0"),
        enhanced("CVE-2", "CRITICAL", "log4j-core", "2.17.1"),
        enhanced("CVE-3", "HIGH", "log4j-core"),
        enhanced("CVE-4", "HIGH", "zlib", "1.3"),
    ]
    inbox.report(
        inbox.image("app", "1", scan=FakeScan(enhanced_findings=scans)), inbox.image("web", "1", scan=found("HIGH"))
    )
    text = mail(inbox.reports()[0])
    assert "NEW CRITICAL CVE-2 in log4j-core 1.0, fixed in 2.17.1\n" in text
    assert "NEW HIGH CVE-3 in log4j-core 1.0\n" in text
    assert "  log4j-core 1.0 -> 2.17.1: 1 image, 1 critical\n" in text


def test_counts_are_whole_when_findings_are_cut(inbox: ReporterHarness) -> None:
    many = [finding(f"CVE-2026-{n:04}", "HIGH", "openssl", "1.0") for n in range(500)]
    inbox.report(inbox.image("app", "1", scan=FakeScan(findings=many)))
    assert "first scan: 500 new (500 high)" in mail(inbox.reports()[0])
    assert "and 490 more\n" in mail(inbox.reports()[0])


def test_image_too_large_for_one_message_is_cut(inbox: ReporterHarness) -> None:
    long = "\u20ac" * 256
    many = [finding(f"{long}{n}", "HIGH", f"{n}{long}", long) for n in range(300)]
    tags = [f"{number}-{'t' * 500}" for number in range(1000)]
    event = inbox.image("app", "1", scan=FakeScan(findings=many), event={"image-tags": tags})
    assert inbox.report(event, inbox.image("small", "1", scan=found("HIGH"))) == []
    assert sorted(image["repository"] for report in inbox.reports() for image in document(report)["images"]) == [
        "app",
        "small",
    ]


def test_hostile_findings_are_reported(inbox: ReporterHarness) -> None:
    """ECR's own shapes are enforced by boto3, so these are the values that its parser lets through."""
    entries: list[dict[str, object]] = [
        {"severity": "HIGH"},
        {**finding("CVE-1", "HIGH"), "uri": "javascript:alert(1)"},
        {**finding("CVE-2", "HIGH"), "attributes": [{"key": "CVSS3_SCORE", "value": "1e999"}]},
        {**finding("CVE-3", "HIGH"), "attributes": [{"key": "CVSS3_SCORE", "value": "nan"}]},
        {**finding("CVE-4", "NEW_SEVERITY"), "uri": "http://example.com"},
    ]
    assert inbox.report(inbox.image("app", "1", scan=FakeScan(findings=entries))) == []
    [image] = document(inbox.reports()[0])["images"]
    assert {found["cvss_score"] for found in findings_of(image)} == {None}
    assert {found["url"] for found in findings_of(image) if found["id"] != "CVE-2" and found["id"] != "CVE-3"} == {None}
    assert "javascript" not in inbox.reports()[0].message


@pytest.mark.slow
def test_events_without_time_left_are_sent_again(inbox: ReporterHarness) -> None:
    """However often: to run out of time is no failure of a message, which would end in the DLQ after five."""
    inbox.aws.behavior.latency = {"DescribeImageScanFindings": 0.3}
    messages: list[Any] = [inbox.image(f"app-{number:02}", "1", scan=found("HIGH")) for number in range(64)]
    read, invocations = 0, 0
    while messages:
        assert inbox.report(*messages, seconds=1.2) == []
        messages = [message.body for message in inbox.aws.messages()[read:]]
        read, invocations = read + len(messages), invocations + 1
    assert invocations > 1
    # The check that was planned last, which came before its time here.
    TIME.sleep(120)
    assert inbox.report(CHECK) == []
    reported = [image["repository"] for report in inbox.reports() for image in document(report)["images"]]
    assert sorted(reported) == [f"app-{number:02}" for number in range(64)]


def test_events_that_there_is_never_time_for_reach_the_dlq(inbox: ReporterHarness) -> None:
    events = [inbox.image(f"app-{number}", "1", scan=found("HIGH")) for number in range(3)]
    assert inbox.report(*events, seconds=0) == ["0", "1", "2"]


def test_event_that_failed_before_is_not_sent_again(inbox: ReporterHarness) -> None:
    """An invocation that was killed may have put it into a window that it did not come to open."""
    inbox.aws.behavior.latency = {"DescribeImageScanFindings": 10}
    events = [inbox.image(f"app-{number}", "1", scan=found("HIGH")) for number in range(20)]
    first = inbox.report(*events, receives=2, seconds=30)
    assert 0 < len(first) < 20
    assert [message.body for message in inbox.aws.messages() if "detail" in message.body] == []


def publish(parameters: Any, topic: Any = "reports") -> str:
    data = b64encode(zlib.compress(json.dumps(parameters).encode())).decode()
    return json.dumps({"publish": {"topic": topic, "data": data}})


def test_unexpected_trouble_of_one_message_stays_its_own(
    inbox: ReporterHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: Any) -> bool:
        raise RuntimeError("unexpected")

    monkeypatch.setattr(program, "parse_publication", fail)
    event = inbox.image("app", "1", scan=found("HIGH"))
    assert inbox.report(publish({"Message": "x"}), event) == ["0"]
    assert len(inbox.reports()) == 1


HOSTILE_EVENTS: list[Callable[[dict[str, Any]], str]] = [
    lambda event: "not JSON",
    lambda event: "[" * 100_000,
    lambda event: "null",
    lambda event: json.dumps(event).replace('"HIGH": 1', '"HIGH": 1e999'),
    lambda event: json.dumps(event).replace('"HIGH": 1', f'"HIGH": {"9" * 4000}'),
    lambda event: json.dumps(event).replace('"HIGH": 1', '"HIGH": -1'),
    lambda event: json.dumps({**event, "time": "2026-11-23T09:14:00"}),
    lambda event: json.dumps({**event, "detail": {**event["detail"], "image-tags": "latest"}}),
    lambda event: json.dumps({**event, "detail": None}),
    lambda event: json.dumps({**event, "account": ["1"]}),
    lambda event: json.dumps({**event, "publish": 7}),
    lambda event: json.dumps({"publish": {"topic": "reports", "parameters": {"TopicArn": "x"}}}),
    lambda event: publish({"TopicArn": "x", "Message": "x"}),
    lambda event: publish({"Message": "x", "MessageAttributes": 5}),
    lambda event: publish({"Message": "x", "MessageAttributes": {"a": {"DataType": "String"}}}),
    lambda event: publish({"Message": "x", "Unknown": "x"}),
    lambda event: publish({"Message": "\ud800"}),
    lambda event: publish({"Message": "x"}, topic="unknown"),
    lambda event: publish({"Message": "x"}, topic=["reports"]),
    lambda event: json.dumps({**event, "due": "app"}),
    lambda event: json.dumps({"due": {**REGISTRY._asdict(), "repository": "app", "digest": ["x"]}}),
    lambda event: json.dumps({"due": {**REGISTRY._asdict(), "repository": "\ud800", "digest": "x"}}),
    lambda event: json.dumps({"pass": {"repository": "app", "run": "x"}}),
    lambda event: json.dumps({"pass": {"at": "2026-11-30T09:14:00"}}),
    lambda event: json.dumps({"missed": {**REGISTRY._asdict(), "repository": "app", "digest": "x"}}),
]


@pytest.mark.slow
@given(
    hostile=st.lists(st.sampled_from(HOSTILE_EVENTS), min_size=1, max_size=5),
    good=st.integers(1, 10),
    seed=st.randoms(use_true_random=False),
)
@hypothesis.settings(max_examples=examples(200))
def test_random_hostile_records_are_returned_alone(
    make_reporter: Callable[..., ReporterHarness],
    hostile: list[Callable[[dict[str, Any]], str]],
    good: int,
    seed: random.Random,
) -> None:
    inbox = make_reporter()
    inbox.aws.start_over()
    events = [json.dumps(inbox.image(f"good-{number}", "1", scan=found("HIGH"))) for number in range(good)]
    batch = [(body, True) for body in events]
    batch += [(make(inbox.image(f"bad-{n}", "1", scan=found("HIGH"))), False) for n, make in enumerate(hostile)]
    seed.shuffle(batch)
    assert inbox.report(*(body for body, _ in batch)) == sorted(str(n) for n, (_, ok) in enumerate(batch) if not ok)
    reported = [image["repository"] for report in inbox.reports() for image in document(report)["images"]]
    assert sorted(reported) == sorted(f"good-{number}" for number in range(good))


EVIL = [
    "line\r\nBcc: all@example.com",
    "<!channel> & <https://evil.example|click>",
    "[click](https://evil.example) *bold* `code`",
    '"},"default":"',
    "\u202eoverride \x00 \x1b[31m",
    "日本語/イメージ",
    "x" * 5000,
]


@pytest.mark.slow
@pytest.mark.parametrize("evil", EVIL)
def test_hostile_text_breaks_no_format(make_reporter: Callable[..., ReporterHarness], evil: str) -> None:
    inbox = make_reporter(CHAT_TOPIC_ARN=CHAT)
    scan = FakeScan(findings=[replace_values(finding("CVE-1", "HIGH", evil, evil), evil)])
    event = inbox.image("app", "1", scan=scan, event={"image-tags": [evil]})
    named = inbox.image("app2", "1", scan=found("HIGH"), event={"repository-name": evil})
    failed = inbox.image("app3", "1", scan=FakeScan("FAILED", description=evil), event={"scan-status": "FAILED"})
    assert inbox.report(event, named, failed) == []
    [report] = inbox.reports()
    assert all(line.isprintable() for line in mail(report).splitlines())
    assert "\nBcc" not in mail(report)
    description = inbox.chats()[0]["content"]["description"]
    assert "<" not in description
    assert description.count("`") % 2 == 0
    assert "evil" not in re.sub("`[^`]*`|[(]https://eu-west-1[.]console[^)]*[)]", "", description)


def test_invalid_repository_name_is_reported(inbox: ReporterHarness) -> None:
    event = inbox.image("app", scan=found("HIGH"), event={"repository-name": "x"})
    assert inbox.report(event, receives=3) == []
    assert document(inbox.reports()[0])["images"][0]["repository"] == "x"


def replace_values(entry: dict[str, object], evil: str) -> dict[str, object]:
    return {**entry, "name": evil, "uri": evil}


def test_counts_that_fill_the_subject_are_truncated(make_reporter: Callable[..., ReporterHarness]) -> None:
    inbox = make_reporter(SEVERITY_THRESHOLDS='{"LOW":1}')
    counts = dict.fromkeys(("MEDIUM", "LOW", "INFORMATIONAL", "UNDEFINED", "UNTRIAGED"), 1_000_000)
    events = [inbox.image(f"app-{n}", "1", event={"finding-severity-counts": counts}) for n in range(20)]
    assert inbox.report(*events, receives=3) == []  # `report` checks the limits of every subject
    assert [report.subject[-3:] for report in inbox.reports() if report.subject] == ["..."]


def test_invalid_score_is_left_out(inbox: ReporterHarness) -> None:
    entry = finding("CVE-1", "HIGH")
    entry["attributes"] = [{"key": "CVSS3_SCORE", "value": "high"}, {"key": "empty"}]
    inbox.report(inbox.image("app", "1", scan=FakeScan(findings=[entry])))
    assert document(inbox.reports()[0])["images"][0]["changes"]["new"][0]["cvss_score"] is None


@pytest.mark.parametrize(
    ("partition", "host"),
    [("aws-cn", "console.amazonaws.cn"), ("aws-iso", None)],
)
def test_link_leads_to_the_console_of_the_partition(
    make_reporter: Callable[..., ReporterHarness], partition: str, host: str | None
) -> None:
    arn = TOPIC.replace("aws", partition, 1)
    inbox = make_reporter(REPORTS_TOPIC_ARN=arn)
    inbox.report(
        inbox.image("team/app", "1", scan=found("HIGH")), inbox.image("bb", "1", event={"scan-status": "FAILED"})
    )
    [report] = [publication for publication in inbox.aws.publications() if publication.topic == arn]
    link = document(report)["images"][0]["console_url"]
    assert (link is None) if host is None else link.startswith(f"https://eu-west-1.{host}/ecr/repositories/private/")
