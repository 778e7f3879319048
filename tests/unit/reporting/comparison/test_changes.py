"""What a scan changes about the findings that are remembered."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from ecr_scan_reporter.models.findings import Finding
from ecr_scan_reporter.reporting.comparison.changes import (
    GONE,
    OPEN,
    Change,
    Comparison,
    IgnoredBy,
    KnownFinding,
    compare,
    unchanged,
)

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
DAY = timedelta(days=1)
FINDING = Finding("CVE-1", "HIGH", "openssl", ("1.0",))
KNOWN = KnownFinding(FINDING, NOW - 5 * DAY, peak_severity="HIGH")


def changed(scan: Iterable[Finding], *remembered: KnownFinding, successor: bool = False) -> Comparison:
    """Compare, and check what is true of every comparison."""
    comparison = compare(scan, remembered, NOW, {"CRITICAL": 1, "HIGH": 1}, successor=successor)
    number = {change: len(found) for change, found in comparison.changes.items()}
    appeared, gone = number[Change.NEW] + number[Change.BACK], sum(number[change] for change in GONE)
    assert comparison.open_now == comparison.open_before + appeared - gone
    assert [known for known in comparison.findings if not known.gone_at] == list(comparison.open())
    return comparison


def words(comparison: Comparison) -> dict[str, Change]:
    """Return the change of each finding, by its id."""
    return {known.finding.id: change for change, found in comparison.changes.items() for known in found}


def test_finding_that_was_never_seen_is_new() -> None:
    comparison = changed([FINDING._replace(fix_available=True, exploit_available=True)])
    [known] = comparison.changes[Change.NEW]
    assert (known.first_seen, known.peak_severity, known.fix_known, known.exploit_known) == (NOW, "HIGH", True, True)
    assert comparison.findings == (known,)


@pytest.mark.parametrize(
    ("before", "now", "change"),
    [
        ({}, {}, Change.STILL_OPEN),
        ({}, {"severity": "CRITICAL"}, Change.RAISED),
        # It had that severity before, ...
        ({"peak_severity": "CRITICAL"}, {"severity": "CRITICAL"}, Change.STILL_OPEN),
        # ... or nobody is told about it.
        ({"peak_severity": "LOW"}, {"severity": "MEDIUM"}, Change.STILL_OPEN),
        ({}, {"fix_available": True}, Change.FIX_AVAILABLE),
        ({"fix_known": True}, {"fix_available": True}, Change.STILL_OPEN),
        ({}, {"exploit_available": True}, Change.EXPLOIT_KNOWN),
        ({"exploit_known": True}, {"exploit_available": True}, Change.STILL_OPEN),
        # Of several, the worst.
        ({}, {"fix_available": True, "exploit_available": True}, Change.EXPLOIT_KNOWN),
        ({}, {"severity": "CRITICAL", "fix_available": True, "exploit_available": True}, Change.RAISED),
    ],
)
def test_change_of_an_open_finding(before: dict[str, Any], now: dict[str, Any], change: Change) -> None:
    comparison = changed([FINDING._replace(**now)], KNOWN._replace(**before))
    assert words(comparison) == {"CVE-1": change}


def test_open_finding_keeps_what_is_known_of_it() -> None:
    rule = IgnoredBy("CVE-1", "not reachable", "Ann", None)
    before = KNOWN._replace(absences=1, fix_known=True, overdue_reported=True, ignored_by=rule, was_ignored="once")
    [known] = changed([FINDING._replace(severity="LOW", exploit_available=True)], before).findings
    assert (known.first_seen, known.peak_severity, known.finding.severity) == (KNOWN.first_seen, "HIGH", "LOW")
    assert (known.fix_known, known.exploit_known, known.overdue_reported, known.ignored_by) == (True, True, True, rule)
    # It was there.
    assert (known.absences, known.was_ignored) == (0, "")


def test_finding_is_known_by_each_of_its_ids() -> None:
    before = KNOWN._replace(finding=FINDING._replace(id="GHSA-1", aliases=("CVE-1",)))
    comparison = changed([FINDING], before)
    [known] = comparison.changes[Change.STILL_OPEN]
    assert (known.finding.id, known.finding.aliases) == ("CVE-1", ("GHSA-1",))
    assert words(changed([before.finding], known)) == {"CVE-1": Change.STILL_OPEN}


def test_finding_of_another_package_is_another_one() -> None:
    other = FINDING._replace(package="zlib")
    comparison = changed([FINDING, other], KNOWN)
    assert [known.finding for known in comparison.changes[Change.NEW]] == [other]


def test_finding_is_withdrawn_after_two_scans_without_it() -> None:
    once = changed([], KNOWN)
    assert words(once) == {"CVE-1": Change.STILL_OPEN}
    [absent] = once.findings
    assert (absent.absences, absent.gone_at) == (1, None)
    twice = changed([], absent)
    assert words(twice) == {"CVE-1": Change.WITHDRAWN}
    assert twice.findings[0].gone_at == NOW


def test_finding_of_the_predecessor_is_fixed_unless_its_package_is_still_installed() -> None:
    assert words(changed([], KNOWN, successor=True)) == {"CVE-1": Change.FIXED}
    updated = Finding("CVE-2", "HIGH", "openssl", ("1.1",))
    assert words(changed([updated], KNOWN, successor=True)) == {"CVE-1": Change.FIXED, "CVE-2": Change.NEW}
    same = Finding("CVE-2", "HIGH", "openssl", ("1.0",))
    assert words(changed([same], KNOWN, successor=True)) == {"CVE-1": Change.STILL_OPEN, "CVE-2": Change.NEW}
    # However long the database has not had it: the package is there.
    absent = KNOWN._replace(absences=1)
    assert words(changed([same], absent, successor=True)) == {"CVE-1": Change.STILL_OPEN, "CVE-2": Change.NEW}


@pytest.mark.parametrize(("days", "change"), [(0, Change.BACK), (30, Change.BACK), (31, Change.NEW)])
def test_finding_that_returns_is_back_for_thirty_days(days: int, change: Change) -> None:
    gone = KNOWN._replace(gone_at=NOW - days * DAY, absences=1)
    comparison = changed([FINDING], gone)
    assert words(comparison) == {"CVE-1": change}
    [known] = comparison.findings
    assert (known.gone_at, known.absences) == (None, 0)
    assert known.first_seen == (KNOWN.first_seen if change is Change.BACK else NOW)


def test_finding_that_is_gone_is_remembered_for_thirty_days() -> None:
    gone = KNOWN._replace(gone_at=NOW - 30 * DAY)
    assert changed([], gone).findings == (gone,)
    assert changed([], gone._replace(gone_at=NOW - 31 * DAY)).findings == ()
    assert words(changed([], gone)) == {}


def test_finding_that_is_remembered_as_open_and_as_gone_is_open() -> None:
    gone = KNOWN._replace(finding=FINDING._replace(id="GHSA-1", aliases=("CVE-1",)), gone_at=NOW - DAY)
    comparison = changed([FINDING], gone, KNOWN)
    assert words(comparison) == {"CVE-1": Change.STILL_OPEN}
    assert comparison.findings[1:] == (gone,)


def test_only_findings_with_a_fix_count() -> None:
    fixable = KNOWN._replace(finding=FINDING._replace(id="CVE-2"))
    comparison = changed([FINDING, FINDING._replace(id="CVE-2", fix_available=True)], KNOWN, fixable)
    assert words(comparison) == {"CVE-1": Change.STILL_OPEN, "CVE-2": Change.FIX_AVAILABLE}
    assert words(comparison.with_fix()) == {"CVE-2": Change.NEW}
    # What is remembered is the same.
    assert comparison.with_fix().findings == comparison.findings


def test_ignored_findings_do_not_count_until_their_rule_ends() -> None:
    ignored = KNOWN._replace(ignored_by=IgnoredBy("CVE-1", "not reachable", "Ann", None))
    ended = KNOWN._replace(finding=FINDING._replace(id="CVE-2"), was_ignored="was ignored until 1 Nov 2026")
    gone = ended._replace(gone_at=NOW)
    changes = dict.fromkeys(Change, ()) | {Change.STILL_OPEN: (ignored, ended), Change.WITHDRAWN: (gone,)}
    comparison = Comparison((ignored, ended, gone), changes)
    assert comparison.ignored == (ignored,)
    counted = comparison.without_ignored()
    assert counted.changes == dict.fromkeys(Change, ()) | {Change.NEW: (ended,), Change.WITHDRAWN: (gone,)}
    assert counted.findings == comparison.findings


def test_what_is_remembered_is_unchanged() -> None:
    gone = KNOWN._replace(gone_at=NOW)
    comparison = unchanged([KNOWN._replace(was_ignored="until yesterday"), gone])
    assert comparison.findings == (KNOWN, gone)
    assert {change: found for change, found in comparison.changes.items() if found} == {Change.STILL_OPEN: (KNOWN,)}
    assert comparison.changes.keys() == {*OPEN, *GONE}
