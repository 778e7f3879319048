"""Adds up repositories for the overview and the widget: which count, which are worst, what to do first.

It keeps a line of each repository, and only the worst of the rest: its size does not depend on the number of images.
"""

import heapq
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import cached_property
from typing import Generic, NamedTuple, TypeVar

from ecr_scan_reporter.memory.coverage import Coverage
from ecr_scan_reporter.memory.images import KnownExploited, Update
from ecr_scan_reporter.memory.summaries import OverdueInImage, RepositorySummary
from ecr_scan_reporter.models.severities import severity_key
from ecr_scan_reporter.reporting.formatting import image_name
from ecr_scan_reporter.shared.durations import Duration

# How many updates, images per reason, overdue findings, and findings that are known to be exploited are named.
_MAX_UPDATES, _MAX_EXAMPLES, _MAX_URGENT = 5, 5, 10
# When there are many different updates, only those that solve the most are kept.
_MANY_UPDATES, _KEPT_UPDATES = 20_000, 5_000


Named = TypeVar("Named", OverdueInImage, KnownExploited)


class RepositoryLine(NamedTuple):
    """One repository in the list of all: the numbers of its summary."""

    repository: str
    updated_at: datetime
    coverage: Coverage
    open: Mapping[str, int]
    images_by_worst: Mapping[str, int]
    overdue: int
    ignored: int

    @property
    def late(self) -> int:
        """How many images were not scanned within the promised age."""
        return sum(self.coverage.late.values())


class SharedUpdate(NamedTuple):
    """An update, with the number of repositories that need it and the name of one that needs it most.

    `most` is the sort key of the update as that repository needs it.
    """

    update: Update
    repositories: int
    repository: str
    most: tuple[object, ...]


class RepositoryFinding(NamedTuple, Generic[Named]):
    """A finding of an image of a repository. `image`: the full name of the image."""

    repository: str
    image: str
    finding: Named


class RegistryState:
    """The state of repositories after the last run of each.

    Attributes:
        repositories: one line each.
        not_visited: names of repositories that are not counted, because no run visits them anymore.
        open: open findings by severity.
        images_by_worst: images by the severity of their worst open finding, "NONE" if they have none.
        overdue: how many findings are overdue.
        overdue_worst: those overdue for the longest.
        ignored: how many open findings are ignored.
        kernel_headers: how many of these are of kernel headers.
        exploited: how many open findings are known to be exploited, and are not ignored.
        exploited_first: those that are due first.
        exploited_ignored: how many of the ignored findings are known to be exploited.
        has_fixes: whether a fixed version of any package is known.
    """

    def __init__(self) -> None:
        self.repositories: list[RepositoryLine] = []
        self.not_visited: list[str] = []
        self.open, self.images_by_worst = Counter[str](), Counter[str]()
        self.overdue, self.ignored, self.has_fixes = 0, 0, False
        self.kernel_headers, self.exploited, self.exploited_ignored = 0, 0, 0
        self.exploited_first: list[RepositoryFinding[KnownExploited]] = []
        self.overdue_worst: list[RepositoryFinding[OverdueInImage]] = []
        self._counts = Counter[str]()
        self._names: dict[str, list[str]] = {}
        self._updates: dict[object, SharedUpdate] = {}

    def add(self, summary: RepositorySummary) -> None:
        """Add a repository."""
        name = summary.repository
        self.repositories.append(RepositoryLine._make(getattr(summary, field) for field in RepositoryLine._fields))
        self.open.update(summary.open)
        self.images_by_worst.update(summary.images_by_worst)
        self.ignored += summary.ignored
        self.kernel_headers += summary.kernel_headers
        self.exploited += summary.exploited
        self.exploited_ignored += summary.exploited_ignored
        self._counts.update(summary.coverage.counts)
        for reason, images in summary.coverage.names.items():
            known = self._names.setdefault(reason, [])
            known += [image_name(name, image) for image in images[: _MAX_EXAMPLES - len(known)]]
        self.overdue += summary.overdue
        late = [RepositoryFinding(name, image_name(name, found.image), found) for found in summary.overdue_worst]
        self.overdue_worst = heapq.nsmallest(
            *(_MAX_URGENT, [*self.overdue_worst, *late]),
            key=lambda each: (each.finding.due_at, each.image, each.finding.id),
        )
        urgent = [RepositoryFinding(name, image_name(name, image), found) for image, found in summary.exploited_first]
        self.exploited_first = heapq.nsmallest(
            *(_MAX_URGENT, [*self.exploited_first, *urgent]), key=lambda each: (each.finding.due, each.image)
        )
        for update in summary.updates:
            self._add_update(update, name)

    def _add_update(self, update: Update, repository: str) -> None:
        self.has_fixes = self.has_fixes or bool(update.fixed_versions)
        key, most = update.key, update.sort_key()
        if known := self._updates.get(key):
            if known.most <= most:
                repository, most = known.repository, known.most
            update = known.update + update
        self._updates[key] = SharedUpdate(update, known.repositories + 1 if known else 1, repository, most)
        if len(self._updates) > _MANY_UPDATES:
            self._updates = {shared.update.key: shared for shared in self._best_updates(_KEPT_UPDATES)}

    def _best_updates(self, number: int) -> list[SharedUpdate]:
        return heapq.nsmallest(number, self._updates.values(), key=lambda shared: shared.update.sort_key())

    @cached_property
    def updates(self) -> list[SharedUpdate]:
        """The updates that solve the most."""
        return self._best_updates(_MAX_UPDATES)

    @cached_property
    def coverage(self) -> Coverage:
        """How many images were scanned within the promised age, and a few names of the others."""
        return Coverage(+self._counts, self._names)

    @cached_property
    def updated_at(self) -> datetime | None:
        """When the last repository was visited; None before the first run."""
        return max((line.updated_at for line in self.repositories), default=None)


def registry_state(summaries: Iterable[RepositorySummary], max_age: Duration) -> RegistryState:
    """Add up the summaries of all repositories, the worst one first.

    The repositories scanner forgets a deleted repository on its next whole run. Until then, its summary grows old, like
    that of a repository that fails in each run or is excluded. A summary that is older than the newest one by more than
    the promised age counts for nothing, and its repository is named.
    """
    found = list(summaries)
    oldest = max_age.before(max(summary.updated_at for summary in found)) if found else None
    state = RegistryState()
    for summary in found:
        if oldest and summary.updated_at < oldest:
            state.not_visited.append(summary.repository)
        else:
            state.add(summary)
    state.repositories.sort(key=lambda line: (*severity_key(line.open), -line.overdue, -line.late, line.repository))
    return state
