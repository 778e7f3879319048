"""Adds up what is remembered of images to one item per repository."""

import zlib
from collections import Counter
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from ecr_scan_reporter.aws.dynamodb import Item
from ecr_scan_reporter.memory import summaries
from ecr_scan_reporter.memory.coverage import Coverage
from ecr_scan_reporter.memory.images import (
    FindingDeadline,
    ImageRecord,
    KnownExploited,
    Ledger,
    Update,
    image_item,
    image_record,
)
from ecr_scan_reporter.memory.summaries import (
    OverdueInImage,
    RepositorySummary,
    SummaryBuilder,
    summary_item,
)
from support.invocations import REGISTRY

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
OPENSSL = Update("openssl", ("3.0.1",), ("3.0.15",), Counter({"CRITICAL": 1}))


def image(**values: Any) -> ImageRecord:
    return image_record(image_item("REPOSITORY#team-a/app", "sha256:1", ImageRecord(**values)))


def deadline(id_: str, due_at: datetime) -> FindingDeadline:
    return FindingDeadline(id_, "zlib", "HIGH", due_at)


def summary_of(*images: tuple[str | None, ImageRecord], coverage: Coverage | None = None) -> RepositorySummary:
    builder = SummaryBuilder("team-a/app", NOW)
    for name, record in images:
        builder.add_image(record, name)
    return builder.build(coverage or Coverage())


def test_image_record_with_everything_stays_below_one_write_unit() -> None:
    updates = tuple(
        Update(f"package-{n}", ("1.2.3-r4",), ("1.2.3-r5",), Counter({"CRITICAL": 1, "HIGH": 9})) for n in range(3)
    )
    overdue = tuple(FindingDeadline(f"CVE-2026-{n:05}", "openssl", "CRITICAL", NOW) for n in range(3))
    record = ImageRecord(
        event_at=NOW,
        scanned_at=NOW,
        counts={"CRITICAL": 3, "HIGH": 27, "MEDIUM": 40, "LOW": 12},
        tags=("4.2.0", "latest"),
        platform="linux/arm64",
        pushed_at=NOW,
        reported_at=NOW,
        ledger=Ledger(10, 20, 30, 40, 50, 60, 70),
        updates=updates,
        due_at=NOW,
        overdue=3,
        earliest_deadlines=overdue,
    )
    item = image_item("REPOSITORY#123456789012#eu-west-1#team-a/app", "sha256:1", record)
    assert sum(len(name) + len(str(value)) for name, value in item.items()) < 1024


def test_summary_adds_images_up() -> None:
    summary = summary_of(
        ("1.0", image(counts={"CRITICAL": 1, "LOW": 2}, ledger=Ledger(new=3), updates=(OPENSSL,))),
        ("1.1", image(counts={"CRITICAL": 1}, ledger=Ledger(carried=1), updates=(OPENSSL,), ignored=1)),
        ("1.2", image()),
        (None, image(counts={"HIGH": 9}, ledger=Ledger(new=9), updates=(OPENSSL,), overdue=9)),
    )
    assert summary.open == {"CRITICAL": 2, "LOW": 2}
    assert summary.images_by_worst == {"CRITICAL": 2, "NONE": 1}
    assert summary.ledger == Ledger(carried=1, new=12)
    assert summary.updates == [Update(*OPENSSL.key, Counter({"CRITICAL": 2}), images=2)]
    assert (summary.ignored, summary.overdue) == (1, 0)


def test_summary_names_what_is_overdue_for_longest() -> None:
    summary = summary_of(
        *(
            (f"1.{day}", image(overdue=1, earliest_deadlines=(deadline(f"CVE-{day}", NOW - timedelta(days=day)),)))
            for day in (3, 1, 4, 2)
        )
    )
    assert summary.overdue == 4
    assert [found.id for found in summary.overdue_worst] == ["CVE-4", "CVE-3", "CVE-2"]
    assert summary.overdue_worst[0] == OverdueInImage("1.4", "CVE-4", "zlib", "HIGH", NOW - timedelta(days=4))


def test_date_that_passes_before_the_reporter_looks_at_the_image_counts() -> None:
    deadlines = tuple(deadline(f"CVE-{hour}", NOW + timedelta(hours=hour)) for hour in (-30, 0, 1))
    summary = summary_of(
        ("1.0", image(due_at=NOW, overdue=1, earliest_deadlines=deadlines)),
        ("1.1", image(overdue=7, earliest_deadlines=deadlines[:1])),
    )
    assert summary.overdue == 9
    assert [(found.image, found.id) for found in summary.overdue_worst] == [
        ("1.0", "CVE--30"),
        ("1.1", "CVE--30"),
        ("1.0", "CVE-0"),
    ]


def test_update_that_every_image_needs_once_is_not_lost_among_the_worst_of_each_image() -> None:
    shared = Update("openssl", ("3.0.1",), ("3.0.15",), Counter({"CRITICAL": 1}))
    builder = SummaryBuilder("team-a/app", NOW)
    for number in range(990):
        own = Update(f"package-{number}", ("1",), ("2",), Counter({"CRITICAL": 2}))
        # At first there are only worse ones.
        builder.add_image(image(updates=(own,) if number < 90 else (own, shared)), f"1.{number}")
    summary = builder.build(Coverage())
    item = summary_item(REGISTRY, summary, NOW)
    assert len(summary.updates) == 10
    assert summary.updates[0] == Update(*shared.key, Counter({"CRITICAL": 900}), images=900)
    assert isinstance(item["data"], bytes)
    assert len(item["data"]) < 2_500


def test_updates_that_are_collected_have_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(summaries, "_MAX_COLLECTED", 40)
    builder = SummaryBuilder("team-a/app", NOW)
    for number in range(100):
        update = Update(f"package-{number}", ("1",), ("2",), Counter({"HIGH": 1}))
        builder.add_image(image(updates=(update, OPENSSL)), f"1.{number}")
        assert len(builder._updates) <= 40
    summary = builder.build(Coverage())
    assert (summary.updates[0].package, summary.updates[0].images) == ("openssl", 100)


def read(item: Item) -> RepositorySummary | None:
    """Read the summary of a table with this item."""
    table: Any = SimpleNamespace(query=lambda *_: iter([item]))
    return summaries.repository_summary(table, REGISTRY, "team-a/app", NOW)


def test_summary_of_a_later_release_is_left_out(caplog: pytest.LogCaptureFixture) -> None:
    item = summary_item(REGISTRY, RepositorySummary("team-a/app", NOW), NOW)
    for data in (b"not compressed", zlib.compress(b"{}"), zlib.compress(b'{"open": 7')):
        assert read({**item, "data": data}) is None
    assert [record.levelname for record in caplog.records] == ["WARNING"] * 3


def test_summary_survives_its_item() -> None:
    record = image(
        counts={"HIGH": 1},
        ledger=Ledger(new=1, new_high=1),
        updates=(OPENSSL,),
        overdue=1,
        earliest_deadlines=(deadline("CVE-1", NOW - timedelta(days=1)),),
        exploited=1,
        exploited_first=(KnownExploited("CVE-1", "HIGH", "openssl", NOW.date(), NOW.date(), told_at=NOW),),
    )
    coverage = Coverage({"in_time": 1, "failed": 2, "of a later release": 1}, {"failed": ("1.0", "1.1")})
    summary = summary_of(("1.0", record), coverage=coverage)
    remembered = read(summary_item(REGISTRY, summary, NOW))
    assert remembered
    lists: dict[str, Any] = {
        name: [*getattr(remembered, name)] for name in ("updates", "overdue_worst", "exploited_first")
    }
    assert remembered._replace(**lists) == summary


def test_item_of_a_large_repository_stays_small_enough_for_30_pages_of_10_000() -> None:
    builder = SummaryBuilder("team-a/app", NOW)
    for number in range(100):
        updates = tuple(
            Update(f"package-{number}-{n}", (f"1.{n}.{number}-r4",), (f"1.{n}.9-r5",), Counter({"HIGH": number}))
            for n in range(3)
        )
        overdue = (FindingDeadline(f"CVE-2026-{number:05}", f"package-{number}", "HIGH", NOW),)
        builder.add_image(
            image(counts={"HIGH": 9}, updates=updates, overdue=1, earliest_deadlines=overdue), f"1.{number}"
        )
    coverage = Coverage({"failed": 100}, {"failed": ["1.0"] * 3})
    data = summary_item(REGISTRY, builder.build(coverage), NOW)["data"]
    assert isinstance(data, bytes)
    assert len(data) < 2_500
