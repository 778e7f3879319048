"""What memory knows settles the last scan of an image, unless the image may be due."""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from ecr_scan_reporter.aws.deadline import Deadline
from ecr_scan_reporter.aws.dynamodb import Table
from ecr_scan_reporter.errors import DeadlineExceededError
from ecr_scan_reporter.memory.scans import RememberedScan, ScanMemory
from ecr_scan_reporter.messages.repository import RepositoryMessage
from ecr_scan_reporter.models.scans import Scan
from ecr_scan_reporter.models.selection import Selection
from ecr_scan_reporter.scanning import known_scans
from ecr_scan_reporter.scanning.context import ScanContext, ScanDependencies
from ecr_scan_reporter.scanning.decisions import Decision
from ecr_scan_reporter.scanning.known_scans import KnownScans
from ecr_scan_reporter.scanning.listing import Candidate, Chunk
from ecr_scan_reporter.scanning.tally import Tally
from ecr_scan_reporter.settings import ImagesScannerSettings
from ecr_scan_reporter.shared.durations import Duration
from support.fixtures import virtual_aws
from support.invocations import REGISTRY

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
DAY = timedelta(days=1)
REPOSITORY = "team-a/app"
NEW, OLD = Scan("COMPLETE", NOW - DAY), Scan("COMPLETE", NOW - 8 * DAY)


@pytest.fixture
def table() -> Iterator[Table]:
    with virtual_aws() as aws:
        yield Table(aws.client("dynamodb"), aws.create_memory_table())


def make(table: Table, seconds: float = 60) -> KnownScans:
    settings = ImagesScannerSettings(Duration.parse("7d"), DAY, Selection(), "", "", "memory", 1, "platform")
    unused: Any = None
    ecr: Any = SimpleNamespace(id=REGISTRY)
    deps = ScanDependencies(settings, ecr, unused, unused, table, unused, ThreadPoolExecutor(1), unused)
    context = ScanContext(RepositoryMessage(REPOSITORY, run="run-1"), deps, Deadline(seconds), NOW)
    return KnownScans(context, Tally(REPOSITORY))


def candidates(*digests: str, last_scan: Scan | None = None) -> list[Candidate]:
    return [Candidate(digest, re.sub(".*:", "v", digest), last_scan) for digest in digests]


def read(known: KnownScans, images: list[Candidate], *, last: bool = True) -> None:
    known.read(Chunk(images, last), lambda digest: digest)


def test_image_that_may_be_due_is_not_settled(table: Table) -> None:
    scans = {"new": NEW, "old": OLD, "failed": Scan("FAILED"), "not listed": NEW}
    ScanMemory(table, REGISTRY).remember(REPOSITORY, scans, (), "", NOW - DAY)
    known = make(table)
    images = sorted(candidates("new", "old", "failed", "unknown") + candidates("named", last_scan=OLD))
    read(known, images)
    found = known.standings(images)
    assert list(found) == [image.digest for image in images]
    assert {digest: (standing.source, standing.scan, standing.decision) for digest, standing in found.items()} == {
        "new": ("memory", NEW, Decision.SCANNED_RECENTLY),
        "old": ("", OLD, Decision.SCAN_TOO_OLD),
        "failed": ("", Scan("FAILED"), Decision.LAST_SCAN_FAILED),
        "unknown": ("", None, Decision.NEVER_SCANNED),
        "named": ("DescribeImages", OLD, Decision.SCAN_TOO_OLD),
    }
    assert [digest for digest, standing in found.items() if standing.due] == ["named"]


def test_spot_check_looks_up_what_memory_settles(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known_scans, "_SPOT_CHECK", 1)
    monkeypatch.setattr(known_scans, "_MAX_SPOT_CHECKS", 2)
    digests = ["a", "b", "c", "d"]
    ScanMemory(table, REGISTRY).remember(REPOSITORY, dict.fromkeys(digests, NEW), (), "", NOW)
    known = make(table)
    images = candidates(*digests)
    read(known, images[:1], last=False)
    assert [standing.source for standing in known.standings(images[:1]).values()] == [""]
    read(known, images[1:])
    assert [standing.source for standing in known.standings(images[1:]).values()] == ["", "memory", "memory"]


@pytest.mark.parametrize(
    ("scan", "remembered", "date"),
    [
        (NEW, RememberedScan(OLD), NEW.completed_at),
        (Scan("FAILED"), None, None),
        (Scan("FAILED"), RememberedScan(Scan("FAILED", NOW - 2 * DAY), NOW - 3 * DAY), NOW - 2 * DAY),
        # The last one that is remembered is another one.
        (Scan("FAILED"), RememberedScan(OLD, NOW - 3 * DAY), NOW - 3 * DAY),
        (Scan("IN_PROGRESS"), RememberedScan(OLD, NOW - DAY), NOW - DAY),
        # The scan that was asked for has ended.
        (Scan("IN_PROGRESS"), RememberedScan(NEW, NOW - 2 * DAY), None),
    ],
)
def test_scan_without_a_date_has_the_remembered_one(
    scan: Scan, remembered: RememberedScan | None, date: datetime | None
) -> None:
    assert known_scans._dated(scan, remembered) == scan._replace(completed_at=date)


def test_unsupported_image_that_ecr_has_no_scan_of_is_known(table: Table) -> None:
    unsupported = Scan("UNSUPPORTED_IMAGE")
    ScanMemory(table, REGISTRY).remember(REPOSITORY, {"odd": unsupported}, ["odd"], "", NOW - DAY)
    known = make(table)
    [image] = images = candidates("odd")
    read(known, images)
    standing = known.standing(image, "ECR", None)
    assert (standing.scan, standing.decision) == (unsupported, Decision.UNSUPPORTED)


def test_what_memory_knows_is_read_while_there_is_time(table: Table) -> None:
    with pytest.raises(DeadlineExceededError, match="no time left for what memory knows of team-a/app"):
        read(make(table, seconds=0), candidates("a"))
