"""Decides whether a scan is reported."""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime

from ecr_scan_reporter.models import Finding
from ecr_scan_reporter.reporting.changes import NEWS, OPEN, Change, Comparison
from ecr_scan_reporter.reporting.report import Reason
from ecr_scan_reporter.settings import NotifyOn, ReporterSettings


def open_counts(comparison: Comparison, *, fixable_only: bool) -> dict[str, int]:
    """Count the open findings by severity, only those with a fix if `fixable_only`."""
    return dict(
        Counter(
            known.finding.severity
            for change in OPEN
            for known in comparison.changes[change]
            if _counts(known.finding, fixable_only=fixable_only)
        )
    )


def over_thresholds(counts: Mapping[str, int], thresholds: Mapping[str, int]) -> set[str]:
    """Return the severities whose number of findings reaches its threshold."""
    return {severity for severity, number in thresholds.items() if counts.get(severity, 0) >= number}


def report_reason(
    comparison: Comparison, reported_at: datetime | None, settings: ReporterSettings, now: datetime
) -> Reason | None:
    """Return why a complete scan is reported, None if it is not.

    Args:
        comparison: with what was known before.
        reported_at: when the image, or the one before it, was last reported.
        settings: of the reporter.
        now: aware.
    """
    over = over_thresholds(open_counts(comparison, fixable_only=settings.fixable_only), settings.thresholds)
    if _any(comparison, NEWS, over, fixable_only=settings.fixable_only):
        return Reason.NEWS
    if over and settings.notify_on is NotifyOn.EVERY_SCAN:
        return Reason.EVERY_SCAN
    remind_before = settings.remind_after.before(now) if settings.remind_after else None
    if over and remind_before and (reported_at is None or reported_at <= remind_before):
        return Reason.REMINDER
    gone = (Change.FIXED, Change.WITHDRAWN)
    if settings.notify_on_fixed and _any(comparison, gone, settings.thresholds, fixable_only=False):
        return Reason.FIXED
    return None


def _any(comparison: Comparison, changes: Iterable[Change], severities: Iterable[str], *, fixable_only: bool) -> bool:
    severities = frozenset(severities)
    return any(
        known.finding.severity in severities and _counts(known.finding, fixable_only=fixable_only)
        for change in changes
        for known in comparison.changes[change]
    )


def _counts(finding: Finding, *, fixable_only: bool) -> bool:
    return finding.fix_available or not fixable_only
