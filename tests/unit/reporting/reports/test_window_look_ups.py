"""Asks the table only for what can be there."""

from typing import Any

from support.world import World


def test_image_that_never_waited_is_not_looked_for_in_a_window_without_a_name() -> None:
    world = World()
    event = world.scanned("1")
    world.process(event)
    asked: list[str] = []
    query = world.table.query

    def recorded(**call: Any) -> Any:
        asked.append(call["ExpressionAttributeValues"][":pk"]["S"])
        return query(**call)

    world.table.query = recorded
    world.process(event)
    assert sorted(pk for pk in asked if pk.startswith("OUTBOX")) == ["OUTBOX#INVENTORY", "OUTBOX#PUSH"]
