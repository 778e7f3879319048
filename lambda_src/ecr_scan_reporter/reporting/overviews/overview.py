"""Adds up the summaries of all repositories to one overview per group.

It reads one summary after the other and keeps only a row per repository, so the memory that it takes does not depend on
the number of images.
"""

import heapq
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import NamedTuple

from ecr_scan_reporter.memory.images import Ledger, Update
from ecr_scan_reporter.memory.snapshots import RepositorySnapshot
from ecr_scan_reporter.memory.summaries import (
    IMAGES,
    IN_TIME,
    NOT_PROMISED,
    OverdueFinding,
    RepositorySummary,
    merge_updates,
)
from ecr_scan_reporter.reporting.formatting import image_name
from ecr_scan_reporter.reporting.groups import captured_group
from ecr_scan_reporter.settings import ReporterSettings
from ecr_scan_reporter.shared.durations import Duration

# The reason of images that a summary counts without a reason.
OTHER = "other"
# How many updates, images per reason, overdue findings, and repositories whose last run is too old an overview names.
_MAX_UPDATES, _MAX_EXAMPLES, _MAX_OVERDUE, _MAX_STALE = 5, 5, 10, 10
# When a group has many updates while it is added up, only those that solve the most are kept.
_MANY_UPDATES, _KEPT_UPDATES = 20_000, 5_000
# A repository whose last run is older than this many intervals between two runs has missed one.
_MISSED = 2


@dataclass(frozen=True, slots=True)
class Balance:
    """The changes of open findings since the last overview. The books always balance.

    open_now = open_before + carried + new + back - fixed - withdrawn - left

    Args:
        open_before: how many findings were open in the last overview.
        carried: findings that rebuilt images took over, or that the first inventory of an image found.
        new: findings that were new.
        back: findings that came back.
        fixed: findings that were fixed.
        withdrawn: findings that the vulnerability database withdrew.
        left: findings of images that ECR no longer lists.
        new_critical: those of the new ones that were critical, without those that a rule ignored.
        new_high: those of the new ones that were high, in the same way.
    """

    open_before: int = 0
    carried: int = 0
    new: int = 0
    back: int = 0
    fixed: int = 0
    withdrawn: int = 0
    left: int = 0
    new_critical: int = 0
    new_high: int = 0

    @property
    def open_now(self) -> int:
        """How many findings are open after all these changes."""
        return self.open_before + self.carried + self.new + self.back - self.fixed - self.withdrawn - self.left

    def __add__(self, other: "Balance") -> "Balance":
        return Balance(*(getattr(self, name) + getattr(other, name) for name in Balance.__slots__))


class RepositoryRow(NamedTuple):
    """One repository of an overview.

    Args:
        repository: its name.
        updated_at: when its last run ended (aware).
        stale: whether that is too long ago.
        coverage: how many images there are, how many were scanned within the promised age, and the others by reason.
        open: open findings by severity.
        changes: since the last overview; None in the first one.
        overdue: how many findings are overdue.
        ignored: how many open findings are ignored.
    """

    repository: str
    updated_at: datetime
    stale: bool
    coverage: Mapping[str, int]
    open: Mapping[str, int]
    changes: Balance | None
    overdue: int
    ignored: int


class Notices(NamedTuple):
    """What an overview says of the module itself.

    Args:
        rules: sentences about rules that ignore findings.
        dlqs: messages by the name of the DLQ; only those that are not empty.
        unconfirmed: addresses that never confirmed their subscription.
        unreadable: sentences about what could not be read.
    """

    rules: Sequence[str] = ()
    dlqs: Mapping[str, int] = {}
    unconfirmed: Sequence[str] = ()
    unreadable: Sequence[str] = ()


class Overview(NamedTuple):
    """Where the images of one group stand, and what has changed since the last overview.

    Args:
        account: of the registry.
        region: of the registry.
        group: what `group_by` captured; None if it is not set or does not match.
        made_at: aware.
        max_age: the promised age of scans.
        stale_after: how old the last run of a repository may be.
        since: when the last overview was published (aware); None if this is the first one.
        coverage: how many images there are, how many were scanned within the promised age, and the others by reason.
        examples: by reason, the names of a few images.
        open: open findings by severity.
        ignored: how many of them are ignored.
        changes: since the last overview; None in the first one.
        updates: those that solve the most, at most five.
        overdue: how many findings are overdue.
        overdue_worst: those overdue for the longest; their images are named with their repositories.
        stale: how many repositories have a last run that is too old.
        stale_examples: the names of those whose last run is oldest.
        last_run_at: when the newest run of a repository ended (aware); None if none did.
        known: whether a run has ended here, now or before the last overview.
        repositories: all of them, by name.
        notices: about the module itself.
    """

    account: str
    region: str
    group: str | None
    made_at: datetime
    max_age: Duration
    stale_after: timedelta
    since: datetime | None
    coverage: Mapping[str, int]
    examples: Mapping[str, Sequence[str]]
    open: Mapping[str, int]
    ignored: int
    changes: Balance | None
    updates: tuple[Update, ...]
    overdue: int
    overdue_worst: tuple[OverdueFinding, ...]
    stale: int
    stale_examples: tuple[str, ...]
    last_run_at: datetime | None
    known: bool
    repositories: tuple[RepositoryRow, ...]
    notices: Notices = Notices()
    has_fixes: bool = False

    @property
    def is_enhanced(self) -> bool:
        """Whether the registry seems to use enhanced scanning.

        Only enhanced scanning knows fixed versions, and only with it can the monitoring of an image lapse.
        """
        return self.has_fixes or bool(self.coverage.get("expired"))

    @property
    def images(self) -> int:
        """How many images the promise is made for."""
        return self.coverage.get(IMAGES, 0) - sum(self.coverage.get(reason, 0) for reason in NOT_PROMISED)

    @property
    def in_time(self) -> int:
        """How many images were scanned within the promised age."""
        return self.coverage.get(IN_TIME, 0)

    @property
    def late(self) -> dict[str, int]:
        """How many images were not, by reason, the most frequent one first."""
        kept = {IMAGES, IN_TIME, *NOT_PROMISED}
        reasons = {reason: number for reason, number in self.coverage.items() if reason not in kept and number > 0}
        if (rest := self.images - self.in_time - sum(reasons.values())) > 0:
            reasons[OTHER] = reasons.get(OTHER, 0) + rest
        return dict(sorted(reasons.items(), key=lambda pair: (-pair[1], pair[0])))

    @property
    def total_open(self) -> int:
        """How many findings are open."""
        return sum(self.open.values())


@dataclass(slots=True)
class _Sums:
    """What is added up of one group."""

    coverage: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=dict)
    open: Counter[str] = field(default_factory=Counter)
    ignored: int = 0
    changes: Balance = field(default_factory=Balance)
    updates: list[Update] = field(default_factory=list)
    has_fixes: bool = False
    overdue: int = 0
    overdue_worst: list[OverdueFinding] = field(default_factory=list)
    rows: list[RepositoryRow] = field(default_factory=list)


def build_overviews(
    summaries: Iterable[RepositorySummary],
    before: Mapping[str, RepositorySnapshot] | None,
    since: datetime | None,
    settings: ReporterSettings,
    now: datetime,
    unreadable: Collection[str] = (),
) -> tuple[list[Overview], dict[str, RepositorySnapshot]]:
    """Add up the summaries of repositories.

    Args:
        summaries: of all repositories; those that the settings exclude are left out.
        before: the snapshot of the last overview; None if this is the first one.
        since: when that was published (aware).
        settings: of the reporter.
        now: aware.
        unreadable: repositories whose summary cannot be read, complete once `summaries` is read: they count again when
            it can be.

    Returns:
        The overviews without notices, those of groups without a name last, and the snapshot for the next ones. There is
        at least one overview, even if there is no summary.
    """
    stale_before = now - _MISSED * settings.run_interval
    sums: dict[str | None, _Sums] = {}
    snapshot: dict[str, RepositorySnapshot] = {}
    for summary in summaries:
        name = summary.repository
        if not settings.repositories.matches(name):
            continue
        snapshot[name] = RepositorySnapshot(summary.ledger, sum(summary.open.values()))
        changes = _changes(before.get(name), snapshot[name]) if before is not None else None
        group = sums.setdefault(captured_group(name, settings.group_by), _Sums())
        _add(group, summary, changes, stale=summary.updated_at < stale_before)
    for name, known in (before or {}).items():
        if name in unreadable:
            snapshot[name] = known
        elif name not in snapshot and known.open:
            group = sums.setdefault(captured_group(name, settings.group_by), _Sums())
            group.changes += Balance(open_before=known.open, left=known.open)
    first = before is None
    overviews = [
        _overview(name, group, None if first else since, settings, now, known=bool(snapshot or before))
        for name, group in sorted((sums or {None: _Sums()}).items(), key=lambda pair: (pair[0] is None, pair[0] or ""))
    ]
    return overviews, snapshot


def _add(group: _Sums, summary: RepositorySummary, changes: Balance | None, *, stale: bool) -> None:
    name = summary.repository
    group.coverage.update(summary.coverage)
    for reason, images in summary.examples.items():
        known = group.examples.setdefault(reason, [])
        known += [image_name(name, image) for image in images[: _MAX_EXAMPLES - len(known)]]
    group.open.update(summary.open)
    group.ignored += summary.ignored
    group.changes += changes or Balance()
    group.updates += summary.updates
    group.has_fixes |= any(update.fixed_versions for update in summary.updates)
    if len(group.updates) > _MANY_UPDATES:
        group.updates = merge_updates(group.updates, _KEPT_UPDATES)
    group.overdue += summary.overdue
    named = [found._replace(image=image_name(name, found.image)) for found in summary.overdue_worst]
    group.overdue_worst = heapq.nsmallest(
        _MAX_OVERDUE, [*group.overdue_worst, *named], key=lambda found: (found.due_at, found.image, found.id)
    )
    group.rows.append(
        RepositoryRow(
            name,
            summary.updated_at,
            stale,
            summary.coverage,
            summary.open,
            changes,
            summary.overdue,
            summary.ignored,
        )
    )


def _changes(before: RepositorySnapshot | None, now: RepositorySnapshot) -> Balance:
    """Return what changed in a repository.

    The ledger of an image is forgotten with the image, long after its last scan. What is then missing is not a change:
    it counts as carried or as left, so that no number is negative and the books balance.
    """
    before = before or RepositorySnapshot(Ledger(), 0)
    change = now.ledger - before.ledger
    changes = Balance(
        open_before=before.open,
        carried=max(change.carried, 0),
        new=max(change.new, 0),
        back=max(change.back, 0),
        fixed=max(change.fixed, 0),
        withdrawn=max(change.withdrawn, 0),
        new_critical=max(change.new_critical, 0),
        new_high=max(change.new_high, 0),
    )
    left = changes.open_now - now.open
    return replace(changes, left=max(left, 0), carried=changes.carried + max(-left, 0))


def _overview(
    name: str | None,
    group: _Sums,
    since: datetime | None,
    settings: ReporterSettings,
    now: datetime,
    *,
    known: bool,
) -> Overview:
    stale = [row for row in group.rows if row.stale]
    oldest = heapq.nsmallest(_MAX_STALE, stale, key=lambda row: (row.updated_at, row.repository))
    return Overview(
        account=settings.account,
        region=settings.region,
        group=name,
        made_at=now,
        max_age=settings.max_age,
        stale_after=_MISSED * settings.run_interval,
        since=since,
        coverage=group.coverage,
        examples=group.examples,
        open=group.open,
        ignored=group.ignored,
        changes=group.changes if since else None,
        updates=tuple(merge_updates(group.updates, _MAX_UPDATES)),
        overdue=group.overdue,
        overdue_worst=tuple(group.overdue_worst),
        stale=len(stale),
        stale_examples=tuple(row.repository for row in oldest),
        last_run_at=max((row.updated_at for row in group.rows), default=None),
        known=known,
        repositories=tuple(group.rows),
        has_fixes=group.has_fixes,
    )
