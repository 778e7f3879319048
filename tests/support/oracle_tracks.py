"""The oracle's images, and which of them replaces which: the tracks of a repository, written apart from the code.

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
    `outcome` is the reason of its last scan if that failed, "" if it did not, None if there was none. `overtook` has
    the images that it would have replaced, but for their first scans, which came later than its own.
    """

    digest: str
    pushed_at: datetime
    build: str
    platform: str = ""
    tags: set[str] = field(default_factory=set)
    predecessor: str = ""
    overtook: set[str] = field(default_factory=set)
    event_at: datetime | None = None
    scanned_at: datetime | None = None
    outcome: str | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    reported_at: datetime | None = None
    findings: dict[Key, Known] = field(default_factory=dict)

    def open(self) -> dict[Key, Known]:
        return {key: known for key, known in self.findings.items() if known.gone_at is None}


Images = Mapping[str, ImageState]


def find_predecessor(image: ImageState, images: Images, findings: set[Key] | None) -> str:
    """Return the digest of the image that this one replaces, "" if there is none.

    Args:
        image: the one that replaces it.
        images: of the repository.
        findings: of the image; None if no scan has told them, so that nothing can be alike.
    """
    # The platforms of an index are pushed one after the other, but none replaces another.
    candidates = [other for other in earlier(image, images) if other.build != image.build]
    found = _by_tag(image, candidates) or _by_version(image, candidates, images)
    if not found and findings is not None:
        found = _by_likeness(image, candidates, images, findings)
    return found


def find_alike(image: ImageState, images: Images, findings: set[Key]) -> str:
    """Return the digest of the image with most of the same findings, "" if none has more than half of all of them."""
    others = earlier(image, images)
    shares = {other.digest: jaccard(findings, set(other.open())) for other in others}
    most = max(shares.values(), default=Fraction(0))
    return _preferred(image, [o for o in others if shares[o.digest] == most]) if most > Fraction(1, 2) else ""


def find_last_build(image: ImageState, images: Images) -> str:
    """Return the newest image of a family that is not numbered, for an image whose findings no scan has told."""
    candidates = [other for other in earlier(image, images) if other.build != image.build]
    for tag in sorted(image.tags):
        if not _is_numbered(tag, images):
            family = [o for o in candidates if _has_family(o, tag) and not _is_replaced(o, image, images)]
            if family:
                return _preferred(image, family)
    return ""


def is_superseded(image: ImageState, images: Images) -> bool:
    """Return whether another image replaced this one, or another platform of it."""
    return bool(_successors(image, images))


def earlier(image: ImageState, images: Images) -> list[ImageState]:
    """Return the images that were pushed before, as far as they were seen and are not too many."""
    seen = sorted((other for other in images.values() if other.event_at), key=_push_order)
    return [other for other in seen[-_CONSIDERED:] if _push_order(other) < _push_order(image)]


def pushed_later(image: ImageState, images: Images) -> list[ImageState]:
    """Return the images of other builds that were pushed later, as far as they were seen."""
    others = [other for other in images.values() if other.event_at and other.build != image.build]
    return [other for other in others if _push_order(image) < _push_order(other)]


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


def _preferred(image: ImageState, candidates: Iterable[ImageState]) -> str:
    """Return the same platform, then linux/amd64, then the newest; a plain manifest may be of any platform."""

    def rank(other: ImageState) -> tuple[bool, bool, tuple[datetime, str]]:
        same = other.platform == image.platform or "" in (other.platform, image.platform)
        return same, other.platform in ("linux/amd64", ""), _push_order(other)

    return max(candidates, key=rank).digest


def _is_replaced(image: ImageState, successor: ImageState, images: Images) -> bool:
    """Return whether another build than that of a possible successor has replaced an image."""
    return any(other.build != successor.build for other in _successors(image, images))


def _successors(image: ImageState, images: Images) -> list[ImageState]:
    platforms = {image.digest} | {
        other.digest for other in images.values() if other.build == image.build and other.tags & image.tags
    }
    return [other for other in images.values() if platforms & {other.predecessor, *other.overtook}]


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
    """Return whether a family has digits only, in every image that was seen."""
    tags = {tag} | {other for image in images.values() for other in image.tags if same_family(tag, other)}
    return all(map(is_number, tags))
