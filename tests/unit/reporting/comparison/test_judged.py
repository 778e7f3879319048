"""Judges what a scan changed."""

import re
from datetime import UTC, date, datetime, timedelta

from ecr_scan_reporter.memory.images import FindingDeadline, ImageRecord
from ecr_scan_reporter.memory.rules import IgnoreRule
from ecr_scan_reporter.models.findings import Finding
from ecr_scan_reporter.models.selection import RepositoryFilter
from ecr_scan_reporter.reporting.comparison.changes import Change, KnownFinding, unchanged
from ecr_scan_reporter.reporting.comparison.deadlines import DueDate, OverdueFinding
from ecr_scan_reporter.reporting.comparison.ignored import RuleMatcher
from ecr_scan_reporter.reporting.comparison.judged import judge
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
    assert [known.overdue_reported for known in judged.comparison.findings] == [False, True, False]
    again = judge(unchanged(judged.comparison.findings), rules, "app", SETTINGS, NOW)
    assert (again.newly_overdue, again.deadlines.overdue) == ((), 1)


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
