"""What the images of a report add up to."""

from datetime import UTC, datetime

from ecr_scan_reporter.reporting.reports.groups import Inventory
from ecr_scan_reporter.reporting.reports.image_report import ImageReport
from ecr_scan_reporter.reporting.reports.reasons import ReportReason

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


def test_inventory_names_its_worst_images() -> None:
    inventory = Inventory()
    for number in range(50):
        for name in (f"app-{number}", "same"):
            counts = {"HIGH": number}
            inventory.add(
                ImageReport(ReportReason.INVENTORY, "1", "r", name, "sha256:0", ("1",), (), NOW, counts=counts)
            )
    assert inventory.images == 100
    assert [image.counts["HIGH"] for image in inventory.worst] == [n for n in range(49, 39, -1) for _ in range(2)]
