"""Decides whether an image is reported, and why."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime

from ecr_scan_reporter.reporting.comparison.changes import GONE, NEWS, Comparison, KnownFinding
from ecr_scan_reporter.reporting.comparison.judged import Judged
from ecr_scan_reporter.reporting.reports.image_report import ReportReason
from ecr_scan_reporter.settings import NotifyOn, ReporterSettings


def open_counts(comparison: Comparison) -> dict[str, int]:
    """Count the open findings by severity."""
    return dict(Counter(known.finding.severity for known in comparison.open()))


def over_thresholds(counts: Mapping[str, int], thresholds: Mapping[str, int]) -> set[str]:
    """Return the severities whose number of findings reaches its threshold."""
    return {severity for severity, number in thresholds.items() if counts.get(severity, 0) >= number}


def reason_of_scan(
    judged: Judged, reported_at: datetime | None, settings: ReporterSettings, now: datetime, *, inventory: bool
) -> ReportReason | None:
    """Return why a complete scan is reported; None if it is not.

    Args:
        judged: what the scan changed.
        reported_at: when the image, or the one before it, was last reported.
        settings: of the reporter.
        now: aware.
        inventory: whether the image existed before memory did.
    """
    if inventory:
        return ReportReason.INVENTORY
    over = over_thresholds(open_counts(judged.counted), settings.thresholds)
    if _any(judged.counted.of(*NEWS), over):
        return ReportReason.NEWS
    if over and settings.notify_on is NotifyOn.EVERY_SCAN:
        return ReportReason.EVERY_SCAN
    remind_before = settings.remind_after.before(now) if settings.remind_after else None
    if over and remind_before and (reported_at is None or reported_at <= remind_before):
        return ReportReason.REMINDER
    if judged.newly_overdue:
        return ReportReason.OVERDUE
    fixed = settings.notify_on_fixed and _any(judged.counted.of(*GONE), settings.thresholds)
    return ReportReason.FIXED if fixed else None


def reason_without_scan(judged: Judged, settings: ReporterSettings) -> ReportReason | None:
    """Return why an image is reported whose deadline has passed; None if it is not.

    No scan is new, so the only possible news is that a rule for ignored findings has ended.
    """
    over = over_thresholds(open_counts(judged.counted), settings.thresholds)
    if _any(judged.counted.of(*NEWS), over):
        return ReportReason.NEWS
    return ReportReason.OVERDUE if judged.newly_overdue else None


def _any(findings: Iterable[KnownFinding], severities: Collection[str]) -> bool:
    return any(known.finding.severity in severities for known in findings)
