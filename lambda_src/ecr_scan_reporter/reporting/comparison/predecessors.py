"""Finds which image an image replaces, by tags, versions, platforms and common findings.

People rebuild an application and tag it again; a digest alone does not tell.
"""

from collections.abc import Callable, Iterable, Sequence
from heapq import nlargest
from typing import NamedTuple

from ecr_scan_reporter.memory.pushes import PushedImage
from ecr_scan_reporter.reporting.comparison.tags import Family, family

# How many images that are alike are worth reading.
_ALIKE_CANDIDATES = 2
# Two images are alike if they have more than half of the findings of the larger one in common. That is more than a
# third of all of theirs. Checksums of large images are a sample: for these, more than a quarter of all is enough.
_ALIKE_ABOVE, _SAMPLES_ALIKE_ABOVE = 0.5, 0.25
# The platforms that come first if the platform of an image is not known.
_COMMON_PLATFORMS = ("", "linux/amd64")


class Candidates(NamedTuple):
    """The image that an image replaces, and others that are alike.

    Args:
        replaced: None if there is none.
        alike: images with mostly the same findings, the most alike first, for an image that replaces none.
    """

    replaced: PushedImage | None = None
    alike: tuple[PushedImage, ...] = ()


def candidates(image: PushedImage, others: Iterable[PushedImage]) -> Candidates:
    """Return the image that an image replaces, and those that are alike.

    Evidence, the strongest first: an image that had one of its tags before; of a tag family, the version before, or
    else the image that is most alike.

    Args:
        image: its tags are those of its own event: they may have moved on since. If none of its scans was complete,
            others of which none was complete are considered, too.
        others: images of the same repository.
    """
    others = list(others)
    # The other platforms of the same build are as new as the image.
    same = [other for other in others if _share_most(image, other) and not _are_siblings(image, other)]
    alike = tuple(nlargest(_ALIKE_CANDIDATES, same, key=lambda other: (_likeness(image, other), *other.order)))
    fitting = _replaceable(image, others)
    if same_tag := [other for other in fitting if _share_tag(image, other)]:
        return Candidates(_best(image, same_tag, lambda other: len(set(image.tags) & set(other.tags))), alike)
    lower, builds = _of_family(image, fitting, others)
    if lower:
        return Candidates(_best(image, lower, lambda other: lower[other]), alike)
    own = {image.digest, *siblings(image, others)}
    builds = [other for other in builds if other.successors <= own]
    return Candidates(_best(image, builds, lambda other: _likeness(image, other) if image.findings else 0), alike)


def replaced_by(image: PushedImage, others: Iterable[PushedImage]) -> tuple[str, ...]:
    """Return the digest of the image that replaces this one, but was scanned first; () if none does.

    At an installation, the images of a repository are scanned in any order.
    """
    others = list(others)
    later = [other for other in others if image.order < other.order]
    fitting = [other for other in later if _platforms_agree(image, other)]
    if same_tag := [other for other in fitting if _share_tag(image, other)]:
        return (min(same_tag, key=lambda other: other.order).digest,)
    if higher := _higher_versions(image, later, others):
        return (str(min(higher)[-1]),)
    _, builds = _of_family(image, fitting, others)
    alike = [
        other for other in builds if (_share_most(image, other) if _is_bare(image) else _likeness(image, other) > 0)
    ]
    return (min(alike, key=lambda other: other.order).digest,) if alike else ()


def siblings(image: PushedImage, others: Iterable[PushedImage]) -> list[str]:
    """Return the digests of the other platforms of an image: what replaces a tagged image replaces all of them."""
    return [other.digest for other in others if _are_siblings(image, other)]


def inherited_successors(image: PushedImage, others: Sequence[PushedImage]) -> frozenset[str]:
    """Return the digests of later images that have replaced the other platforms of an image before its own scan."""
    own = set(siblings(image, others))
    replaced = frozenset[str]().union(*(other.successors for other in others if other.digest in own))
    return frozenset(other.digest for other in others if other.digest in replaced - own and image.order < other.order)


def _replaceable(image: PushedImage, others: Iterable[PushedImage]) -> list[PushedImage]:
    """Return the images that an image may replace: earlier ones of its platform.

    If its findings are known, so are theirs.
    """
    fitting = [other for other in others if other.order < image.order and _platforms_agree(image, other)]
    return fitting if image.findings is None else [other for other in fitting if other.findings is not None]


def _higher_versions(
    image: PushedImage, later: Sequence[PushedImage], others: Sequence[PushedImage]
) -> list[tuple[object, ...]]:
    """Return the higher versions of an image among later ones, as sort keys that end with the digest."""
    return [
        (its, *other.order)
        for mine in _families(image)
        if _is_ordered(mine, others)
        for its, other in _members(mine, later)
        if its > mine.numbers
    ]


def _are_siblings(image: PushedImage, other: PushedImage) -> bool:
    if not image.platform or not other.platform or _platforms_agree(image, other):
        return False
    # One of them may have been scanned before a tag moved to the index.
    mine, its = set(image.tags), set(other.tags)
    return bool(mine and its) and (mine <= its or its <= mine)


def _platforms_agree(image: PushedImage, other: PushedImage) -> bool:
    # The variant v8 is the only one of arm64, and not every tool names it.
    mine, its = (platform.replace("arm64/v8", "arm64") for platform in (image.platform, other.platform))
    return not mine or not its or mine == its


def _share_tag(image: PushedImage, other: PushedImage) -> bool:
    return not set(image.tags).isdisjoint(other.tags)


def _best(
    image: PushedImage, others: Iterable[PushedImage], weight: Callable[[PushedImage], object]
) -> PushedImage | None:
    """Return the image with the most weight, of the most common platform if its own is unknown; then the newest."""

    def key(other: PushedImage) -> tuple[object, ...]:
        return weight(other), bool(image.platform) or other.platform in _COMMON_PLATFORMS, *other.order

    return max(others, key=key, default=None)


def _of_family(
    image: PushedImage, fitting: Sequence[PushedImage], others: Sequence[PushedImage]
) -> tuple[dict[PushedImage, tuple[int, ...]], list[PushedImage]]:
    """Return the lower versions among images that fit, and the members of families without versions."""
    lower: dict[PushedImage, tuple[int, ...]] = {}
    builds: dict[str, PushedImage] = {}
    for mine in _families(image):
        if _is_ordered(mine, others):
            for numbers, other in _members(mine, fitting):
                if numbers < mine.numbers:
                    lower[other] = max(numbers, lower.get(other, ()))
            continue
        for _, other in _members(mine, fitting):
            # A bare hash may be of any application. One that is alike in nothing is another application.
            related = _likeness(image, other) > 0 or not (image.findings and other.findings)
            if related or not mine.is_bare:
                builds[other.digest] = other
    return lower, list(builds.values())


def _families(image: PushedImage) -> list[Family]:
    return [mine for mine in map(family, image.tags) if mine.kinds]


def _is_bare(image: PushedImage) -> bool:
    return all(mine.is_bare for mine in _families(image))


def _members(mine: Family, others: Sequence[PushedImage]) -> list[tuple[tuple[int, ...], PushedImage]]:
    """Return the images with a tag of a family, with the numbers in it."""
    return [(its.numbers, other) for other in others for its in map(family, other.tags) if mine.agrees(its)]


def _is_ordered(mine: Family, others: Sequence[PushedImage]) -> bool:
    """Return whether a family has versions. A commit id may look like a number, so all of its tags are considered."""
    same = (its for other in others for its in map(family, other.tags) if mine.agrees(its))
    return mine.is_ordered and all(its.is_ordered for its in same)


def _share_most(image: PushedImage, other: PushedImage) -> bool:
    """Return whether two images share most of the findings of each, as far as checksums tell."""
    mine, its = image.findings or frozenset(), other.findings or frozenset()
    if image.is_sample or other.is_sample:
        return _jaccard(mine, its) > _SAMPLES_ALIKE_ABOVE
    return len(mine & its) > _ALIKE_ABOVE * max(len(mine), len(its))


def _likeness(image: PushedImage, other: PushedImage) -> float:
    """Return the share of findings and packages that two images have in common, 0 to 2."""
    findings = _jaccard(image.findings or frozenset(), other.findings or frozenset())
    return findings + _jaccard(image.packages, other.packages)


def _jaccard(first: frozenset[int], second: frozenset[int]) -> float:
    return len(first & second) / len(first | second) if first or second else 0.0
