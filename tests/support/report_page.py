"""The page of a report about one image, for the tests of the formats."""

from datetime import UTC, datetime

from ecr_scan_reporter.models.findings import Finding
from ecr_scan_reporter.reporting.comparison.changes import Change, KnownFinding
from ecr_scan_reporter.reporting.reports.groups import Group, Page
from ecr_scan_reporter.reporting.reports.image_report import ImageReport
from ecr_scan_reporter.reporting.reports.reasons import ReportReason
from ecr_scan_reporter.reporting.reports.sns_messages import build_pages
from support.invocations import REGISTRY
from support.reporter_settings import SETTINGS

SEEN = datetime(2026, 11, 23, 9, 14, tzinfo=UTC)


def page_about(*findings: Finding) -> Page:
    """Return the only page of the report of an image in which these findings are new."""
    counts = {"HIGH": len(findings)}
    image = ImageReport(
        *(ReportReason.NEWS, REGISTRY.account, REGISTRY.region, "team-a/app", "sha256:1", ("1.0",), (), SEEN),
        counts=counts,
        totals={Change.NEW: counts},
        changes={Change.NEW: tuple(KnownFinding(finding, SEEN) for finding in findings)},
        digests=("sha256:1",),
    )
    [page] = build_pages(Group(REGISTRY, None, (image,), ()), SETTINGS)
    return page


def high(number: int, url: str = "") -> Finding:
    """Return a finding that an update fixes."""
    return Finding(f"CVE-2026-{number:04}", "HIGH", f"package-{number:02}", ("1.0",), ("1.1",), url=url)
