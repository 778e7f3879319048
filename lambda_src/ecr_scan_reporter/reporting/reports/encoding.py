"""Encodes findings and reports for the memory table: compressed JSON."""

import json
import zlib
from collections.abc import Iterable
from datetime import UTC, date, datetime
from typing import Any

from ecr_scan_reporter.memory.items import decoding
from ecr_scan_reporter.models.findings import Finding
from ecr_scan_reporter.reporting.comparison.changes import Change, IgnoredBy, KnownFinding
from ecr_scan_reporter.reporting.comparison.deadlines import DueDate, OverdueFinding
from ecr_scan_reporter.reporting.reports.image_report import ImageReport, LeftOutFinding, ReportReason

# Of the remembered findings. A release that identifies findings in another way changes it; the findings of every image
# then count as a first inventory again.
FINDINGS_FORMAT = 1
_MAX_PATHS = 5
# How many values every row has, even one that an earlier release wrote.
_SHORTEST_ROW = 17


def encode_findings(findings: Iterable[KnownFinding]) -> bytes:
    """Encode the findings of one image; the order of the findings makes no difference."""
    rows = sorted((_to_row(known) for known in findings), key=lambda row: row[:2])
    return _compress(rows)


@decoding()
def decode_findings(data: bytes) -> list[KnownFinding]:
    """Decode what `encode_findings` encoded.

    Raises:
        UnreadableItemError: it is something else.
    """
    return [_from_row(row) for row in _decompress(data)] if data else []


def encode_report(image: ImageReport) -> bytes:
    """Encode what is to be reported of one image."""
    values: dict[str, Any] = {name: getattr(image, name) for name in ImageReport._fields}
    values["scanned_at"] = _seconds(image.scanned_at)
    values["changes"] = {change: [_to_row(known) for known in found] for change, found in image.changes.items()}
    values["ignored"] = [_to_row(known) for known in image.ignored]
    values["overdue"] = [[_to_row(known), _seconds(due.at), due.rule, due.days] for known, due in image.overdue]
    return _compress(values)


@decoding()
def decode_report(data: bytes) -> ImageReport:
    """Decode what `encode_report` encoded; what a newer release added is ignored.

    Raises:
        UnreadableItemError: it is something else.
    """
    values = _decompress(data)
    return ImageReport(
        **{name: value for name, value in values.items() if name in ImageReport._fields}
        | {
            "reason": ReportReason(values["reason"]),
            "tags": tuple(values["tags"]),
            "platforms": tuple(values["platforms"]),
            "digests": tuple(values["digests"]),
            "scanned_at": datetime.fromtimestamp(values["scanned_at"], UTC),
            "totals": {Change(change): counts for change, counts in values["totals"].items()},
            "changes": {Change(change): tuple(map(_from_row, rows)) for change, rows in values["changes"].items()},
            "left_out": {
                key: LeftOutFinding(Change(change), severity, first_seen)
                for key, (change, severity, first_seen) in values.get("left_out", {}).items()
            },
            "ignored": tuple(map(_from_row, values.get("ignored", ()))),
            "overdue": tuple(
                OverdueFinding(_from_row(row), DueDate(datetime.fromtimestamp(at, UTC), rule, days))
                for row, at, rule, days in values.get("overdue", ())
            ),
        }
    )


def _to_row(known: KnownFinding) -> list[Any]:
    finding, ignored = known.finding, known.ignored_by
    row = [
        finding.package,
        finding.id,
        finding.severity,
        finding.installed_versions,
        finding.fixed_versions,
        finding.aliases,
        finding.paths[:_MAX_PATHS],
        int(finding.fix_available),
        int(finding.exploit_available),
        finding.cvss_score,
        finding.url,
        _seconds(known.first_seen),
        _seconds(known.absent_since) if known.absent_since else 0,
        _seconds(known.gone_at) if known.gone_at else 0,
        known.peak_severity,
        int(known.fix_known),
        int(known.exploit_known),
        int(known.overdue_reported),
        [ignored.rule, ignored.reason, ignored.owner, ignored.expires.isoformat() if ignored.expires else ""]
        if ignored
        else 0,
        known.was_ignored,
    ]
    # What few findings have takes no room in all others.
    while len(row) > _SHORTEST_ROW and not row[-1]:
        row.pop()
    return row


def _from_row(row: list[Any]) -> KnownFinding:
    (package, id_, severity, installed, fixed, aliases, paths, fix, exploit, score, url, *state) = row
    first_seen, absent_since, gone_at, peak, fix_known, exploit_known, *rare = state
    absent: list[Any] = [0, 0, ""]
    overdue_reported, ignored, was_ignored = rare + absent[len(rare) :]
    finding = Finding(
        id=id_,
        severity=severity,
        package=package,
        installed_versions=tuple(installed),
        fixed_versions=tuple(fixed),
        paths=tuple(paths),
        fix_available=bool(fix),
        exploit_available=bool(exploit),
        cvss_score=score,
        url=url,
        aliases=tuple(aliases),
    )
    return KnownFinding(
        finding,
        first_seen=datetime.fromtimestamp(first_seen, UTC),
        absent_since=datetime.fromtimestamp(absent_since, UTC) if absent_since else None,
        gone_at=datetime.fromtimestamp(gone_at, UTC) if gone_at else None,
        peak_severity=peak,
        fix_known=bool(fix_known),
        exploit_known=bool(exploit_known),
        overdue_reported=bool(overdue_reported),
        ignored_by=_ignored_by(*ignored) if ignored else None,
        was_ignored=was_ignored,
    )


def _ignored_by(rule: str, reason: str, owner: str, expires: str) -> IgnoredBy:
    return IgnoredBy(rule, reason, owner, date.fromisoformat(expires) if expires else None)


def _seconds(moment: datetime) -> int:
    return int(moment.timestamp())


def _compress(values: object) -> bytes:
    return zlib.compress(json.dumps(values, separators=(",", ":")).encode(), 6)


def _decompress(data: bytes) -> Any:
    return json.loads(zlib.decompress(data))
