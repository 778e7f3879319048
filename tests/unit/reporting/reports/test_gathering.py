"""What waits is gathered by group: an inventory, and one entry for several platforms or scans."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from ecr_scan_reporter.aws.dynamodb import Key
from ecr_scan_reporter.memory import items
from ecr_scan_reporter.memory.outbox import INVENTORY, PUSH, Window, outbox_item
from ecr_scan_reporter.models.findings import Finding
from ecr_scan_reporter.models.images import RegistryId
from ecr_scan_reporter.reporting.comparison.changes import Change, KnownFinding
from ecr_scan_reporter.reporting.reports.gathering import gather, group_key, make_group
from ecr_scan_reporter.reporting.reports.groups import GroupKey
from ecr_scan_reporter.reporting.reports.image_report import ImageReport, encode_report
from ecr_scan_reporter.reporting.reports.reasons import ReportReason
from support.invocations import REGISTRY

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
TEAM = re.compile("(team-[^/]+)/")
KEY = GroupKey(RegistryId("1", "r"), True, "")


def platform(name: str, fixed: int) -> ImageReport:
    """Return the report of one platform of an index, with findings of which none is kept."""
    totals = {Change.FIXED: {"HIGH": fixed}}
    return ImageReport(ReportReason.FIXED, "1", "r", "app", f"sha256:{name}", ("1.0",), (name,), NOW, totals=totals)


def test_reminders_are_apart_and_count_each_platform() -> None:
    reminder = platform("linux/amd64", 0)._replace(reason=ReportReason.REMINDER, counts={"HIGH": 2})
    others = [reminder._replace(digest=f"sha256:{n}", tags=(f"1.{n}",), platforms=()) for n in range(30)]
    worst = reminder._replace(digest="sha256:worst", tags=("2.0",), counts={"CRITICAL": 1})
    arm = reminder._replace(digest="sha256:arm", platforms=("linux/arm64",))
    news = platform("linux/amd64", 0)._replace(reason=ReportReason.NEWS, tags=("3.0",))
    group = make_group(KEY, [reminder, arm, *others, worst, news], None)
    assert [image.tags for image in group.images] == [("3.0",)]
    assert group.reminded.images == 33
    assert len(group.worst_reminders) == 20
    assert group.worst_reminders[0].tags == ("2.0",)
    assert group.fixes({"HIGH"}) == []


def test_groups_without_a_name_come_last() -> None:
    names = ("team-b/app", "other", "team-a/app")
    images = [platform("linux/amd64", 1)._replace(repository=name) for name in names]
    keys = sorted(group_key(image, re.compile("(team-[^/]+)/")) for image in images)
    assert [make_group(key, images, None).name for key in keys] == ["team-a", "team-b", None]


def test_platforms_whose_numbers_differ_are_two_entries() -> None:
    same = make_group(KEY, [platform("linux/amd64", 3), platform("linux/arm64", 3)], None)
    assert [image.platforms for image in same.images] == [("linux/amd64", "linux/arm64")]
    different = make_group(KEY, [platform("linux/amd64", 3), platform("linux/arm64", 5)], None)
    assert [image.total(Change.FIXED) for image in different.images] == [3, 5]


class StubOutbox:
    """Holds entries in the order of their sort keys, as a table does."""

    def __init__(self) -> None:
        self.items: dict[Key, bytes] = {}

    def add(self, window: str, image: ImageReport, data: bytes | None = None) -> Key:
        content = encode_report(image) if data is None else data
        item = outbox_item(window, image.id, image.scanned_at, content, NOW)
        key = str(item["pk"]), str(item["sk"])
        self.items[key] = content
        return key

    def entries(self, window: str, until: datetime | None = None) -> Iterator[tuple[Key, bytes]]:
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
    waiting = gather([window(PUSH), window("RUN#1"), window(INVENTORY)], outbox, TEAM).groups
    team = waiting[GroupKey(REGISTRY, False, "team-a"), ""]
    # Both scans of one image are one entry.
    assert [found.repository for found in team.images] == ["team-a/app", "team-a/other"]
    assert sorted(team.keys) == sorted([*keys, inventory])
    assert [found.digest for found in team.inventory.worst] == ["sha256:2"]
    rest = waiting[GroupKey(REGISTRY, True, ""), ""]
    assert ([found.repository for found in rest.images], rest.keys, rest.inventory.images) == (["other"], [other], 0)
    assert len(waiting) == 2


def test_equal_images_of_two_registries_stay_two() -> None:
    outbox: Any = StubOutbox()
    elsewhere: list[dict[str, Any]] = [{"account": "210987654321"}, {"region": "eu-central-1"}, {}]
    keys = [outbox.add(PUSH, image("app")._replace(**other)) for other in elsewhere]
    outbox.add(INVENTORY, image("app"))
    waiting = gather([window(PUSH), window(INVENTORY)], outbox, None).groups
    assert sorted(key for group in waiting.values() for key in group.keys if key[0] == "OUTBOX#PUSH") == sorted(keys)
    assert sorted((*key.registry, len(group.images)) for (key, _), group in waiting.items()) == [
        ("123456789012", "eu-central-1", 1),
        ("123456789012", "eu-west-1", 1),
        ("210987654321", "eu-west-1", 1),
    ]


def test_other_windows_stay_where_they_are() -> None:
    outbox: Any = StubOutbox()
    outbox.add("RUN#1", image("app"))
    outbox.add(INVENTORY, image("app"))
    assert gather([window(PUSH)], outbox, None).groups == {}


def test_last_scan_of_an_inventory_counts() -> None:
    outbox: Any = StubOutbox()
    keys = [
        outbox.add(INVENTORY, image("app", failure="bad", reason=ReportReason.INVENTORY)),
        outbox.add(INVENTORY, image("app", minutes=1, counts={"HIGH": 1}, reason=ReportReason.INVENTORY)),
    ]
    [waiting] = gather([window(INVENTORY)], outbox, None).groups.values()
    assert (waiting.inventory.images, waiting.inventory.failed, waiting.keys) == (1, 0, keys)


def test_entry_that_cannot_be_read_is_said_to_be_unreadable() -> None:
    outbox: Any = StubOutbox()
    keys = [outbox.add(PUSH, image("lost"), b"no report"), outbox.add(PUSH, image("app"))]
    [waiting] = gather([window(PUSH)], outbox, None).groups.values()
    assert sorted(waiting.keys) == sorted(keys)
    [_, lost] = sorted(waiting.images, key=lambda found: found.repository)
    assert (lost.repository, lost.digest, lost.scanned_at) == ("lost", "sha256:1", NOW)
    assert lost.reason is ReportReason.FINDINGS_NOT_READ


def test_entry_of_an_inventory_that_cannot_be_read_is_named_with_the_failed_scans() -> None:
    outbox: Any = StubOutbox()
    outbox.add(INVENTORY, image("lost"), b"no report")
    [waiting] = gather([window(INVENTORY)], outbox, None).groups.values()
    assert (waiting.inventory.images, waiting.inventory.failed) == (1, 1)
    [lost] = waiting.inventory.failures
    assert lost.failure == "What this report was to say could not be read from the memory table."


def test_entry_of_a_newer_release_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    outbox: Any = StubOutbox()
    monkeypatch.setattr(items, "FORMAT", 2)
    outbox.add(PUSH, image("lost"), b"of a newer release")
    monkeypatch.setattr(items, "FORMAT", 1)
    key = outbox.add(PUSH, image("app"))
    gathered = gather([window(PUSH)], outbox, None)
    assert [waiting.keys for waiting in gathered.groups.values()] == [[key]]
    assert gathered.unreadable == 1


@pytest.mark.slow
def test_many_images_keep_fewer_findings_each() -> None:
    found = tuple(KnownFinding(Finding(f"CVE-{n}", "HIGH", "zlib"), NOW) for n in range(55))
    outbox: Any = StubOutbox()
    for number in range(1_200):
        outbox.add(PUSH, image("app", f"sha256:{number}", changes={Change.NEW: found}, ignored=found))
    [waiting] = gather([window(PUSH)], outbox, None).groups.values()
    assert {len(one.changes[Change.NEW]) for one in waiting.images} == {50}
    assert {len(one.ignored) for one in waiting.images} == {50}
