"""Selects images, and counts why the others were skipped."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from ecr_scan_reporter.memory.coverage import Coverage, CoverageReason
from ecr_scan_reporter.models.images import Image, IndexChild
from ecr_scan_reporter.models.selection import Selection
from ecr_scan_reporter.scanning.decisions import Decision
from ecr_scan_reporter.scanning.selection import Candidate, ImageSelector
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
