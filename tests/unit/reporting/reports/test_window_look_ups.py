"""Asks the table only for what can be there."""

from typing import Any

from ecr_scan_reporter.models.findings import Finding
from ecr_scan_reporter.models.images import Image
from ecr_scan_reporter.models.scans import ScanResult
from support.world import World, scan_event

DIGEST = f"sha256:{'1' * 64}"


def test_image_that_never_waited_is_not_looked_for_in_a_window_without_a_name() -> None:
    world = World()
    world.registry.images[DIGEST] = Image("app", DIGEST, ("1.0",), pushed_at=world.now)
    world.registry.results[DIGEST] = ScanResult("COMPLETE", "", (Finding("CVE-1", "LOW", "openssl"),), world.now)
    event = scan_event(DIGEST, world.now, {"LOW": 1}, ("1.0",), "COMPLETE", "app")
    world.process(event)
    asked: list[str] = []
    query = world.table.query

    def recorded(**call: Any) -> Any:
        asked.append(call["ExpressionAttributeValues"][":pk"]["S"])
        return query(**call)

    world.table.query = recorded
    world.process(event)
    assert sorted(pk for pk in asked if pk.startswith("OUTBOX")) == ["OUTBOX#INVENTORY", "OUTBOX#PUSH"]
