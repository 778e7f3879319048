"""Adds up an inventory."""

from datetime import UTC, datetime

import pytest
from ecr_scan_reporter.reporting.grouping import Inventory
from ecr_scan_reporter.reporting.report import ImageReport, Reason

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


def test_inventory_does_not_count_all_repositories_for_each_image(monkeypatch: pytest.MonkeyPatch) -> None:
    inventory = Inventory()

    def count(self: Inventory) -> int:
        raise AssertionError("counted for each image")

    with monkeypatch.context() as patch:
        patch.setattr(Inventory, "images", property(count))
        for number in range(50):
            for name in (f"app-{number}", "same"):
                counts = {"HIGH": number}
                image = ImageReport(Reason.INVENTORY, "1", "r", name, "sha256:0", ("1",), (), NOW, counts=counts)
                inventory.add(image)
    assert inventory.images == 100
    assert [image.counts["HIGH"] for image in inventory.worst] == [n for n in range(49, 39, -1) for _ in range(2)]
