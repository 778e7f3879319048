"""Adds up the state of the registry, or of one repository, from what is remembered of each repository and image."""

import heapq
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import NamedTuple

from ecr_scan_reporter.memory.images import ImageRecord, Update
from ecr_scan_reporter.memory.summaries import IMAGES, IN_TIME, NOT_PROMISED, OverdueFinding, RepositorySummary
from ecr_scan_reporter.models.severities import severity_key
from ecr_scan_reporter.reporting.formatting import image_name
from ecr_scan_reporter.shared.durations import Duration

# How many updates, overdue findings and images per reason are named.
_MAX_UPDATES, _MAX_OVERDUE, _MAX_EXAMPLES = 5, 5, 5
# How many images of a repository are read, in the order of their digests: about 12 MB of items and two seconds.
MAX_IMAGES = 25_000


class Coverage(NamedTuple):
    """How many images were scanned within the promised age, and why the others were not.

    Args:
        scanned: within the promised age.
        missed: images that were not, by reason.
        not_promised: images that are not to be scanned, by reason.
        examples: by reason, names of images that were not scanned, each with its repository.
    """

    scanned: int
    missed: Mapping[str, int]
    not_promised: Mapping[str, int]
    examples: Mapping[str, Sequence[str]]

    @property
    def promised(self) -> int:
        """How many images are to be scanned within the promised age."""
        return self.scanned + sum(self.missed.values())


class RepositoryLine(NamedTuple):
    """One repository in the list of all."""

    name: str
    updated_at: datetime
    images_by_worst: Mapping[str, int]
    open: Mapping[str, int]
    missed: int
    overdue: int


class SharedUpdate(NamedTuple):
    """An update, with the number of repositories that need it and the name of one that needs it most."""

    update: Update
    repositories: int
    repository: str


class RegistryState(NamedTuple):
    """The registry after its last run.

    Args:
        updated_at: when the last repository was visited (aware); None before the first run.
        repositories: all that runs visit, the worst first.
        not_visited: names of those that no run has visited for the promised age, while others were.
        coverage: of the images that are to be scanned.
        open: open findings by severity.
        images_by_worst: images by the severity of their worst open finding, "NONE" if they have none.
        updates: those that solve the most.
        overdue: how many findings are overdue.
        overdue_worst: repository and finding, those overdue for the longest.
        ignored: how many open findings are ignored.
    """

    updated_at: datetime | None
    repositories: Sequence[RepositoryLine]
    not_visited: Sequence[str]
    coverage: Coverage
    open: Mapping[str, int]
    images_by_worst: Mapping[str, int]
    updates: Sequence[SharedUpdate]
    overdue: int
    overdue_worst: Sequence[tuple[str, OverdueFinding]]
    ignored: int

    @property
    def images(self) -> int:
        """How many images have a scan that the reporter saw."""
        return sum(self.images_by_worst.values())


class ImageLine(NamedTuple):
    """One image in the list of a repository's images."""

    digest: str
    record: ImageRecord


class RepositoryImages(NamedTuple):
    """The images of a repository that the reporter remembers.

    Args:
        recent: those with a complete or failed scan within the promised age, the worst first.
        older: how many others there are; most were deleted, and are forgotten 400 days after their last scan.
        more: whether the repository has more images than are read.
    """

    recent: Sequence[ImageLine]
    older: int
    more: bool


def registry_state(summaries: Iterable[RepositorySummary], max_age: Duration) -> RegistryState:
    """Add up the summaries of all repositories.

    The repositories scanner forgets a deleted repository on its next whole run. Until then, its summary grows old, as
    that of a repository does that fails in each run or is excluded. A summary older than the promised age counts for
    nothing, and its repository is named.
    """
    found = list(summaries)
    newest = max((summary.updated_at for summary in found), default=None)
    oldest = max_age.before(newest) if newest else None
    visited = [summary for summary in found if oldest is None or summary.updated_at >= oldest]
    open_, worst, overdue = Counter[str](), Counter[str](), list[tuple[str, OverdueFinding]]()
    for summary in visited:
        open_.update(summary.open)
        worst.update(summary.images_by_worst)
        overdue += [(summary.repository, finding) for finding in summary.overdue_worst]
    return RegistryState(
        updated_at=newest,
        repositories=sorted(map(_line, visited), key=_line_sort_key),
        not_visited=[summary.repository for summary in found if oldest and summary.updated_at < oldest],
        coverage=_coverage(visited),
        open=open_,
        images_by_worst=worst,
        updates=_shared_updates(visited),
        overdue=sum(summary.overdue for summary in visited),
        overdue_worst=heapq.nsmallest(_MAX_OVERDUE, overdue, key=lambda pair: pair[1].due_at),
        ignored=sum(summary.ignored for summary in visited),
    )


def repository_images(records: Iterable[tuple[str, ImageRecord]], max_age: Duration, now: datetime) -> RepositoryImages:
    """Sort a repository's images, the worst first."""
    read = list(islice(records, MAX_IMAGES + 1))
    since = max_age.before(now)
    recent = [ImageLine(digest, record) for digest, record in read[:MAX_IMAGES] if _is_recent(record, since)]
    recent.sort(key=lambda image: (*severity_key(image.record.counts or {}), image.record.tags, image.digest))
    return RepositoryImages(recent, min(len(read), MAX_IMAGES) - len(recent), len(read) > MAX_IMAGES)


def _is_recent(record: ImageRecord, since: datetime) -> bool:
    last = record.event_at or record.scanned_at
    return last is not None and last >= since


def _line(summary: RepositorySummary) -> RepositoryLine:
    missed = sum(_coverage([summary]).missed.values())
    return RepositoryLine(
        summary.repository, summary.updated_at, summary.images_by_worst, summary.open, missed, summary.overdue
    )


def _line_sort_key(line: RepositoryLine) -> tuple[object, ...]:
    return *severity_key(line.open), -line.overdue, -line.missed, line.name


def _coverage(summaries: Iterable[RepositorySummary]) -> Coverage:
    counts: Counter[str] = Counter()
    examples: dict[str, list[str]] = {}
    for summary in summaries:
        counts.update(summary.coverage)
        for reason, names in summary.examples.items():
            known = examples.setdefault(reason, [])
            known += [image_name(summary.repository, name) for name in names[: _MAX_EXAMPLES - len(known)]]
    in_time, images = counts.pop(IN_TIME, 0), counts.pop(IMAGES, 0)
    # Images that a summary counts without a reason.
    counts["other"] += max(images - in_time - counts.total(), 0)
    return Coverage(
        in_time,
        {reason: number for reason, number in counts.items() if number and reason not in NOT_PROMISED},
        {reason: number for reason, number in counts.items() if number and reason in NOT_PROMISED},
        {reason: names for reason, names in examples.items() if reason not in NOT_PROMISED},
    )


def _shared_updates(summaries: Iterable[RepositorySummary]) -> list[SharedUpdate]:
    merged: dict[object, tuple[Update, int, str, Update]] = {}
    for summary in summaries:
        for update in summary.updates:
            known = merged.get(update.key)
            if known is None:
                merged[update.key] = update, 1, summary.repository, update
                continue
            total, repositories, repository, largest = known
            if update.sort_key() < largest.sort_key():
                repository, largest = summary.repository, update
            merged[update.key] = total + update, repositories + 1, repository, largest
    best = heapq.nsmallest(_MAX_UPDATES, merged.values(), key=lambda entry: entry[0].sort_key())
    return [SharedUpdate(total, repositories, repository) for total, repositories, repository, _ in best]
