"""Groups images: an inventory, one entry for several platforms or scans, and what to fix first."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from ecr_scan_reporter.models.findings import Finding
from ecr_scan_reporter.reporting.comparison.changes import Change, KnownFinding
from ecr_scan_reporter.reporting.reports.grouping import (
    Group,
    Inventory,
    group_key,
    make_group,
    merge_platforms,
    merge_scans,
)
from ecr_scan_reporter.reporting.reports.image_report import ImageReport, ReportReason

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
DAY = timedelta(days=1)


def test_inventory_does_not_count_all_repositories_for_each_image(monkeypatch: pytest.MonkeyPatch) -> None:
    inventory = Inventory()

    def count(self: Inventory) -> int:
        raise AssertionError("counted for each image")

    with monkeypatch.context() as patch:
        patch.setattr(Inventory, "images", property(count))
        for number in range(50):
            for name in (f"app-{number}", "same"):
                counts = {"HIGH": number}
                image = ImageReport(ReportReason.INVENTORY, "1", "r", name, "sha256:0", ("1",), (), NOW, counts=counts)
                inventory.add(image)
    assert inventory.images == 100
    assert [image.counts["HIGH"] for image in inventory.worst] == [n for n in range(49, 39, -1) for _ in range(2)]


def platform(name: str, fixed: int) -> ImageReport:
    """Return the report of one platform of an index, with findings of which none is kept."""
    totals = {Change.FIXED: {"HIGH": fixed}}
    return ImageReport(ReportReason.FIXED, "1", "r", "app", f"sha256:{name}", ("1.0",), (name,), NOW, totals=totals)


def test_platforms_whose_numbers_differ_are_two_entries() -> None:
    same = merge_platforms([platform("linux/amd64", 3), platform("linux/arm64", 3)])
    assert [image.platforms for image in same] == [("linux/amd64", "linux/arm64")]
    different = merge_platforms([platform("linux/amd64", 3), platform("linux/arm64", 5)])
    assert [image.total(Change.FIXED) for image in different] == [3, 5]


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (ReportReason.REMINDER, ReportReason.FIXED, ReportReason.REMINDER),
        (ReportReason.OVERDUE, ReportReason.EVERY_SCAN, ReportReason.EVERY_SCAN),
        (ReportReason.FIXED, ReportReason.OVERDUE, ReportReason.OVERDUE),
        (ReportReason.FIXED, ReportReason.NEWS, ReportReason.NEWS),
    ],
)
def test_reason_whose_text_says_most_counts_for_several_scans(
    first: ReportReason, second: ReportReason, expected: ReportReason
) -> None:
    scans = [platform("linux/amd64", 1)._replace(reason=reason) for reason in (first, second)]
    [merged] = merge_scans(scan._replace(scanned_at=NOW + number * DAY) for number, scan in enumerate(scans))
    assert merged.reason is expected


def test_overdue_findings_leave_what_could_not_be_read_unread() -> None:
    unread = platform("linux/amd64", 0)._replace(reason=ReportReason.FINDINGS_NOT_READ, failure="In progress.")
    overdue = platform("linux/amd64", 0)._replace(reason=ReportReason.OVERDUE, totals={}, scanned_at=NOW + DAY)
    [merged] = merge_scans([unread, overdue])
    assert (merged.reason, merged.failure) == (ReportReason.OVERDUE, "In progress.")


def fixable(package: str, severity: str, *fixed: str) -> KnownFinding:
    return KnownFinding(Finding(f"CVE-{package}-{severity}", severity, package, ("1.0",), fixed), NOW)


def fixes_of(*images: ImageReport) -> list[tuple[str, int, dict[str, int]]]:
    group = Group("1", "r", None, images, ())
    return [(fix.package, fix.images, dict(fix.counts)) for fix in group.fixes({"CRITICAL", "HIGH"})]


def test_fixes_solve_most_first_and_those_that_exist_before_others() -> None:
    news = {
        Change.NEW: (fixable("zlib", "HIGH", "1.1"), fixable("tar", "CRITICAL"), fixable("curl", "LOW", "2")),
        Change.BACK: (fixable("curl", "HIGH", "2"), fixable("", "CRITICAL", "3")),
        Change.STILL_OPEN: (fixable("old", "CRITICAL", "1.1"),),
    }
    image = platform("linux/amd64", 0)._replace(reason=ReportReason.NEWS, changes=news)
    other = image._replace(changes={Change.NEW: (fixable("zlib", "HIGH", "1.1"),)}, digests=("a", "b"))
    assert fixes_of(image, other) == [
        ("zlib", 3, {"HIGH": 3}),
        ("curl", 1, {"HIGH": 1}),
        ("tar", 1, {"CRITICAL": 1}),
    ]


@pytest.mark.parametrize(
    ("reason", "packages"),
    [
        (ReportReason.REMINDER, ["old"]),
        (ReportReason.OVERDUE, ["old"]),
        (ReportReason.NEWS, []),
        (ReportReason.FIXED, []),
    ],
)
def test_fixes_are_for_what_the_report_is_about(reason: ReportReason, packages: list[str]) -> None:
    changes = {Change.STILL_OPEN: (fixable("old", "CRITICAL", "1.1"),), Change.FIXED: (fixable("gone", "HIGH", "2"),)}
    image = platform("linux/amd64", 0)._replace(reason=reason, changes=changes)
    assert [package for package, *_ in fixes_of(image)] == packages


def test_groups_without_a_name_come_last() -> None:
    names = ("team-b/app", "other", "team-a/app")
    images = [platform("linux/amd64", 1)._replace(repository=name) for name in names]
    keys = sorted(group_key(image, re.compile("(team-[^/]+)/")) for image in images)
    assert [make_group(key, images, None).name for key in keys] == ["team-a", "team-b", None]
