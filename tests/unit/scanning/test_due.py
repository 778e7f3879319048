"""Which images are due: every reason, and its edges."""

from datetime import UTC, datetime, timedelta

import pytest
from ecr_scan_reporter.due import Decision, Selection, decide, not_scannable, select, urgency
from ecr_scan_reporter.durations import Duration
from ecr_scan_reporter.models import Image, IndexChild, Scan
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
WEEK = Duration.parse("7d")


@pytest.mark.parametrize(
    ("scan", "decision", "due"),
    [
        (None, Decision.NEVER_SCANNED, True),
        (Scan("COMPLETE", NOW - timedelta(days=8)), Decision.SCAN_TOO_OLD, True),
        (Scan("COMPLETE", NOW - timedelta(days=7)), Decision.SCAN_TOO_OLD, True),
        (Scan("COMPLETE", NOW - timedelta(days=7) + timedelta(seconds=1)), Decision.SCANNED_RECENTLY, False),
        (Scan("COMPLETE", NOW), Decision.SCANNED_RECENTLY, False),
        (Scan("IN_PROGRESS"), Decision.SCAN_IN_PROGRESS, False),
        (Scan("PENDING"), Decision.SCAN_IN_PROGRESS, False),
        (Scan("IN_PROGRESS", NOW - timedelta(days=8)), Decision.SCAN_IN_PROGRESS, False),
        (Scan("FAILED"), Decision.LAST_SCAN_FAILED, True),
        (Scan("FAILED", NOW - timedelta(hours=24)), Decision.LAST_SCAN_FAILED, True),
        (Scan("FAILED", NOW - timedelta(hours=23)), Decision.FAILED_TODAY, False),
        (Scan("FAILED", None, "UnsupportedImageError: The operating system ..."), Decision.UNSUPPORTED, False),
        (Scan("UNSUPPORTED_IMAGE"), Decision.UNSUPPORTED, False),
        (Scan("IMAGE_SIZE_EXCEEDED"), Decision.UNSUPPORTED, False),
        (Scan("IMAGE_ARCHIVED"), Decision.ARCHIVED, False),
        (Scan("LIMIT_EXCEEDED"), Decision.NEVER_SCANNED, True),
        (Scan("A_STATUS_OF_TOMORROW", NOW - timedelta(days=8)), Decision.SCAN_TOO_OLD, True),
        (Scan("A_STATUS_OF_TOMORROW", NOW), Decision.SCANNED_RECENTLY, False),
    ],
)
def test_every_decision_has_its_reason(scan: Scan | None, decision: Decision, due: bool) -> None:
    assert decide(scan, WEEK, NOW) is decision
    assert decision.due is due


@given(hours=st.integers(0, 10_000), days=st.integers(1, 400))
def test_a_complete_scan_is_due_exactly_when_it_is_as_old_as_promised(hours: int, days: int) -> None:
    scan = Scan("COMPLETE", NOW - timedelta(hours=hours))
    assert decide(scan, Duration(0, 0, days), NOW).due is (hours >= 24 * days)


OCI = "application/vnd.oci.image.manifest.v1+json"
COSIGN = "sha256-" + "1" * 64


@pytest.mark.parametrize(
    ("image", "obstacle"),
    [
        (Image("r", "d"), None),
        (Image("r", "d", media_type=OCI, artifact_type="application/vnd.oci.image.config.v1+json"), None),
        (Image("r", "d", media_type="application/vnd.docker.distribution.manifest.list.v2+json"), Decision.INDEX),
        (Image("r", "d", media_type="application/vnd.oci.image.index.v1+json", archived=True), Decision.INDEX),
        (Image("r", "d", media_type="application/vnd.something.else+json"), Decision.ARTIFACT),
        (Image("r", "d", artifact_type="application/vnd.cncf.helm.config.v1+json"), Decision.ARTIFACT),
        (Image("r", "d", subject="sha256:1"), Decision.ARTIFACT),
        (Image("r", "d", (COSIGN,)), Decision.ARTIFACT),
        (Image("r", "d", (COSIGN + ".sig", COSIGN + ".att")), Decision.ARTIFACT),
        (Image("r", "d", (COSIGN + ".sig", "1.0")), None),
        (Image("r", "d", ("sha256-1.sig",)), None),
        (Image("r", "d", archived=True), Decision.ARCHIVED),
    ],
)
def test_what_ecr_cannot_scan_has_its_reason(image: Image, obstacle: Decision | None) -> None:
    assert not_scannable(image) is obstacle


def test_the_most_urgent_is_what_was_never_scanned_and_then_the_oldest_scan() -> None:
    scans = [Scan("COMPLETE", NOW), None, Scan("COMPLETE", NOW - timedelta(days=9)), Scan("FAILED")]
    assert sorted(scans, key=urgency) == [None, Scan("FAILED"), scans[2], scans[0]]


@given(
    pushed=st.lists(st.integers(0, 1000), max_size=30, unique=True),
    newest=st.integers(1, 30),
    tagged=st.sets(st.integers(0, 1000)),
)
def test_every_image_is_either_wanted_or_has_a_reason_and_the_newest_are_wanted(
    pushed: list[int], newest: int, tagged: set[int]
) -> None:
    images = [Image("r", f"d{n}", ("t",) if n in tagged else (), pushed_at=NOW + timedelta(hours=n)) for n in pushed]
    wanted, others = select(images, {}, {}, Selection(newest=newest, tagged_only=True), NOW)
    assert len(wanted) + len(others) == len(images)
    expected = sorted((image for image in images if image.tags), key=lambda image: image.pushed_at or NOW)[-newest:]
    assert set(wanted) == set(expected)


def test_an_attestation_is_none_of_the_wanted_even_if_it_has_a_tag() -> None:
    image = Image("r", "d", ("1.0",))
    children = {"d": IndexChild("index", "d", "unknown/unknown", attestation=True)}
    assert select([image], children, {}, Selection(), NOW) == ([], [Decision.ATTESTATION])
