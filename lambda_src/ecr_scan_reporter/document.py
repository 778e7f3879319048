"""A report as a JSON document, for every subscriber that is no person. Its schema: docs/report.schema.json."""

import json
from collections.abc import Mapping
from typing import Any

from .gathering import ImageReport
from .models import Finding
from .settings import SEVERITIES
from .wording import image_link, rfc3339

SCHEMA = "ecr-scan-report/1"


def document(
    told: list[ImageReport],
    failed: list[ImageReport],
    *,
    thresholds: Mapping[str, int],
    partition: str,
    name: str,
    group: str | None,
    part: tuple[int, int],
    most: int,
) -> str:
    """The document; arguments as for the mail. `group` is the value of `group_by`, None where there is none."""
    event = (told or failed)[0].event
    return json.dumps(
        {
            "schema": SCHEMA,
            "reporter": name,
            "account": event.account,
            "region": event.region,
            "group": group,
            "part": part[0],
            "parts": part[1],
            "thresholds": dict(thresholds),
            "images": [_image(report, partition, most) for report in told],
            "failed_scans": [_failure(report, partition) for report in failed],
        },
        separators=(",", ":"),
    )


def _identity(report: ImageReport, partition: str) -> dict[str, Any]:
    event = report.event
    return {
        "repository": event.repository,
        "repository_arn": f"arn:{partition}:ecr:{event.region}:{event.account}:repository/{event.repository}",
        "digest": event.digest,
        "tags": list(report.tags),
        "platform": report.platform or None,
        "scanned_at": rfc3339(event.time),
        "link": image_link(report, partition) or None,
    }


def _image(report: ImageReport, partition: str, most: int) -> dict[str, Any]:
    return _identity(report, partition) | {
        "counts": {severity: report.counts[severity] for severity in SEVERITIES if report.counts.get(severity)},
        "findings": [_finding(finding) for finding in report.findings[:most]],
        "findings_left_out": max(len(report.findings) - most, 0),
    }


def _failure(report: ImageReport, partition: str) -> dict[str, Any]:
    return _identity(report, partition) | {"reason": report.reason or None, "unsupported": report.unsupported}


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "id": finding.name,
        "severity": finding.severity,
        "package": finding.package or None,
        "installed": finding.installed or None,
        "fixed": finding.fixed or None,
        "fix_available": finding.fixable,
        "exploit_known": finding.exploit,
        "score": finding.score or None,
        "link": finding.link or None,
    }
