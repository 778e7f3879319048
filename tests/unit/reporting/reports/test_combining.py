"""Several scans of one image in one window are one entry of the report."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from ecr_scan_reporter.models.findings import Finding
from ecr_scan_reporter.reporting.comparison.changes import ADDED, GONE, NEWS, OPEN, Change, IgnoredBy, KnownFinding
from ecr_scan_reporter.reporting.comparison.deadlines import DueDate, OverdueFinding
from ecr_scan_reporter.reporting.reports.combining import TRANSITIONS, combine_reports, combine_scans
from ecr_scan_reporter.reporting.reports.image_report import ImageReport, LeftOutFinding, finding_key, leave_out, totals
from ecr_scan_reporter.reporting.reports.reasons import ReportReason

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
# What two changes of one finding amount to: that of the first report names the row, that of the second one the column.
# In the column "absent", the second report does not have the finding. "-" if nothing is left to say.
# N new, B back, R raised, F fix available, E exploit known, I no longer ignored, H known here, O still open, X fixed,
# W withdrawn.
# A row is that of a finding that was open before the first report (R, F, E, O, X, W), or was not. A column is that of a
# finding that is open after the second one, or is not (X, W, absent). So the balance allows in each place only some:
# not open, then open: N, B, I or H; open all the time: R, F, E or O; open, then gone: X or W; never open: nothing.
AMOUNTS_TO = """
  N B R F E I H O X W absent
N N N N N N N N N - - -
B B B B B B B B B - - -
R R R R F E R R R X W W
F F F R F E F F F X W W
E E E R F E E E E X W W
I I I I I I I I I - - -
H H H N N N I H H - - -
O O O R F E O O O X W W
X O O R F E O O O X W X
W O O R F E O O O X W W
"""
ADDS = [Change.NEW, Change.BACK, Change.NO_LONGER_IGNORED, Change.KNOWN_HERE]
LATER_NEWS = [Change.RAISED, Change.FIX_AVAILABLE, Change.EXPLOIT_KNOWN]
OF_OPEN_FINDINGS = [*LATER_NEWS, Change.STILL_OPEN]
# What a scan says of a finding of which nothing new is known, or that was open before the window all the same.
NOTHING_NEW = (*ADDS, Change.STILL_OPEN)


def known(id_: str, severity: str = "HIGH", first_seen: datetime = NOW) -> KnownFinding:
    return KnownFinding(Finding(id_, severity, "openssl"), first_seen)


def report(reason: ReportReason = ReportReason.NEWS, at: datetime = NOW, /, **changes: KnownFinding) -> ImageReport:
    """Return a report with one finding for each of these changes, by their names in lower case."""
    found = {Change(name): (finding,) for name, finding in changes.items()}
    return ImageReport(reason, "1", "r", "app", "sha256:0", ("1.0",), (), at, changes=found, totals=totals(found))


def later(**changes: KnownFinding) -> ImageReport:
    return report(ReportReason.NEWS, NOW + MINUTE, **changes)


def combined(before: Change | None, after: Change | None) -> Change | None:
    """Return what two changes of one finding amount to; None for a change stands for a report without the finding."""
    first = report(**({before: known("CVE-1")} if before else {}))
    second = later(**({after: known("CVE-1")} if after else {}))
    both = combine_reports(first, second, NOW)
    assert both.totals == totals(both.changes)
    [change] = both.changes or [None]
    return change


def amounts() -> Iterator[tuple[Change, Change | None, Change | None]]:
    letters = dict(zip("NBRFEIHOXW", Change, strict=True))
    heading, *rows = AMOUNTS_TO.strip().splitlines()
    for row in rows:
        before, *cells = row.split()
        for after, cell in zip(heading.split(), cells, strict=True):
            yield letters[before], letters.get(after), letters.get(cell)


def test_every_pair_of_changes_has_a_combination() -> None:
    assert TRANSITIONS.keys() == {(before, after) for before in Change for after in (None, *Change)}
    assert {(before, after): both for before, after, both in amounts()} == TRANSITIONS
    for before, after, both in amounts():
        assert combined(before, after) is both, f"{before}, then {after}"


@pytest.mark.parametrize(("before", "after"), TRANSITIONS)
def test_books_balance_whatever_two_reports_amount_to(before: Change, after: Change | None) -> None:
    open_before = before not in ADDS
    # Two reports in a row need not meet: there may have been scans between them.
    open_now = after is not None and after not in GONE
    first = report(**{before: known("CVE-1")})._replace(open_before=int(open_before))
    second = later(**({after: known("CVE-1")} if after else {}))
    both = combine_reports(first, second, NOW)
    assert both.open_before + both.total(*ADDED) - both.total(*GONE) == both.total(*OPEN) == open_now
    # What is news stays news, unless it is gone again, or was gone and is as it was.
    if open_now and (before in NEWS or after in LATER_NEWS):
        assert both.total(*NEWS) == 1


@pytest.mark.parametrize("after", Change)
def test_books_balance_if_the_first_report_does_not_have_the_finding(after: Change) -> None:
    both = combine_reports(report(), later(**{after: known("CVE-1")}), NOW)
    assert both.total(*ADDED) - both.total(*GONE) == both.total(*OPEN) == (after not in GONE)


def test_words_that_add_to_what_is_open_are_known() -> None:
    assert set(ADDED) == set(ADDS)


@pytest.mark.parametrize("before", [change for change in ADDS if change is not Change.KNOWN_HERE])
def test_finding_that_appeared_in_the_window_has_appeared_or_was_never_there(before: Change) -> None:
    assert {TRANSITIONS[before, after] for after in OPEN} == {before}
    assert {TRANSITIONS[before, after] for after in (None, *GONE)} == {None}


def test_finding_that_is_known_here_is_so_until_there_is_news_of_it() -> None:
    # News that is said of an open finding does not add to what is open. So it is new, and not raised.
    assert {TRANSITIONS[Change.KNOWN_HERE, after] for after in LATER_NEWS} == {Change.NEW}
    assert TRANSITIONS[Change.KNOWN_HERE, Change.NO_LONGER_IGNORED] is Change.NO_LONGER_IGNORED
    # It went and returned in the window, as if one scan had found it.
    others = set(NOTHING_NEW) - {Change.NO_LONGER_IGNORED}
    assert {TRANSITIONS[Change.KNOWN_HERE, after] for after in others} == {Change.KNOWN_HERE}
    assert {TRANSITIONS[Change.KNOWN_HERE, after] for after in (None, *GONE)} == {None}


@pytest.mark.parametrize("before", OF_OPEN_FINDINGS)
def test_latest_news_of_a_finding_that_was_open_before_the_window_counts(before: Change) -> None:
    assert {TRANSITIONS[before, after] for after in NOTHING_NEW} == {before}
    for after in (*LATER_NEWS, *GONE):
        assert TRANSITIONS[before, after] is after
    # A scan in between that was not worth a report did not have it.
    assert TRANSITIONS[before, None] is Change.WITHDRAWN


@pytest.mark.parametrize("before", GONE)
def test_finding_that_returns_in_the_window_was_open_all_the_time(before: Change) -> None:
    assert {TRANSITIONS[before, after] for after in NOTHING_NEW} == {Change.STILL_OPEN}
    for after in (*LATER_NEWS, *GONE):
        assert TRANSITIONS[before, after] is after
    assert TRANSITIONS[before, None] is before


@pytest.mark.parametrize("after", Change)
def test_finding_of_the_second_report_alone_has_appeared(after: Change) -> None:
    # A first scan can say that it is known here; what a rule ignored was in no report.
    own = after in (Change.KNOWN_HERE, Change.NO_LONGER_IGNORED)
    assert combined(None, after) is (None if after in GONE else after if own else Change.NEW)
    old = known("CVE-1", first_seen=NOW - MINUTE)
    both = combine_reports(report(), later(**{after: old}), NOW)
    # What is new for the second scan is new; what is known for longer than the window was open before.
    expected = [] if after in GONE else [after if own or after is Change.NEW else Change.BACK]
    assert list(both.changes) == expected


def test_entry_is_that_of_the_second_scan_since_the_first_one() -> None:
    due = OverdueFinding(known("CVE-3"), DueDate(NOW, "HIGH", 7))
    first = report(ReportReason.FIXED, fixed=known("CVE-1"))._replace(
        first_scan=True, predecessor="0.9", open_before=4, overdue=(due,), overdue_counts={"HIGH": 1}
    )
    second = report(ReportReason.OVERDUE, NOW + MINUTE)._replace(
        counts={"HIGH": 3}, open_before=3, overdue=(due,), overdue_counts={"HIGH": 1, "LOW": 1}
    )
    both = combine_reports(first, second, NOW)
    assert (both.scanned_at, both.counts) == (second.scanned_at, {"HIGH": 3})
    assert (both.first_scan, both.predecessor, both.open_before) == (True, "0.9", 4)
    assert (both.overdue, both.overdue_counts) == ((due, due), {"HIGH": 2, "LOW": 1})
    assert both.reason is ReportReason.OVERDUE
    assert both.totals == {Change.FIXED: {"HIGH": 1}}


@pytest.mark.parametrize("swap", [False, True])
def test_most_important_reason_counts(swap: bool) -> None:
    reasons = [ReportReason.NEWS, ReportReason.EVERY_SCAN]
    reasons += [ReportReason.OVERDUE, ReportReason.FIXED, ReportReason.REMINDER]
    for number, reason in enumerate(reasons):
        for other in reasons[number:]:
            pair = [report(other), report(reason)] if swap else [report(reason), report(other)]
            assert combine_reports(pair[0], pair[1], NOW).reason is reason


def test_rule_between_two_scans_takes_away_what_it_ignores() -> None:
    ignored = known("CVE-1")._replace(ignored_by=IgnoredBy("CVE-1", "not reachable", "Ann", None))
    for change in Change:
        first = report(**{change: known("CVE-1")})._replace(open_before=3)
        both = combine_reports(first, later()._replace(ignored=(ignored,)), NOW)
        assert (both.changes, both.totals) == ({}, {})
        # What was open before the window is ignored now, too.
        assert both.open_before == (3 if change in ADDS else 2)


def test_findings_that_were_left_out_count() -> None:
    named, left_out = known("CVE-1"), known("CVE-2", "LOW")
    changes = {Change.NEW: (named, left_out)}
    first = report(new=named)._replace(left_out=leave_out(changes, {Change.NEW: (named,)}), totals=totals(changes))
    assert first.left_out == {finding_key(left_out): LeftOutFinding(Change.NEW, "LOW", int(NOW.timestamp()))}
    still_there = later(still_open=left_out)
    both = combine_reports(first, still_there, NOW)
    assert both.changes == {Change.NEW: (left_out,)}
    assert both.totals == {Change.NEW: {"LOW": 1}}
    # The second report does not name it either.
    unnamed = later()._replace(left_out=leave_out({Change.STILL_OPEN: (named, left_out)}, {}))
    both = combine_reports(first, unnamed, NOW)
    assert both.changes == {Change.NEW: (named,)}
    assert both.left_out == first.left_out
    assert both.totals == {Change.NEW: {"HIGH": 1, "LOW": 1}}


@pytest.mark.parametrize("before", [Change.NEW, Change.STILL_OPEN])
def test_advisory_that_was_given_its_cve_id_in_between_is_the_same_finding(before: Change) -> None:
    advisory, cve = known("GHSA-1"), known("CVE-1")
    cve = cve._replace(finding=cve.finding._replace(aliases=("GHSA-1",)))
    both = combine_reports(report(**{before: advisory}), later(still_open=cve), NOW)
    assert both.changes == {before: (cve,)}
    # One of another package, or one that is there beside it, is another one.
    other = cve._replace(finding=cve.finding._replace(package="zlib"))
    both = combine_reports(report(**{before: advisory}), later(still_open=other), NOW)
    assert both.changes[Change.NEW] == (other,)
    both = combine_reports(report(**{before: advisory}), later(still_open=advisory, new=cve), NOW)
    assert both.total(before) == (2 if before is Change.NEW else 1)


UNREAD = report(ReportReason.FINDINGS_NOT_READ, NOW + MINUTE)._replace(
    failure="the image was deleted", counts={"LOW": 1}
)


def test_scan_that_cannot_be_read_adds_only_its_counts() -> None:
    first = report(new=known("CVE-1"))
    both = combine_reports(first, UNREAD, NOW)
    assert both == first._replace(scanned_at=UNREAD.scanned_at, counts={"LOW": 1}, failure="the image was deleted")


@pytest.mark.parametrize("reason", [ReportReason.NEWS, ReportReason.FINDINGS_NOT_READ])
def test_scan_replaces_one_that_could_not_be_read(reason: ReportReason) -> None:
    second = report(reason, NOW + 2 * MINUTE, new=known("CVE-1"))
    assert combine_reports(UNREAD, second, NOW) == second


def test_overdue_findings_do_not_make_a_scan_readable() -> None:
    # The report of overdue findings comes from memory, not from a scan.
    overdue = report(ReportReason.OVERDUE, NOW + 2 * MINUTE, still_open=known("CVE-1"))
    assert combine_reports(UNREAD, overdue, NOW) == overdue._replace(failure=UNREAD.failure)
    scanned = report(ReportReason.OVERDUE, NOW + 2 * MINUTE, still_open=known("CVE-1"), fixed=known("CVE-2"))
    assert combine_reports(UNREAD, scanned, NOW) == scanned


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (ReportReason.REMINDER, ReportReason.FIXED, ReportReason.FIXED),
        (ReportReason.OVERDUE, ReportReason.EVERY_SCAN, ReportReason.EVERY_SCAN),
        (ReportReason.FIXED, ReportReason.OVERDUE, ReportReason.OVERDUE),
        (ReportReason.FIXED, ReportReason.NEWS, ReportReason.NEWS),
    ],
)
def test_reason_whose_text_says_most_counts_for_several_scans(
    first: ReportReason, second: ReportReason, expected: ReportReason
) -> None:
    scans = map(report, (first, second))
    [merged] = combine_scans(scan._replace(scanned_at=NOW + number * DAY) for number, scan in enumerate(scans))
    assert merged.reason is expected


@pytest.mark.parametrize("reminder_first", [False, True])
def test_findings_that_are_not_read_are_reported_with_the_reason_instead_of_a_reminder(reminder_first: bool) -> None:
    unread = report(ReportReason.FINDINGS_NOT_READ)._replace(failure="In progress.")
    reminder = report(ReportReason.REMINDER)._replace(counts={"HIGH": 2})
    scans = [reminder, unread] if reminder_first else [unread, reminder]
    [merged] = combine_scans(scan._replace(scanned_at=NOW + number * DAY) for number, scan in enumerate(scans))
    # What was read later is known.
    assert (merged.reason, merged.failure) == (
        (ReportReason.FINDINGS_NOT_READ, "In progress.") if reminder_first else (ReportReason.REMINDER, "")
    )
