"""Adds up an inventory."""

from datetime import UTC, datetime, timedelta

import pytest
from ecr_scan_reporter.reporting.comparison.changes import Change
from ecr_scan_reporter.reporting.reports.grouping import Inventory, merge_platforms, merge_scans
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
