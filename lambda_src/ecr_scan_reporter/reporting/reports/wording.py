"""Words of a report that all formats share: its headline, and sentences about an image."""

from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime

from ecr_scan_reporter.models.severities import KEV, SEVERITIES, severity_rank
from ecr_scan_reporter.reporting.comparison.changes import KERNEL_HEADERS, NEWS, SUPPRESSED, Change, KnownFinding
from ecr_scan_reporter.reporting.comparison.deadlines import DueDate
from ecr_scan_reporter.reporting.formatting import format_counts, format_date, format_day, pluralize, start_of, truncate
from ecr_scan_reporter.reporting.reports.groups import Group
from ecr_scan_reporter.reporting.reports.image_report import ImageReport
from ecr_scan_reporter.reporting.reports.reasons import ReportReason
from ecr_scan_reporter.settings import ReporterSettings

# What a sentence says of findings, and what mail and chat print before one.
_WORDS = {
    Change.NEW: ("new", "NEW"),
    Change.BACK: ("back", "BACK"),
    Change.RAISED: ("more severe", "RAISED"),
    Change.FIX_AVAILABLE: ("newly fixable", "FIX"),
    Change.EXPLOIT_KNOWN: ("newly exploitable", "EXPLOIT"),
    Change.NO_LONGER_IGNORED: ("no longer ignored", "REOPENED"),
    Change.KNOWN_HERE: ("known here", ""),
    Change.STILL_OPEN: ("still open", ""),
    Change.FIXED: ("fixed", "FIXED"),
    Change.WITHDRAWN: ("withdrawn", "WITHDRAWN"),
}


def label(change: Change) -> str:
    """Return what mail and chat print before a finding; "" if they print nothing."""
    return _WORDS[change][1]


def headline(group: Group) -> str:
    """Format `2 new critical, 1 new high in 3 images, 41 fixed, 1 scan failed`."""
    parts = []
    if urgent := group.sums.urgent:
        parts.append(f"{group.sums.exploited.total():,} known exploited in {pluralize(urgent, 'image')}")
        if group.sums.exploited.total() == 1:
            named = (known.finding.id for image in group.images for known in image.exploited)
            parts[-1] += "".join(f" ({truncate(id_, 24)})" for id_ in named)
    for reason, word in ((ReportReason.NEWS, "new"), (ReportReason.EVERY_SCAN, "")):
        if sums := group.by_reason.get(reason):
            parts.append(f"{_severe(sums.news, word)} in {pluralize(sums.images, 'image')}")
    if unread := group.by_reason.get(ReportReason.FINDINGS_NOT_READ):
        number = pluralize(unread.images, "image")
        parts.append(f"findings of {number} not read" + (f" ({_severe(unread.news, '')})" if unread.news else ""))
    if late := group.sums.late:
        parts.append(f"{_severe(group.sums.overdue, '')} overdue in {pluralize(late, 'image')}")
        if group.sums.overdue.total() == 1:
            named = (overdue.known.finding.id for image in group.images for overdue in image.overdue)
            parts[-1] += "".join(f" ({truncate(id_, 24)})" for id_ in named)
    for change in (Change.FIXED, Change.WITHDRAWN):
        if gone := group.sums.changes[change]:
            parts.append(f"{gone:,} {_WORDS[change][0]}")
    if group.failed:
        parts.append(f"{pluralize(len(group.failed), 'scan')} failed")
    if group.reminders:
        number = pluralize(group.reminded.images, "image")
        parts.append(f"reminder of {number}: {_severe(group.reminded.news, '')}")
    if group.inventory:
        number = pluralize(group.inventory.images, "image")
        parts.append(f"first inventory of {number}: {_severe(group.inventory.counts, '')}")
        if group.inventory.exploited:
            parts[-1] += f", {group.inventory.exploited:,} known exploited"
    text = ", ".join(parts)
    return text[:1].upper() + text[1:]


def title(group: Group, settings: ReporterSettings) -> str:
    """Return the headline with the prefix that tells instances apart."""
    return f"{settings.subject_prefix} {headline(group)}"


def describe_ignored(group: Group) -> str:
    """Format `3 findings are ignored by 2 rules, 1 finding is suppressed in Inspector`; "" if none is ignored.

    What is ignored in kernel headers is counted apart.
    """
    ignored = Counter(group.ignored_by)
    suppressed, headers = (ignored.pop(instead.rule, 0) for instead in (SUPPRESSED, KERNEL_HEADERS))
    numbers = (
        (ignored.total(), f"ignored by {pluralize(len(ignored), 'rule')}"),
        (suppressed, SUPPRESSED.rule),
        (headers, "ignored in kernel headers"),
    )
    return ", ".join(
        f"{pluralize(number, 'finding')} {'is' if number == 1 else 'are'} {why}" for number, why in numbers if number
    )


def describe_due_date(known: KnownFinding, due: DueDate) -> str:
    """Format `due 16 Nov 2026 (first seen 9 Nov; CRITICAL: fix within 7 days)`."""
    if due.rule == KEV and known.kev:
        return f"due {format_date(due.at)} (known exploited; {due.rule}: fix within {pluralize(due.days, 'day')})"
    seen = format_day(known.first_seen, due.at)
    return f"due {format_date(due.at)} (first seen {seen}; {due.rule}: fix within {pluralize(due.days, 'day')})"


def describe_exploited(known: KnownFinding, now: datetime) -> str:
    """Format `since 26 Oct, due 29 Oct (CISA; used in ransomware)`, with years that are not that of `now` (aware)."""
    kev = known.kev
    if not kev:
        return ""
    since, due = (format_day(start_of(day), now) for day in (kev.added, kev.due))
    source = (
        f"{'' if kev.cve == known.finding.id else f'{kev.cve}, '}CISA{'; used in ransomware' if kev.ransomware else ''}"
    )
    return f"since {since}, due {due} ({source})"


def _severe(counts: Mapping[str, int], word: str) -> str:
    """Format `2 new critical, 1 new high`; other severities only if there are none of these."""
    severe = {severity: counts.get(severity, 0) for severity in ("CRITICAL", "HIGH")}
    shown = severe if any(severe.values()) else counts
    numbers = [(severity, shown.get(severity, 0)) for severity in SEVERITIES]
    order = "{0:,} {1} {2}" if word == "new" else "{0:,} {2} {1}"
    parts = [order.format(number, word, severity.lower()) for severity, number in numbers if number]
    return ", ".join(" ".join(part.split()) for part in parts) or "no findings"


def describe_changes(image: ImageReport, quote: Callable[[str], str] = str) -> str:
    """Format `2 new (1 critical), 9 still open, 12 fixed since 4.1.9, 3 ignored`; `quote` formats the untrusted tag."""
    if image.reason is ReportReason.FINDINGS_NOT_READ:
        return "findings not read" + (f" ({format_counts(image.counts)})" if any(image.counts.values()) else "")
    parts = []
    for change, (word, _) in _WORDS.items():
        if number := image.total(change):
            worst = min(image.totals[change], key=severity_rank)
            named = change in NEWS and worst in SEVERITIES
            severe = f" ({image.totals[change][worst]:,} {worst.lower()})" if named else ""
            parts.append(f"{number:,} {word}{severe}")
    if number := sum(image.overdue_counts.values()):
        parts.insert(0, f"{number:,} overdue")
    if number := sum(image.exploited_counts.values()):
        parts.insert(0, f"{number:,} known exploited")
    text = ", ".join(parts) or format_counts(image.counts)
    if image.predecessor:
        text = f"{text} since {quote(image.predecessor)}"
    elif image.first_scan:
        text = f"first scan: {text}"
    if number := sum(image.ignored_by.values()):
        text += f", {number:,} ignored"
    return f"{text}, on each platform" if image.images > 1 else text
