"""The reporter, with rules for ignored findings in its table."""

import logging
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from ecr_scan_reporter import reporter
from ecr_scan_reporter.memory import rules
from ecr_scan_reporter.memory.images import image_record
from ecr_scan_reporter.memory.items import image_key, repository_key
from ecr_scan_reporter.memory.rules import RuleMemory
from ecr_scan_reporter.messages.reports_queue import CHECK, DueMessage, to_body
from fake_aws import FakeScan, Fault, digest_of
from support.fixtures import embedded_metrics
from support.ignored_findings import rule, set_rules
from support.invocations import REGISTRY
from support.reporter_harness import CHAT, ReporterHarness, document, enhanced, found, mail
from support.virtual_time import TIME
from syrupy.assertion import SnapshotAssertion

START = datetime(2025, 11, 9, 9, 0, tzinfo=UTC)
A = enhanced("CVE-2026-0001", "CRITICAL", "openssl")
B = enhanced("CVE-2026-0002", "HIGH", "zlib")
C = enhanced("CVE-2026-0003", "HIGH", "zlib")
D = enhanced("CVE-2026-0004", "HIGH", "curl")


def scan(
    inbox: ReporterHarness, days: float, *findings: dict[str, Any], repository: str = "app"
) -> list[dict[str, Any]]:
    """Report a scan of an image so many days after the start; return the images of the new report."""
    now = START + timedelta(days=days)
    listed = FakeScan("COMPLETE", now, enhanced_findings=list(findings))
    return inbox.images_reported(
        now, inbox.image(repository, "1.0", name=repository, scan=listed, pushed_at=START, at=now)
    )


def new(images: list[dict[str, Any]]) -> list[str]:
    return [finding["id"] for image in images for finding in image["changes"]["new"]]


def no_longer_ignored(images: list[dict[str, Any]]) -> list[str]:
    return [finding["id"] for image in images for finding in image["changes"]["no_longer_ignored"]]


def test_ignored_findings_are_named_with_their_rule(
    make_reporter: Callable[..., ReporterHarness], snapshot: SnapshotAssertion
) -> None:
    inbox = make_reporter(CHAT_TOPIC_ARN=CHAT)
    set_rules([rule(id="CVE-2026-0001"), rule(package="zlib", until_fixed=True, reason="No fix.", repositories="a")])
    other = enhanced("CVE-2026-0009", "HIGH", "curl")
    [image] = scan(inbox, 0, A, B, C, other)
    assert new([image]) == ["CVE-2026-0009"]
    assert (image["counts"], image["ignored_total"]) == ({"HIGH": 1}, 3)
    assert [(entry["id"], entry["ignored_by"]["rule"]) for entry in image["ignored"]] == [
        ("CVE-2026-0001", "CVE-2026-0001"),
        ("CVE-2026-0002", "package zlib in a"),
        ("CVE-2026-0003", "package zlib in a"),
    ]
    [report] = inbox.reports()
    totals = document(report)["totals"]
    assert (totals["new"], totals["ignored"], totals["ignored_by_rules"]) == (1, 3, 2)
    assert inbox.chats()[0]["content"]["description"].endswith("\n\n3 findings are ignored by 2 rules")
    assert image["ignored"] == snapshot(name="ignored")
    assert mail(report) == snapshot(name="mail")


def test_image_with_ignored_findings_only_is_silent_and_remembered(inbox: ReporterHarness) -> None:
    set_rules([rule(package="zlib")])
    assert scan(inbox, 0, B, C) == []
    item = reporter.dependencies().table.get(repository_key(REGISTRY, "app"), image_key(digest_of("app")))
    record = image_record(item or {})
    assert (record.counts, record.ignored, record.updates, record.ledger.new) == ({"HIGH": 2}, 2, (), 2)


def test_finding_of_a_rule_that_ends_is_no_longer_ignored_and_has_its_reason(inbox: ReporterHarness) -> None:
    set_rules([rule(id="CVE-2026-0001")])
    assert scan(inbox, 0, A) == []
    assert scan(inbox, 23, A) == []
    images = scan(inbox, 24, A)
    assert new(images) == []
    [finding] = images[0]["changes"]["no_longer_ignored"]
    assert finding["id"] == "CVE-2026-0001"
    assert finding["was_ignored"] == "was ignored until 3 Dec 2025: The function is not called."
    assert finding["first_seen"] == "2025-11-09T09:00:00Z"
    assert "\n   1 no longer ignored (1 critical)\n" in mail(inbox.reports()[-1])
    assert "\n   REOPENED CRITICAL CVE-2026-0001 in openssl 1.0\n" in mail(inbox.reports()[-1])
    assert "\n     was ignored until 3 Dec 2025: The function is not called.\n" in mail(inbox.reports()[-1])
    assert scan(inbox, 25, A) == []


def test_finding_of_a_rule_that_is_removed_is_no_longer_ignored_and_has_its_reason(inbox: ReporterHarness) -> None:
    set_rules([rule(id="CVE-2026-0001")])
    assert scan(inbox, 0, A) == []
    set_rules([])
    [finding] = scan(inbox, 1, A)[0]["changes"]["no_longer_ignored"]
    assert finding["was_ignored"] == "was ignored by a rule that no longer applies: The function is not called."


def test_until_fixed_ends_when_a_fix_is_known(inbox: ReporterHarness) -> None:
    set_rules([rule(package="zlib", until_fixed="true")])
    assert scan(inbox, 0, B, C) == []
    images = scan(inbox, 1, enhanced("CVE-2026-0002", "HIGH", "zlib", "1.3"), C)
    assert no_longer_ignored(images) == ["CVE-2026-0002"]
    assert images[0]["ignored_total"] == 1


def test_rule_that_is_added_takes_the_finding_out_of_the_report(inbox: ReporterHarness) -> None:
    assert new(scan(inbox, 0, A, B)) == ["CVE-2026-0001", "CVE-2026-0002"]
    set_rules([rule(id="CVE-2026-0001")])
    [image] = scan(inbox, 1, A, B, C)
    assert (new([image]), image["ignored_total"], image["open_before"]) == (["CVE-2026-0003"], 1, 1)


def test_rule_that_is_added_between_two_scans_of_one_window(make_reporter: Callable[..., ReporterHarness]) -> None:
    inbox = make_reporter(REPORT_WINDOW_SECONDS="3600")
    scan(inbox, 0, A, B)
    inbox.check(START + timedelta(hours=2))
    assert scan(inbox, 1, A, B, C) == []
    set_rules([rule(id="CVE-2026-0001")])
    assert scan(inbox, 1.01, A, B, C, enhanced("CVE-2026-0004", "HIGH", "curl")) == []
    inbox.check(START + timedelta(days=2))
    [image] = document(inbox.reports()[-1])["images"]
    assert sorted(new([image])) == ["CVE-2026-0003", "CVE-2026-0004"]
    assert (image["open_before"], image["open_now"], image["ignored_total"]) == (1, 3, 1)


def test_rule_that_ends_between_two_scans_of_one_window(make_reporter: Callable[..., ReporterHarness]) -> None:
    inbox = make_reporter(REPORT_WINDOW_SECONDS="3600")
    set_rules([rule(id="CVE-2026-0001")])
    scan(inbox, 0, A)
    inbox.check(START + timedelta(hours=2))
    assert scan(inbox, 1, A, B) == []
    set_rules([])
    assert scan(inbox, 1.01, A, B) == []
    inbox.check(START + timedelta(days=2))
    [image] = document(inbox.reports()[-1])["images"]
    assert (new([image]), no_longer_ignored([image])) == (["CVE-2026-0002"], ["CVE-2026-0001"])
    assert image["changes"]["back"] == []


def test_fix_that_appears_between_two_scans_of_one_window(make_reporter: Callable[..., ReporterHarness]) -> None:
    inbox = make_reporter(REPORT_WINDOW_SECONDS="3600", FIXABLE_ONLY="true")
    scan(inbox, 0, A)
    assert scan(inbox, 1, A, enhanced("CVE-2026-0004", "HIGH", "curl", "2.0")) == []
    fixable = enhanced("CVE-2026-0001", "CRITICAL", "openssl", "2.0")
    assert scan(inbox, 1.01, fixable, enhanced("CVE-2026-0004", "HIGH", "curl", "2.0")) == []
    inbox.check(START + timedelta(days=2))
    [image] = document(inbox.reports()[-1])["images"]
    assert (sorted(new([image])), image["changes"]["back"]) == (["CVE-2026-0001", "CVE-2026-0004"], [])


def test_number_of_ignored_findings_is_no_part_of_what_changed(inbox: ReporterHarness) -> None:
    set_rules([rule(package="zlib")])
    scan(inbox, 0, A, B, C)
    now, pushed_at = START + timedelta(days=1), START + timedelta(hours=1)
    later = inbox.image("app", "1.1", scan=FakeScan(enhanced_findings=[B, C, D]), pushed_at=pushed_at, at=now)
    inbox.images_reported(now, later)
    assert "\n   1 new (1 high), 1 fixed since 1.0, 2 ignored\n" in mail(inbox.reports()[-1])


def test_ignored_finding_has_no_deadline(make_reporter: Callable[..., ReporterHarness]) -> None:
    inbox = make_reporter(FIX_WITHIN='{"CRITICAL": 7, "HIGH": 7}')
    set_rules([rule(id="CVE-2026-0001", expires="2025-11-20")])
    assert new(scan(inbox, 0, A, B)) == ["CVE-2026-0002"]
    # The rule for the other one is newer than its scan.
    set_rules([rule(id="CVE-2026-0001", expires="2025-11-20"), rule(id="CVE-2026-0002")])
    due = to_body(DueMessage(REGISTRY.image("app", digest_of("app"))))
    assert inbox.images_reported(START + timedelta(days=8), due) == []
    assert len(inbox.reports()) == 1
    # Its age runs from when it was first seen, so the end of the rule is the end of its time.
    images = scan(inbox, 12, A, B)
    assert no_longer_ignored(images) == [finding["id"] for finding in images[0]["overdue"]] == ["CVE-2026-0001"]


def test_inventory_says_how_many_are_ignored(inbox: ReporterHarness) -> None:
    set_rules([rule(id="CVE-2026-0001", expires="2099-01-01")])
    old = TIME.now() - timedelta(days=30)
    events = [inbox.image(f"app-{n}", "1.0", scan=found("HIGH", "HIGH"), pushed_at=old) for n in range(2)]
    assert inbox.report(*events) == []
    inbox.check(TIME.now() + timedelta(minutes=11))
    [report] = inbox.reports()
    assert document(report)["inventory"]["counts"] == {"HIGH": 2}
    assert "\n2 findings are ignored by 1 rule.\n" in mail(report)


@pytest.mark.parametrize(
    "broken",
    [
        rule(),
        rule(id="CVE-2026-0002", package="zlib"),
        rule(id="CVE-2026-0002", reason=""),
        rule(id="CVE-2026-0002", owner=None),
        rule(id="CVE-2026-0002", expires="soon"),
        rule(id="CVE-2026-0002", until_fixed=True, expires="2025-12-03"),
        rule(id="CVE-2026-0002", repositories="(app"),
        rule(id=7),
        "CVE-2026-0002",
        None,
    ],
)
def test_broken_rule_is_named_and_ignores_nothing(
    inbox: ReporterHarness, caplog: pytest.LogCaptureFixture, broken: object
) -> None:
    set_rules([broken, rule(id="CVE-2026-0001")])
    assert new(scan(inbox, 0, A, B)) == ["CVE-2026-0002"]
    [warning] = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert warning.getMessage() == "could not read a rule of ignored_findings; its findings are reported"


@pytest.mark.parametrize("chunk", ["[", "{}", "[" * 100_000])
def test_broken_item_is_named_and_the_others_are_read(
    inbox: ReporterHarness, caplog: pytest.LogCaptureFixture, chunk: str
) -> None:
    set_rules(chunk, [rule(id="CVE-2026-0001")])
    assert new(scan(inbox, 0, A, B)) == ["CVE-2026-0002"]
    assert [record.rule for record in caplog.records if record.levelno == logging.WARNING] == ["item 0"]  # type: ignore[attr-defined]


def test_nothing_is_reported_before_the_rules_are_read(inbox: ReporterHarness) -> None:
    """What they ignore would be new, or no longer ignored."""
    set_rules([rule(id="CVE-2026-0001")])
    fault = Fault("Query", "AccessDeniedException", containing="IGNORED", times=1)
    inbox.aws.behavior.faults.append(fault)
    listed = FakeScan("COMPLETE", START, enhanced_findings=[A])
    event = inbox.image("app", "1.0", scan=listed, pushed_at=START, at=START)
    assert inbox.report(event, CHECK, now=START) == ["0", "1"]
    assert inbox.report(event, CHECK, now=START, receives=2) == []
    assert inbox.reports() == []


def test_rules_that_cannot_be_read_again_still_apply(inbox: ReporterHarness, caplog: pytest.LogCaptureFixture) -> None:
    set_rules([rule(id="CVE-2026-0001")])
    assert scan(inbox, 0, A) == []
    inbox.aws.behavior.faults.append(Fault("Query", "AccessDeniedException", containing="IGNORED", times=1))
    assert scan(inbox, 1, A, repository="second") == []
    assert "could not read ignored_findings; the rules read last still apply" in caplog.text


def test_rules_are_read_again_after_five_minutes(inbox: ReporterHarness) -> None:
    minute = 1 / 1440
    set_rules([rule(id="CVE-2026-0001")])
    assert scan(inbox, 0, A) == []
    set_rules([])
    assert scan(inbox, 4 * minute, A, repository="second") == []
    assert new(scan(inbox, 5 * minute, A, repository="third")) == ["CVE-2026-0001"]


def test_rules_are_read_in_their_order_and_their_use_is_remembered(inbox: ReporterHarness) -> None:
    others = [[rule(id=f"CVE-2025-{number}")] for number in range(1000, 1009)]
    set_rules([], *others[:1], [rule(package="openssl")], *others[1:], [rule(id="CVE-2026-0001")])
    assert new(scan(inbox, 0, A, B)) == ["CVE-2026-0002"]
    rules = RuleMemory(reporter.dependencies().table)
    assert [each.name for each in rules.read(START)][-1] == "CVE-2026-0001"
    used = {each.name: rules.uses()[each.key] for each in rules.read(START)}
    assert (used["package openssl"].used_at, used["package openssl"].matched_at) == (START, START)
    assert (used["CVE-2026-0001"].used_at, used["CVE-2026-0001"].matched_at) == (None, START)
    assert {use.added_at for use in used.values()} == {START}


@pytest.mark.slow
def test_use_is_remembered_once_a_day(inbox: ReporterHarness) -> None:
    set_rules([rule(id="CVE-2026-0001")])
    for days in (0, 0.3, 0.6, 0.9):
        scan(inbox, days, A)
    updates = inbox.aws.calls()["UpdateItem"]
    scan(inbox, 1.0, A)
    assert inbox.aws.calls()["UpdateItem"] == updates + 1
    rules = RuleMemory(reporter.dependencies().table)
    [known] = rules.read(START)
    assert rules.uses()[known.key].used_at == START + timedelta(days=1)


@pytest.mark.parametrize(("operation", "first_day"), [("BatchWriteItem", 0), ("UpdateItem", -2)])
def test_use_that_cannot_be_remembered_stops_nothing(
    inbox: ReporterHarness, caplog: pytest.LogCaptureFixture, operation: str, first_day: int
) -> None:
    set_rules([rule(id="CVE-2026-0001")])
    inbox.aws.behavior.faults.append(Fault(operation, "AccessDeniedException", containing="RULES", times=1))
    for day in range(first_day, 1):
        scan(inbox, day, A)
    assert "could not remember the use of ignored_findings" in caplog.text
    scan(inbox, 2, A)
    rules = RuleMemory(reporter.dependencies().table)
    [known] = rules.read(START)
    assert rules.uses()[known.key].used_at == START + timedelta(days=2)


@pytest.mark.slow
def test_thousand_rules_cost_no_request_per_event(inbox: ReporterHarness) -> None:
    set_rules(
        *([rule(id=f"CVE-2026-{number}") for number in range(first, first + 180)] for first in range(1, 1000, 180))
    )
    events = [inbox.image(f"app-{number}", "1.0", scan=found("HIGH")) for number in range(100)]
    assert inbox.report(*events, seconds=300) == []
    inbox.aws.reset()
    again = [{**event, "time": "2026-11-24T09:14:00Z"} for event in events]
    assert inbox.report(*again, seconds=300) == []
    calls = inbox.aws.calls()
    assert (calls["BatchGetItem"], calls["PutItem"], calls["DescribeImageScanFindings"]) == (100, 100, 100)
    assert calls.get("Query", 0) + calls.get("UpdateItem", 0) == 0


def test_finding_whose_rule_has_ended_does_not_count_as_new(
    inbox: ReporterHarness, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    set_rules([rule(id="CVE-2026-0001", expires="2025-11-15")])
    said, counted = [], []
    for days in (0, 10, 11):
        caplog.clear()
        said.append(no_longer_ignored(scan(inbox, days, A)))
        counted.append(embedded_metrics(caplog, "batch processed")["NewCritical"])
    assert said == [[], ["CVE-2026-0001"], []]
    assert counted == [0, 0, 0]


def test_many_rules_of_one_package_are_read_once_for_all_of_its_findings(
    inbox: ReporterHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads = 0

    class Counted(rules.IgnoreRule):
        @property
        def expires(self) -> date | None:
            nonlocal reads
            reads += 1
            return self[4]

    monkeypatch.setattr(rules, "IgnoreRule", Counted)
    set_rules([rule(package="zlib", repositories=f"a{number}?p") for number in range(150)], [rule(package="zlib")])
    findings = [enhanced(f"CVE-2026-{number:04}", "HIGH", "zlib") for number in range(100)]
    assert scan(inbox, 0, *findings) == []
    # Of each rule when it is matched, and of the one that ignores a finding.
    assert reads <= 2 * 151 + len(findings)
