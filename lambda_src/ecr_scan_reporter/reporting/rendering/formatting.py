"""Formats counts, times, links and untrusted text for every format of a report."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

from ecr_scan_reporter.models import SEVERITIES, severity_rank
from ecr_scan_reporter.reporting.changes import NEWS, Change, KnownFinding
from ecr_scan_reporter.reporting.deadlines import DueDate
from ecr_scan_reporter.reporting.report import ImageReport, Reason, count_changes, count_images, count_news
from ecr_scan_reporter.shared.durations import Duration

if TYPE_CHECKING:
    # The console widget has no groups.
    from ecr_scan_reporter.reporting.grouping import Group

# The console's host by partition; the consoles of other partitions are not public.
_CONSOLE_HOSTS = {
    "aws": "console.aws.amazon.com",
    "aws-cn": "console.amazonaws.cn",
    "aws-us-gov": "console.amazonaws-us-gov.com",
}
# Fixed versions that one line names.
_MAX_FIXES = 3
_CHANGE_WORDS = {
    Change.NEW: "new",
    Change.BACK: "back",
    Change.RAISED: "more severe",
    Change.FIX_AVAILABLE: "newly fixable",
    Change.EXPLOIT_KNOWN: "newly exploitable",
    Change.STILL_OPEN: "still open",
    Change.FIXED: "fixed",
    Change.WITHDRAWN: "withdrawn",
}
# Why images were not scanned in time.
_REASONS = {
    "never_scanned": "never scanned",
    "failed": "scan failed",
    "unsupported": "unsupported system",
    "too_old": "scanned too long ago",
    "expired": "monitoring lapsed",
    "quota": "daily quota used up",
    "other": "for another reason",
}


def replace_unprintable(text: str) -> str:
    """Replace what breaks a line or hides text by "?"."""
    return "".join(char if char.isprintable() else "?" for char in text)


def to_ascii(text: str) -> str:
    """Replace what is not printable ASCII by "?"."""
    return "".join(char if " " <= char <= "~" else "?" for char in text)


def truncate(text: str, length: int) -> str:
    """Cut a text to `length` characters, with an ellipsis if it is longer."""
    return text if len(text) <= length else text[: length - 3] + "..."


def pluralize(number: int, word: str, plural: str = "") -> str:
    """Format `1 image`, `2,000 images`."""
    return f"{number:,} {word if number == 1 else plural or f'{word}s'}"


def format_counts(counts: Mapping[str, int]) -> str:
    """Format `2 critical, 9 high`, most severe first."""
    known = [(severity, counts.get(severity, 0)) for severity in SEVERITIES]
    return ", ".join(f"{number:,} {severity.lower()}" for severity, number in known if number) or "no findings"


def format_duration(duration: Duration) -> str:
    """Format `7 days`, `1 month, 2 weeks and 3 days`."""
    sizes = ((duration.months, "month"), (duration.weeks, "week"), (duration.days, "day"))
    *others, last = [pluralize(number, word) for number, word in sizes if number]
    return f"{', '.join(others)} and {last}" if others else last


def format_date(moment: datetime) -> str:
    """Format `9 Nov 2026`, UTC."""
    moment = moment.astimezone(UTC)
    return f"{moment.day} {moment:%b %Y}"


def format_day(moment: datetime, other: datetime) -> str:
    """Format `9 Nov`, UTC; with its year if that is not the year of `other`."""
    date = format_date(moment)
    return date if moment.astimezone(UTC).year != other.astimezone(UTC).year else date[: -len(" 2026")]


def format_time(moment: datetime) -> str:
    """Format `09:14`, UTC."""
    return f"{moment.astimezone(UTC):%H:%M}"


def format_rfc3339(moment: datetime) -> str:
    """Format `2026-11-23T09:14:00Z`."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def reason_words(reason: str) -> str:
    """Return why images were not scanned in time; an unknown reason in its own words."""
    return _REASONS.get(reason) or " ".join(re.findall("[a-z0-9]+", reason.lower())) or _REASONS["other"]


def headline(group: "Group") -> str:
    """Format `2 new critical, 1 new high in 3 images, 41 fixed, 1 scan failed`."""
    parts = []
    for reason, word in ((Reason.NEWS, "new"), (Reason.REMINDER, "still open"), (Reason.EVERY_SCAN, "")):
        images = [image for image in group.images if image.reason is reason]
        if images:
            parts.append(f"{_severe(count_news(images), word)} in {pluralize(count_images(images), 'image')}")
    if unread := [image for image in group.images if image.reason is Reason.FINDINGS_NOT_READ]:
        counts = count_news(unread)
        number = pluralize(count_images(unread), "image")
        parts.append(f"findings of {number} not read" + (f" ({_severe(counts, '')})" if counts else ""))
    if group.overdue:
        parts.append(f"{group.overdue:,} overdue")
    if fixed := count_changes(group.images, Change.FIXED):
        parts.append(f"{fixed:,} fixed")
    if withdrawn := count_changes(group.images, Change.WITHDRAWN):
        parts.append(f"{withdrawn:,} withdrawn")
    if group.failed:
        parts.append(f"{pluralize(len(group.failed), 'scan')} failed")
    if group.inventory:
        number = pluralize(group.inventory.images, "image")
        parts.append(f"first inventory of {number}: {_severe(group.inventory.counts, '')}")
    text = ", ".join(parts)
    return text[:1].upper() + text[1:]


def describe_ignored(group: "Group") -> str:
    """Format `3 findings are ignored by 2 rules`; "" if none is ignored."""
    ignored = group.ignored_by
    number = ignored.total()
    verb = "is" if number == 1 else "are"
    return f"{pluralize(number, 'finding')} {verb} ignored by {pluralize(len(ignored), 'rule')}" if number else ""


def describe_due_date(known: KnownFinding, due: DueDate) -> str:
    """Format `due 16 Nov 2026 (first seen 9 Nov; CRITICAL: fix within 7 days)`."""
    seen = format_day(known.first_seen, due.at)
    return f"due {format_date(due.at)} (first seen {seen}; {due.rule}: fix within {pluralize(due.days, 'day')})"


def _severe(counts: Mapping[str, int], word: str) -> str:
    """Format `2 new critical, 1 new high`; other severities only if there are none of these."""
    severe = {severity: counts.get(severity, 0) for severity in ("CRITICAL", "HIGH")}
    shown = severe if any(severe.values()) else counts
    numbers = [(severity, shown.get(severity, 0)) for severity in SEVERITIES]
    order = "{0:,} {1} {2}" if word == "new" else "{0:,} {2} {1}"
    parts = [order.format(number, word, severity.lower()) for severity, number in numbers if number]
    return ", ".join(" ".join(part.split()) for part in parts) or "no findings"


def package_label(package: str, versions: Iterable[str]) -> str:
    """Format `openssl 3.0.1-r2`."""
    return f"{package} {', '.join(versions)}".strip() or "package not named"


def fixed_in(versions: Sequence[str]) -> str:
    """Format `fixed in 3.0.15-r0`; "" if no version is known.

    Versions are not compared: each ecosystem orders them differently.
    """
    more = ", ..." if len(versions) > _MAX_FIXES else ""
    return f"fixed in {', '.join(versions[:_MAX_FIXES])}{more}" if versions else ""


def describe_changes(image: ImageReport, quote: Callable[[str], str] = str) -> str:
    """Format `2 new (1 critical), 9 still open, 12 fixed since 4.1.9, 3 ignored`; `quote` formats the untrusted tag."""
    if image.reason is Reason.FINDINGS_NOT_READ:
        return "findings not read" + (f" ({format_counts(image.counts)})" if any(image.counts.values()) else "")
    parts = []
    for change, word in _CHANGE_WORDS.items():
        if number := image.total(change):
            worst = min(image.totals[change], key=severity_rank)
            named = change in NEWS and worst in SEVERITIES
            severe = f" ({image.totals[change][worst]:,} {worst.lower()})" if named else ""
            parts.append(f"{number:,} {word}{severe}")
    if number := sum(image.overdue_counts.values()):
        parts.insert(0, f"{number:,} overdue")
    text = ", ".join(parts) or format_counts(image.counts)
    if image.predecessor:
        text = f"{text} since {quote(image.predecessor)}"
    elif image.first_scan:
        text = f"first scan: {text}"
    if number := sum(image.ignored_by.values()):
        text += f", {number:,} ignored"
    return f"{text}, on each platform" if image.images > 1 else text


def console_url(image: ImageReport, partition: str) -> str:
    """Return the image's URL in the ECR console; "" if the partition's console is not known."""
    return image_console_url(partition, image.region, image.account, image.repository, image.digest)


def image_console_url(partition: str, region: str, account: str, repository: str, digest: str) -> str:
    """Return the URL of an image in the ECR console; "" if the partition's console is not known."""
    host = _CONSOLE_HOSTS.get(partition)
    if host is None:
        return ""
    path = "/".join(quote(part, safe="") for part in (account, *repository.split("/")))
    query = urlencode({"region": region})
    subdomain = quote(region, safe="")
    return f"https://{subdomain}.{host}/ecr/repositories/private/{path}/_/image/{quote(digest)}/scan-results?{query}"
