"""Decides whether a scan is reported."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime

from ecr_scan_reporter.reporting.comparison.changes import NEWS, OPEN, Change, Comparison
from ecr_scan_reporter.reporting.reports.image_report import ReportReason
from ecr_scan_reporter.settings import NotifyOn, ReporterSettings


def open_counts(comparison: Comparison) -> dict[str, int]:
    """Count the open findings by severity."""
    return dict(Counter(known.finding.severity for change in OPEN for known in comparison.changes[change]))


def over_thresholds(counts: Mapping[str, int], thresholds: Mapping[str, int]) -> set[str]:
    """Return the severities whose number of findings reaches its threshold."""
    return {severity for severity, number in thresholds.items() if counts.get(severity, 0) >= number}


def report_reason(
    comparison: Comparison, reported_at: datetime | None, settings: ReporterSettings, now: datetime
) -> ReportReason | None:
    """Return why a complete scan is reported; None if it is not.

    Args:
        comparison: with what was known before, of the findings that count.
        reported_at: when the image, or the one before it, was last reported.
        settings: of the reporter.
        now: aware.
    """
    over = over_thresholds(open_counts(comparison), settings.thresholds)
    if _any(comparison, NEWS, over):
        return ReportReason.NEWS
    if over and settings.notify_on is NotifyOn.EVERY_SCAN:
        return ReportReason.EVERY_SCAN
    remind_before = settings.remind_after.before(now) if settings.remind_after else None
    if over and remind_before and (reported_at is None or reported_at <= remind_before):
        return ReportReason.REMINDER
    if settings.notify_on_fixed and _any(comparison, (Change.FIXED, Change.WITHDRAWN), settings.thresholds):
        return ReportReason.FIXED
    return None


def _any(comparison: Comparison, changes: Iterable[Change], severities: Collection[str]) -> bool:
    return any(known.finding.severity in severities for change in changes for known in comparison.changes[change])
