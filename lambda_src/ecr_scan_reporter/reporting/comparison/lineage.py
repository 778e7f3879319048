"""Finds which image an image replaces. People rebuild an application and tag it again; a digest alone does not tell."""

from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime
from heapq import nlargest
from typing import NamedTuple
from zlib import crc32

from ecr_scan_reporter.models.findings import Finding
from ecr_scan_reporter.reporting.comparison.tags import family

# Of an image with more findings, or more packages with findings, so many are kept to find images that are alike.
_MAX_FINDINGS, _MAX_PACKAGES = 64, 32
# How many candidates of a tag family, and how many images that are alike, are worth reading.
_FAMILY_CANDIDATES, _ALIKE_CANDIDATES = 6, 2
# The platform that comes first if the platform of an image is not known.
_COMMON_PLATFORM = "linux/amd64"


class KnownImage(NamedTuple):
    """What it takes to compare an image with others of its repository.

    Args:
        digest: of the image.
        pushed_at: aware.
        tags: its own, or those of its index, when they were last seen.
        platform: such as linux/arm64; "" if it is not known, as of a plain manifest.
        findings: numbers that stand for its findings, or for some of them if there are many.
        packages: numbers that stand for the packages with findings.
    """

    digest: str
    pushed_at: datetime
    tags: tuple[str, ...] = ()
    platform: str = ""
    findings: frozenset[int] = frozenset()
    packages: frozenset[int] = frozenset()

    def with_findings(self, findings: Iterable[Finding]) -> "KnownImage":
        """Return the image with the numbers of these findings."""
        found = list(findings)
        return self._replace(
            findings=_smallest((f"{finding.package} {finding.id}" for finding in found), _MAX_FINDINGS),
            packages=_smallest((finding.package for finding in found), _MAX_PACKAGES),
        )


class Candidates(NamedTuple):
    """Images that an image may replace, the most likely one first, and others that are alike.

    Args:
        replaced: the first one that is still remembered counts; of a tag family without versions, the first one that
            no other image has replaced yet.
        of_family: whether they are of a tag family without versions.
        alike: images whose findings are mostly the same, for an image that replaces none.
    """

    replaced: tuple[KnownImage, ...] = ()
    of_family: bool = False
    alike: tuple[KnownImage, ...] = ()


def candidates(image: KnownImage, others: Iterable[KnownImage]) -> Candidates:
    """Return the images that an image may replace.

    Evidence, the strongest first: an image that had one of its tags before; of a tag family, the version before, or
    else the image that is most alike.

    Args:
        image: its tags are those of its own event: they may have moved on since.
        others: images of the same repository.
    """
    earlier = [other for other in others if _is_earlier(other, image)]
    alike = tuple(nlargest(_ALIKE_CANDIDATES, earlier, key=lambda other: (_share(image, other), other.pushed_at)))
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


def replaced_by(image: KnownImage, others: Iterable[KnownImage]) -> tuple[str, ...]:
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


def siblings(image: KnownImage, others: Iterable[KnownImage]) -> list[str]:
    """Return the digests of the other platforms of an image: what replaces a tagged image replaces all of them."""
    return [
        other.digest
        for other in others
        if image.tags and set(other.tags) == set(image.tags) and other.platform != image.platform
    ]


def shares_most(findings: Collection[object], others: Collection[object]) -> bool:
    """Return whether two images share most of their findings."""
    shared = len(set(findings) & set(others))
    return 2 * shared > max(len(findings), len(others))


def _is_earlier(image: KnownImage, other: KnownImage) -> bool:
    return (image.pushed_at, image.digest) < (other.pushed_at, other.digest) and image.digest != other.digest


def _platforms_agree(image: KnownImage, other: KnownImage) -> bool:
    return not image.platform or not other.platform or image.platform == other.platform


def _tags(image: KnownImage) -> set[str]:
    return set(image.tags)


def _sorted(
    image: KnownImage, others: Iterable[KnownImage], weight: Callable[[KnownImage], float]
) -> tuple[KnownImage, ...]:
    """Sort images by weight, then by platform, the newest one first."""

    def key(other: KnownImage) -> tuple[object, ...]:
        return weight(other), other.platform == image.platform, other.platform == _COMMON_PLATFORM, other.pushed_at

    return tuple(sorted(others, key=key, reverse=True))


def _of_family(image: KnownImage, others: Sequence[KnownImage]) -> tuple[tuple[KnownImage, ...], list[KnownImage]]:
    """Return the lower versions, the highest one first, and the members of families without versions."""
    lower: dict[KnownImage, tuple[int, ...]] = {}
    members: dict[str, KnownImage] = {}
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


def _is_of_family(image: KnownImage, other: KnownImage) -> bool:
    return any(mine.kinds and mine.agrees(its) for mine in map(family, image.tags) for its in map(family, other.tags))


def _is_unordered(image: KnownImage, other: KnownImage) -> bool:
    return not all(family(tag).is_ordered for tag in (*image.tags, *other.tags))


def _likeness(image: KnownImage, other: KnownImage) -> float:
    """Return the share of findings and packages that two images have in common, 0 to 1."""
    return _jaccard(image.findings, other.findings) + _jaccard(image.packages, other.packages)


def _share(image: KnownImage, other: KnownImage) -> float:
    return _jaccard(image.findings, other.findings)


def _jaccard(first: frozenset[int], second: frozenset[int]) -> float:
    return len(first & second) / len(first | second) if first or second else 0.0


def _smallest(texts: Iterable[str], most: int) -> frozenset[int]:
    """Return the smallest checksums: two large sets that are alike have most of these in common, too."""
    return frozenset(sorted({crc32(text.encode("utf-8", "replace")) for text in texts})[:most])
