"""Selects images, counts why the others were skipped, and decides which of them are due."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from ecr_scan_reporter.memory.coverage import Coverage, CoverageReason
from ecr_scan_reporter.models.images import Image, IndexChild
from ecr_scan_reporter.models.scans import Scan
from ecr_scan_reporter.models.selection import Selection
from ecr_scan_reporter.scanning.images import Candidate, Decision, ImageSelector, ScanRules, scan_priority
from ecr_scan_reporter.shared.durations import Duration
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
OCI = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
COSIGN = "sha256-" + "1" * 64


def selected_by(selector: ImageSelector, children: Iterable[IndexChild] = ()) -> list[Candidate]:
    return [candidate for chunk in selector.select(children).chunks(7) for candidate in chunk.images]


def select(images: list[Image], children: list[IndexChild], **selection: Any) -> tuple[list[str], dict[Decision, int]]:
    selector = ImageSelector(Selection(**selection), NOW)
    selector.add(images)
    return [candidate.digest for candidate in selected_by(selector, children)], dict(selector.skipped)


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        (Image("r", "d"), None),
        (Image("r", "d", media_type=OCI, artifact_media_type="application/vnd.oci.image.config.v1+json"), None),
        (Image("r", "d", media_type="application/vnd.docker.distribution.manifest.list.v2+json"), Decision.INDEX),
        (Image("r", "d", media_type=OCI_INDEX, archived=True), Decision.INDEX),
        (Image("r", "d", media_type="application/vnd.something.else+json"), Decision.ARTIFACT),
        (Image("r", "d", artifact_media_type="application/vnd.cncf.helm.config.v1+json"), Decision.ARTIFACT),
        (Image("r", "d", subject_digest="sha256:1"), Decision.ARTIFACT),
        (Image("r", "d", (COSIGN,)), Decision.ARTIFACT),
        (Image("r", "d", (COSIGN + ".sig", COSIGN + ".att")), Decision.ARTIFACT),
        (Image("r", "d", (COSIGN + ".sig", "1.0")), None),
        (Image("r", "d", ("sha256-1.sig",)), None),
        (Image("r", "d", archived=True), Decision.ARCHIVED),
    ],
)
def test_image_that_ecr_cannot_scan_is_skipped_with_a_reason(image: Image, reason: Decision | None) -> None:
    assert select([image], []) == (([], {reason: 1}) if reason else (["d"], {}))


@given(
    pushed=st.lists(st.integers(0, 1000), max_size=30, unique=True),
    newest=st.integers(1, 30),
    tagged=st.sets(st.integers(0, 1000)),
)
def test_the_newest_are_selected_and_every_other_image_is_counted(
    pushed: list[int], newest: int, tagged: set[int]
) -> None:
    images = [Image("r", f"d{n}", ("t",) if n in tagged else (), pushed_at=NOW + timedelta(hours=n)) for n in pushed]
    selected, skipped = select(images, [], newest=newest, tagged_only=True)
    assert len(selected) + sum(skipped.values()) == len(images)
    expected = sorted((image for image in images if image.tags), key=lambda image: image.pushed_at or NOW)[-newest:]
    assert selected == sorted(image.digest for image in expected)


def child(index: str, digest: str, *, attestation: bool = False) -> IndexChild:
    return IndexChild(index, digest, "linux/amd64", attestation)


def index(digest: str, *tags: str) -> Image:
    return Image("r", digest, tags, OCI_INDEX)


def test_attestation_is_skipped() -> None:
    selected, skipped = select([Image("r", "d")], [child("x", "d", attestation=True)])
    assert (selected, skipped) == ([], {Decision.ATTESTATION: 1})


@pytest.mark.parametrize("order", [1, -1])
def test_child_of_two_indexes_has_the_tags_of_both(order: int) -> None:
    images = [index("x1", "1.0"), index("x2"), Image("r", "d")]
    selected, _ = select(images, [child("x1", "d"), child("x2", "d")][::order], tagged_only=True)
    assert selected == ["d"]


def test_child_of_a_nested_index_has_the_tags_of_the_outer_one() -> None:
    images = [index("outer", "1.0"), index("inner"), Image("r", "d")]
    assert select(images, [child("inner", "d"), child("outer", "inner")], tag_regexp=None, tagged_only=True)[0] == ["d"]


def test_cyclic_indexes_are_resolved() -> None:
    images = [index("x1"), index("x2", "1.0"), Image("r", "d")]
    children = [child("x1", "x2"), child("x2", "x1"), child("x1", "d")]
    assert select(images, children, tagged_only=True)[0] == ["d"]


@given(st.sets(st.text("0123456789abcdef", min_size=8, max_size=8), max_size=40), st.integers(1, 9), st.data())
def test_chunks_are_in_the_order_of_digests_and_resume_after_one(
    digests: set[str], size: int, data: st.DataObject
) -> None:
    selector = ImageSelector(Selection(), NOW)
    selector.add(Image("r", digest, (f"tag {digest}", "second")) for digest in digests)
    after = data.draw(st.sampled_from(["", *sorted(digests)]))
    chunks = list(selector.select([]).chunks(size, after))
    assert all(len(chunk.images) == size for chunk in chunks[:-1])
    expected = [(digest, f"tag {digest}") for digest in sorted(digests) if digest > after]
    assert [(candidate.digest, candidate.tag) for chunk in chunks for candidate in chunk.images] == expected
    assert [chunk.last for chunk in chunks] == [False] * (len(chunks) - 1) + [True]


def test_candidate_is_named_by_its_first_tag_or_short_digest() -> None:
    digest = "sha256:" + "1234567890" * 6 + "1234"
    selector = ImageSelector(Selection(), NOW)
    selector.add([Image("r", "a", ("1.0", "latest")), Image("r", digest)])
    assert [candidate.name for candidate in selected_by(selector)] == ["1.0", "sha256:123456789012"]


def test_image_that_the_next_page_repeats_counts_once() -> None:
    images = [Image("r", f"d{n}", (f"{n}",), archived=n < 3) for n in range(6)]
    selector = ImageSelector(Selection(), NOW)
    selector.add(images[:4])
    selector.add(images[2:])
    assert [candidate.digest for candidate in selected_by(selector)] == ["d3", "d4", "d5"]
    assert selector.skipped == {Decision.ARCHIVED: 3}


def test_skipped_images_that_ecr_could_scan_are_named() -> None:
    images = [
        index("x", "1.0"),
        Image("r", "chart", ("chart",), artifact_media_type="application/vnd.cncf.helm.config.v1+json", archived=True),
        Image("r", "archived", ("old",), archived=True),
        Image("r", "new", ("new",), pushed_at=NOW),
        Image("r", "older", ("older",), pushed_at=NOW - timedelta(days=1)),
        Image("r", "oldest", ("oldest",), pushed_at=NOW - timedelta(days=50)),
        Image("r", "untagged", pushed_at=NOW),
        Image("r", "attestation", pushed_at=NOW - timedelta(days=50)),
        Image("r", "child", pushed_at=NOW - timedelta(days=50)),
    ]
    selector = ImageSelector(Selection(newest=1, tagged_only=True, pushed_within=Duration.parse("1m")), NOW)
    selector.add(images)
    children = [child("x", "child"), child("x", "attestation", attestation=True)]
    assert [candidate.digest for candidate in selected_by(selector, children)] == ["new"]
    assert selector.skipped_coverage == Coverage(
        {CoverageReason.ARCHIVED: 1, CoverageReason.NOT_SELECTED: 4},
        {CoverageReason.ARCHIVED: ("old",), CoverageReason.NOT_SELECTED: ("oldest", "untagged", "child")},
    )
    assert selector.skipped[Decision.ATTESTATION] == 1


WEEK = Duration.parse("7d")
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
UNSUPPORTED = "UnsupportedImageError: The operating system ..."


@pytest.mark.parametrize(
    ("scan", "decision", "due"),
    [
        (None, Decision.NEVER_SCANNED, True),
        (Scan("COMPLETE", NOW - timedelta(days=8)), Decision.SCAN_TOO_OLD, True),
        (Scan("COMPLETE", NOW - timedelta(days=7)), Decision.SCAN_TOO_OLD, True),
        (Scan("COMPLETE", NOW - timedelta(days=7) + timedelta(seconds=1)), Decision.SCANNED_RECENTLY, False),
        (Scan("COMPLETE", NOW), Decision.SCANNED_RECENTLY, False),
        (Scan("IN_PROGRESS", NOW - timedelta(hours=23)), Decision.SCAN_IN_PROGRESS, False),
        (Scan("PENDING", NOW - timedelta(hours=23)), Decision.SCAN_IN_PROGRESS, False),
        (Scan("IN_PROGRESS", NOW - timedelta(days=30)), Decision.SCAN_STUCK, True),
        (Scan("FAILED"), Decision.LAST_SCAN_FAILED, True),
        (Scan("FAILED", NOW), Decision.FAILED_WITHIN_24_HOURS, False),
        (Scan("FAILED", NOW - timedelta(hours=24)), Decision.LAST_SCAN_FAILED, True),
        (Scan("FAILED", NOW - timedelta(hours=23)), Decision.FAILED_WITHIN_24_HOURS, False),
        (Scan("FAILED", NOW - timedelta(days=6), UNSUPPORTED), Decision.UNSUPPORTED, False),
        (Scan("FAILED", NOW - timedelta(days=8), UNSUPPORTED), Decision.UNSUPPORTED_TOO_OLD, True),
        (Scan("UNSUPPORTED_IMAGE", NOW - timedelta(days=6)), Decision.UNSUPPORTED, False),
        (Scan("IMAGE_SIZE_EXCEEDED", NOW - timedelta(days=7)), Decision.UNSUPPORTED_TOO_OLD, True),
        (Scan("IMAGE_ARCHIVED"), Decision.ARCHIVED, False),
        (Scan("LIMIT_EXCEEDED"), Decision.NEVER_SCANNED, True),
        (Scan("UNKNOWN_STATUS", NOW - timedelta(days=8)), Decision.SCAN_TOO_OLD, True),
        (Scan("UNKNOWN_STATUS", NOW), Decision.SCANNED_RECENTLY, False),
    ],
)
def test_every_status_has_a_decision(scan: Scan | None, decision: Decision, due: bool) -> None:
    assert ScanRules(WEEK, DAY, NOW).decide("sha256:1", scan) is decision
    assert decision.due is due


@given(hours=st.integers(0, 10_000), days=st.integers(1, 400))
def test_complete_scan_is_due_exactly_at_the_maximum_age(hours: int, days: int) -> None:
    scan = Scan("COMPLETE", NOW - timedelta(hours=hours))
    assert ScanRules(Duration(0, 0, days), DAY, NOW).decide("sha256:1", scan).due is (hours >= 24 * days)


def due_runs(digest: str, scan: Scan, interval: timedelta, runs: int) -> int:
    """Count the runs in which an image is due whose scan stays as it is."""
    rules = ScanRules(WEEK, interval, NOW)
    return sum(rules._replace(now=NOW + number * interval).decide(digest, scan).due for number in range(runs))


@given(digest=st.text(min_size=1))
def test_failed_scan_without_a_date_is_due_once_a_day(digest: str) -> None:
    assert due_runs(digest, Scan("FAILED"), HOUR, 24) == 1
    assert due_runs(digest, Scan("FAILED"), 12 * HOUR, 2) == 1
    assert due_runs(digest, Scan("FAILED"), DAY, 7) == 7


@given(digest=st.text(min_size=1))
def test_unsupported_image_without_a_date_is_due_once_per_maximum_age(digest: str) -> None:
    for scan in (Scan("FAILED", description=UNSUPPORTED), Scan("UNSUPPORTED_IMAGE")):
        assert due_runs(digest, scan, HOUR, 7 * 24) == 1
        assert due_runs(digest, scan, DAY, 7) == 1


@given(digest=st.text(min_size=1))
def test_unsupported_image_without_a_date_has_its_turn_in_weekly_runs(digest: str) -> None:
    week = 7 * DAY
    scan = Scan("UNSUPPORTED_IMAGE")
    assert due_runs(digest, scan, week, 4) == 4
    month = Duration.parse("4w")
    rules = ScanRules(month, week, NOW)
    assert sum(rules._replace(now=NOW + number * week).decide(digest, scan).due for number in range(4)) == 1


@given(digest=st.text(min_size=1))
def test_scan_in_progress_without_a_date_is_due_again_some_time(digest: str) -> None:
    assert 1 <= due_runs(digest, Scan("IN_PROGRESS"), HOUR, 24) <= 2
    assert due_runs(digest, Scan("IN_PROGRESS"), DAY, 23) == 1


def test_images_never_scanned_come_first_then_the_oldest_scan() -> None:
    scans = [Scan("COMPLETE", NOW), None, Scan("COMPLETE", NOW - timedelta(days=9)), Scan("FAILED")]
    assert sorted(scans, key=scan_priority) == [None, Scan("FAILED"), scans[2], scans[0]]
