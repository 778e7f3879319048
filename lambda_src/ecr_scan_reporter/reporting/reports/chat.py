"""Renders a report as markdown for chat."""

from collections.abc import Sequence

from ecr_scan_reporter.memory.images import Update
from ecr_scan_reporter.models.findings import finding_sort_key
from ecr_scan_reporter.models.severities import SEVERITIES
from ecr_scan_reporter.reporting.chat_notification import MAX_DESCRIPTION, notification
from ecr_scan_reporter.reporting.comparison.changes import GONE, NEWS, Change, KnownFinding
from ecr_scan_reporter.reporting.formatting import code, fixed_in, format_counts, origin, package_label, pluralize
from ecr_scan_reporter.reporting.reports import wording
from ecr_scan_reporter.reporting.reports.groups import Group, Inventory, Page
from ecr_scan_reporter.reporting.reports.image_report import ImageReport
from ecr_scan_reporter.reporting.reports.reasons import ReportReason
from ecr_scan_reporter.settings import ReporterSettings

# Characters reserved for "and 37 more" and "3 findings are ignored by 2 rules".
_TAIL_SIZE = 100
_MAX_FINDINGS, _MAX_WORST = 5, 10
# The changes whose findings are listed, by the reason of the report; for other reasons, those of findings that are
# known here or still open.
_LISTED_CHANGES = {ReportReason.NEWS: NEWS, ReportReason.FIXED: GONE}


def render(page: Page, settings: ReporterSettings) -> str:
    """Render a page: the whole report on the first one, nothing on the others; nothing without a chat topic."""
    if page.part > 1 or not settings.chat_topic_arn:
        return ""
    group = page.group
    fixes = group.fixes(settings.thresholds) if len(group.images) > 1 else []
    blocks = ["\n".join(["*Fix first*", *map(_fix, fixes)])] if fixes else []
    blocks += [_image(image, settings) for image in group.images]
    blocks += [f"*Scan failed*: {code(image.name)} {code(image.failure)}" for image in group.failed]
    blocks += [_reminders(group)] if group.reminders else []
    blocks += [_inventory(group.inventory)] if group.inventory else []
    description, shown = f"{code(origin(group.registry, group.name, settings))}\n\n", 0
    for block in blocks:
        if len(description) + len(block) > MAX_DESCRIPTION - _TAIL_SIZE:
            break
        description += block + "\n\n"
        shown += 1
    if more := len(blocks) - shown:
        description += f"and {more:,} more\n\n"
    description += wording.describe_ignored(group)
    return notification(wording.title(group, settings), description.strip(), "ecr-scan-report", settings.name, page.id)


def _fix(fix: Update) -> str:
    package = _package(fix.package, fix.installed_versions, fix.fixed_versions)
    return f"• {package}: {pluralize(fix.images, 'image')}, {format_counts(fix.counts)}"


def _image(image: ImageReport, settings: ReporterSettings) -> str:
    url = image.console_url(settings.partition)
    platforms = f" {code(', '.join(image.platforms))}" if image.platforms else ""
    head = f"{code(image.name)}{platforms}{f' ([console]({url}))' if url else ''}"
    lines = [f"{head}: {wording.describe_changes(image, quote=code)}"]
    if image.failure:
        lines.append(f"• The findings could not be read: {code(image.failure)}")
    if image.shorter:
        lines.append(f"• {image.shorter}")
    lines += [
        f"{_finding(known, '*KNOWN EXPLOITED* ')}, {wording.describe_exploited(known, image.scanned_at)}"
        for known in image.exploited[:_MAX_FINDINGS]
    ]
    if (more := sum(image.exploited_counts.values()) - _MAX_FINDINGS) > 0:
        lines.append(f"• and {more:,} more known exploited")
    overdue = image.named_overdue[:_MAX_FINDINGS]
    lines += [f"{_finding(known, '*OVERDUE* ')}, {wording.describe_due_date(known, due)}" for known, due in overdue]
    if (more := sum(image.overdue_counts.values()) - _MAX_FINDINGS) > 0:
        lines.append(f"• and {more:,} more overdue")
    if image.reason in (ReportReason.KNOWN_EXPLOITED, ReportReason.OVERDUE):
        return "\n".join(lines)
    listed = _LISTED_CHANGES.get(image.reason, (Change.KNOWN_HERE, Change.STILL_OPEN))
    findings = image.named(listed)
    findings.sort(key=lambda pair: finding_sort_key(pair[1].finding))
    lines += [
        _finding(known, f"*{label}* " if (label := wording.label(change)) else "")
        + (f", {code(known.was_ignored)}" if known.was_ignored else "")
        for change, known in findings[:_MAX_FINDINGS]
    ]
    if (more := image.total(*listed) - min(len(findings), _MAX_FINDINGS)) > 0:
        lines.append(f"• and {more:,} more")
    return "\n".join(lines)


def _finding(known: KnownFinding, prefix: str = "") -> str:
    finding = known.finding
    package = _package(finding.package, finding.installed_versions, finding.fixed_versions)
    severity = finding.severity.lower() if finding.severity in SEVERITIES else "unknown severity"
    return f"• {prefix}{severity} {code(finding.id)} in {package}"


def _package(package: str, installed: Sequence[str], fixed: Sequence[str]) -> str:
    advice = f", {code(fixed_in(fixed))}" if fixed else ""
    return code(package_label(package, installed)) + advice


def _reminders(group: Group) -> str:
    number, counts = pluralize(group.reminded.images, "image"), format_counts(group.reminded.news)
    return "\n".join([f"*Reminder*: {number}, {counts}", *_worst(group.worst_reminders)])


def _inventory(inventory: Inventory) -> str:
    lines = [
        f"*First inventory*: {pluralize(inventory.images, 'image')} in "
        f"{pluralize(len(inventory.repositories), 'repository', 'repositories')}, {format_counts(inventory.counts)}"
        + (f", {inventory.exploited:,} known exploited" if inventory.exploited else "")
    ]
    return "\n".join([*lines, *_worst(inventory.worst)])


def _worst(images: Sequence[ImageReport]) -> list[str]:
    return [f"• {code(image.name)}: {format_counts(image.counts)}" for image in images[:_MAX_WORST]]
