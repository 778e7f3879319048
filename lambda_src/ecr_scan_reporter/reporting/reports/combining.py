"""Says what becomes one entry: the scans of one image in a window, and platforms of one index that say the same."""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import partial, reduce

from ecr_scan_reporter.reporting.comparison.changes import ADDED, GONE, Change, KnownFinding
from ecr_scan_reporter.reporting.reports.image_report import (
    MAX_FINDINGS,
    ImageReport,
    LeftOutFinding,
    finding_key,
    keep_worst,
    leave_out,
    short_key,
    shortened,
    totals,
)
from ecr_scan_reporter.reporting.reports.reasons import ReportReason

# What two changes of one finding in a row amount to: that of the first report names the row, that of the second one the
# column; in the last column, the second report does not have the finding. None if nothing is left to say.
_NEW, _BACK, _RAISED, _FIX, _EXPLOIT, _ENDED, _HERE, _OPEN, _FIXED, _WITHDRAWN = Change
_ROWS: dict[Change, tuple[Change | None, ...]] = {
    _NEW: (*8 * (_NEW,), None, None, None),
    _BACK: (*8 * (_BACK,), None, None, None),
    _RAISED: (*3 * (_RAISED,), _FIX, _EXPLOIT, *3 * (_RAISED,), _FIXED, _WITHDRAWN, _WITHDRAWN),
    _FIX: (_FIX, _FIX, _RAISED, _FIX, _EXPLOIT, *3 * (_FIX,), _FIXED, _WITHDRAWN, _WITHDRAWN),
    _EXPLOIT: (_EXPLOIT, _EXPLOIT, _RAISED, _FIX, *4 * (_EXPLOIT,), _FIXED, _WITHDRAWN, _WITHDRAWN),
    _ENDED: (*8 * (_ENDED,), None, None, None),
    _HERE: (_HERE, _HERE, _NEW, _NEW, _NEW, _ENDED, _HERE, _HERE, None, None, None),
    _OPEN: (_OPEN, _OPEN, _RAISED, _FIX, _EXPLOIT, *3 * (_OPEN,), _FIXED, _WITHDRAWN, _WITHDRAWN),
    _FIXED: (_OPEN, _OPEN, _RAISED, _FIX, _EXPLOIT, *3 * (_OPEN,), _FIXED, _WITHDRAWN, _FIXED),
    _WITHDRAWN: (_OPEN, _OPEN, _RAISED, _FIX, _EXPLOIT, *3 * (_OPEN,), _FIXED, _WITHDRAWN, _WITHDRAWN),
}
TRANSITIONS = {
    (before, after): both for before, row in _ROWS.items() for after, both in zip((*Change, None), row, strict=True)
}


def combine_scans(scans: Iterable[ImageReport]) -> list[ImageReport]:
    """Combine the scans of one image into one entry; a failed scan has its own, unless a later scan succeeded."""
    scans = sorted(scans, key=lambda scan: scan.scanned_at)
    succeeded = [scan for scan in scans if not scan.failed]
    failed = [scan for scan in scans[-1:] if scan.failed]
    if not succeeded:
        return failed
    return [reduce(partial(combine_reports, since=succeeded[0].scanned_at), succeeded), *failed]


def combine_reports(first: ImageReport, second: ImageReport, since: datetime) -> ImageReport:
    """Combine two reports of the same image in one window into one, as if there had been one scan.

    Between the two, there may have been scans that were not worth a report. A finding that only the second one has is
    new, and a finding that only the first one has is gone. The first one may combine earlier ones; `since` is the time
    of the earliest scan.
    """
    if ReportReason.FINDINGS_NOT_READ in (first.reason, second.reason):
        return _combine_unread(first, second)
    # What each of them says. A rule that was added between the two scans takes away what it ignores now.
    before = {**first.left_out, **shortened(first.changes)}
    after = {**second.left_out, **shortened(second.changes)}
    before = _renamed(before, after, second)
    ignored = [before.pop(key) for key in map(finding_key, second.ignored) if key in before]

    # What both together say, of the findings that they name and of the others.
    named = {finding_key(known): known for image in (first, second) for known in image.worst(*Change)}
    changes, left_out = _combine_findings(before, after, named, since)
    reason = min(first.reason, second.reason, key=list(ReportReason).index)
    kept = keep_worst(changes, MAX_FINDINGS, reason)
    exploited, exploited_counts = _combine_exploited(first, second)
    # What is overdue comes from no scan of its own: the list of the scan before is still the last one.
    last = first if second.scanned_at == first.scanned_at else second
    return second._replace(
        reason=reason,
        shorter=last.shorter,
        first_scan=first.first_scan,
        predecessor=first.predecessor,
        open_before=first.open_before - sum(found.change not in ADDED for found in ignored),
        overdue=(*first.overdue, *second.overdue),
        overdue_counts=Counter(first.overdue_counts) + Counter(second.overdue_counts),
        exploited=exploited,
        exploited_counts=exploited_counts,
        changes=kept,
        left_out=left_out | leave_out(changes, kept),
        totals=totals(changes, left_out.values()),
    )


def _combine_findings(
    before: Mapping[str, LeftOutFinding],
    after: Mapping[str, LeftOutFinding],
    named: Mapping[str, KnownFinding],
    since: datetime,
) -> tuple[dict[Change, list[KnownFinding]], dict[str, LeftOutFinding]]:
    """Return what two reports say together: by change, the findings that one of them names, and the others by key."""
    combined = {
        key: found._replace(change=change)
        for key, found in {**before, **after}.items()
        if (change := _combine_changes(before.get(key), after.get(key), since))
    }
    changes = {
        change: [named[key] for key, found in combined.items() if found.change is change and key in named]
        for change in Change
    }
    return changes, {key: found for key, found in combined.items() if key not in named}


def _combine_exploited(first: ImageReport, second: ImageReport) -> tuple[tuple[KnownFinding, ...], Counter[str]]:
    """Return what turned urgent in either report and is not gone since, and how much that is by severity."""
    gone = {finding_key(known) for known in (*second.worst(*GONE), *second.ignored)}
    kept = tuple(known for known in first.exploited if finding_key(known) not in gone)
    left = Counter(known.finding.severity for known in first.exploited if finding_key(known) in gone)
    return (*kept, *second.exploited), Counter(first.exploited_counts) - left + Counter(second.exploited_counts)


def _renamed(
    before: Mapping[str, LeftOutFinding], after: Mapping[str, LeftOutFinding], second: ImageReport
) -> dict[str, LeftOutFinding]:
    """Return what the first report says by the ids of the second one: an advisory may have been given its CVE id."""
    renamed = dict(before)
    for known in second.worst(*Change):
        for advisory, _ in known.finding.links():
            old, new = short_key(known.finding.package, advisory), finding_key(known)
            if old in renamed and old not in after and new not in renamed:
                renamed[new] = renamed.pop(old)
    return renamed


def _combine_unread(first: ImageReport, second: ImageReport) -> ImageReport:
    """Combine two reports of which at least one says nothing about findings, because they could not be read."""
    # A reminder has no room to say why findings could not be read.
    if first.reason not in (ReportReason.FINDINGS_NOT_READ, ReportReason.REMINDER):
        return first._replace(scanned_at=second.scanned_at, counts=second.counts, failure=second.failure)
    if second.reason in (ReportReason.KNOWN_EXPLOITED, ReportReason.OVERDUE) and not second.changes.keys() - {
        Change.STILL_OPEN
    }:
        # It comes from no scan of its own, and what could not be read still cannot.
        return second._replace(failure=first.failure)
    return second


def _combine_changes(first: LeftOutFinding | None, second: LeftOutFinding | None, since: datetime) -> Change | None:
    """Return the one change that two changes in a row amount to; None if nothing is left to say."""
    if first:
        return TRANSITIONS[first.change, second and second.change]
    if second is None or second.change in GONE:
        return None
    if second.change in (Change.NO_LONGER_IGNORED, Change.KNOWN_HERE):
        return second.change
    # What has a fix only now is new although it was first seen before.
    is_back = second.change is not Change.NEW and second.first_seen < int(since.timestamp())
    return Change.BACK if is_back else Change.NEW


def platform_key(image: ImageReport) -> tuple[object, ...]:
    """Return a key that two platforms of one index share if their reports say the same."""
    return (
        image.repository,
        image.tags,
        image.reason,
        image.predecessor,
        image.shorter,
        frozenset(image.counts.items()),
        frozenset(image.overdue_counts.items()),
        frozenset(image.exploited_counts.items()),
        frozenset(image.ignored_by.items()),
        # The findings that are not kept may differ.
        frozenset((change, *pair) for change, found in image.totals.items() for pair in found.items()),
        frozenset((change, *_names(known)) for change, found in image.changes.items() for known in found),
        frozenset(_names(known) for known, _ in image.overdue),
        frozenset(map(_names, image.exploited)),
    )


def _names(known: KnownFinding) -> tuple[str, str]:
    return known.finding.package, known.finding.id
