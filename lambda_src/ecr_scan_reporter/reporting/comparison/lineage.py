"""Finds which image an image replaces. People rebuild an application and tag it again; a digest alone does not tell."""

from collections.abc import Callable, Iterable, Sequence
from heapq import nlargest
from typing import NamedTuple

from ecr_scan_reporter.memory.pushes import PushedImage
from ecr_scan_reporter.reporting.comparison.tags import family

# How many candidates of a tag family, and how many images that are alike, are worth reading.
_FAMILY_CANDIDATES, _ALIKE_CANDIDATES = 6, 2
# Two images that share most of the findings of each have more than a third of all of them in common. This only saves
# reads, and checksums are a sample, so it asks for less.
_MOSTLY = 0.25
# The platform that comes first if the platform of an image is not known.
_COMMON_PLATFORM = "linux/amd64"


class Candidates(NamedTuple):
    """Images that an image may replace, the most likely one first, and others that are alike.

    Args:
        replaced: the first one that is still remembered counts; of a tag family without versions, the first one that
            no other image has replaced yet.
        of_family: whether they are of a tag family without versions.
        alike: images whose findings are mostly the same, for an image that replaces none.
    """

    replaced: tuple[PushedImage, ...] = ()
    of_family: bool = False
    alike: tuple[PushedImage, ...] = ()


def candidates(image: PushedImage, others: Iterable[PushedImage]) -> Candidates:
    """Return the images that an image may replace.

    Evidence, the strongest first: an image that had one of its tags before; of a tag family, the version before, or
    else the image that is most alike.

    Args:
        image: its tags are those of its own event: they may have moved on since.
        others: images of the same repository.
    """
    earlier = [other for other in others if _is_earlier(other, image)]
    same = [other for other in earlier if _jaccard(image.findings, other.findings) > _MOSTLY]
    alike = tuple(nlargest(_ALIKE_CANDIDATES, same, key=lambda other: (_likeness(image, other), other.pushed_at)))
    fitting = [other for other in earlier if _platforms_agree(image, other)]
    if same_tag := [other for other in fitting if not _tags(image).isdisjoint(other.tags)]:
        return Candidates(_sorted(image, same_tag, lambda other: len(_tags(image) & _tags(other)))[:1], alike=alike)
    versions, members = _of_family(image, fitting)
    if versions:
        return Candidates(versions[:1], alike=alike)
    if image.findings:
        ordered = _sorted(image, members, lambda other: _likeness(image, other))
    else:
        ordered = _sorted(image, members, lambda _: 0)
    return Candidates(ordered[:_FAMILY_CANDIDATES], of_family=True, alike=alike)


def replaced_by(image: PushedImage, others: Iterable[PushedImage]) -> tuple[str, ...]:
    """Return the digest of an image that replaces one, although it was scanned before it; () if there is none.

    At an installation, the images of a repository are scanned in any order.
    """
    later = [other for other in others if _is_earlier(image, other)]
    if same_tag := [other for other in later if not _tags(image).isdisjoint(other.tags)]:
        return (min(same_tag, key=lambda other: (other.pushed_at, other.digest)).digest,)
    higher = [
        (its.numbers, other.pushed_at, other.digest)
        for other in later
        for mine in map(family, image.tags)
        for its in map(family, other.tags)
        if mine.agrees(its) and mine.is_ordered and its.is_ordered and its.numbers > mine.numbers
    ]
    if higher:
        return (min(higher)[2],)
    members = [other for other in later if _is_of_family(image, other) and _is_unordered(image, other)]
    alike = [other for other in members if _likeness(image, other) > 0]
    return (min(alike, key=lambda other: (other.pushed_at, other.digest)).digest,) if alike else ()


def siblings(image: PushedImage, others: Iterable[PushedImage]) -> list[str]:
    """Return the digests of the other platforms of an image: what replaces a tagged image replaces all of them."""
    return [
        other.digest
        for other in others
        if image.tags and set(other.tags) == set(image.tags) and other.platform != image.platform
    ]


def _is_earlier(image: PushedImage, other: PushedImage) -> bool:
    return (image.pushed_at, image.digest) < (other.pushed_at, other.digest) and image.digest != other.digest


def _platforms_agree(image: PushedImage, other: PushedImage) -> bool:
    return not image.platform or not other.platform or image.platform == other.platform


def _tags(image: PushedImage) -> set[str]:
    return set(image.tags)


def _sorted(
    image: PushedImage, others: Iterable[PushedImage], weight: Callable[[PushedImage], float]
) -> tuple[PushedImage, ...]:
    """Sort images by weight, then by platform, the newest one first."""

    def key(other: PushedImage) -> tuple[object, ...]:
        return weight(other), other.platform == image.platform, other.platform == _COMMON_PLATFORM, other.pushed_at

    return tuple(sorted(others, key=key, reverse=True))


def _of_family(image: PushedImage, others: Sequence[PushedImage]) -> tuple[tuple[PushedImage, ...], list[PushedImage]]:
    """Return the lower versions, the highest one first, and the members of families without versions."""
    lower: dict[PushedImage, tuple[int, ...]] = {}
    members: dict[str, PushedImage] = {}
    for mine in map(family, image.tags):
        same = [(other, its) for other in others for its in map(family, other.tags) if mine.kinds and mine.agrees(its)]
        if mine.is_ordered and all(its.is_ordered for _, its in same):
            for other, its in same:
                if its.numbers < mine.numbers:
                    lower[other] = max(its.numbers, lower.get(other, ()))
            continue
        for other, _ in same:
            # A bare hash may be of any application. One that is alike in nothing is another application.
            related = _likeness(image, other) > 0 or not (image.findings and other.findings)
            if not mine.is_bare or related:
                members[other.digest] = other
    best = _sorted(image, lower, lambda _: 0)
    return tuple(sorted(best, key=lambda other: lower[other], reverse=True)), list(members.values())


def _is_of_family(image: PushedImage, other: PushedImage) -> bool:
    return any(mine.kinds and mine.agrees(its) for mine in map(family, image.tags) for its in map(family, other.tags))


def _is_unordered(image: PushedImage, other: PushedImage) -> bool:
    return not all(family(tag).is_ordered for tag in (*image.tags, *other.tags))


def _likeness(image: PushedImage, other: PushedImage) -> float:
    """Return the share of findings and packages that two images have in common, 0 to 1."""
    return _jaccard(image.findings, other.findings) + _jaccard(image.packages, other.packages)


def _jaccard(first: frozenset[int], second: frozenset[int]) -> float:
    return len(first & second) / len(first | second) if first or second else 0.0
