"""Words of a report that all formats share: its headline, and sentences about an image."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

from ecr_scan_reporter.models.severities import KEV, SEVERITIES, severity_rank
from ecr_scan_reporter.reporting.comparison.changes import GONE, KERNEL_HEADERS, NEWS, SUPPRESSED, Change, KnownFinding
from ecr_scan_reporter.reporting.comparison.deadlines import DueDate
from ecr_scan_reporter.reporting.formatting import format_counts, format_date, format_day, pluralize, start_of, truncate
from ecr_scan_reporter.reporting.reports.groups import Group, Inventory, Sums
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
    sums, reminded, inventory = group.sums, group.reminded, group.inventory or Inventory()
    reasons = ReportReason.NEWS, ReportReason.EVERY_SCAN, ReportReason.FINDINGS_NOT_READ
    news, every, unread = (group.by_reason.get(reason, Sums()) for reason in reasons)
    exploited = (known for image in group.images for known in image.exploited)
    overdue = (known for image in group.images for known, _ in image.overdue)
    urgent = f"{sums.exploited.total():,} known exploited"
    in_unread = f" ({_severe(unread.news)})" if unread.news else ""
    in_inventory = f", {inventory.exploited:,} known exploited" if inventory.exploited else ""
    # A number, and what is said unless it is 0.
    parts = (
        (sums.urgent, f"{urgent} in {_images(sums.urgent)}{_id_of_one(sums.exploited, exploited)}"),
        (news.images, f"{_severe(news.news, 'new')} in {_images(news.images)}"),
        (every.images, f"{_severe(every.news)} in {_images(every.images)}"),
        (unread.images, f"findings of {_images(unread.images)} not read{in_unread}"),
        (sums.late, f"{_severe(sums.overdue)} overdue in {_images(sums.late)}{_id_of_one(sums.overdue, overdue)}"),
        *((sums.changes[gone], f"{sums.changes[gone]:,} {_WORDS[gone][0]}") for gone in GONE),
        (len(group.failed), f"{pluralize(len(group.failed), 'scan')} failed"),
        (reminded.images, f"reminder of {_images(reminded.images)}: {_severe(reminded.news)}"),
        (
            inventory.images,
            f"first inventory of {_images(inventory.images)}: {_severe(inventory.counts)}{in_inventory}",
        ),
    )
    text = ", ".join(words for number, words in parts if number)
    return text[:1].upper() + text[1:]


def _images(number: int) -> str:
    return pluralize(number, "image")


def _id_of_one(counts: Counter[str], found: Iterable[KnownFinding]) -> str:
    """Format ` (CVE-2026-1234)` if there is only one finding."""
    return "".join(f" ({truncate(known.finding.id, 24)})" for known in found) if counts.total() == 1 else ""


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
    """Format `since 26 Oct, due 29 Oct (CISA; used in ransomware)`, with years that are not that of `now`."""
    kev = known.kev
    if not kev:
        return ""
    since, due = (format_day(start_of(day), now) for day in (kev.added, kev.due))
    source = (
        f"{'' if kev.cve == known.finding.id else f'{kev.cve}, '}CISA{'; used in ransomware' if kev.ransomware else ''}"
    )
    return f"since {since}, due {due} ({source})"


def _severe(counts: Mapping[str, int], word: str = "") -> str:
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
