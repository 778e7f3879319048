"""Judges what a scan changed, and adds it up, so that the books balance."""

import re
from collections import Counter
from datetime import UTC, date, datetime, timedelta

from ecr_scan_reporter.memory.images import FindingDeadline, ImageRecord, Ledger, Update
from ecr_scan_reporter.memory.rules import IgnoreRule, parse_rule
from ecr_scan_reporter.models.findings import Finding
from ecr_scan_reporter.models.selection import RepositoryFilter
from ecr_scan_reporter.reporting.comparison.changes import Absence, Change, Comparison, KnownFinding, compare, unchanged
from ecr_scan_reporter.reporting.comparison.deadlines import DueDate, OverdueFinding
from ecr_scan_reporter.reporting.comparison.ignored import RuleMatcher
from ecr_scan_reporter.reporting.comparison.judged import add_to_ledger, best_updates, count_new, judge
from ecr_scan_reporter.settings import ReporterSettings

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
TODAY = datetime(2026, 11, 23, tzinfo=UTC)
SETTINGS = ReporterSettings(
    topic_arn="arn:aws:sns:eu-west-1:123456789012:reports",
    reports_queue_url="https://queue",
    memory_table="memory",
    repositories=RepositoryFilter(re.compile("")),
    thresholds={"HIGH": 1},
    notify_on_scan_failure=True,
    name="platform",
    fix_within={"HIGH": 7},
)
RULE = IgnoreRule("CVE-1", "", "not reachable", "Ann", date(2026, 12, 1), None, "key")
IGNORED, LATE, FIXABLE = (
    KnownFinding(Finding("CVE-1", "HIGH"), NOW - timedelta(days=30)),
    KnownFinding(Finding("CVE-2", "HIGH"), NOW - timedelta(days=7)),
    KnownFinding(Finding("CVE-3", "HIGH", fix_available=True), NOW - timedelta(days=6)),
)
TOMORROW = TODAY + timedelta(days=1)


def test_ignored_findings_are_remembered_and_do_not_count() -> None:
    rules = RuleMatcher([RULE], NOW)
    judged = judge(unchanged([IGNORED, LATE, FIXABLE]), rules, "app", SETTINGS, NOW)
    assert [known.finding.id for known in judged.comparison.ignored] == ["CVE-1"]
    assert [known.finding.id for known in judged.counted.open()] == ["CVE-2", "CVE-3"]
    # The report is to name it once.
    assert judged.newly_overdue == (OverdueFinding(LATE, DueDate(TODAY, "HIGH", 7)),)
    assert [known.overdue_reported for known in judged.to_remember] == [False, True, False]
    again = judge(unchanged(judged.to_remember), rules, "app", SETTINGS, NOW)
    assert (again.newly_overdue, again.deadlines.overdue) == ((), 1)
    assert [known.overdue_reported for known in again.to_remember] == [False, True, False]


def test_image_that_is_replaced_is_not_overdue_and_may_be_later() -> None:
    judged = judge(unchanged([LATE]), RuleMatcher([], NOW), "app", SETTINGS, NOW)._replace(successor="sha256:2")
    assert (judged.newly_overdue, judged.deadlines.overdue) == ((), 1)
    # The image that replaced it may be deleted: then it is to be said.
    assert [known.overdue_reported for known in judged.to_remember] == [False]
    assert judge(unchanged(judged.to_remember), RuleMatcher([], NOW), "app", SETTINGS, NOW).newly_overdue


def test_record_of_the_image_has_what_is_ignored_and_overdue() -> None:
    judged = judge(unchanged([IGNORED, LATE, FIXABLE]), RuleMatcher([RULE], NOW), "app", SETTINGS, NOW)
    before = ImageRecord(revision=3, tags=("1.0",))
    assert judged.update(before) == before._replace(
        ignored=1,
        overdue=1,
        due_at=TOMORROW,
        earliest_deadlines=(
            FindingDeadline("CVE-2", "", "HIGH", TODAY, "HIGH", 7),
            FindingDeadline("CVE-3", "", "HIGH", TOMORROW, "HIGH", 7),
        ),
        ignored_until=date(2026, 12, 1),
        judged_by=judged.judged_by,
    )


def test_only_findings_with_a_fix_count_if_that_is_wanted() -> None:
    settings = SETTINGS._replace(fixable_only=True)
    judged = judge(unchanged([LATE, FIXABLE]), RuleMatcher([], NOW), "app", settings, NOW)
    assert judged.counted.changes[Change.STILL_OPEN] == (FIXABLE,)
    assert (judged.newly_overdue, judged.deadlines.due_at) == ((), TOMORROW)
    assert judged.comparison.findings == (LATE, FIXABLE)


def test_deadlines_are_those_of_the_time() -> None:
    judged = judge(unchanged([LATE]), RuleMatcher([], NOW), "app", SETTINGS, NOW - timedelta(days=1))
    assert (judged.newly_overdue, judged.deadlines.due_at) == ((), TODAY)


def scan(
    *ids: str, before: Comparison | None = None, day: int = 0, absence: Absence = Absence.OF_SAME_IMAGE
) -> Comparison:
    findings = [Finding(id_, "HIGH", package=f"package-{id_}", installed_versions=("1.0",)) for id_ in ids]
    known = before.findings if before else ()
    return compare(findings, known, NOW + timedelta(days=day), {}, absence)


def test_ledger_of_one_image_over_several_scans() -> None:
    first = scan("a", "b")
    ledger = add_to_ledger(Ledger(), first, first=True, inventory=False)
    assert ledger == Ledger(new=2, new_high=2)
    second = scan("b", "c", before=first, day=1)
    ledger = add_to_ledger(ledger, second, first=False, inventory=False)
    assert ledger == Ledger(new=3, new_high=3)  # absent from one scan is still open
    third = scan("b", "c", before=second, day=2)
    ledger = add_to_ledger(ledger, third, first=False, inventory=False)
    assert ledger == Ledger(new=3, new_high=3, withdrawn=1)
    fourth = scan("a", "b", "c", before=third, day=3)
    ledger = add_to_ledger(ledger, fourth, first=False, inventory=False)
    assert ledger == Ledger(new=3, new_high=3, withdrawn=1, back=1)
    assert ledger.open == fourth.open_now == 3


def test_successor_carries_what_was_open_in_its_predecessor() -> None:
    rebuilt = scan("b", "c", before=scan("a", "b"), day=1, absence=Absence.OF_SUCCESSOR)
    ledger = add_to_ledger(Ledger(), rebuilt, first=True, inventory=False)
    assert ledger == Ledger(carried=2, new=1, new_high=1, fixed=1)
    assert ledger.open == rebuilt.open_now == 2


def test_what_is_known_here_is_carried_and_not_new() -> None:
    other = scan("a", "b").findings
    found = [known.finding for known in other] + [Finding("c", "HIGH", "package-c", ("1.0",))]
    branch = compare(found, (), NOW + timedelta(days=1), {}, Absence.OF_SUCCESSOR, other)
    ledger = add_to_ledger(Ledger(), branch, first=True, inventory=False)
    assert ledger == Ledger(carried=2, new=1, new_high=1)
    assert ledger.open == branch.open_now == 3
    assert count_new(branch) == Counter(HIGH=1)


def test_inventory_is_carried_and_not_new() -> None:
    assert add_to_ledger(Ledger(), scan("a", "b"), first=True, inventory=True) == Ledger(carried=2)
    # A release that identifies findings in another way takes them as an inventory once more.
    before = Ledger(carried=1, new=4, fixed=2)
    assert add_to_ledger(before, scan("a"), first=True, inventory=True) == Ledger(carried=-1, new=4, fixed=2)


def test_new_finding_that_a_rule_ignores_is_no_new_critical() -> None:
    rules = RuleMatcher([parse_rule({"id": "CVE-1", "reason": "-", "owner": "-", "until_fixed": True})], NOW)
    found = [Finding("CVE-1", "CRITICAL", "openssl"), Finding("CVE-2", "CRITICAL", "zlib")]
    comparison = rules.apply(compare(found, (), NOW, {}, Absence.OF_SAME_IMAGE), "app")
    ledger = add_to_ledger(Ledger(), comparison, first=True, inventory=False)
    assert ledger == Ledger(new=2, new_critical=1)
    assert ledger.open == comparison.open_now == 2


def test_updates_that_solve_most_come_first() -> None:
    def entry(id_: str, severity: str, package: str, fixed: str = "") -> Finding:
        return Finding(id_, severity, package, ("1.0",), (fixed,) if fixed else ())

    comparison = compare(
        [
            entry("CVE-1", "HIGH", "busybox"),
            entry("CVE-2", "HIGH", "busybox"),
            entry("CVE-3", "CRITICAL", "openssl", "1.1"),
            entry("CVE-4", "LOW", "zlib"),
            entry("CVE-5", "LOW", "curl"),
            entry("CVE-6", "CRITICAL", ""),
        ],
        (),
        NOW,
        {},
        Absence.OF_SAME_IMAGE,
    )
    assert best_updates(comparison) == (
        Update("openssl", ("1.0",), ("1.1",), Counter({"CRITICAL": 1})),
        Update("busybox", ("1.0",), (), Counter({"HIGH": 2})),
        Update("curl", ("1.0",), (), Counter({"LOW": 1})),
    )
