"""The oracle of the reporter's memory knows which image replaces which; each table is a rule."""

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import pytest
from support.oracle_tracks import (
    Images,
    ImageState,
    Key,
    Known,
    find_alike,
    find_last_build,
    find_predecessor,
    is_bare,
    is_replaced,
    is_superseded,
    same_family,
    version,
)

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
AMD, ARM = "linux/amd64", "linux/arm64"
HASH = [f"{n}a{n:062}" for n in range(4)]


class Pushed(NamedTuple):
    """An image of a table: `found` are findings such as "1openssl"."""

    name: str
    day: int
    tags: str = ""
    found: str = ""
    platform: str = ""
    build: str = ""
    replaces: str = ""
    scanned: bool = True


def keys(found: str) -> set[Key]:
    return {(int(key[0]), key[1:]) for key in found.split()}


def repository(*pushed: Pushed) -> dict[str, ImageState]:
    images = {}
    for name, day, tags, found, platform, build, replaces, scanned in pushed:
        at = START + timedelta(days=day)
        known = {key: Known(at, "HIGH", "HIGH", False, False, frozenset()) for key in keys(found)}
        image = ImageState(name, at, build or name, platform, set(tags.split()), replaces, event_at=at, findings=known)
        image.scanned_at, image.known = at if scanned else None, True
        images[name] = image
    return images


def predecessor(*pushed: Pushed) -> str:
    """Return what the last image of a table replaces, or what its scan would be compared with that failed."""
    images = repository(*pushed)
    last = images[pushed[-1].name]
    return find_predecessor(last, images, set(last.findings)) if last.scanned_at else find_last_build(last, images)


@pytest.mark.parametrize(
    ("tag", "other", "same"),
    [
        ("1.9.5", "1.10.0", True),
        ("1.9.5", "1.9", False),
        ("v1.9.5", "1.9.5", False),
        ("2026-03-01", "2026-12-31", True),
        ("main", "main", True),
        ("main", "latest", False),
        ("v12-alpine", "v12-slim", False),
        # Families are compared whole.
        ("python", "python3.9", False),
        # Commits, of which some are digits only, or letters only.
        ("main-3f2a9c1", "main-77be01d", True),
        ("main-3f2a9c1", "main-5176135", True),
        ("main-3f2a9c1", "main-deadbee", True),
        ("main-3F2A9C1", "main-77be01d", True),
        ("1.4-2-g3f2a9c1", "1.4-7-g5176135", True),
        ("main-51761350-20260301", "main-3f2a9c1d-20260302", True),
        ("prod-deadbeef", "prod-12345678", True),
        # `#` and `~` agree where the run is digits only.
        ("build-7", "build-1234567", True),
        ("build-7", "build-12345ab", False),
        # Six are no hash, and neither is what is part of a word.
        ("main-3f2a9c", "main-77be01", False),
        ("main-facade", "main-decade", False),
        ("mainx3f2a9c1", "mainx77be01d", False),
        ("main-3f2a9c1x", "main-77be01dx", False),
        ("main_3f2a9c1", "main_77be01d", True),
        (HASH[0], HASH[1], True),
        ("3f2504e0-4f89-11d3-9a0c-0305e82c3301", "12345678-1234-1234-1234-123456789012", True),
    ],
)
def test_tags_of_one_family(tag: str, other: str, same: bool) -> None:
    assert same_family(tag, other) is same_family(other, tag) is same


def test_numbers_and_bare_hashes() -> None:
    assert version("v1.10.3") == (1, 10, 3) > version("v1.9.20")
    assert [tag for tag in (HASH[0], "3f2a9c1", "5176135", "main-3f2a9c1", "2.0", "main") if is_bare(tag)] == [
        HASH[0],
        "3f2a9c1",
        "5176135",
    ]


@pytest.mark.parametrize(
    ("pushed", "expected"),
    [
        ([Pushed("a", 1, "latest"), Pushed("y", 2, "latest")], "a"),
        # Before any version, and whatever is in it.
        ([Pushed("a", 1, "latest 1.0", "1a"), Pushed("b", 2, "1.1", "1b"), Pushed("y", 3, "latest 1.2", "1b")], "a"),
        # Most shared tags, then the newest.
        ([Pushed("a", 1, "x main"), Pushed("b", 2, "main"), Pushed("y", 3, "x main")], "a"),
        ([Pushed("a", 1, "main"), Pushed("b", 2, "main"), Pushed("y", 3, "main")], "b"),
        # Only one that was completely scanned, unless nobody could scan the next one, either.
        ([Pushed("a", 1, "main", scanned=False), Pushed("y", 3, "main")], ""),
        ([Pushed("a", 1, "main", scanned=False), Pushed("y", 3, "main", scanned=False)], "a"),
        # Only images that were pushed before: by time, then by digest.
        ([Pushed("a", 4, "main"), Pushed("y", 3, "main")], ""),
        ([Pushed("a", 3, "main"), Pushed("z", 3, "main"), Pushed("y", 3, "main")], "a"),
        # The same platform; for a plain manifest, linux/amd64; then the newest.
        (
            [
                Pushed("a", 1, "main", platform=ARM),
                Pushed("b", 2, "main", platform=AMD),
                Pushed("y", 3, "main", platform=ARM),
            ],
            "a",
        ),
        (
            [
                Pushed("a", 1, "main", platform=AMD),
                Pushed("b", 2, "main", platform=ARM),
                Pushed("y", 3, "main", platform="linux/s390x"),
            ],
            "",
        ),
        ([Pushed("a", 1, "main", platform=ARM), Pushed("y", 3, "main", platform="linux/arm64/v8")], "a"),
        ([Pushed("a", 1, "main", platform=AMD), Pushed("b", 2, "main", platform=ARM), Pushed("y", 3, "main")], "a"),
        # A plain manifest agrees with any platform: from plain manifests to indexes, and back.
        ([Pushed("a", 1, "main", platform=ARM), Pushed("b", 2, "main"), Pushed("y", 3, "main", platform=ARM)], "b"),
        ([Pushed("a", 1, "main", platform=AMD), Pushed("b", 2, "main"), Pushed("y", 3, "main")], "b"),
        ([Pushed("a", 1, "main"), Pushed("b", 2, "main", platform=AMD), Pushed("y", 3, "main")], "b"),
        (
            [
                Pushed("a", 1, "main"),
                Pushed("b", 2, "main", platform=ARM),
                Pushed("y", 3, "main", platform=ARM),
            ],
            "b",
        ),
        # The platforms of one index do not replace each other.
        (
            [
                Pushed("a", 1, "main"),
                Pushed("b", 2, "main", platform=AMD, build="i"),
                Pushed("y", 3, "main", platform=ARM, build="i"),
            ],
            "a",
        ),
        # Without tags, nothing.
        ([Pushed("a", 1, "", "1a"), Pushed("y", 2, "", "1a")], ""),
    ],
)
def test_image_that_carried_a_tag_before(pushed: list[Pushed], expected: str) -> None:
    assert predecessor(*pushed) == expected


@pytest.mark.parametrize(
    ("earlier", "tag", "expected"),
    [
        (["1.9.4", "2.3.0"], "1.9.5", "1.9.4"),
        (["1.9.4", "2.3.0"], "2.3.1", "2.3.0"),
        (["1.9.4", "2.2.0"], "2.3.0", "2.2.0"),
        (["1.0", "2.0", "1.1"], "1.10", "1.1"),
        (["1.10", "1.2"], "1.11", "1.10"),
        # Nothing lower.
        (["1.1", "2.0"], "1.0", ""),
        (["1.0", "1.1-slim"], "1.2-slim", "1.1-slim"),
        (["v1.0"], "1.1", ""),
        (["2026-02-28", "2026-01-31"], "2026-03-01", "2026-02-28"),
        (["build-9"], "build-10", "build-9"),
        # Only digits so far: versions.
        (["main-5176135", "main-4176135"], "main-5176136", "main-5176135"),
        (["main-5176135"], "main-4176135", ""),
        # A commit with a letter: no versions, so the newest of what is alike.
        (["main-5176135", "main-3f2a9c1"], "main-4176135", "main-3f2a9c1"),
        (["python3"], "python", ""),
    ],
)
def test_highest_lower_version(earlier: list[str], tag: str, expected: str) -> None:
    # All of them are alike, and the highest may be replaced already.
    pushed = [Pushed(other, day, other, "1a") for day, other in enumerate(earlier)]
    assert predecessor(*pushed, Pushed("y", 9, tag, "1a")) == expected


def test_platform_of_the_highest_lower_version() -> None:
    platforms = [Pushed("a", 1, "1.0", platform=AMD), Pushed("b", 1, "1.0", platform=ARM)]
    assert predecessor(*platforms, Pushed("y", 2, "1.1", platform=ARM)) == "b"
    assert predecessor(*platforms, Pushed("y", 2, "1.1")) == "a"
    assert predecessor(Pushed("a", 1, "1.0"), Pushed("y", 2, "1.1", platform=ARM)) == "a"


MAIN = ["main-3f2a9c1", "main-77be01d", "main-c0ffee1", "main-5176135"]


@pytest.mark.parametrize(
    ("pushed", "expected"),
    [
        # Shared findings and packages, of all of both.
        ([Pushed("a", 1, MAIN[0], "1a 2b"), Pushed("b", 2, MAIN[1], "3c 4d"), Pushed("y", 3, MAIN[2], "1a 2b")], "a"),
        ([Pushed("a", 1, MAIN[0], "1a"), Pushed("b", 2, MAIN[1], "1a 2b 3c"), Pushed("y", 3, MAIN[2], "1a")], "a"),
        # Of the package names alone.
        ([Pushed("a", 1, MAIN[0], "2a"), Pushed("b", 2, MAIN[1], "1b"), Pushed("y", 3, MAIN[2], "1a")], "a"),
        # A tie goes to the same platform, linux/amd64, the newest.
        ([Pushed("a", 1, MAIN[0], "1a"), Pushed("b", 2, MAIN[1], "1a"), Pushed("y", 3, MAIN[2], "1a")], "b"),
        (
            [
                Pushed("a", 1, MAIN[0], "1a", ARM),
                Pushed("b", 2, MAIN[1], "1a", AMD),
                Pushed("y", 3, MAIN[2], "1a", ARM),
            ],
            "a",
        ),
        # Nothing shared: still the same application.
        ([Pushed("a", 1, MAIN[0], "1a"), Pushed("y", 3, MAIN[2], "2b")], "a"),
        # Without findings, the newest.
        ([Pushed("a", 1, MAIN[0], "1a"), Pushed("b", 2, MAIN[1], "2b"), Pushed("y", 3, MAIN[2])], "b"),
        # Not one that is replaced.
        (
            [
                Pushed("a", 1, MAIN[0], "1a"),
                Pushed("b", 2, MAIN[1], "2b", replaces="a"),
                Pushed("y", 3, MAIN[2], "1a"),
            ],
            "b",
        ),
        # Replaced by a platform of the same build, or by the one that took the other platform: not yet.
        (
            [
                Pushed("a", 1, MAIN[0], "1a", AMD, "i"),
                Pushed("b", 1, MAIN[0], "1a", ARM, "i"),
                Pushed("c", 2, MAIN[1], "1a", AMD, "j", replaces="a"),
                Pushed("y", 2, MAIN[1], "1a", ARM, "j"),
            ],
            "b",
        ),
        # Replaced as the other platform of an image that another build replaced.
        (
            [
                Pushed("a", 1, MAIN[0], "1a", AMD, "i"),
                Pushed("b", 1, MAIN[0], "1b", ARM, "i"),
                Pushed("c", 2, MAIN[1], "1a", replaces="a"),
                Pushed("y", 3, MAIN[2], "1b", ARM, "j"),
            ],
            "c",
        ),
        # Not one whose findings no scan has told.
        ([Pushed("a", 1, MAIN[0], "1a"), Pushed("b", 2, MAIN[1], scanned=False), Pushed("y", 3, MAIN[2])], "a"),
        # A branch is another family.
        ([Pushed("a", 1, MAIN[0], "1a"), Pushed("y", 3, "dev-3f2a9c1", "1a")], ""),
        # Nothing but a hash: what shares no finding and no package is another application.
        ([Pushed("a", 1, HASH[0], "1a"), Pushed("b", 2, HASH[1], "1b"), Pushed("y", 3, HASH[2], "2a")], "a"),
        ([Pushed("a", 1, HASH[0], "1a"), Pushed("y", 3, HASH[2], "1b")], ""),
        # Unless one of the two has no findings.
        ([Pushed("a", 1, HASH[0], "1a"), Pushed("y", 3, HASH[2])], "a"),
        ([Pushed("a", 1, HASH[0]), Pushed("y", 3, HASH[2], "1b")], "a"),
    ],
)
def test_most_alike_of_a_family_without_versions(pushed: list[Pushed], expected: str) -> None:
    assert predecessor(*pushed) == expected


def test_only_the_last_200_images_are_considered() -> None:
    others = [Pushed(f"o{number}", number, f"branch-x{number}") for number in range(1, 200)]
    assert predecessor(Pushed("a", 0, "main"), *others[1:], Pushed("y", 300, "main")) == "a"
    assert predecessor(Pushed("a", 0, "main"), *others, Pushed("y", 300, "main")) == ""


@pytest.mark.parametrize(
    ("found", "theirs", "is_alike"),
    [
        ("1a 2a 3a", "1a 2a 3a", True),
        ("1a 2a", "1a 2a 3a", True),
        # More than half of each, and exactly half of one.
        ("1a 2a 3a", "1a 2a 4a", True),
        ("1a", "1a 2a", False),
        ("1a 2a", "1a 2a 3a 4a", False),
        ("1a", "1b", False),
        ("", "", False),
    ],
)
def test_image_that_shares_more_than_half_of_the_findings(found: str, theirs: str, is_alike: bool) -> None:
    images = repository(
        Pushed("a", 1, "main", theirs, ARM, "i"), Pushed("b", 2, "x", "9z"), Pushed("y", 3, "feature-login", found, AMD)
    )
    assert find_alike(images["y"], images, keys(found)) == ("a" if is_alike else "")


def test_of_images_that_are_equally_alike_the_newest() -> None:
    images = repository(
        Pushed("a", 1, "main", "1a"),
        Pushed("b", 2, "other", "1a"),
        # Another platform of the same build is as new as the image.
        Pushed("c", 2, "x", "1a", ARM, "i"),
        Pushed("y", 3, "x", "1a", AMD, "i"),
    )
    assert find_alike(images["y"], images, keys("1a")) == "b"


def test_last_build_of_an_image_whose_scan_failed() -> None:
    images = repository(
        Pushed("a", 1, MAIN[0], "1a"),
        Pushed("b", 2, MAIN[1], scanned=False),
        Pushed("v", 2, "1.0", scanned=False),
        Pushed("y", 3, MAIN[2], scanned=False),
        Pushed("w", 3, "1.1", scanned=False),
    )
    assert find_last_build(images["y"], images) == "b"
    # The version before it failed as well.
    assert find_last_build(images["w"], images) == "v"


def superseded(images: Images) -> list[str]:
    return [digest for digest, image in images.items() if is_superseded(image, images)]


def test_superseded_images() -> None:
    images = repository(
        Pushed("a", 1, "1.9.4"),
        Pushed("b", 2, "2.3.0", replaces="a"),
        Pushed("c", 3, "1.9.5", replaces="a"),
        Pushed("d", 4, "3.0", platform=AMD, build="i"),
        Pushed("e", 4, "3.0", platform=ARM, build="i"),
        Pushed("f", 5, "3.1", platform=AMD, build="j", replaces="d"),
        Pushed("g", 6, "unrelated"),
        # The tag of what was replaced has moved here.
        Pushed("h", 7, "3.0"),
    )
    assert superseded(images) == ["a", "d", "e"]


@pytest.mark.parametrize(
    ("image", "later", "expected"),
    [
        (Pushed("a", 1, "latest"), Pushed("b", 2, "latest"), True),
        (Pushed("a", 1, "latest", platform=AMD), Pushed("b", 2, "latest", platform=ARM), False),
        (Pushed("a", 1, "1.0"), Pushed("b", 2, "1.1"), True),
        # That platform is no longer built.
        (Pushed("a", 1, "1.0", platform=ARM), Pushed("b", 2, "1.1", platform=AMD), True),
        (Pushed("a", 1, "1.0", platform=AMD, build="i"), Pushed("b", 2, "1.0", platform=ARM, build="i"), False),
        (Pushed("a", 1, "1.1"), Pushed("b", 2, "1.0"), False),
        (Pushed("a", 2, "1.0"), Pushed("b", 1, "1.1"), False),
        (Pushed("a", 1, MAIN[0], "1a 2b"), Pushed("b", 2, MAIN[1], "3a"), True),
        (Pushed("a", 1, MAIN[0], "1a"), Pushed("b", 2, MAIN[1], "1b"), False),
        # A bare hash may be of any application.
        (Pushed("a", 1, HASH[0], "1a 2b"), Pushed("b", 2, HASH[1], "3a"), False),
        (Pushed("a", 1, HASH[0], "1a 2b"), Pushed("b", 2, HASH[1], "1a 2b 3a"), True),
    ],
)
def test_image_that_was_scanned_after_a_later_one_of_its_application(
    image: Pushed, later: Pushed, *, expected: bool
) -> None:
    images = repository(image, later)
    assert is_superseded(images["a"], images) is expected
    assert not is_replaced(images["a"], images)
