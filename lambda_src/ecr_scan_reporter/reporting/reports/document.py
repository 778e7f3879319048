"""Renders a page of a report as a JSON document for machine subscribers. Its schema: docs/report.schema.json."""

from collections.abc import Iterable, Mapping
from typing import Any

from ecr_scan_reporter.memory.images import Update
from ecr_scan_reporter.models.severities import SEVERITIES
from ecr_scan_reporter.reporting.comparison.changes import (
    KERNEL_HEADERS,
    OPEN,
    SUPPRESSED,
    Change,
    IgnoredBy,
    KnownFinding,
)
from ecr_scan_reporter.reporting.formatting import dumps, format_rfc3339
from ecr_scan_reporter.reporting.reports.groups import (
    Entry,
    FindingLimits,
    Inventory,
    Page,
    RepositoryInventory,
    UnnamedImages,
)
from ecr_scan_reporter.reporting.reports.image_report import ImageReport, keep_worst
from ecr_scan_reporter.settings import ReporterSettings

SCHEMA = "ecr-scan-report/2"


def render(page: Page, settings: ReporterSettings) -> str:
    """Render a page."""
    group = page.group
    images = [entry for entry in page.entries if isinstance(entry, ImageReport)]
    unnamed = [entry for entry in page.entries if isinstance(entry, UnnamedImages)]
    return dumps(
        {
            "schema": SCHEMA,
            "id": page.id,
            "reporter": settings.name,
            "account": group.registry.account,
            "region": group.registry.region,
            "group": group.name,
            "part": page.part,
            "parts": page.parts,
            "thresholds": dict(settings.thresholds),
            "totals": {
                "images": group.sums.images,
                "failed_scans": len(group.failed),
                **{str(change): group.sums.changes[change] for change in Change},
                "known_exploited": group.exploited,
                "overdue": group.sums.overdue.total(),
                "ignored": group.ignored_by.total(),
                "ignored_by_rules": len(group.ignored_by),
            },
            "fix_first": [_fix(fix) for fix in (() if page.omitted else group.fixes(settings.thresholds))],
            "entries_omitted": page.omitted,
            "images": [entry_values(entry, page.detail, settings) for entry in images if not entry.failed],
            "failed_scans": [entry_values(entry, page.detail, settings) for entry in images if entry.failed],
            "reminders": _reminders(page, settings) if group.reminders else None,
            "unnamed": [entry_values(entry, page.detail, settings) for entry in unnamed],
            "inventory": _inventory(group.inventory, page, settings) if group.inventory else None,
        }
    )


def _fix(fix: Update) -> dict[str, Any]:
    return {
        "package": fix.package,
        "installed_versions": list(fix.installed_versions),
        "fixed_versions": list(fix.fixed_versions),
        "images": fix.images,
        "counts": _counts(fix.counts),
    }


def entry_values(entry: Entry, detail: FindingLimits, settings: ReporterSettings) -> dict[str, Any]:
    """Return one image, failed scan, or repository of the inventory."""
    if isinstance(entry, RepositoryInventory):
        return {
            "repository": entry.repository,
            "images": entry.images,
            "failed_scans": entry.failed,
            "counts": _counts(entry.counts),
            "known_exploited": entry.exploited,
        }
    if entry.failed:
        return _identity(entry, detail, settings) | {"reason": entry.failure or None, "unsupported": entry.unsupported}
    shown = keep_worst(entry.changes, detail.findings, entry.reason)
    return _identity(entry, detail, settings) | {
        "reason": entry.reason,
        "first_scan": entry.first_scan,
        "predecessor": entry.predecessor or None,
        "counts": _counts(entry.counts),
        "open_before": entry.open_before,
        "open_now": entry.total(*OPEN),
        "changes": {change: [_finding(known) for known in shown.get(change, ())] for change in Change},
        "totals": {change: entry.total(change) for change in Change},
        "findings_omitted": entry.total(*Change) - sum(map(len, shown.values())),
        "known_exploited": [_finding(known) for known in entry.exploited[: detail.findings]],
        "known_exploited_total": sum(entry.exploited_counts.values()),
        "overdue": [
            _finding(known) | {"due_at": format_rfc3339(due.at), "within_days": due.days, "within_days_of": due.rule}
            for known, due in entry.overdue[: detail.findings]
        ],
        "overdue_total": sum(entry.overdue_counts.values()),
        "ignored": [
            _finding(known) | {"ignored_by": _ignored_by(known.ignored_by)}
            for known in entry.ignored[: detail.findings]
            if known.ignored_by
        ],
        "ignored_total": sum(entry.ignored_by.values()),
        "findings_error": entry.failure or entry.shorter or None,
    }


def _reminders(page: Page, settings: ReporterSettings) -> dict[str, Any]:
    return {
        "images": page.group.reminded.images,
        "counts": _counts(page.group.reminded.news),
        "worst_images": _worst(page.group.worst_reminders, page, settings),
    }


def _inventory(inventory: Inventory, page: Page, settings: ReporterSettings) -> dict[str, Any]:
    repositories = [entry for entry in page.entries if type(entry) is RepositoryInventory]
    return {
        "images": inventory.images,
        "failed_scans": inventory.failed,
        "counts": _counts(inventory.counts),
        "known_exploited": inventory.exploited,
        "repositories": [entry_values(entry, page.detail, settings) for entry in repositories],
        "worst_images": _worst(inventory.worst, page, settings),
    }


def _worst(images: Iterable[ImageReport], page: Page, settings: ReporterSettings) -> list[dict[str, Any]]:
    """Return the worst images of a section, which only the first page names."""
    named = images if page.part == 1 and not page.omitted else ()
    return [_identity(image, page.detail, settings) | {"counts": _counts(image.counts)} for image in named]


def _identity(entry: ImageReport, detail: FindingLimits, settings: ReporterSettings) -> dict[str, Any]:
    return {
        "repository": entry.repository,
        "repository_arn": f"arn:{settings.partition}:ecr:{entry.region}:{entry.account}:repository/{entry.repository}",
        "digest": entry.digest,
        "digests": list(entry.digests or (entry.digest,))[: detail.tags],
        "tags": list(entry.tags[: detail.tags]),
        "platforms": list(entry.platforms[: detail.tags]),
        "scanned_at": format_rfc3339(entry.scanned_at),
        "console_url": entry.console_url(settings.partition) or None,
    }


def _counts(counts: Mapping[str, int]) -> dict[str, int]:
    return {severity: counts[severity] for severity in SEVERITIES if counts.get(severity)}


def _finding(known: KnownFinding) -> dict[str, Any]:
    finding = known.finding
    values = {"id": finding.id, "aliases": finding.aliases, **finding._asdict()}
    values |= {"package": finding.package or None, "cvss_score": finding.cvss_score or None, "url": finding.url or None}
    values["first_seen"] = format_rfc3339(known.first_seen)
    if known.kev:
        values["kev"] = {
            "id": known.kev.cve,
            "added": known.kev.added.isoformat(),
            "due": known.kev.due.isoformat(),
            "ransomware": known.kev.ransomware,
            "first_reported_at": format_rfc3339(known.exploited_at) if known.exploited_at else None,
        }
    # Suppressed findings have a rule of their own.
    del values["suppressed"]
    # Few findings have these, and the room in a message is limited.
    if not finding.versions_omitted:
        del values["versions_omitted"]
    return values | ({"was_ignored": known.was_ignored} if known.was_ignored else {})


def _ignored_by(rule: IgnoredBy) -> dict[str, Any]:
    expires = rule.expires.isoformat() if rule.expires else None
    return rule._asdict() | {
        "expires": expires,
        "until_fixed": expires is None and rule not in (SUPPRESSED, KERNEL_HEADERS),
    }
