"""The oracle's images, and which of them replaces which, written apart from the code.

It knows of which build each image is, which the code has to find out from tags and indexes.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction
from functools import lru_cache
from typing import TypeVar

# The true identity of a finding: the number of the vulnerability, and the name of the package.
Key = tuple[int, str]

T = TypeVar("T")

_CONSIDERED = 200
_UUID = "[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}"
_HASH = "(?:(?<![0-9a-z])|(?<=^g)|(?<=[^0-9a-z]g))[0-9a-f]{7,}(?![0-9a-z])"
_RUN = re.compile(f"(?P<hash>{_UUID}|{_HASH})|[0-9]+", re.IGNORECASE)


@dataclass
class Known:
    """A finding of an image. `absent_since` is the first of the scans in a row that have not had it."""

    first_seen: datetime
    worst: str
    severity: str
    fix: bool
    exploit: bool
    versions: frozenset[str]
    absent_since: datetime | None = None
    gone_at: datetime | None = None
    overdue_told: bool = False


@dataclass
class ImageState:
    """An image as it is known.

    `build` names the index that it is a platform of, or the image itself. `tags` has every tag that it was seen with.
    `outcome` is the reason of its last scan if that failed, "" if it was complete, None if nobody knows. `known` is
    whether any of its scans failed or was complete. `told` is the counts of the last event if its list was not read to
    the end. `events` has the days on which the events of these times were processed: a history has no two of one time.
    """

    digest: str
    pushed_at: datetime
    build: str
    platform: str = ""
    tags: set[str] = field(default_factory=set)
    predecessor: str = ""
    known: bool = False
    event_at: datetime | None = None
    scanned_at: datetime | None = None
    outcome: str | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    listed: Mapping[str, int] = field(default_factory=dict)
    told: Mapping[str, int] = field(default_factory=dict)
    events: dict[datetime, int] = field(default_factory=dict)
    reported_at: datetime | None = None
    findings: dict[Key, Known] = field(default_factory=dict)

    def open(self) -> dict[Key, Known]:
        return {key: known for key, known in self.findings.items() if known.gone_at is None}


Images = Mapping[str, ImageState]


def find_predecessor(image: ImageState, images: Images, findings: set[Key]) -> str:
    """Return the digest of the image that this one replaces, "" if there is none.

    Only an image with a complete scan can be replaced: otherwise there is nothing to compare with.

    Args:
        image: the one that replaces it.
        images: of the repository.
        findings: of the image.
    """
    candidates = [other for other in _earlier_builds(image, images) if other.scanned_at]
    return (
        _by_tag(image, candidates)
        or _by_version(image, candidates, images)
        or _by_likeness(image, candidates, images, findings)
    )


def find_alike(image: ImageState, images: Images, findings: set[Key]) -> str:
    """Return the most alike of the images that share most of the findings of both, "" if there is none.

    It may have been pushed later: what is known of it is no news. The other platforms of its build are as new as it is.
    """
    others = [other for other in _considered(images) if other is not image and other.build != image.build]
    others = [other for other in others if _share_most(findings, set(other.open()))]
    likeness = {other.digest: _likeness(findings, set(other.open())) for other in others}
    return max(others, key=lambda other: (likeness[other.digest], _push_order(other))).digest if others else ""


def find_last_build(image: ImageState, images: Images) -> str:
    """Return the image that was scanned last of the same application, "" if there is none; for one whose scan failed.

    Its scan may have failed as well. Nothing tells what is in this image, so it is the newest of a tag family.
    """
    candidates = _earlier_builds(image, images)
    if found := _by_tag(image, candidates) or _by_version(image, candidates, images):
        return found
    family = [
        other
        for tag in image.tags
        if not _is_numbered(tag, images)
        for other in candidates
        if _has_family(other, tag) and not _is_replaced(other, image, images)
    ]
    return _preferred(image, family) if family else ""


def is_superseded(image: ImageState, images: Images) -> bool:
    """Return whether another image replaced this one, or another platform of it.

    An image that was scanned after its successor has no link. Neither has one that was there before memory was.
    """
    return bool(_successors(image, images)) or _is_overtaken(image, images)


def is_replaced(image: ImageState, images: Images) -> bool:
    """Return whether there is a link to this image, or to another platform of it."""
    return bool(_successors(image, images))


def _is_overtaken(image: ImageState, images: Images) -> bool:
    """Return whether an image that was pushed later has its tag, a higher version, or is another of such builds."""
    later = [
        other for other in _considered(images) if _push_order(image) < _push_order(other) and other.build != image.build
    ]
    fitting = [other for other in later if _platforms_agree(image, other)]
    if any(other.tags & image.tags for other in fitting):
        return True
    found = set(image.open())
    for tag in image.tags:
        if _is_numbered(tag, images):
            # A build that no longer has this platform as well.
            tags = (other_tag for other in later for other_tag in other.tags)
            if any(same_family(tag, other_tag) and version(other_tag) > version(tag) for other_tag in tags):
                return True
            continue
        for other in fitting:
            theirs = set(other.open())
            alike = _share_most(found, theirs) if is_bare(tag) else _likeness(found, theirs) > 0
            if _has_family(other, tag) and alike:
                return True
    return False


def _considered(images: Images) -> list[ImageState]:
    """Return the images that were pushed last, as far as a scan of theirs failed or was complete."""
    return sorted((other for other in images.values() if other.known), key=_push_order)[-_CONSIDERED:]


def _earlier_builds(image: ImageState, images: Images) -> list[ImageState]:
    """Return the images that were pushed before, of the same platform as far as that is known.

    The platforms of an index are pushed one after the other, but none replaces another.
    """
    before = [other for other in _considered(images) if _push_order(other) < _push_order(image)]
    return [other for other in before if other.build != image.build and _platforms_agree(image, other)]


def _platforms_agree(image: ImageState, other: ImageState) -> bool:
    """Return whether two images may be of one platform: a plain manifest may be of any, and arm64/v8 is arm64."""
    mine, its = (platform.removesuffix("/v8") for platform in (image.platform, other.platform))
    return "" in (mine, its) or mine == its


def _by_tag(image: ImageState, candidates: Sequence[ImageState]) -> str:
    most = max((len(other.tags & image.tags) for other in candidates), default=0)
    return _preferred(image, [o for o in candidates if len(o.tags & image.tags) == most]) if most else ""


def _by_version(image: ImageState, candidates: Sequence[ImageState], images: Images) -> str:
    for tag in sorted(image.tags):
        if not _is_numbered(tag, images):
            continue
        lower = [
            (version(other_tag), other)
            for other in candidates
            for other_tag in other.tags
            if same_family(tag, other_tag) and version(other_tag) < version(tag)
        ]
        if lower:
            highest = max(number for number, _ in lower)
            return _preferred(image, [other for number, other in lower if number == highest])
    return ""


def _by_likeness(image: ImageState, candidates: Sequence[ImageState], images: Images, findings: set[Key]) -> str:
    for tag in sorted(image.tags):
        if _is_numbered(tag, images):
            continue
        likeness = {
            other.digest: (other, _likeness(findings, set(other.open())))
            for other in candidates
            if other.scanned_at and _has_family(other, tag) and not _is_replaced(other, image, images)
        }
        if is_bare(tag):
            likeness = {
                digest: (other, share)
                for digest, (other, share) in likeness.items()
                if share or not findings or not other.open()
            }
        most = max((share for _, share in likeness.values()), default=Fraction(0))
        if likeness:
            return _preferred(image, [other for other, share in likeness.values() if share == most])
    return ""


def _likeness(findings: set[Key], others: set[Key]) -> Fraction:
    packages, their_packages = {package for _, package in findings}, {package for _, package in others}
    return jaccard(findings, others) + jaccard(packages, their_packages)


def jaccard(mine: set[T], theirs: set[T]) -> Fraction:
    """Return how much of both is shared: 0 to 1, and 0 if there is nothing."""
    return Fraction(len(mine & theirs), len(mine | theirs) or 1)


def _share_most(mine: set[Key], theirs: set[Key]) -> bool:
    return len(mine & theirs) * 2 > max(len(mine), len(theirs))


def _preferred(image: ImageState, candidates: Iterable[ImageState]) -> str:
    """Return the newest; for a plain manifest, which may be of any platform, one that is not linux/amd64 comes last."""

    def rank(other: ImageState) -> tuple[bool, tuple[datetime, str]]:
        return image.platform != "" or other.platform in ("linux/amd64", ""), _push_order(other)

    return max(candidates, key=rank).digest


def _is_replaced(image: ImageState, successor: ImageState, images: Images) -> bool:
    """Return whether another build than that of a possible successor has replaced an image."""
    return any(other.build != successor.build for other in _successors(image, images))


def _successors(image: ImageState, images: Images) -> list[ImageState]:
    platforms = {image.digest} | {
        other.digest for other in images.values() if other.build == image.build and other.tags & image.tags
    }
    return [other for other in images.values() if other.predecessor in platforms]


def _push_order(image: ImageState) -> tuple[datetime, str]:
    return image.pushed_at, image.digest


def same_family(tag: str, other: str) -> bool:
    """Return whether two tags differ only in what changes from build to build."""
    (texts, runs), (other_texts, other_runs) = _parts(tag), _parts(other)
    if texts != other_texts:
        return False
    pairs = zip(runs, other_runs, strict=True)
    return all((a.isdigit() and b.isdigit()) or (a_hash and b_hash) for (a, a_hash), (b, b_hash) in pairs)


def is_number(tag: str) -> bool:
    """Return whether all that changes in a tag are digits."""
    return all(run.isdigit() for run, _ in _parts(tag)[1])


def is_bare(tag: str) -> bool:
    """Return whether a tag is nothing but a hash."""
    texts, runs = _parts(tag)
    return texts == ["", ""] and runs[0][1]


def version(tag: str) -> tuple[int, ...]:
    """Return the numbers in a tag, all of whose runs are digits."""
    return tuple(int(run) for run, _ in _parts(tag)[1])


@lru_cache(4096)
def _parts(tag: str) -> tuple[list[str], list[tuple[str, bool]]]:
    """Return what stays in a tag, and the runs between that change, each with whether it may be a hash."""
    matches = list(_RUN.finditer(tag))
    ends, starts = [0, *(match.end() for match in matches)], [*(match.start() for match in matches), len(tag)]
    texts = [tag[end:start] for end, start in zip(ends, starts, strict=True)]
    return texts, [(match[0], match["hash"] is not None) for match in matches]


def _has_family(image: ImageState, tag: str) -> bool:
    return any(same_family(tag, other) for other in image.tags)


def _is_numbered(tag: str, images: Images) -> bool:
    """Return whether a family has digits only, in every image that was scanned."""
    tags = {tag} | {other for image in _considered(images) for other in image.tags if same_family(tag, other)}
    return all(map(is_number, tags))
