"""What a scan changes about the findings that are remembered."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from ecr_scan_reporter.models.findings import Finding
from ecr_scan_reporter.reporting.comparison.changes import (
    ADDED,
    GONE,
    OPEN,
    SUPPRESSED,
    Absence,
    Change,
    Comparison,
    IgnoredBy,
    KnownFinding,
    compare,
    unchanged,
)

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
FINDING = Finding("CVE-1", "HIGH", "openssl", ("1.0",))
KNOWN = KnownFinding(FINDING, NOW - 5 * DAY, peak_severity="HIGH")


def changed(
    scan: Iterable[Finding],
    *remembered: KnownFinding,
    absence: Absence = Absence.OF_SAME_IMAGE,
    known_here: Sequence[KnownFinding] = (),
    at: datetime = NOW,
) -> Comparison:
    """Compare, and check what is true of every comparison."""
    comparison = compare(scan, remembered, at, {"CRITICAL": 1, "HIGH": 1}, absence, known_here)
    assert comparison.changes.keys() == set(Change)
    added, gone = (len(list(comparison.of(*changes))) for changes in (ADDED, GONE))
    assert comparison.open_now == comparison.open_before + added - gone
    # Another scanner does not look for everything: what it lacks leaves the books.
    if absence is not Absence.OF_OTHER_SCANNER:
        assert comparison.open_before == sum(known.gone_at is None for known in remembered)
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
    before = KNOWN._replace(
        absent_since=NOW - DAY, fix_known=True, overdue_reported=True, ignored_by=rule, was_ignored="once"
    )
    [known] = changed([FINDING._replace(severity="LOW", exploit_available=True)], before).findings
    assert (known.first_seen, known.peak_severity, known.finding.severity) == (KNOWN.first_seen, "HIGH", "LOW")
    assert (known.fix_known, known.exploit_known, known.overdue_reported, known.ignored_by) == (True, True, True, rule)
    # It was there.
    assert (known.absent_since, known.was_ignored) == (None, "")


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


SAME, SUCCESSOR = Absence.OF_SAME_IMAGE, Absence.OF_SUCCESSOR
# Another finding shows that its package is installed as before.
BESIDE = Finding("CVE-2", "HIGH", "openssl", ("1.0",))
KNOWN_BESIDE = KNOWN._replace(finding=BESIDE)


@pytest.mark.parametrize("absences", [(SAME, SAME), (SUCCESSOR, SUCCESSOR), (SAME, SUCCESSOR), (SUCCESSOR, SAME)])
@pytest.mark.parametrize(
    ("hours", "change"), [(0, Change.STILL_OPEN), (19.9, Change.STILL_OPEN), (20, Change.WITHDRAWN), (400, "withdrawn")]
)
def test_finding_is_withdrawn_twenty_hours_after_the_first_scan_of_the_application_without_it(
    absences: tuple[Absence, Absence], hours: float, change: str
) -> None:
    first = changed([BESIDE], KNOWN, KNOWN_BESIDE, absence=absences[0])
    assert words(first) == {"CVE-1": Change.STILL_OPEN, "CVE-2": Change.STILL_OPEN}
    absent = next(known for known in first.findings if known.finding.id == "CVE-1")
    assert (absent.absent_since, absent.gone_at) == (NOW, None)
    # However many scans lack it in between, the time runs from the first one.
    between = changed([BESIDE], *first.findings, absence=absences[0], at=NOW + hours / 2 * HOUR)
    remembered = between.findings if hours < 40 else first.findings
    later = NOW + hours * HOUR
    second = changed([BESIDE], *remembered, absence=absences[1], at=later)
    assert words(second) == {"CVE-1": change, "CVE-2": Change.STILL_OPEN}
    [known] = (known for known in second.findings if known.finding.id == "CVE-1")
    assert (known.absent_since, known.gone_at) == (NOW, later if change == Change.WITHDRAWN else None)


def test_one_scan_that_has_the_finding_starts_the_time_again() -> None:
    absent = KNOWN._replace(absent_since=NOW - DAY)
    [seen] = changed([FINDING], absent).findings
    assert words(changed([], seen, at=NOW + DAY)) == {"CVE-1": Change.STILL_OPEN}


def test_finding_of_the_predecessor_is_fixed_unless_its_package_is_still_installed() -> None:
    assert words(changed([], KNOWN, absence=SUCCESSOR)) == {"CVE-1": Change.FIXED}
    updated = Finding("CVE-2", "HIGH", "openssl", ("1.1",))
    assert words(changed([updated], KNOWN, absence=SUCCESSOR)) == {"CVE-1": Change.FIXED, "CVE-2": Change.NEW}
    assert words(changed([BESIDE], KNOWN, absence=SUCCESSOR)) == {"CVE-1": Change.STILL_OPEN, "CVE-2": Change.NEW}
    # One of its versions is still there.
    both = KNOWN._replace(finding=FINDING._replace(installed_versions=("0.9", "1.0")))
    assert words(changed([BESIDE], both, absence=SUCCESSOR)) == {"CVE-1": Change.STILL_OPEN, "CVE-2": Change.NEW}
    # The package went after the database had dropped the finding.
    absent = KNOWN._replace(absent_since=NOW - 40 * DAY)
    [gone] = changed([], absent, absence=SUCCESSOR).changes[Change.FIXED]
    assert gone.gone_at == NOW


def test_nothing_is_fixed_in_the_same_image() -> None:
    updated = Finding("CVE-2", "HIGH", "openssl", ("1.1",))
    assert words(changed([updated], KNOWN)) == {"CVE-1": Change.STILL_OPEN, "CVE-2": Change.NEW}


def test_list_that_is_not_whole_says_nothing_of_what_it_lacks() -> None:
    ended = KNOWN._replace(was_ignored="was ignored once")
    for before in (KNOWN, ended, KNOWN._replace(absent_since=NOW - 40 * DAY)):
        comparison = changed([Finding("CVE-2", "HIGH", "zlib")], before, absence=Absence.UNKNOWN)
        assert words(comparison) == {"CVE-1": Change.STILL_OPEN, "CVE-2": Change.NEW}
        # No time begins, none ends, and none starts again.
        assert comparison.changes[Change.STILL_OPEN] == (before._replace(was_ignored=""),)
    gone = KNOWN._replace(gone_at=NOW - DAY)
    assert changed([], gone, absence=Absence.UNKNOWN).findings == (gone,)


def test_finding_that_another_scanner_does_not_list_leaves_the_books() -> None:
    listed, gone = KNOWN_BESIDE, KNOWN._replace(finding=FINDING._replace(id="CVE-3"), gone_at=NOW - DAY)
    comparison = changed([BESIDE], KNOWN, listed, gone, absence=Absence.OF_OTHER_SCANNER)
    assert words(comparison) == {"CVE-2": Change.STILL_OPEN}
    # It is neither fixed nor withdrawn, so it is not back when the first scanner is back.
    assert comparison.findings == (listed, gone)


def test_finding_of_an_image_that_is_not_replaced_is_known_here_and_keeps_its_age() -> None:
    rule = IgnoredBy("CVE-1", "not reachable", "Ann", None)
    other = KNOWN._replace(absent_since=NOW - DAY, peak_severity="CRITICAL", ignored_by=rule)
    also, new = FINDING._replace(id="CVE-2"), Finding("CVE-9", "HIGH", "zlib")
    scan, here = [FINDING, also, new], [other, KNOWN._replace(finding=also)]
    comparison = changed(scan, absence=SUCCESSOR, known_here=here)
    assert words(comparison) == {"CVE-1": Change.KNOWN_HERE, "CVE-2": Change.KNOWN_HERE, "CVE-9": Change.NEW}
    known = comparison.changes[Change.KNOWN_HERE][0]
    assert (known.first_seen, known.peak_severity, known.ignored_by) == (KNOWN.first_seen, "CRITICAL", rule)
    # It was there.
    assert known.absent_since is None
    # It adds to what was open, and from the next scan on it is like any other.
    assert (comparison.open_before, comparison.open_now) == (0, 3)
    again = changed(scan, *comparison.findings)
    assert set(words(again).values()) == {Change.STILL_OPEN}


@pytest.mark.parametrize(("scanned", "others"), [(2, 1), (1, 2), (4, 2), (2, 4)])
def test_nothing_is_known_here_if_that_is_half_of_an_image_or_less(scanned: int, others: int) -> None:
    shared = max(scanned, others) // 2
    scan = [FINDING._replace(id=f"CVE-{n}") for n in range(scanned)]
    numbers = range(scanned - shared, scanned - shared + others)
    here = [KNOWN._replace(finding=FINDING._replace(id=f"CVE-{n}")) for n in numbers]
    assert set(words(changed(scan, known_here=here)).values()) == {Change.NEW}


def test_only_what_is_open_in_the_other_image_is_known_here_and_nothing_is_fixed() -> None:
    gone, absent = KNOWN._replace(gone_at=NOW - DAY), KNOWN._replace(finding=FINDING._replace(id="CVE-3"))
    assert words(changed([FINDING], known_here=[gone, absent])) == {"CVE-1": Change.NEW}


def test_what_is_known_of_the_image_itself_counts_more_than_what_is_known_here() -> None:
    older = KNOWN._replace(first_seen=NOW - 90 * DAY)
    assert changed([FINDING], KNOWN, known_here=[older]).changes[Change.STILL_OPEN] == (KNOWN,)
    back = changed([FINDING], KNOWN._replace(gone_at=NOW - DAY), known_here=[older])
    assert [known.first_seen for known in back.changes[Change.BACK]] == [KNOWN.first_seen]


def test_finding_is_known_here_by_each_of_its_ids() -> None:
    advisory = KNOWN._replace(finding=FINDING._replace(id="GHSA-1", aliases=("CVE-1",)))
    [known] = changed([FINDING], known_here=[advisory]).changes[Change.KNOWN_HERE]
    assert (known.finding.id, known.finding.aliases) == ("CVE-1", ("GHSA-1",))


@pytest.mark.parametrize(("days", "change"), [(0, Change.BACK), (30, Change.BACK), (31, Change.NEW)])
def test_finding_that_returns_is_back_for_thirty_days(days: int, change: Change) -> None:
    gone = KNOWN._replace(gone_at=NOW - days * DAY, absent_since=NOW - (days + 1) * DAY)
    comparison = changed([FINDING], gone)
    assert words(comparison) == {"CVE-1": change}
    [known] = comparison.findings
    assert (known.gone_at, known.absent_since) == (None, None)
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


def test_ignored_findings_do_not_count_until_their_rule_ends() -> None:
    ignored = KNOWN._replace(ignored_by=IgnoredBy("CVE-1", "not reachable", "Ann", None))
    ended = KNOWN._replace(finding=FINDING._replace(id="CVE-2"), was_ignored="was ignored until 1 Nov 2026")
    gone = ended._replace(gone_at=NOW)
    changes = dict.fromkeys(Change, ()) | {Change.STILL_OPEN: (ignored, ended), Change.WITHDRAWN: (gone,)}
    comparison = Comparison(changes)
    assert comparison.ignored == (ignored,)
    counted = comparison.without_ignored()
    expected = {Change.NO_LONGER_IGNORED: (ended,), Change.WITHDRAWN: (gone,)}
    assert counted.changes == dict.fromkeys(Change, ()) | expected
    # It was not open before, among those that count.
    assert (counted.open_before, counted.open_now) == (1, 1)


@pytest.mark.parametrize("change", [change for change in OPEN if change not in (Change.NEW, Change.BACK)])
def test_finding_that_is_no_longer_ignored_has_that_word_whatever_else_changed(change: Change) -> None:
    # It adds to what is open, which the other words do not say.
    ended = KNOWN._replace(was_ignored="was ignored until 1 Nov 2026")
    comparison = Comparison(dict.fromkeys(Change, ()) | {change: (ended,)})
    assert words(comparison.without_ignored()) == {"CVE-1": Change.NO_LONGER_IGNORED}


def test_suppression_in_inspector_ignores_until_it_ends() -> None:
    suppressed = changed([FINDING._replace(suppressed=True)], KNOWN)
    assert words(suppressed) == {"CVE-1": Change.STILL_OPEN}
    assert [known.ignored_by for known in suppressed.ignored] == [SUPPRESSED]
    assert words(suppressed.without_ignored()) == {}
    # A scan that says nothing of it does not end the suppression.
    [absent] = changed([], *suppressed.findings, absence=Absence.UNKNOWN).ignored
    ended = changed([FINDING], absent)
    assert words(ended.without_ignored()) == {"CVE-1": Change.NO_LONGER_IGNORED}
    assert ended.findings[0].was_ignored == "was suppressed in Inspector"
    assert words(changed([FINDING], *ended.findings).without_ignored()) == {"CVE-1": Change.STILL_OPEN}


def test_what_is_remembered_is_unchanged() -> None:
    gone = KNOWN._replace(gone_at=NOW)
    comparison = unchanged([KNOWN._replace(was_ignored="until yesterday"), gone])
    assert comparison.findings == (KNOWN, gone)
    assert {change: found for change, found in comparison.changes.items() if found} == {Change.STILL_OPEN: (KNOWN,)}
    assert comparison.changes.keys() == {*OPEN, *GONE}
