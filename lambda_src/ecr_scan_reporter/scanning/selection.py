"""Selects the images of a repository: those that ECR can scan, and that the settings do not exclude."""

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from ecr_scan_reporter.memory.coverage import Coverage, CoverageReason
from ecr_scan_reporter.models.images import Image, IndexChild, inherited_tags
from ecr_scan_reporter.models.scans import Scan
from ecr_scan_reporter.models.selection import Selection
from ecr_scan_reporter.scanning.decisions import Decision
from ecr_scan_reporter.shared.durations import Duration
from ecr_scan_reporter.shared.matching import matches

# Reasons to skip an image that ECR could scan.
_COVERAGE_REASONS = {Decision.ARCHIVED: CoverageReason.ARCHIVED, Decision.NOT_SELECTED: CoverageReason.NOT_SELECTED}


class Candidate(NamedTuple):
    """The parts of an `Image` that are kept once it is selected.

    Args:
        tag: the first one, "" if it has none.
        last_scan: as DescribeImages named it; None if it named none.
        pushed_at: Unix seconds; 0 if that is not known.
    """

    digest: str
    tag: str
    last_scan: Scan | None
    pushed_at: int = 0

    @property
    def name(self) -> str:
        """The first tag, otherwise the short digest."""
        return _name(self.digest, self.tag)


class SkippedImage(NamedTuple):
    """An image that is not selected: its digest, its first tag ("" if it has none), and the reason."""

    digest: str
    tag: str
    reason: Decision


class Chunk(NamedTuple):
    """Some selected images, in the order of their digests; `last` says whether no others follow."""

    images: list[Candidate]
    last: bool


class Candidates:
    """The selected images of a repository, sorted by digest.

    A repository may have 100,000 of them. Until it is processed, each is one string of its digest, the time of its push
    and its first tag, which takes half as much memory as an object.

    Args:
        entries: the images, packed.
        last_scans: those that DescribeImages named, by digest.
        others: images that could be scanned, but are not selected, packed.
    """

    def __init__(
        self, entries: Iterable[str] = (), last_scans: Mapping[str, Scan] | None = None, others: Iterable[str] = ()
    ) -> None:
        self._entries, self._others = sorted(entries), sorted(others)
        self._last_scans = last_scans or {}

    def __len__(self) -> int:
        return len(self._entries)

    def chunks(self, size: int, after: str = "") -> Iterator[Chunk]:
        """Yield the candidates after a digest, at most `size` at a time; at least one chunk."""
        start = bisect_right(self._entries, after, key=_digest)
        for first in range(start, max(len(self._entries), start + 1), size):
            images = list(map(self._candidate, self._entries[first : first + size]))
            yield Chunk(images, last=first + size >= len(self._entries))

    def name(self, digest: str) -> str | None:
        """Return the first tag or the short digest of an image; None if it is no image that can be scanned."""
        for entries in (self._entries, self._others):
            position = bisect_left(entries, digest, key=_digest)
            if position < len(entries) and _digest(entries[position]) == digest:
                return self._candidate(entries[position]).name
        return None

    def _candidate(self, entry: str) -> Candidate:
        digest, pushed_at, tag = _unpack(entry)
        return Candidate(digest, tag, self._last_scans.get(digest), int(pushed_at))


class ImageSelector:
    """Selects images page by page, so that the pages themselves need not stay in memory.

    Args:
        selection: which images are selected.
        skipped_images: takes each skipped image, if it is a list.

    Attributes:
        skipped: how many images were skipped, by reason.
        skipped_coverage: those of them that ECR could scan.
        index_tags: the tags of each image index, by its digest.
        has_untagged: whether an image without a tag may be selected, which the indexes decide.
    """

    def __init__(self, selection: Selection, now: datetime, skipped_images: list[SkippedImage] | None = None) -> None:
        self._selection, self._now, self._skipped_images = selection, now, skipped_images
        self._entries: list[str] = []
        self._last_scans: dict[str, Scan] = {}
        self._untagged_not_selected: list[str] = []
        self._others: list[str] = []
        self._page_before: frozenset[str] = frozenset()
        self.skipped: Counter[Decision] = Counter()
        self.skipped_coverage = Coverage()
        self.index_tags: dict[str, tuple[str, ...]] = {}
        self.has_untagged = False

    def add(self, page: Iterable[Image]) -> None:
        """Add one page of images. It may repeat images of the page before, if one was pushed between the two calls."""
        page = list(page)
        for image in page:
            if image.digest in self._page_before:
                continue
            tag = image.tags[0] if image.tags else ""
            if image.is_index:
                self.index_tags[image.digest] = image.tags
            if reason := self._skip_reason(image):
                if reason is Decision.NOT_SELECTED and not tag:
                    self._untagged_not_selected.append(image.digest)  # or it is an attestation
                else:
                    self._skip(reason, image.digest, tag)
                continue
            pushed_at = image.pushed_at.timestamp() if image.pushed_at else 0
            self._entries.append(_pack(image.digest, pushed_at, tag))
            self.has_untagged |= not tag
            if image.last_scan:
                self._last_scans[image.digest] = image.last_scan
        self._page_before = frozenset(image.digest for image in page)

    def select(self, children: Iterable[IndexChild]) -> Candidates:
        """Return the selected images.

        Args:
            children: of the repository's indexes; needed only if `has_untagged`. Without them, attestations among the
                images that are not selected count as such.
        """
        children = list(children)
        tags = inherited_tags(children, self.index_tags)
        attestations = {child.digest for child in children if child.attestation}
        selected = []
        for entry in self._entries:
            digest, _, tag = _unpack(entry)
            if not tag and digest in attestations:
                self._skip(Decision.ATTESTATION, digest)
            elif not tag and not self._matches_tags(tags.get(digest, ())):
                self._skip(Decision.NOT_SELECTED, digest)
            else:
                selected.append(entry)
        for digest in self._untagged_not_selected:
            self._skip(Decision.ATTESTATION if digest in attestations else Decision.NOT_SELECTED, digest)
        if self._selection.newest is not None:
            selected.sort(key=lambda entry: _unpack(entry)[1], reverse=True)
            for entry in selected[self._selection.newest :]:
                digest, _, tag = _unpack(entry)
                self._skip(Decision.NOT_SELECTED, digest, tag)
            del selected[self._selection.newest :]
        return Candidates(selected, self._last_scans, self._others)

    def _skip(self, reason: Decision, digest: str, tag: str = "") -> None:
        self.skipped[reason] += 1
        if self._skipped_images is not None:
            self._skipped_images.append(SkippedImage(digest, tag, reason))
        if reason in _COVERAGE_REASONS:
            self.skipped_coverage = self.skipped_coverage.add(_COVERAGE_REASONS[reason], _name(digest, tag))
            self._others.append(_pack(digest, 0, tag))

    def _skip_reason(self, image: Image) -> Decision | None:
        if image.is_index:
            return Decision.INDEX
        if image.is_artifact:
            return Decision.ARTIFACT
        if image.archived:
            return Decision.ARCHIVED
        return None if self._matches(image) else Decision.NOT_SELECTED

    def _matches(self, image: Image) -> bool:
        """Return whether an image matches. An image without a tag matches until the tags of its index are known."""
        return (
            (not image.tags or self._matches_tags(image.tags))
            and _within(image.pushed_at, self._selection.pushed_within, self._now)
            and _within(image.pulled_at or image.pushed_at, self._selection.pulled_within, self._now)
        )

    def _matches_tags(self, tags: Sequence[str]) -> bool:
        regexp = self._selection.tag_regexp
        if self._selection.tagged_only and not tags:
            return False
        return regexp is None or matches(regexp, *tags, undecided=True)


def _pack(digest: str, pushed_at: float, tag: str) -> str:
    """Return the entry of an image; entries sort by digest, because a space sorts before every character of one."""
    return f"{digest} {pushed_at} {tag}"


def _unpack(entry: str) -> tuple[str, float, str]:
    digest, pushed_at, tag = entry.split(" ", 2)
    return digest, float(pushed_at), tag


def _digest(entry: str) -> str:
    return entry.partition(" ")[0]


def _name(digest: str, tag: str = "") -> str:
    # "sha256:" and the first 12 digits
    return tag or digest[:19]


def _within(moment: datetime | None, duration: Duration | None, now: datetime) -> bool:
    return duration is None or (moment is not None and moment >= duration.before(now))
