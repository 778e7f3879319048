"""Selects the images of a repository that are to be scanned."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from ecr_scan_reporter.models import Image, IndexChild, Scan, Selection, inherited_tags
from ecr_scan_reporter.scanning.decisions import Decision
from ecr_scan_reporter.shared.durations import Duration

_LONG_AGO = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Candidate:
    """What remains of an `Image` once it is selected; a repository may have 100,000 of them."""

    digest: str
    tagged: bool
    pushed_at: datetime | None
    last_scan: Scan | None


class ImageSelector:
    """Selects images page by page, so that the pages themselves need not stay in memory.

    Args:
        selection: which images are selected.
        now: aware.

    Attributes:
        skipped: how many images were skipped, by reason.
        index_tags: the tags of each image index, by its digest.
    """

    def __init__(self, selection: Selection, now: datetime) -> None:
        self._selection, self._now = selection, now
        self._candidates: dict[str, Candidate] = {}
        self.skipped: Counter[Decision] = Counter()
        self.index_tags: dict[str, tuple[str, ...]] = {}

    def add(self, page: Iterable[Image]) -> None:
        """Add one page of images. A page may repeat images of the one before if an image was pushed meanwhile."""
        for image in page:
            if image.is_index:
                self.index_tags[image.digest] = image.tags
            if reason := self._skip_reason(image):
                self.skipped[reason] += 1
            else:
                self._candidates[image.digest] = Candidate(
                    image.digest, bool(image.tags), image.pushed_at, image.last_scan
                )

    @property
    def has_untagged(self) -> bool:
        """Whether a candidate has no tag, so that the indexes decide whether it is selected."""
        return any(not candidate.tagged for candidate in self._candidates.values())

    def select(self, children: Iterable[IndexChild]) -> list[Candidate]:
        """Return the selected images, sorted by digest.

        Args:
            children: of the repository's indexes; needed only if `has_untagged`.
        """
        children = list(children)
        tags = inherited_tags(children, self.index_tags)
        attestations = {child.digest for child in children if child.attestation}
        selected = [c for c in self._candidates.values() if c.tagged or self._keeps_untagged(c, tags, attestations)]
        if (newest := self._selection.newest) is not None and len(selected) > newest:
            self.skipped[Decision.NOT_SELECTED] += len(selected) - newest
            selected = sorted(selected, key=lambda c: c.pushed_at or _LONG_AGO, reverse=True)[:newest]
        return sorted(selected, key=lambda c: c.digest)

    def _skip_reason(self, image: Image) -> Decision | None:
        if image.is_index:
            return Decision.INDEX
        if image.archived:
            return Decision.ARCHIVED
        if image.is_artifact:
            return Decision.ARTIFACT
        return None if self._matches(image) else Decision.NOT_SELECTED

    def _matches(self, image: Image) -> bool:
        """Return whether an image matches; an image without a tag matches until its index's tags are known."""
        return (
            (not image.tags or self._matches_tags(image.tags))
            and _within(image.pushed_at, self._selection.pushed_within, self._now)
            and _within(image.pulled_at or image.pushed_at, self._selection.pulled_within, self._now)
        )

    def _matches_tags(self, tags: Sequence[str]) -> bool:
        regexp = self._selection.tag_regexp
        if self._selection.tagged_only and not tags:
            return False
        return regexp is None or any(map(regexp.match, tags))

    def _keeps_untagged(
        self, candidate: Candidate, tags: Mapping[str, tuple[str, ...]], attestations: Collection[str]
    ) -> bool:
        if candidate.digest in attestations:
            self.skipped[Decision.ATTESTATION] += 1
            return False
        if not self._matches_tags(tags.get(candidate.digest, ())):
            self.skipped[Decision.NOT_SELECTED] += 1
            return False
        return True


def _within(moment: datetime | None, duration: Duration | None, now: datetime) -> bool:
    return duration is None or (moment is not None and moment >= duration.before(now))
