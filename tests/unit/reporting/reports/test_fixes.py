"""Names the updates first that solve most of what a report is about."""

from collections.abc import Mapping
from datetime import UTC, datetime

import pytest
from ecr_scan_reporter.models.findings import Finding
from ecr_scan_reporter.reporting.comparison.changes import Change, KnownFinding
from ecr_scan_reporter.reporting.reports.fixes import fix_first
from ecr_scan_reporter.reporting.reports.image_report import ImageReport
from ecr_scan_reporter.reporting.reports.reasons import ReportReason

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


def fixable(package: str, severity: str, *fixed: str) -> KnownFinding:
    return KnownFinding(Finding(f"CVE-{package}-{severity}", severity, package, ("1.0",), fixed), NOW)


def fixes_of(*images: ImageReport) -> list[tuple[str, int, dict[str, int]]]:
    return [(fix.package, fix.images, dict(fix.counts)) for fix in fix_first(images, {"CRITICAL", "HIGH"})]


def image_with(reason: ReportReason, changes: Mapping[Change, tuple[KnownFinding, ...]]) -> ImageReport:
    return ImageReport(reason, "1", "r", "app", "sha256:a", ("1.0",), ("linux/amd64",), NOW, changes=changes)


def test_fixes_solve_most_first_and_those_that_exist_before_others() -> None:
    news = {
        Change.NEW: (fixable("zlib", "HIGH", "1.1"), fixable("tar", "CRITICAL"), fixable("curl", "LOW", "2")),
        Change.BACK: (fixable("curl", "HIGH", "2"), fixable("", "CRITICAL", "3")),
        Change.STILL_OPEN: (fixable("old", "CRITICAL", "1.1"),),
    }
    image = image_with(ReportReason.NEWS, news)
    other = image._replace(changes={Change.NEW: (fixable("zlib", "HIGH", "1.1"),)}, digests=("a", "b"))
    assert fixes_of(image, other) == [
        ("zlib", 3, {"HIGH": 3}),
        ("curl", 1, {"HIGH": 1}),
        ("tar", 1, {"CRITICAL": 1}),
    ]


def test_fixes_are_five_at_most() -> None:
    news = {Change.NEW: tuple(fixable(f"p{number}", "HIGH", "2") for number in range(9))}
    image = image_with(ReportReason.NEWS, news)
    assert [package for package, *_ in fixes_of(image)] == ["p0", "p1", "p2", "p3", "p4"]


@pytest.mark.parametrize(
    ("reason", "packages"),
    [
        (ReportReason.EVERY_SCAN, ["old"]),
        (ReportReason.OVERDUE, ["old"]),
        (ReportReason.NEWS, []),
        (ReportReason.FIXED, []),
    ],
)
def test_fixes_are_for_what_the_report_is_about(reason: ReportReason, packages: list[str]) -> None:
    changes = {Change.STILL_OPEN: (fixable("old", "CRITICAL", "1.1"),), Change.FIXED: (fixable("gone", "HIGH", "2"),)}
    image = image_with(reason, changes)
    assert [package for package, *_ in fixes_of(image)] == packages
