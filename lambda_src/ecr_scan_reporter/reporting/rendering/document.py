"""Renders a page as a JSON document for machine subscribers. Its schema: docs/report.schema.json."""

import json
from typing import Any

from ecr_scan_reporter.models import SEVERITIES, Finding
from ecr_scan_reporter.reporting.rendering.formatting import console_url, format_rfc3339
from ecr_scan_reporter.reporting.rendering.page import Context, Page
from ecr_scan_reporter.reporting.triage import ImageResult

SCHEMA = "ecr-scan-report/1"


def render(page: Page, context: Context) -> str:
    """Render a page."""
    return json.dumps(
        {
            "schema": SCHEMA,
            "reporter": context.name,
            "account": page.account,
            "region": page.region,
            "group": page.group,
            "part": page.part,
            "parts": page.parts,
            "thresholds": dict(context.thresholds),
            "images": [_image(result, page, context) for result in page.images],
            "failed_scans": [_failure(result, page, context) for result in page.failed],
        },
        separators=(",", ":"),
        allow_nan=False,
    )


def _identity(result: ImageResult, page: Page, context: Context) -> dict[str, Any]:
    event = result.event
    return {
        "repository": event.repository,
        "repository_arn": f"arn:{context.partition}:ecr:{event.region}:{event.account}:repository/{event.repository}",
        "digest": event.digest,
        "tags": list(result.tags[: page.detail.tags]),
        "platform": result.platform or None,
        "scanned_at": format_rfc3339(event.time),
        "console_url": console_url(result, context.partition) or None,
    }


def _image(result: ImageResult, page: Page, context: Context) -> dict[str, Any]:
    shown = result.findings.worst[: page.detail.findings] if result.findings else ()
    return _identity(result, page, context) | {
        "counts": {severity: result.counts[severity] for severity in SEVERITIES if result.counts.get(severity)},
        "findings": [_finding(finding) for finding in shown],
        "findings_omitted": result.findings.total - len(shown) if result.findings else 0,
        "findings_error": result.unread_reason or None,
    }


def _failure(result: ImageResult, page: Page, context: Context) -> dict[str, Any]:
    return _identity(result, page, context) | {
        "reason": result.failure_reason or result.unread_reason or None,
        "unsupported": result.unsupported,
    }


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "id": finding.id,
        "severity": finding.severity,
        "package": finding.package or None,
        "installed_versions": list(finding.installed_versions),
        "fixed_versions": list(finding.fixed_versions),
        "paths": list(finding.paths),
        "fix_available": finding.fix_available,
        "exploit_available": finding.exploit_available,
        "cvss_score": finding.cvss_score or None,
        "url": finding.url or None,
    }
