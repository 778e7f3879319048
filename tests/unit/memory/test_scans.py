"""Remembers the last scan of each image, and which run asked for it."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from ecr_scan_reporter.aws.dynamodb import Table
from ecr_scan_reporter.memory.images import Asked, ImageRecord, image_item
from ecr_scan_reporter.memory.items import repository_key
from ecr_scan_reporter.memory.scans import RememberedScan, ScanMemory
from ecr_scan_reporter.models.scans import Scan
from support.invocations import REGISTRY

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)
REPOSITORY = "team-a/app"
COMPLETE = Scan("COMPLETE", NOW - 24 * HOUR)


def remembered(table: Table, after: str = "", until: str = "") -> dict[str, RememberedScan]:
    return {digest: scan for digest, scan, _ in ScanMemory(table, REGISTRY).scans(REPOSITORY, after, until, NOW)}


def test_scan_is_remembered_as_ecr_named_it(table: Table) -> None:
    scans = {
        "never": None,
        "complete": COMPLETE,
        "unsupported": Scan("FAILED", NOW, "UnsupportedImageError: ..."),
        "in progress": Scan("IN_PROGRESS"),
    }
    ScanMemory(table, REGISTRY).remember(REPOSITORY, scans, ["in progress"], "run-1", NOW)
    assert remembered(table) == {
        "never": RememberedScan(None),
        "complete": RememberedScan(COMPLETE, named=COMPLETE),
        "unsupported": RememberedScan(
            Scan("FAILED", NOW, "UnsupportedImageError"), named=Scan("FAILED", NOW, "UnsupportedImageError")
        ),
        "in progress": RememberedScan(None, NOW, Scan("IN_PROGRESS"), run="run-1"),
    }


@pytest.mark.parametrize(
    ("asked", "run", "expected"),
    [
        (False, "run-2", (NOW - HOUR, "run-1")),
        (True, "run-2", (NOW, "run-2")),
        # Its message was delivered twice.
        (True, "run-1", (NOW - HOUR, "run-1")),
        (True, "", (NOW, "")),
    ],
)
def test_request_of_a_run_is_remembered_once(
    table: Table, asked: bool, run: str, expected: tuple[datetime, str]
) -> None:
    before = {"d": RememberedScan(None, NOW - HOUR, run="run-1")}
    ScanMemory(table, REGISTRY).remember(REPOSITORY, {"d": None}, ["d"] * asked, run, NOW, before)
    found = remembered(table)["d"]
    assert (found.asked_at, found.run) == expected


def test_newest_of_what_the_reporter_saw_and_what_ecr_named_counts(table: Table) -> None:
    ScanMemory(table, REGISTRY).remember(REPOSITORY, {"a": COMPLETE, "b": COMPLETE}, (), "", NOW)
    for digest, hours in (("a", 1), ("b", 48)):
        record = ImageRecord(event_at=NOW, scanned_at=NOW - hours * HOUR)
        table.put(image_item(repository_key(REGISTRY, REPOSITORY), digest, record))
    found = remembered(table)
    assert found["a"].scan == Scan("COMPLETE", NOW - HOUR)
    assert found["b"].scan == COMPLETE
    assert found["b"].complete_at == NOW - 48 * HOUR


def test_ranges_have_every_image_once(table: Table) -> None:
    digests = [f"sha256:{number:02}" for number in range(20)]
    ScanMemory(table, REGISTRY).remember(REPOSITORY, dict.fromkeys(digests, COMPLETE), (), "", NOW)
    bounds = ["", digests[3], "sha256:09a", digests[12], ""]
    ranges = [list(remembered(table, *pair)) for pair in pairwise(bounds)]
    assert ranges == [digests[:4], digests[4:10], digests[10:13], digests[13:]]


@pytest.mark.parametrize(
    ("answered", "scanned", "run"),
    [
        (None, timedelta(minutes=1), "run-1"),
        (None, timedelta(minutes=-5), "run-1"),
        (None, timedelta(minutes=-6), ""),
        (None, timedelta(days=1), "run-1"),
        (None, timedelta(days=1, seconds=1), ""),
        (timedelta(hours=-1), timedelta(minutes=1), "run-1"),
        (timedelta(0), timedelta(minutes=1), ""),
    ],
)
def test_scan_belongs_to_the_run_that_asked_for_it(answered: timedelta | None, scanned: timedelta, run: str) -> None:
    asked = Asked(run="run-1", asked_at=NOW)
    answered_at = None if answered is None else NOW + answered
    assert asked.run_of_scan(NOW + scanned, answered_at) == run
    assert Asked().run_of_scan(NOW + scanned, answered_at) == ""
