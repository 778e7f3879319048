"""Renders a page as a JSON document for machine subscribers. Its schema: docs/report.schema.json."""

from collections.abc import Mapping
from typing import Any

from ecr_scan_reporter.models.severities import SEVERITIES
from ecr_scan_reporter.reporting.comparison.changes import OPEN, Change, IgnoredBy, KnownFinding
from ecr_scan_reporter.reporting.formatting import Context, dumps, format_rfc3339
from ecr_scan_reporter.reporting.reports.groups import FindingLimits, Inventory, Page, RepositoryInventory
from ecr_scan_reporter.reporting.reports.image_report import ImageReport, count_changes, count_images, keep_worst
from ecr_scan_reporter.reporting.reports.wording import console_url

SCHEMA = "ecr-scan-report/2"


def render(page: Page, context: Context) -> str:
    """Render a page."""
    group = page.group
    return dumps(
        {
            "schema": SCHEMA,
            "reporter": context.name,
            "account": group.account,
            "region": group.region,
            "group": group.name,
            "part": page.part,
            "parts": page.parts,
            "thresholds": dict(context.thresholds),
            "totals": {
                "images": count_images(group.images),
                "failed_scans": len(group.failed),
                **{str(change): count_changes(group.images, change) for change in Change},
                "overdue": group.overdue,
                "ignored": group.ignored_by.total(),
                "ignored_by_rules": len(group.ignored_by),
            },
            "fix_first": [
                {
                    "package": fix.package,
                    "installed_versions": list(fix.installed_versions),
                    "fixed_versions": list(fix.fixed_versions),
                    "images": fix.images,
                    "counts": _counts(fix.counts),
                }
                for fix in group.fixes(context.thresholds)
            ],
            "images": [image(entry, page.detail, context) for entry in page.images],
            "failed_scans": [failure(entry, page.detail, context) for entry in page.failed],
            "inventory": _inventory(group.inventory, page, context) if group.inventory else None,
        }
    )


def image(entry: ImageReport, detail: FindingLimits, context: Context) -> dict[str, Any]:
    """Return one image of the document."""
    shown = keep_worst(entry.changes, detail.findings, entry.reason)
    named = sum(map(len, shown.values()))
    return _identity(entry, detail, context) | {
        "reason": entry.reason,
        "first_scan": entry.first_scan,
        "predecessor": entry.predecessor or None,
        "counts": _counts(entry.counts),
        "open_before": entry.open_before,
        "open_now": entry.total(*OPEN),
        "changes": {change: [_finding(known) for known in shown.get(change, ())] for change in Change},
        "totals": {change: entry.total(change) for change in Change},
        "findings_omitted": entry.total(*Change) - named,
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
        "findings_error": entry.failure or None,
    }


def failure(entry: ImageReport, detail: FindingLimits, context: Context) -> dict[str, Any]:
    """Return one failed scan of the document."""
    return _identity(entry, detail, context) | {
        "reason": entry.failure or None,
        "unsupported": entry.unsupported,
    }


def repository(entry: RepositoryInventory) -> dict[str, Any]:
    """Return one repository of an inventory."""
    return {
        "repository": entry.repository,
        "images": entry.images,
        "failed_scans": entry.failed,
        "counts": _counts(entry.counts),
    }


def _inventory(inventory: Inventory, page: Page, context: Context) -> dict[str, Any]:
    worst = inventory.worst if page.part == 1 else []
    return {
        "images": inventory.images,
        "failed_scans": inventory.failed,
        "counts": _counts(inventory.counts),
        "repositories": [repository(entry) for entry in page.repositories],
        "worst_images": [_identity(entry, page.detail, context) | {"counts": _counts(entry.counts)} for entry in worst],
    }


def _identity(entry: ImageReport, detail: FindingLimits, context: Context) -> dict[str, Any]:
    return {
        "repository": entry.repository,
        "repository_arn": f"arn:{context.partition}:ecr:{entry.region}:{entry.account}:repository/{entry.repository}",
        "digest": entry.digest,
        "digests": list(entry.digests or (entry.digest,)),
        "tags": list(entry.tags[: detail.tags]),
        "platforms": list(entry.platforms),
        "scanned_at": format_rfc3339(entry.scanned_at),
        "console_url": console_url(entry, context.partition) or None,
    }


def _counts(counts: Mapping[str, int]) -> dict[str, int]:
    return {severity: counts[severity] for severity in SEVERITIES if counts.get(severity)}


def _finding(known: KnownFinding) -> dict[str, Any]:
    finding = known.finding
    return {
        "id": finding.id,
        "aliases": list(finding.aliases),
        "severity": finding.severity,
        "package": finding.package or None,
        "installed_versions": list(finding.installed_versions),
        "fixed_versions": list(finding.fixed_versions),
        "paths": list(finding.paths),
        "fix_available": finding.fix_available,
        "exploit_available": finding.exploit_available,
        "cvss_score": finding.cvss_score or None,
        "url": finding.url or None,
        "first_seen": format_rfc3339(known.first_seen),
        # Few findings have it, and the room in a message is limited.
        **({"was_ignored": known.was_ignored} if known.was_ignored else {}),
    }


def _ignored_by(rule: IgnoredBy) -> dict[str, Any]:
    return {
        "rule": rule.rule,
        "reason": rule.reason,
        "owner": rule.owner,
        "expires": rule.expires.isoformat() if rule.expires else None,
        "until_fixed": rule.expires is None,
    }
