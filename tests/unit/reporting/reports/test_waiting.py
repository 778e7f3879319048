"""Gathers what waits in the outbox by group, with the keys of all that it read."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from ecr_scan_reporter.aws.dynamodb import Key
from ecr_scan_reporter.memory.outbox import INVENTORY, PUSH, Window, outbox_item
from ecr_scan_reporter.models.findings import Finding
from ecr_scan_reporter.models.images import ImageId
from ecr_scan_reporter.reporting.comparison.changes import Change, KnownFinding
from ecr_scan_reporter.reporting.reports.encoding import encode_report
from ecr_scan_reporter.reporting.reports.grouping import GroupKey
from ecr_scan_reporter.reporting.reports.image_report import ImageReport, ReportReason
from ecr_scan_reporter.reporting.reports.waiting import gather

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
TEAM = re.compile("(team-[^/]+)/")


class StubOutbox:
    """Holds entries in the order of their sort keys, as a table does."""

    def __init__(self) -> None:
        self.items: dict[Key, bytes] = {}

    def add(self, window: str, image: ImageReport, data: bytes | None = None) -> Key:
        content = encode_report(image) if data is None else data
        id_ = ImageId(image.account, image.region, image.repository, image.digest)
        item = outbox_item(window, id_, image.scanned_at, content, NOW)
        key = str(item["pk"]), str(item["sk"])
        self.items[key] = content
        return key

    def entries(self, window: str) -> Iterator[tuple[Key, bytes]]:
        return ((key, self.items[key]) for key in sorted(self.items) if key[0] == f"OUTBOX#{window}")


def image(repository: str, digest: str = "sha256:1", minutes: int = 0, **values: Any) -> ImageReport:
    reason = values.pop("reason", ReportReason.NEWS)
    scanned_at = NOW + minutes * MINUTE
    return ImageReport(reason, "123456789012", "eu-west-1", repository, digest, ("1.0",), (), scanned_at, **values)


def window(name: str) -> Window:
    return Window(name, NOW, NOW, "", "token")


def test_images_of_all_windows_are_gathered_by_group() -> None:
    outbox: Any = StubOutbox()
    keys = [
        outbox.add(PUSH, image("team-a/app")),
        outbox.add("RUN#1", image("team-a/app", minutes=1)),
        outbox.add("RUN#1", image("team-a/other")),
    ]
    other = outbox.add(PUSH, image("other"))
    inventory = outbox.add(INVENTORY, image("team-a/app", "sha256:2", counts={"HIGH": 1}))
    waiting = gather([window(PUSH), window("RUN#1"), window(INVENTORY)], outbox, TEAM)
    team = waiting[GroupKey("123456789012", "eu-west-1", False, "team-a")]
    # Both scans of one image are one entry.
    assert [found.repository for found in team.images] == ["team-a/app", "team-a/other"]
    assert sorted(team.keys) == sorted([*keys, inventory])
    assert [found.digest for found in team.inventory.worst] == ["sha256:2"]
    rest = waiting[GroupKey("123456789012", "eu-west-1", True, "")]
    assert ([found.repository for found in rest.images], rest.keys, rest.inventory.images) == (["other"], [other], 0)
    assert len(waiting) == 2


def test_equal_images_of_two_registries_stay_two() -> None:
    outbox: Any = StubOutbox()
    elsewhere: list[dict[str, Any]] = [{"account": "210987654321"}, {"region": "eu-central-1"}, {}]
    keys = [outbox.add(PUSH, image("app")._replace(**other)) for other in elsewhere]
    outbox.add(INVENTORY, image("app"))
    waiting = gather([window(PUSH), window(INVENTORY)], outbox, None)
    assert sorted(key for group in waiting.values() for key in group.keys if key[0] == "OUTBOX#PUSH") == sorted(keys)
    assert sorted((key.account, key.region, len(group.images)) for key, group in waiting.items()) == [
        ("123456789012", "eu-central-1", 1),
        ("123456789012", "eu-west-1", 1),
        ("210987654321", "eu-west-1", 1),
    ]


def test_other_windows_stay_where_they_are() -> None:
    outbox: Any = StubOutbox()
    outbox.add("RUN#1", image("app"))
    outbox.add(INVENTORY, image("app"))
    assert gather([window(PUSH)], outbox, None) == {}


def test_last_scan_of_an_inventory_counts() -> None:
    outbox: Any = StubOutbox()
    keys = [
        outbox.add(INVENTORY, image("app", failure="bad", reason=ReportReason.INVENTORY)),
        outbox.add(INVENTORY, image("app", minutes=1, counts={"HIGH": 1}, reason=ReportReason.INVENTORY)),
    ]
    [waiting] = gather([window(INVENTORY)], outbox, None).values()
    assert (waiting.inventory.images, waiting.inventory.failed, waiting.keys) == (1, 0, keys)


def test_entry_that_cannot_be_read_is_left_alone() -> None:
    outbox: Any = StubOutbox()
    outbox.add(PUSH, image("lost"), b"of a later release")
    outbox.add(PUSH, image("app", minutes=1), b"")
    key = outbox.add(PUSH, image("app"))
    [waiting] = gather([window(PUSH)], outbox, None).values()
    assert waiting.keys == [key]


def test_many_images_keep_fewer_findings_each() -> None:
    found = tuple(KnownFinding(Finding(f"CVE-{n}", "HIGH", "zlib"), NOW) for n in range(100))
    outbox: Any = StubOutbox()
    for number in range(1_200):
        outbox.add(PUSH, image("app", f"sha256:{number}", changes={Change.NEW: found}, ignored=found))
    [waiting] = gather([window(PUSH)], outbox, None).values()
    assert {len(one.changes[Change.NEW]) for one in waiting.images} == {50}
    assert {len(one.ignored) for one in waiting.images} == {50}
