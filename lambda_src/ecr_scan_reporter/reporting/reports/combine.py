"""Combines the reports of several scans of one image in one window."""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from hashlib import sha256
from itertools import islice

from ecr_scan_reporter.reporting.comparison.changes import GONE, Change, KnownFinding
from ecr_scan_reporter.reporting.reports.image_report import (
    MAX_FINDINGS,
    ImageReport,
    LeftOutFinding,
    ReportReason,
    keep_worst,
)

# Of this many others, a few bytes are kept; an item of the memory table has room for them.
_MAX_LEFT_OUT = 15_000


# Which of the reasons of several scans in one window counts. The texts of the first three list what is open, those of
# the next two only what is overdue or gone.
_PRECEDENCE = (
    ReportReason.NEWS,
    ReportReason.REMINDER,
    ReportReason.EVERY_SCAN,
    ReportReason.OVERDUE,
    ReportReason.FIXED,
    ReportReason.SCAN_FAILED,
    ReportReason.FINDINGS_NOT_READ,
    ReportReason.INVENTORY,
)


def finding_key(known: KnownFinding) -> str:
    """Return a short text that identifies a finding of one image."""
    finding = known.finding
    return sha256(f"{finding.package}\n{min((finding.id, *finding.aliases))}".encode()).hexdigest()[:16]


def leave_out(
    changes: Mapping[Change, Iterable[KnownFinding]], kept: Mapping[Change, Iterable[KnownFinding]]
) -> dict[str, LeftOutFinding]:
    """Return what `combine` has to know of the findings that are not kept."""
    named = {finding_key(known) for found in kept.values() for known in found}
    words = (
        (key, LeftOutFinding(change, known.finding.severity, int(known.first_seen.timestamp())))
        for change, found in changes.items()
        for known in found
        if (key := finding_key(known)) not in named
    )
    return dict(islice(words, _MAX_LEFT_OUT))


def combine_reports(first: ImageReport, second: ImageReport, since: datetime) -> ImageReport:
    """Combine two reports of the same image in one window into one, as if there had been one scan.

    Between the two, there may have been scans that were not worth a report: what only the second one has is new, and
    what only the first one has is gone.

    Args:
        first: which may combine earlier ones.
        second: of the later scan.
        since: the time of the earliest scan.
    """
    if first.reason is ReportReason.FINDINGS_NOT_READ:
        if second.reason is ReportReason.OVERDUE and not second.changes.keys() - {Change.STILL_OPEN}:
            # It comes from no scan of its own, and what could not be read still cannot.
            return second._replace(failure=first.failure)
        return second
    if second.reason is ReportReason.FINDINGS_NOT_READ:
        return first._replace(scanned_at=second.scanned_at, counts=second.counts, failure=second.failure)
    before, after = _words(first), _words(second)
    open_before = first.open_before
    for key in map(finding_key, second.ignored):
        # A rule was added between the two scans.
        word = before.pop(key, None)
        open_before -= word is not None and word.change not in (Change.NEW, Change.BACK)
    named = {finding_key(known): known for image in (first, second) for known in image.worst(*Change)}
    changes: dict[Change, list[KnownFinding]] = {}
    left_out: dict[str, LeftOutFinding] = {}
    for key in before | after:
        change = _combine_changes(before.get(key), after.get(key), since)
        if change is None:
            continue
        if key in named:
            changes.setdefault(change, []).append(named[key])
        else:
            left_out[key] = (after.get(key) or before[key])._replace(change=change)
    totals_ = Counter((word.change, word.severity) for word in left_out.values())
    totals_.update((change, known.finding.severity) for change, found in changes.items() for known in found)
    reason = min(first.reason, second.reason, key=_PRECEDENCE.index)
    kept = keep_worst(changes, MAX_FINDINGS, reason)
    return second._replace(
        reason=reason,
        first_scan=first.first_scan,
        predecessor=first.predecessor,
        open_before=open_before,
        overdue=(*first.overdue, *second.overdue),
        overdue_counts=Counter(first.overdue_counts) + Counter(second.overdue_counts),
        changes=kept,
        left_out=left_out | leave_out(changes, kept),
        totals={
            change: {severity: number for (other, severity), number in totals_.items() if other is change}
            for change in Change
            if any(other is change for other, _ in totals_)
        },
    )


def _words(image: ImageReport) -> dict[str, LeftOutFinding]:
    words = dict(image.left_out)
    for change, found in image.changes.items():
        for known in found:
            words[finding_key(known)] = LeftOutFinding(
                change, known.finding.severity, int(known.first_seen.timestamp())
            )
    return words


def _combine_changes(first: LeftOutFinding | None, second: LeftOutFinding | None, since: datetime) -> Change | None:
    """Return what two changes in a row amount to; None if nothing is left to say."""
    before, after = first and first.change, second and second.change
    if second is None or after in GONE:
        if before in (None, Change.NEW, Change.BACK):
            return None
        return after or (before if before in GONE else Change.WITHDRAWN)
    if before in (Change.NEW, Change.BACK):
        return before
    if before is None:
        # What a rule ignored until now, or what has a fix only now, is new although it was first seen before.
        is_back = after is not Change.NEW and second.first_seen < int(since.timestamp())
        return Change.BACK if is_back else Change.NEW
    if after in (Change.NEW, Change.BACK, Change.STILL_OPEN):
        return Change.STILL_OPEN if before in GONE else before
    return after
