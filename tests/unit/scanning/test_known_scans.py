"""What memory knows settles the last scan of an image, unless it may be due; how images stand, and the sums."""

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from ecr_scan_reporter.aws.deadline import Deadline
from ecr_scan_reporter.aws.dynamodb import Table
from ecr_scan_reporter.errors import DeadlineExceededError
from ecr_scan_reporter.memory.coverage import Coverage, CoverageReason
from ecr_scan_reporter.memory.scans import RememberedScan, ScanMemory
from ecr_scan_reporter.messages.repository import RepositoryMessage
from ecr_scan_reporter.models.scans import Scan
from ecr_scan_reporter.scanning import known_scans
from ecr_scan_reporter.scanning.context import ScanContext, ScanDependencies
from ecr_scan_reporter.scanning.decisions import Decision, ScanRules
from ecr_scan_reporter.scanning.known_scans import ImageStanding, KnownScans, ScanSums
from ecr_scan_reporter.scanning.selection import Candidate, Chunk
from ecr_scan_reporter.scanning.tally import Tally
from ecr_scan_reporter.settings import ImagesScannerSettings
from ecr_scan_reporter.shared.durations import Duration
from support.invocations import REGISTRY

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
DAY = timedelta(days=1)
REPOSITORY = "team-a/app"
NEW, OLD = Scan("COMPLETE", NOW - DAY), Scan("COMPLETE", NOW - 8 * DAY)


def make(table: Table, seconds: float = 60) -> KnownScans:
    settings = ImagesScannerSettings(Duration.parse("7d"), "", "", "memory", "platform", threads=1)
    unused: Any = None
    deps = ScanDependencies(settings, unused, unused, unused, table, unused, ThreadPoolExecutor(1), unused)
    context = ScanContext(
        RepositoryMessage(REGISTRY, REPOSITORY, run="run-1"), deps, Deadline(seconds), NOW, Tally(REPOSITORY)
    )
    return KnownScans(context)


def candidates(*digests: str, last_scan: Scan | None = None) -> list[Candidate]:
    return [Candidate(digest, re.sub(".*:", "v", digest), last_scan) for digest in digests]


def read(known: KnownScans, images: list[Candidate], *, last: bool = True) -> dict[str, ImageStanding]:
    return known.read(Chunk(images, last), lambda digest: digest).standings


def test_image_that_may_be_due_is_not_settled(table: Table) -> None:
    scans = {"new": NEW, "old": OLD, "failed": Scan("FAILED"), "not listed": NEW}
    ScanMemory(table, REGISTRY).remember(REPOSITORY, scans, (), "", NOW - DAY)
    known = make(table)
    images = sorted(candidates("new", "old", "failed", "unknown") + candidates("named", last_scan=OLD))
    found = read(known, images)
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
    monkeypatch.setattr(known_scans, "_ONE_SPOT_CHECK_IN", 1)
    monkeypatch.setattr(known_scans, "_MAX_SPOT_CHECKS", 2)
    digests = ["a", "b", "c", "d"]
    ScanMemory(table, REGISTRY).remember(REPOSITORY, dict.fromkeys(digests, NEW), (), "", NOW)
    known = make(table)
    images = candidates(*digests)
    assert [standing.source for standing in read(known, images[:1], last=False).values()] == [""]
    assert [standing.source for standing in read(known, images[1:]).values()] == ["", "memory", "memory"]


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


SIX_DAYS_AGO, EIGHT_DAYS_AGO = NOW - 6 * DAY, NOW - 8 * DAY
COMPLETE_RECENTLY, COMPLETE_LONG_AGO = Scan("COMPLETE", SIX_DAYS_AGO), Scan("COMPLETE", EIGHT_DAYS_AGO)
RULES = ScanRules(Duration.parse("7d"), timedelta(days=1), NOW)
PUSHED = NOW - timedelta(days=90)
ASKED = RememberedScan(None, NOW - timedelta(days=3))


def standing(
    scan: Scan | None = None, source: str = "ECR", remembered: RememberedScan | None = None, **values: Any
) -> ImageStanding:
    """Return how an image stands whose scan needs no date from memory, unless `dated` is given."""
    image = Candidate("sha256:1", "1.0", None, int(PUSHED.timestamp()))
    dated = values.pop("dated", scan)
    return ImageStanding(image, source, scan, dated, RULES.decide(image.digest, dated), remembered, **values)


@pytest.mark.parametrize(
    ("image", "scanned_at", "waiting_since"),
    [
        (standing(COMPLETE_LONG_AGO), EIGHT_DAYS_AGO, EIGHT_DAYS_AGO),
        (standing(COMPLETE_LONG_AGO, started=True), NOW, NOW),
        (standing(None), 0, PUSHED),
        (standing(Scan("FAILED")), 0, 0),
        (standing(Scan("FAILED"), dated=Scan("FAILED", EIGHT_DAYS_AGO)), 0, EIGHT_DAYS_AGO),
        (standing(Scan("UNSUPPORTED_IMAGE")), None, 0),
        (standing(Scan("UNSUPPORTED_IMAGE", EIGHT_DAYS_AGO)), EIGHT_DAYS_AGO, EIGHT_DAYS_AGO),
        (standing(Scan("IMAGE_ARCHIVED")), None, 0),
        (standing(Scan("IMAGE_ARCHIVED", EIGHT_DAYS_AGO)), EIGHT_DAYS_AGO, 0),
        (standing(Scan("ACTIVE", EIGHT_DAYS_AGO)), EIGHT_DAYS_AGO, EIGHT_DAYS_AGO),
        # The look-up failed, or was not made.
        (standing(None, ""), 0, 0),
        (standing(None, "", ASKED), 0, ASKED.asked_at),
        (standing(None, "", RememberedScan(None)), 0, PUSHED),
        (standing(COMPLETE_LONG_AGO, "", RememberedScan(COMPLETE_LONG_AGO)), EIGHT_DAYS_AGO, EIGHT_DAYS_AGO),
    ],
)
def test_image_was_scanned_and_waits_since(
    image: ImageStanding, scanned_at: datetime | int | None, waiting_since: datetime | int
) -> None:
    def seconds(value: datetime | int | None) -> int | None:
        return int(value.timestamp()) if isinstance(value, datetime) else value

    assert (image.scanned_at(RULES), image.waiting_since(RULES)) == (seconds(scanned_at), seconds(waiting_since))


def test_image_that_enhanced_scanning_monitors_is_as_if_scanned_now() -> None:
    image, rules = standing(Scan("ACTIVE", EIGHT_DAYS_AGO)), RULES._replace(enhanced=True)
    assert image.scanned_at(rules) == image.waiting_since(rules) == int(NOW.timestamp())
    assert image.reason(rules, quota_reached=False) is CoverageReason.IN_TIME


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        (standing(COMPLETE_LONG_AGO), CoverageReason.QUOTA),
        (standing(COMPLETE_LONG_AGO, started=True), CoverageReason.TOO_OLD),
        (standing(COMPLETE_RECENTLY), CoverageReason.IN_TIME),
        (standing(Scan("FAILED", NOW - timedelta(hours=1))), CoverageReason.FAILED),
        (standing(None, "", ASKED), CoverageReason.QUOTA),
        (standing(None, ""), CoverageReason.UNKNOWN),
    ],
)
def test_quota_is_why_a_due_image_is_not_covered(image: ImageStanding, reason: CoverageReason) -> None:
    assert image.reason(RULES, quota_reached=True) is reason
    assert image.reason(RULES, quota_reached=False) is not CoverageReason.QUOTA


def test_image_is_due_only_if_its_last_scan_is_settled() -> None:
    due = standing(COMPLETE_LONG_AGO)
    assert (due.due, due.decision) == (True, Decision.SCAN_TOO_OLD)
    assert not due._replace(source="").due
    assert not standing(COMPLETE_RECENTLY).due


def test_sums_of_parts_add_up_to_those_of_all_images() -> None:
    images = [
        standing(COMPLETE_LONG_AGO),
        standing(COMPLETE_RECENTLY),
        standing(Scan("UNSUPPORTED_IMAGE")),
        standing(None),
        standing(None, ""),
        standing(Scan("FAILED", SIX_DAYS_AGO)),
    ]
    whole = ScanSums().add(images, RULES, quota_reached=False)
    assert whole.oldest == 0
    assert whole.waiting_since == int(PUSHED.timestamp())
    assert whole.coverage.images == len(images)
    for number in range(len(images) + 1):
        first = ScanSums().add(images[:number], RULES, quota_reached=False)
        assert first.add(images[number:], RULES, quota_reached=False) == whole
    assert ScanSums().add([], RULES, quota_reached=False) == ScanSums(None, 0, Coverage())
