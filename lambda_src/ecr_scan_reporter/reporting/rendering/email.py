"""Renders a report as plain text for email: SNS mail has no markup, and mail clients wrap at about 76 columns.

The first page says all that the report has to say to people, so that one mail is enough; further pages have the rest of
the JSON document.
"""

from collections.abc import Iterator
from datetime import UTC, datetime

from ecr_scan_reporter.reporting.changes import NEWS, OPEN, Change, KnownFinding
from ecr_scan_reporter.reporting.grouping import Fix, Group, Inventory
from ecr_scan_reporter.reporting.rendering.formatting import (
    console_url,
    count_images,
    describe_changes,
    describe_due_date,
    describe_ignored,
    fixed_in,
    format_counts,
    format_time,
    headline,
    package_label,
    pluralize,
    replace_unprintable,
    truncate,
)
from ecr_scan_reporter.reporting.rendering.page import Context, Page
from ecr_scan_reporter.reporting.report import ImageReport, Reason, short_digest

_WIDTH = 76
# Images in detail, images with one line, findings of an image, and failed scans; what exceeds them is counted.
_DETAILED, _LISTED, _FINDINGS, _FAILED = 20, 100, 10, 30
_WORDS = {
    Change.NEW: "NEW",
    Change.BACK: "BACK",
    Change.RAISED: "RAISED",
    Change.FIX_AVAILABLE: "FIX",
    Change.EXPLOIT_KNOWN: "EXPLOIT",
}


def render(page: Page, context: Context) -> str:
    """Render a page."""
    lines = list(_report(page, context) if page.part == 1 else _continuation(page))
    lines += ["", "--", f'Sent by ecr-scan-reporter "{context.name}" in {page.group.account}.']
    lines += ["Its module block sets the thresholds, groups and subscribers."]
    return "\n".join(replace_unprintable(line) for line in lines) + "\n"


def _continuation(page: Page) -> Iterator[str]:
    yield f"Message {page.part} of {page.parts} has no text of its own: the first one has all of it."
    yield "The messages are parts of one JSON document."


def _report(page: Page, context: Context) -> Iterator[str]:
    group = page.group
    yield f"{headline(group)}."
    yield f"Account {group.account}, {group.region}{_times(group)}."
    if group.images:
        thresholds = ", ".join(f"{severity} {number}" for severity, number in context.thresholds.items())
        yield f"Reported at or above: {thresholds}."
    # One image says by itself what to fix.
    if len(group.images) > 1 and (fixes := group.fixes(context.thresholds)):
        yield ""
        yield "Fix first"
        for fix in fixes:
            yield from _fix(fix)
    for number, image in enumerate(group.images[:_DETAILED], start=1):
        yield ""
        yield from _image(number, image, group.account, context)
    if len(group.images) > _DETAILED:
        yield from _listed(group)
    if group.failed:
        yield ""
        yield "Failed scans"
        for image in group.failed[:_FAILED]:
            yield from _failure(image, context)
        if more := len(group.failed) - _FAILED:
            yield from [f"   and {pluralize(more, 'more failed scan')}"] if more > 0 else []
    if group.inventory:
        yield ""
        yield from _inventory(group.inventory)
    if ignored := describe_ignored(group):
        yield ""
        yield f"{ignored}."


def _times(group: Group) -> str:
    images = (*group.images, *group.failed, *(group.inventory.worst if group.inventory else ()))
    times = sorted(image.scanned_at.astimezone(UTC) for image in images)
    if not times:
        return ""
    first, last = _moment(times[0]), _moment(times[-1])
    if times[0].date() == times[-1].date():
        last = format_time(times[-1])
    return f", {first} UTC" if times[0] == times[-1] else f", {first} to {last} UTC"


def _moment(moment: datetime) -> str:
    return f"{moment:%d %b %Y}, {format_time(moment)}"


def _fix(fix: Fix) -> Iterator[str]:
    versions = ", ".join(fix.installed_versions)
    target = f" -> {', '.join(fix.fixed_versions[:2])}" if fix.fixed_versions else ""
    update = truncate(f"{fix.package} {versions}".strip() + target, 44)
    yield truncate(f"  {update:<44} {pluralize(fix.images, 'image')}: {format_counts(fix.counts)}", _WIDTH)


def _image(number: int, image: ImageReport, account: str, context: Context) -> Iterator[str]:
    yield f"{number}. {image.name}{_platforms(image)}{'' if image.tags else ' (no tag)'}"
    prefix = "Reminder: " if image.reason is Reason.REMINDER else ""
    yield f"   {prefix}{describe_changes(image)}"
    also = f", also tagged {', '.join(image.tags[1:4])}" if len(image.tags) > 1 else ""
    digest = f"{short_digest(image.digest)}, scanned {format_time(image.scanned_at)} UTC"
    yield f"   {truncate(digest + also, _WIDTH - 3)}"
    if image.failure:
        yield "   The findings could not be read:"
        yield f"   {truncate(image.failure, _WIDTH - 3)}."
    yield from _findings(image)
    if url := console_url(image, context.partition):
        yield f"   {url}"


def _platforms(image: ImageReport) -> str:
    return f" ({', '.join(image.platforms)})" if image.platforms else ""


def _findings(image: ImageReport) -> Iterator[str]:
    for known, due in image.overdue[:_FINDINGS]:
        yield from _finding("OVERDUE  ", known)
        yield f"     {describe_due_date(known, due)}"
    if (more := sum(image.overdue_counts.values()) - _FINDINGS) > 0:
        yield f"   and {more} more overdue"
    if image.reason is Reason.OVERDUE:
        return
    lines = [(_WORDS[change], known) for change in NEWS for known in image.worst(change)]
    if image.reason is not Reason.NEWS:
        lines += [("", known) for known in image.worst(Change.STILL_OPEN)]
    width = max((len(word) for word, _ in lines[:_FINDINGS]), default=0)
    for word, known in lines[:_FINDINGS]:
        yield from _finding(f"{word:<{width}}  " if width else "", known)
        if known.was_ignored:
            yield f"     {truncate(known.was_ignored, _WIDTH - 5)}"
    news = image.total(*(NEWS if image.reason is Reason.NEWS else OPEN))
    if (more := news - min(len(lines), _FINDINGS)) > 0 and lines:
        yield f"   and {more} more"
    if image.reason is Reason.NEWS:
        yield from _still_open(image)


def _finding(prefix: str, known: KnownFinding) -> Iterator[str]:
    finding = known.finding
    exploit = ", exploit known" if finding.exploit_available else ""
    line = f"   {prefix}{finding.severity:<9} {truncate(finding.id, 24)}"
    label = package_label(truncate(finding.package, 40), finding.installed_versions)
    fix = fixed_in(finding.fixed_versions)
    rest = f"{label}{f', {fix}' if fix else ''}{exploit}"
    if len(line) + len(rest) + 2 <= _WIDTH:
        yield f"{line}  {rest}"
    else:
        yield line
        yield f"     {truncate(rest, _WIDTH - 5)}"


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
    rest = f", and {more} more" if more else ""
    yield truncate(text, _WIDTH - len(rest)) + rest


def _listed(group: Group) -> Iterator[str]:
    yield ""
    listed = group.images[_DETAILED : _DETAILED + _LISTED]
    yield f"And {pluralize(count_images(group.images[_DETAILED:]), 'more image')}"
    for image in listed:
        yield truncate(f"   {image.name}{_platforms(image)}: {describe_changes(image)}", _WIDTH)
    if rest := group.images[_DETAILED + _LISTED :]:
        yield f"   and {pluralize(count_images(rest), 'image')} not named here"


def _failure(image: ImageReport, context: Context) -> Iterator[str]:
    yield f"   {image.name}{_platforms(image)}"
    reason = "The operating system is not supported." if image.unsupported else image.failure
    yield f"     {truncate(reason, _WIDTH - 5)}"
    if url := console_url(image, context.partition):
        yield f"     {url}"


def _inventory(inventory: Inventory) -> Iterator[str]:
    repositories = len(inventory.repositories)
    where = f"{repositories} repository" if repositories == 1 else f"{repositories:,} repositories"
    images = "1 image" if inventory.images == 1 else f"{inventory.images:,} images"
    yield f"First inventory: {images} in {where}"
    yield f"   {format_counts(inventory.counts)}"
    if inventory.failed:
        yield f"   {pluralize(inventory.failed, 'scan')} failed"
    yield "   These images were pushed before this module knew their repositories."
    yield "   From now on, only what changes is reported."
    worst = inventory.worst
    if worst:
        yield ""
        yield "   The worst image:" if len(worst) == 1 else f"   The {len(worst)} worst images:"
    for image in worst:
        name = truncate(f"{image.name}{_platforms(image)}", _WIDTH - 3)
        counts = format_counts(image.counts)
        if len(name) + len(counts) + 5 <= _WIDTH:
            yield f"   {name}: {counts}"
        else:
            yield f"   {name}"
            yield f"     {truncate(counts, _WIDTH - 5)}"
