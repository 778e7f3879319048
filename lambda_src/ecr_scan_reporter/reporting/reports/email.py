"""Renders a report as plain text for email: SNS mail has no markup, and mail clients wrap at about 76 columns.

The first page has all of the text, so one mail is enough for people; further pages have the rest of the JSON document.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from textwrap import wrap

from ecr_scan_reporter.memory.images import Update
from ecr_scan_reporter.reporting.comparison.changes import GONE, NEWS, OPEN, Change, KnownFinding
from ecr_scan_reporter.reporting.formatting import (
    fixed_in,
    format_counts,
    format_date,
    format_duration,
    format_time,
    package_label,
    pluralize,
    replace_unprintable,
    short_digest,
    truncate,
)
from ecr_scan_reporter.reporting.reports.groups import Group, Inventory, Page
from ecr_scan_reporter.reporting.reports.image_report import ImageReport, ReportReason, count_images, count_news
from ecr_scan_reporter.reporting.reports.wording import describe_changes, describe_due_date, describe_ignored, headline
from ecr_scan_reporter.settings import ReporterSettings

_WIDTH = 76
# How wide the updates of "Fix first" are.
_UPDATE = 46
# How many images are shown in detail, how many with one line, findings per image, and failed scans; others are counted.
_DETAILED, _LISTED, _FINDINGS, _FAILED = 20, 100, 10, 30
# The changes whose findings are listed, by the reason of the report; for other reasons, those of open findings.
_CHANGES: dict[ReportReason, tuple[Change, ...]]
_CHANGES = {ReportReason.NEWS: NEWS, ReportReason.FIXED: GONE, ReportReason.OVERDUE: ()}
_WORDS = {
    Change.NEW: "NEW",
    Change.BACK: "BACK",
    Change.RAISED: "RAISED",
    Change.FIX_AVAILABLE: "FIX",
    Change.EXPLOIT_KNOWN: "EXPLOIT",
    Change.NO_LONGER_IGNORED: "REOPENED",
    Change.FIXED: "FIXED",
    Change.WITHDRAWN: "WITHDRAWN",
}


def render(page: Page, settings: ReporterSettings) -> str:
    """Render a page."""
    group = page.group
    if page.part == 1:
        times = _times(group)
        dated = len({moment.date() for moment in times}) > 1
        lines = [*_head(group, times, settings), *_fixes(group, settings)]
        for number, image in enumerate(group.images[:_DETAILED], start=1):
            lines += ["", *_image(number, image, settings, dated=dated)]
        lines += [*_listed(group), *_failures(group, settings)]
        lines += [*_reminders(group, settings), *_inventory(group.inventory)]
        if ignored := describe_ignored(group):
            lines += ["", f"{ignored}."]
    else:
        lines = [f"This is part {page.part} of {page.parts} of a report. Part 1 has all of its text."]
        lines += ["This part has only the rest of its JSON document."]
    lines += ["", "--", f'Sent by ecr-scan-reporter "{settings.name}" in {group.account}.']
    lines += ["Its module block sets the thresholds, groups and subscribers."]
    return "\n".join(replace_unprintable(line) for line in lines) + "\n"


def _head(group: Group, times: Sequence[datetime], settings: ReporterSettings) -> Iterator[str]:
    yield f"{headline(group)}."
    yield f"Account {group.account}, {group.region}{_period(times)}."
    if group.images or group.reminders:
        thresholds = ", ".join(f"{severity} {number}" for severity, number in settings.thresholds.items())
        yield f"Thresholds: {thresholds}."


def _times(group: Group) -> list[datetime]:
    inventory = group.inventory.worst if group.inventory else ()
    images = (*group.images, *group.failed, *group.reminders, *inventory)
    return sorted(image.scanned_at.astimezone(UTC) for image in images)


def _period(times: Sequence[datetime]) -> str:
    if not times:
        return ""
    first, last = _moment(times[0]), _moment(times[-1])
    if first == last:
        return f", {first} UTC"
    if times[0].date() == times[-1].date():
        last = format_time(times[-1])
    return f", {first} to {last} UTC"


def _moment(moment: datetime) -> str:
    return f"{format_date(moment)}, {format_time(moment)}"


def _fixes(group: Group, settings: ReporterSettings) -> Iterator[str]:
    # With one image, its own lines say what to fix.
    fixes = group.fixes(settings.thresholds) if len(group.images) > 1 else []
    if fixes:
        yield ""
        yield "Fix first"
    for fix in fixes:
        yield from _fix(fix)


def _fix(fix: Update) -> Iterator[str]:
    """Yield what to update; on several lines if one has no room for the versions that fix it."""
    update = f"{fix.package} {', '.join(fix.installed_versions)}".strip()
    target = f"-> {', '.join(fix.fixed_versions[:2])}" if fix.fixed_versions else ""
    solved = f"{pluralize(fix.images, 'image')}: {format_counts(fix.counts)}"
    first = f"  {update} {target}".rstrip()
    if len(first) > _UPDATE:
        yield truncate(f"  {update}", _WIDTH)
        *others, first = _wrap(target, indent=4) or [""]
        if len(first) > _UPDATE:
            others, first = [*others, first], ""
        yield from others
    yield truncate(f"{first:<{_UPDATE}} {solved}", _WIDTH)


def _wrap(text: str, indent: int) -> list[str]:
    """Return the lines of a text, broken only between words: what is longer than a line is cut."""
    lines = wrap(text, _WIDTH - indent, break_long_words=False, break_on_hyphens=False)
    return [" " * indent + truncate(line, _WIDTH - indent) for line in lines]


def _image(number: int, image: ImageReport, settings: ReporterSettings, *, dated: bool) -> Iterator[str]:
    yield from _about(number, image, dated=dated)
    for known, due in image.overdue[:_FINDINGS]:
        yield from _finding("OVERDUE  ", known)
        yield from _due_date(describe_due_date(known, due))
    if (more := sum(image.overdue_counts.values()) - _FINDINGS) > 0:
        yield f"   and {more:,} more overdue"
    listed = _CHANGES.get(image.reason, OPEN)
    lines = [(_WORDS.get(change, ""), known) for change in listed for known in image.worst(change)]
    width = max((len(word) for word, _ in lines[:_FINDINGS]), default=0)
    for word, known in lines[:_FINDINGS]:
        yield from _finding(f"{word:<{width}}  " if width else "", known)
        if known.was_ignored:
            yield f"     {truncate(known.was_ignored, _WIDTH - 5)}"
    if (more := image.total(*listed) - min(len(lines), _FINDINGS)) > 0:
        yield f"   and {more:,} more"
    if image.reason is ReportReason.NEWS:
        yield from _still_open(image)
    if url := image.console_url(settings.partition):
        yield f"   {url}"


def _about(number: int, image: ImageReport, *, dated: bool) -> Iterator[str]:
    yield f"{number}. {image.name}{_platforms(image)}{'' if image.tags else ' (no tag)'}"
    yield f"   {describe_changes(image)}"
    also = f", also tagged {', '.join(image.tags[1:4])}" if len(image.tags) > 1 else ""
    scanned = _moment(image.scanned_at) if dated else format_time(image.scanned_at)
    digest = f"{short_digest(image.digest)}, scanned {scanned} UTC"
    yield f"   {truncate(digest + also, _WIDTH - 3)}"
    if image.failure:
        yield "   The findings could not be read:"
        reason = truncate(image.failure, _WIDTH - 4)
        yield f"   {reason}" if reason.endswith(".") else f"   {reason}."
    if image.shorter:
        yield from _wrap(image.shorter, indent=3)


def _platforms(image: ImageReport) -> str:
    return f" ({', '.join(image.platforms)})" if image.platforms else ""


def _due_date(text: str) -> Iterator[str]:
    """Yield a date and its reason, on two lines if one line has no room for both."""
    date, _, reason = text.partition("; ")
    yield from [f"     {text}"] if len(text) <= _WIDTH - 5 else [f"     {date};", f"     {reason}"]


def _finding(prefix: str, known: KnownFinding) -> Iterator[str]:
    finding = known.finding
    exploit = "exploit known" if finding.exploit_available else ""
    line = f"   {prefix}{finding.severity:<9} {truncate(finding.id, 24)}"
    label = package_label(finding.package, finding.installed_versions)
    fix = ", ".join(filter(None, (fixed_in(finding.fixed_versions), exploit)))
    rest = f"{label}, {fix}" if fix else label
    if len(line) + len(rest) + 2 <= _WIDTH:
        yield f"{line}  {rest}"
        return
    yield line
    if len(rest) <= _WIDTH - 5 or not fix:
        yield f"     {truncate(rest, _WIDTH - 5)}"
        return
    # The version that fixes it is whole: what is cut is what is installed.
    yield f"     {truncate(label, _WIDTH - 6)},"
    yield from _wrap(fix, indent=5)


def _still_open(image: ImageReport) -> Iterator[str]:
    still_open = image.worst(Change.STILL_OPEN)
    if not still_open:
        return
    finding = still_open[0].finding
    days = (image.scanned_at - still_open[0].first_seen).days
    more = image.total(Change.STILL_OPEN) - 1
    label = truncate(finding.package, 30) or "a package that is not named"
    since = f"open {pluralize(days, 'day')}" if days > 0 else "open since today"
    text = f"   {since}: {truncate(finding.id, 24)} ({finding.severity.lower()}) in {label}"
    rest = f", and {more:,} more" if more else ""
    yield truncate(text, _WIDTH - len(rest)) + rest


def _listed(group: Group) -> Iterator[str]:
    if others := group.images[_DETAILED:]:
        yield ""
        yield f"And {pluralize(count_images(others), 'more image')}"
    for image in others[:_LISTED]:
        yield truncate(f"   {image.name}{_platforms(image)}: {describe_changes(image)}", _WIDTH)
    if rest := others[_LISTED:]:
        yield f"   and {pluralize(count_images(rest), 'image')} not named here"


def _failures(group: Group, settings: ReporterSettings) -> Iterator[str]:
    if group.failed:
        yield ""
        yield "Failed scans"
    for image in group.failed[:_FAILED]:
        yield f"   {image.name}{_platforms(image)}"
        reason = "The operating system is not supported." if image.unsupported else image.failure
        yield f"     {truncate(reason, _WIDTH - 5)}"
        if url := image.console_url(settings.partition):
            yield f"     {url}"
    if (more := len(group.failed) - _FAILED) > 0:
        yield f"   and {pluralize(more, 'more failed scan')}"


def _reminders(group: Group, settings: ReporterSettings) -> Iterator[str]:
    if not group.reminders:
        return
    number = count_images(group.reminders)
    yield ""
    yield f"Reminder: {pluralize(number, 'image')}"
    yield f"   {format_counts(count_news(group.reminders))}"
    subject, verb = ("This image has", "is") if number == 1 else ("These images have", "are")
    since = f"for {format_duration(settings.remind_after)}" if settings.remind_after else "for a while"
    text = f"{subject} not been reported {since}, and {verb} still at or above a threshold."
    yield from _wrap(text, indent=3)
    yield from _worst(group.worst_reminders)


def _inventory(inventory: Inventory | None) -> Iterator[str]:
    if not inventory:
        return
    yield ""
    where = pluralize(len(inventory.repositories), "repository", "repositories")
    yield f"First inventory: {pluralize(inventory.images, 'image')} in {where}"
    yield f"   {format_counts(inventory.counts)}"
    if inventory.failed:
        yield f"   {pluralize(inventory.failed, 'scan')} failed"
    yield "   These images were pushed before this module knew their repositories."
    yield "   From now on, only what changes is reported."
    yield from _worst(inventory.worst)


def _worst(images: Sequence[ImageReport]) -> Iterator[str]:
    if images:
        yield ""
        yield "   The worst image:" if len(images) == 1 else f"   The {len(images)} worst images:"
    for image in images:
        name = truncate(f"{image.name}{_platforms(image)}", _WIDTH - 3)
        counts = format_counts(image.counts)
        if len(name) + len(counts) + 5 <= _WIDTH:
            yield f"   {name}: {counts}"
        else:
            yield f"   {name}"
            yield f"     {truncate(counts, _WIDTH - 5)}"
