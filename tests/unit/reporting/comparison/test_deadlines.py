"""Decides until when a finding should be fixed, and which findings are overdue."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest
from ecr_scan_reporter.models.findings import Finding
from ecr_scan_reporter.reporting.comparison.changes import Change, Comparison, KnownFinding
from ecr_scan_reporter.reporting.comparison.deadlines import DueDate, check_deadlines, due_date

SEEN = datetime(2026, 11, 9, 23, 59, tzinfo=UTC)
FIX_WITHIN = {"CRITICAL": 7, "HIGH": 30, "EXPLOITED": 14}


def known(severity: str, id_: str = "CVE-2026-1234", *, exploit: bool = False, days: int = 0) -> KnownFinding:
    return KnownFinding(Finding(id_, severity, "openssl"), SEEN + timedelta(days=days), exploit_known=exploit)


@pytest.mark.parametrize(
    ("finding", "rule", "days"),
    [
        (known("CRITICAL"), "CRITICAL", 7),
        (known("CRITICAL", exploit=True), "CRITICAL", 7),
        (known("HIGH"), "HIGH", 30),
        (known("HIGH", exploit=True), "EXPLOITED", 14),
        (known("LOW", exploit=True), "EXPLOITED", 14),
    ],
)
def test_deadline_is_the_beginning_of_a_day(finding: KnownFinding, rule: str, days: int) -> None:
    day = datetime(2026, 11, 9, tzinfo=UTC) + timedelta(days=days)
    assert due_date(finding, FIX_WITHIN) == DueDate(day, rule, days)


@pytest.mark.parametrize(("finding", "fix_within"), [(known("LOW"), FIX_WITHIN), (known("CRITICAL"), {})])
def test_finding_may_have_no_deadline(finding: KnownFinding, fix_within: Mapping[str, int]) -> None:
    assert due_date(finding, fix_within) is None


def test_overdue_findings_are_counted_until_they_are_gone_and_passed_once() -> None:
    late = [known("CRITICAL", f"CVE-2026-{n}", days=n) for n in range(1, 6)]
    reported = late[0]._replace(overdue_reported=True)
    ahead = known("HIGH", "CVE-2026-9")
    comparison = Comparison({Change.STILL_OPEN: (*late[3:], ahead), Change.NEW: (reported, *late[1:3])})
    now = datetime(2026, 11, 21, tzinfo=UTC)
    deadlines = check_deadlines(comparison, FIX_WITHIN, now)
    assert deadlines.overdue == 5
    assert [(found.id, found.due_at) for found in deadlines.earliest] == [
        (f"CVE-2026-{n}", datetime(2026, 11, 16 + n, tzinfo=UTC)) for n in (1, 2, 3)
    ]
    assert {(found.rule, found.days) for found in deadlines.earliest} == {("CRITICAL", 7)}
    assert deadlines.due_at == datetime(2026, 12, 9, tzinfo=UTC)
    assert [found.finding.id for found, _ in deadlines.passed] == [f"CVE-2026-{n}" for n in (2, 3, 4, 5)]
    before = check_deadlines(comparison, FIX_WITHIN, now - timedelta(seconds=1))
    assert (before.overdue, before.due_at) == (4, now)
