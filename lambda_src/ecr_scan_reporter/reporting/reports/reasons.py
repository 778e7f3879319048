"""Decides whether an image is reported, and why."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from enum import StrEnum

from ecr_scan_reporter.reporting.comparison.changes import GONE, NEWS, Comparison, KnownFinding
from ecr_scan_reporter.reporting.comparison.judged import Judged
from ecr_scan_reporter.settings import NotifyOn, ReporterSettings


class ReportReason(StrEnum):
    """Why an image is in a report. Of the reasons of several scans in one window, the first one here counts.

    Findings that are not read have rules of their own: see `combining`.

    The texts of the first two list open findings, those of the next three only findings that are known to be exploited,
    overdue or gone, and a reminder names none.
    """

    NEWS = "news"
    EVERY_SCAN = "every_scan"
    KNOWN_EXPLOITED = "known_exploited"
    OVERDUE = "overdue"
    FIXED = "fixed"
    REMINDER = "reminder"
    SCAN_FAILED = "scan_failed"
    FINDINGS_NOT_READ = "findings_not_read"
    INVENTORY = "inventory"


def open_counts(comparison: Comparison) -> dict[str, int]:
    """Count the open findings by severity."""
    return dict(Counter(known.finding.severity for known in comparison.open()))


def over_thresholds(counts: Mapping[str, int], thresholds: Mapping[str, int]) -> set[str]:
    """Return the severities whose number of findings reaches its threshold."""
    return {severity for severity, number in thresholds.items() if counts.get(severity, 0) >= number}


def reason_of_scan(
    judged: Judged,
    reported_at: datetime | None,
    settings: ReporterSettings,
    *,
    inventory: bool = False,
    replaced: bool = False,
) -> ReportReason | None:
    """Return why a complete scan is reported; None if it is not.

    Args:
        judged: the changes of the scan.
        reported_at: when the image, or the one before it, was last reported.
        inventory: whether the image existed before memory did.
        replaced: whether another image has replaced this one, which then says what is fixed.
    """
    over, reason = (
        over_thresholds(open_counts(judged.counted), settings.thresholds),
        reason_without_scan(judged, settings),
    )
    if inventory:
        return ReportReason.INVENTORY
    if over and settings.notify_on is NotifyOn.EVERY_SCAN and reason is not ReportReason.NEWS:
        return ReportReason.EVERY_SCAN
    if reason:
        return reason
    if settings.notify_on_fixed and not replaced and any_of(judged.counted.of(*GONE), settings.thresholds):
        return ReportReason.FIXED
    # A reminder names no finding, so it is the last of the reasons.
    remind_before = settings.remind_after.before(judged.now) if settings.remind_after else None
    remind = over and remind_before and (reported_at is None or reported_at <= remind_before)
    return ReportReason.REMINDER if remind else None


def reason_of_failed_scan(settings: ReporterSettings, *, inventory: bool, told: bool) -> ReportReason | None:
    """Return why a scan that failed is reported; None if it is not.

    Args:
        inventory: whether the image existed before memory did.
        told: whether the image that this one replaces failed for the same reason, and was reported then.
    """
    if inventory:
        return ReportReason.INVENTORY
    return ReportReason.SCAN_FAILED if settings.notify_on_scan_failure and not told else None


def reason_without_scan(judged: Judged, settings: ReporterSettings) -> ReportReason | None:
    """Return why an image is reported, without the reasons that need a scan; None if it is not.

    Without a scan, the only possible news is that a rule for ignored findings has ended.
    """
    over = over_thresholds(open_counts(judged.counted), settings.thresholds)
    if any_of(judged.counted.of(*NEWS), over):
        return ReportReason.NEWS
    if judged.newly_exploited:
        return ReportReason.KNOWN_EXPLOITED
    return ReportReason.OVERDUE if judged.newly_overdue else None


def any_of(findings: Iterable[KnownFinding], severities: Collection[str]) -> bool:
    """Return whether any finding has one of these severities."""
    return any(known.finding.severity in severities for known in findings)
