"""Renders a report as plain text for email: SNS mail has no markup.

Mail programs use proportional fonts, so no columns are made of spaces. Most lines have at most 76 characters; the
headline, names of images, their changes and links may be longer.

The first page has all of the text, so one mail is enough for people; further pages have the rest of the JSON document.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from textwrap import wrap

from ecr_scan_reporter.memory.images import Update
from ecr_scan_reporter.reporting.comparison.changes import GONE, NEWS, OPEN, Change, KnownFinding
from ecr_scan_reporter.reporting.formatting import (
    fixed_in,
    foot,
    format_counts,
    format_date,
    format_duration,
    format_time,
    origin,
    package_label,
    pluralize,
    replace_unprintable,
    short_digest,
    truncate,
)
from ecr_scan_reporter.reporting.reports import wording
from ecr_scan_reporter.reporting.reports.groups import Group, Inventory, Page, add_up
from ecr_scan_reporter.reporting.reports.image_report import ImageReport
from ecr_scan_reporter.reporting.reports.reasons import ReportReason
from ecr_scan_reporter.settings import ReporterSettings
from ecr_scan_reporter.shared import clock

_WIDTH = 76
# How many images are shown in detail, how many with one line, findings per image, and failed scans; others are counted.
_MAX_DETAILED_IMAGES, _MAX_LISTED_IMAGES, _MAX_FINDINGS, _MAX_FAILED_SCANS = 20, 100, 10, 30
# The same of an inventory, which has to fit on a screen if the registry is small.
_DETAILED_OF_INVENTORY, _FINDINGS_OF_INVENTORY = 5, 3
# The label before a finding that turned urgent.
_URGENT = "KNOWN EXPLOITED"
# Characters of a link that a database of vulnerabilities gives; longer ones are left out.
_MAX_LINK = 120
# The changes whose findings are listed, by the reason of the report; for other reasons, those of open findings.
_LISTED_CHANGES: dict[ReportReason, tuple[Change, ...]]
_LISTED_CHANGES = {
    ReportReason.NEWS: NEWS,
    ReportReason.FIXED: GONE,
    ReportReason.KNOWN_EXPLOITED: (),
    ReportReason.OVERDUE: (),
}


def render(page: Page, settings: ReporterSettings) -> str:
    """Render a page."""
    group = page.group
    if page.part == 1:
        times = _times(group)
        dated = len({moment.date() for moment in times}) > 1
        where = origin(group.registry, group.name, settings)
        lines = [f"{wording.headline(group)}.", f"{where}{_period(times)}.", *_fixes(group, settings)]
        for number, image in enumerate(group.images[:_MAX_DETAILED_IMAGES], start=1):
            lines += ["", *_image(number, image, settings, dated=dated)]
        lines += [*_listed(group), *_failures(group.failed, settings)]
        lines += [*_reminders(group, settings), *_inventory(group.inventory, settings)]
        if ignored := wording.describe_ignored(group):
            lines += ["", f"{ignored}."]
    else:
        lines = [f"This is part {page.part} of {page.parts} of a report. Part 1 has all of its text."]
        lines += ["This part has only the rest of its JSON document."]
    lines += ["", "--", *foot(settings)]
    return "\n".join(replace_unprintable(line) for line in lines) + "\n"


def _times(group: Group) -> list[datetime]:
    """Return when the scans that the report is about ended, or when something was due without one, in their order."""
    inventory = group.inventory.worst if group.inventory else ()
    images = (*group.images, *group.failed, *group.reminders, *inventory)
    return sorted(map(_time, images))


def _time(image: ImageReport) -> datetime:
    urgent = [known.exploited_at for known in image.exploited if known.exploited_at]
    if image.reason is ReportReason.KNOWN_EXPLOITED and urgent:
        return max(urgent).astimezone(UTC)
    if image.reason is ReportReason.OVERDUE and image.overdue:
        return max(due.at for _, due in image.overdue)
    return image.scanned_at.astimezone(UTC)


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
    """Yield the text of an update; on several lines if one has no room for the versions that fix it."""
    update = f"{fix.package} {', '.join(fix.installed_versions)}".strip()
    target = f"-> {', '.join(fix.fixed_versions[:2])}" if fix.fixed_versions else ""
    solved = f"{pluralize(fix.images, 'image')}, {format_counts(fix.counts)}"
    text = f"{' '.join(filter(None, (update, target)))}: {solved}"
    if len(text) <= _WIDTH - 2:
        yield f"  {text}"
        return
    yield truncate(f"  {update}", _WIDTH)
    yield from _wrap(target, indent=4)
    yield truncate(f"    {solved}", _WIDTH)


def _wrap(text: str, indent: int) -> list[str]:
    """Return the lines of a text, broken only between words: a word longer than a line is cut."""
    lines = wrap(text, _WIDTH - indent, break_long_words=False, break_on_hyphens=False)
    return [" " * indent + truncate(line, _WIDTH - indent) for line in lines]


def _image(number: int, image: ImageReport, settings: ReporterSettings, *, dated: bool) -> Iterator[str]:
    yield from _about(number, image, dated=dated)
    for known in image.exploited[:_MAX_FINDINGS]:
        yield from _finding(_URGENT, known)
        yield f"     {wording.describe_exploited(known, image.scanned_at)}"
    if (more := sum(image.exploited_counts.values()) - _MAX_FINDINGS) > 0:
        yield f"   and {more:,} more known exploited"
    for known, due in image.named_overdue[:_MAX_FINDINGS]:
        yield from _finding("OVERDUE", known)
        yield from _wrap(wording.describe_due_date(known, due), indent=5)
    if (more := sum(image.overdue_counts.values()) - _MAX_FINDINGS) > 0:
        yield f"   and {more:,} more overdue"
    listed = _LISTED_CHANGES.get(image.reason, OPEN)
    lines = image.named(listed)
    for change, known in lines[:_MAX_FINDINGS]:
        yield from _finding(wording.label(change), known)
        if known.was_ignored:
            yield f"     {truncate(known.was_ignored, _WIDTH - 5)}"
    if (more := image.total(*listed) - min(len(lines), _MAX_FINDINGS)) > 0:
        yield f"   and {more:,} more"
    if image.reason is ReportReason.NEWS:
        yield from _still_open(image)
    named = (*image.exploited, *(known for known, _ in image.overdue), *(known for _, known in lines))
    yield from _links(named[:1], image, settings)


def _links(worst: Sequence[KnownFinding], image: ImageReport, settings: ReporterSettings) -> Iterator[str]:
    """Yield links to information about the worst finding, and to the image, last."""
    about = [url for known in worst if (url := known.finding.url).startswith("https://") and len(url) <= _MAX_LINK]
    yield from (f"   {url}" for url in (*about, image.console_url(settings.partition)) if url)


def _about(number: int, image: ImageReport, *, dated: bool) -> Iterator[str]:
    yield f"{number}. {image.name}{_platforms(image)}{'' if image.tags else ' (no tag)'}"
    yield f"   {wording.describe_changes(image)}"
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


def _finding(word: str, known: KnownFinding) -> Iterator[str]:
    finding = known.finding
    # The heading of a finding that turned urgent says it, and since when.
    exploit = (
        "known exploited" if known.kev and word != _URGENT else "exploit known" if finding.exploit_available else ""
    )
    line = " ".join(filter(None, ("  ", word, finding.severity, truncate(finding.id, 24))))
    label = package_label(finding.package, finding.installed_versions)
    fix = ", ".join(filter(None, (fixed_in(finding.fixed_versions), exploit)))
    rest = f"{label}, {fix}" if fix else label
    if len(f"{line} in {rest}") <= _WIDTH:
        yield f"{line} in {rest}"
        return
    yield line
    if len(rest) <= _WIDTH - 5 or not fix:
        yield f"     {truncate(rest, _WIDTH - 5)}"
        return
    # The version that fixes it is whole: only the installed one is cut.
    yield f"     {truncate(label, _WIDTH - 6)},"
    yield from _wrap(fix, indent=5)


def _still_open(image: ImageReport) -> Iterator[str]:
    still_open = [known for _, known in image.named((Change.STILL_OPEN,))]
    if not still_open:
        return
    finding = still_open[0].finding
    days = (image.scanned_at - still_open[0].first_seen).days
    named_already = len(image.worst(Change.STILL_OPEN)) - len(still_open)
    more = image.total(Change.STILL_OPEN) - named_already - 1
    label = truncate(finding.package, 30) or "a package that is not named"
    since = f"open {pluralize(days, 'day')}" if days > 0 else "open since today"
    text = f"   {since}: {truncate(finding.id, 24)} ({finding.severity.lower()}) in {label}"
    rest = f", and {more:,} more" if more else ""
    yield truncate(text, _WIDTH - len(rest)) + rest


def _listed(group: Group) -> Iterator[str]:
    if others := group.images[_MAX_DETAILED_IMAGES:]:
        yield ""
        yield f"And {pluralize(add_up(others).images, 'more image')}"
    for image in others[:_MAX_LISTED_IMAGES]:
        yield truncate(f"   {image.name}{_platforms(image)}: {wording.describe_changes(image)}", _WIDTH)
    if rest := others[_MAX_LISTED_IMAGES:]:
        yield f"   and {pluralize(add_up(rest).images, 'image')} not named here"


def _failures(failed: Sequence[ImageReport], settings: ReporterSettings, number: int | None = None) -> Iterator[str]:
    """Yield failed scans with their reasons; `number` is how many there are if that is more."""
    if failed:
        yield ""
        yield "Failed scans"
    for image in failed[:_MAX_FAILED_SCANS]:
        yield f"   {image.name}{_platforms(image)}"
        reason = "The operating system is not supported." if image.unsupported else image.failure
        yield f"     {truncate(reason, _WIDTH - 5)}"
        if url := image.console_url(settings.partition):
            yield f"     {url}"
    if (more := (number or len(failed)) - len(failed[:_MAX_FAILED_SCANS])) > 0:
        yield f"   and {pluralize(more, 'more failed scan')}"


def _reminders(group: Group, settings: ReporterSettings) -> Iterator[str]:
    if not group.reminders:
        return
    number = group.reminded.images
    yield ""
    yield f"Reminder: {pluralize(number, 'image')}"
    yield f"   {format_counts(group.reminded.news)}"
    subject, verb = ("This image has", "is") if number == 1 else ("These images have", "are")
    since = f"for {format_duration(settings.remind_after)}" if settings.remind_after else "for a while"
    text = f"{subject} not been reported {since}, and {verb} still at or above a threshold."
    yield from _wrap(text, indent=3)
    yield from _worst(group.worst_reminders, "The worst image" if number == 1 else "The worst images")


def _inventory(inventory: Inventory | None, settings: ReporterSettings) -> Iterator[str]:
    if not inventory:
        return
    yield ""
    yield "First inventory"
    has = "has" if inventory.images == 1 else "have"
    where = pluralize(len(inventory.repositories), "repository", "repositories")
    exploited = f", {inventory.exploited:,} known exploited" if inventory.exploited else ""
    found = f"{pluralize(inventory.images, 'image')} in {where} {has} {format_counts(inventory.counts)}{exploited}."
    yield from _wrap(found, indent=2)
    yield from _wrap(f"From now on, only what changes is reported. {_what_is_next(settings)}", indent=2)
    worst = inventory.worst
    for number, image in enumerate(worst[:_DETAILED_OF_INVENTORY], start=1):
        yield ""
        yield f"{number}. {image.name}{_platforms(image)}: {format_counts(image.counts)}"
        findings = image.worst(*OPEN)[:_FINDINGS_OF_INVENTORY]
        for known in findings:
            yield from _finding("", known)
        if (more := sum(image.counts.values()) - len(findings)) > 0:
            yield f"   and {more:,} more"
        yield from _links(findings[:1], image, settings)
    yield from _worst(worst[_DETAILED_OF_INVENTORY:], "Next")
    yield from _failures(inventory.failures, settings, inventory.failed)


def _what_is_next(settings: ReporterSettings) -> str:
    promise = f"Every image is scanned again within {format_duration(settings.max_age)}."
    schedule = settings.overview_schedule
    following = schedule.cron.next_after(clock.now()) if schedule and schedule.cron else None
    return f"{promise} The next overview comes on {following:%A}, {_moment(following)} UTC." if following else promise


def _worst(images: Sequence[ImageReport], title: str) -> Iterator[str]:
    if images:
        yield ""
        yield title
    for image in images:
        name = truncate(f"{image.name}{_platforms(image)}", _WIDTH - 3)
        counts = format_counts(image.counts)
        if len(name) + len(counts) + 5 <= _WIDTH:
            yield f"   {name}: {counts}"
        else:
            yield f"   {name}"
            yield f"     {truncate(counts, _WIDTH - 5)}"
