"""Makes the report of one image from one scan."""

from collections import Counter
from datetime import datetime

from ecr_scan_reporter.memory.images import ImageRecord
from ecr_scan_reporter.models.images import ImageId
from ecr_scan_reporter.reporting.comparison.findings import finding_sort_key
from ecr_scan_reporter.reporting.comparison.judged import Judged
from ecr_scan_reporter.reporting.reports.combine import leave_out
from ecr_scan_reporter.reporting.reports.image_report import MAX_FINDINGS, ImageReport, ReportReason, keep_worst, totals
from ecr_scan_reporter.reporting.reports.reasons import open_counts

# Findings that an inventory keeps of one image.
_MAX_INVENTORY_FINDINGS = 5


def image_report(image: ImageId, scanned_at: datetime, record: ImageRecord, reason: ReportReason) -> ImageReport:
    """Return a report that says nothing about findings. `record` names the tags and the platform."""
    platforms = (record.platform,) if record.platform else ()
    return ImageReport(reason, *image, tags=record.tags, platforms=platforms, scanned_at=scanned_at)


def findings_report(
    image: ImageId, scanned_at: datetime, record: ImageRecord, reason: ReportReason, judged: Judged
) -> ImageReport:
    """Return a report with the worst findings."""
    inventory = reason is ReportReason.INVENTORY
    number = _MAX_INVENTORY_FINDINGS if inventory else MAX_FINDINGS
    counted = judged.counted
    kept = keep_worst(counted.changes, number, reason)
    ignored = sorted(judged.comparison.ignored, key=lambda known: finding_sort_key(known.finding))
    return image_report(image, scanned_at, record, reason)._replace(
        counts=open_counts(counted),
        open_before=counted.open_before,
        totals=totals(counted.changes),
        changes=kept,
        left_out={} if inventory else leave_out(counted.changes, kept),
        ignored=tuple(ignored[:number]),
        ignored_by=Counter(known.ignored_by.rule for known in ignored if known.ignored_by),
        overdue=judged.newly_overdue[:number],
        overdue_counts=Counter(overdue.known.finding.severity for overdue in judged.newly_overdue),
    )
