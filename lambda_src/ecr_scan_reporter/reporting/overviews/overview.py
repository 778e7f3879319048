"""Adds up one overview per group: what is open, what changed since the last one, and what is out of date.

It reads one summary after the other, so the memory that it takes does not depend on the number of images.
"""

import operator
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import NamedTuple

from ecr_scan_reporter.memory.images import Ledger
from ecr_scan_reporter.memory.lost_events import LostEvent
from ecr_scan_reporter.memory.snapshots import RepositorySnapshot
from ecr_scan_reporter.memory.summaries import RepositorySummary
from ecr_scan_reporter.reporting.formatting import captured_group, image_name, short_digest
from ecr_scan_reporter.reporting.registry_state import RegistryState, RepositoryLine
from ecr_scan_reporter.settings import ReporterSettings

# How many repositories whose last run is too old are named.
_MAX_STALE = 10
# How many images of whose last scans no events came are named.
_MAX_LOST_NAMED = 10
# A repository whose last run is older than this many intervals between two runs has missed one.
_INTERVALS_UNTIL_STALE = 2


class Balance(NamedTuple):
    """The changes of open findings since the last overview. The books always balance.

    open_now = open_before + carried + new + back - fixed - withdrawn - not_looked_for - left

    Args:
        open_before: how many findings were open in the last overview.
        carried: findings that rebuilt images took over, that were known here, or that a first inventory found.
        new: findings that were new.
        back: findings that came back.
        fixed: findings that were fixed.
        withdrawn: findings that the vulnerability database withdrew.
        not_looked_for: findings that the scanner that is used now does not look for.
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
    not_looked_for: int = 0
    left: int = 0
    new_critical: int = 0
    new_high: int = 0

    @property
    def open_now(self) -> int:
        """How many findings are open after all these changes."""
        gone = self.fixed + self.withdrawn + self.not_looked_for + self.left
        return self.open_before + self.carried + self.new + self.back - gone

    def __add__(self, other: "Balance") -> "Balance":  # type: ignore[override]
        return Balance(*map(operator.add, self, other))


class Notices(NamedTuple):
    """The sentences of an overview about the module itself.

    Args:
        rules: sentences about rules that ignore findings.
        dlqs: messages by the name of the DLQ; only those that are not empty.
        unconfirmed: addresses that never confirmed their subscription.
        unreadable: sentences about what could not be read.
        alarms_reach_nobody: whether nobody receives the alarms.
    """

    rules: Sequence[str] = ()
    dlqs: Mapping[str, int] = {}
    unconfirmed: Sequence[str] = ()
    unreadable: Sequence[str] = ()
    alarms_reach_nobody: bool = False


class Overview(NamedTuple):
    """The state of the repositories of one group, and what has changed since the last overview.

    Args:
        group: what `group_by` captured; None if it is not set or does not match.
        since: when the last overview was published; None if this is the first one.
        state: of the repositories.
        balances: the changes by repository, including those that are deleted; empty in the first overview.
        never_run: names of the repositories that were queued so long ago, and in which no run ever ended.
        lost: the scans since the last overview whose events never came.
        changes: since the last overview; None in the first one.
        stale: names of the repositories whose last run is too old, the oldest first.
        known: whether a run has ended here, now or before the last overview.
        notices: about the module itself.
        first_run_at: when the first run that has not ended began; None if none has begun, or one has ended.
        id: the same if the overview is published again.
    """

    settings: ReporterSettings
    group: str | None
    made_at: datetime
    since: datetime | None
    state: RegistryState
    balances: dict[str, Balance]
    never_run: list[str]
    lost: list[LostEvent]
    changes: Balance | None = None
    stale: Sequence[str] = ()
    known: bool = False
    notices: Notices = Notices()
    first_run_at: datetime | None = None
    id: str = ""

    @property
    def stale_after(self) -> timedelta:
        """How old the last run of a repository may be."""
        return _stale_after(self.settings)

    @property
    def stale_examples(self) -> Sequence[str]:
        """The names of a few repositories whose last run is too old."""
        return self.stale[:_MAX_STALE]

    @property
    def never_run_examples(self) -> Sequence[str]:
        """The names of a few repositories in which no run ever ended."""
        return self.never_run[:_MAX_STALE]

    @property
    def names(self) -> set[str]:
        """The names of its repositories, with those that are deleted."""
        return {line.repository for line in self.state.repositories} | self.balances.keys() | set(self.never_run)

    @property
    def lost_examples(self) -> Sequence[str]:
        """The names of a few images of whose last scans no events came."""
        names = (image_name(event.repository, short_digest(event.digest)) for event in self.lost)
        return list(islice(dict.fromkeys(names), _MAX_LOST_NAMED))

    @property
    def is_enhanced(self) -> bool:
        """Whether the registry seems to use enhanced scanning.

        Only enhanced scanning knows fixed versions, and only with it can the monitoring of an image lapse.
        """
        return self.state.has_fixes or bool(self.state.coverage.counts.get("expired"))

    def is_stale(self, line: RepositoryLine) -> bool:
        """Return whether the last run of a repository is too old."""
        return line.updated_at < self.made_at - self.stale_after


class OverviewPage(NamedTuple):
    """One message of an overview.

    Args:
        overview: the whole overview. The email and the chat message of the first page say all of it.
        repositories: those that the JSON document of this page has.
        part: the number of the page, from 1.
        parts: how many pages there are.
        most: how many texts each list of the JSON document has at most, besides that of the repositories.
        omitted: how many repositories are left out of the JSON document, and on no other page.
    """

    overview: Overview
    repositories: Sequence[RepositoryLine]
    part: int = 1
    parts: int = 1
    most: int = 300
    omitted: int = 0

    @property
    def id(self) -> str:
        """The id of the message, which is the same if it is published again."""
        return f"{self.overview.id}-{self.part}"


def build_overviews(
    summaries: Iterable[RepositorySummary],
    before: Mapping[str, RepositorySnapshot] | None,
    since: datetime | None,
    settings: ReporterSettings,
    now: datetime,
    unreadable: Collection[str] = (),
    waiting: Mapping[str, datetime] = {},
    lost: Iterable[LostEvent] = (),
) -> tuple[list[Overview], dict[str, RepositorySnapshot]]:
    """Add up the summaries of repositories.

    Args:
        summaries: of all repositories; those that the settings exclude are left out.
        before: the snapshot of the last overview; None if this is the first one.
        since: when that was published; None if this is the first one.
        unreadable: names of repositories whose summary cannot be read, complete once `summaries` is read. Their last
            snapshot is kept.
        waiting: the repositories in which no run ever ended, with the time when they were queued first.
        lost: the scans since the last overview whose events never came.

    Returns:
        The overviews without notices, those of groups without a name last, and the snapshot for the next ones. There is
        at least one overview, even if there is no summary.
    """
    groups, found = dict[str | None, Overview](), dict[str, RepositorySnapshot]()
    since, matches = None if before is None else since, settings.repositories.matches

    def of(repository: str) -> Overview:
        group = captured_group(repository, settings.group_by)
        return groups.setdefault(group, _empty(settings, group, now, since))

    # What is open now: one summary after the other, which are not kept.
    for summary in summaries:
        if matches(name := summary.repository):
            found[name] = RepositorySnapshot(summary.ledger, sum(summary.open.values()))
            of(name).state.add(summary)
    # What changed. A group whose repositories are all gone has an overview, too, and so has one of unreadable ones.
    balances, snapshot = compare_snapshots(before, found, unreadable)
    for name, balance in balances.items():
        of(name).balances[name] = balance
    for name in filter(matches, unreadable):
        of(name)
    # What should have come, and did not.
    for name in filter(matches, never_run(waiting, now - _stale_after(settings))):
        of(name).never_run.append(name)
    for event in lost:
        if matches(event.repository):
            of(event.repository).lost.append(event)
    known = bool(snapshot or before)
    begun = None if known else min(waiting.values(), default=None)
    return _in_order(groups.values() or [_empty(settings, None, now, since)], known, begun), snapshot


def compare_snapshots(
    before: Mapping[str, RepositorySnapshot] | None,
    now: Mapping[str, RepositorySnapshot],
    unreadable: Collection[str],
) -> tuple[dict[str, Balance], dict[str, RepositorySnapshot]]:
    """Compare the repositories with the snapshot of the last overview.

    The findings of a repository that is gone have left with it. One that cannot be read is as it was.

    Args:
        before: that snapshot; None if this is the first overview.
        now: the repositories that can be read.
        unreadable: names of those that cannot.

    Returns:
        The changes by repository, none in the first overview, and the snapshot for the next one.
    """
    if before is None:
        return {}, dict(now)
    balances = {name: repository_balance(before.get(name), found) for name, found in now.items()}
    for name, last in before.items():
        if last.open and name not in now and name not in unreadable:
            balances[name] = Balance(open_before=last.open, left=last.open)
    return balances, {**now, **{name: last for name, last in before.items() if name in unreadable}}


def never_run(waiting: Mapping[str, datetime], queued_before: datetime) -> list[str]:
    """Return the names of those of the repositories that were queued too long ago, the earliest first.

    Args:
        waiting: the repositories in which no run ever ended, with the time when they were queued first.
        queued_before: a run should have ended in what was queued before this time.
    """
    late = [name for name, queued_at in waiting.items() if queued_at < queued_before]
    return sorted(late, key=lambda name: (waiting[name], name))


def with_notices(overviews: Sequence[Overview], notices: Mapping[str | None, Notices]) -> list[Overview]:
    """Return the overviews with the notices of each group; another one if there is no group without a name for them."""
    last = overviews[-1]
    if last.group is not None and None in notices:
        empty = _empty(last.settings, None, last.made_at, last.since)
        overviews = [*overviews, _summed_up(empty, last.known, last.first_run_at)]
    return [overview._replace(notices=notices.get(overview.group, Notices())) for overview in overviews]


def _stale_after(settings: ReporterSettings) -> timedelta:
    return _INTERVALS_UNTIL_STALE * settings.run_interval


def _in_order(overviews: Iterable[Overview], known: bool, first_run_at: datetime | None) -> list[Overview]:
    """Sum up overviews that have all of their repositories; return the one of the group without a name last."""
    found = sorted(overviews, key=lambda overview: (overview.group is None, overview.group or ""))
    return [_summed_up(overview, known, first_run_at) for overview in found]


def _empty(settings: ReporterSettings, group: str | None, now: datetime, since: datetime | None) -> Overview:
    return Overview(settings, group, now, since, RegistryState(), {}, [], [])


def _summed_up(overview: Overview, known: bool, first_run_at: datetime | None) -> Overview:
    """Return an overview that has all of its repositories, with what that amounts to."""
    changes = sum(overview.balances.values(), Balance()) if overview.since else None
    stale = filter(overview.is_stale, overview.state.repositories)
    names = [line.repository for line in sorted(stale, key=lambda line: (line.updated_at, line.repository))]
    return overview._replace(changes=changes, stale=names, known=known, first_run_at=first_run_at)


def repository_balance(before: RepositorySnapshot | None, now: RepositorySnapshot) -> Balance:
    """Return the changes of the open findings of a repository.

    The ledger of an image is forgotten with the image, long after its last scan. What is then missing is not a change:
    it counts as carried or as left, so that no number is negative and the books balance.
    """
    before = before or RepositorySnapshot(Ledger(), 0)
    change = now.ledger - before.ledger
    changes = Balance(before.open, **{name: max(number, 0) for name, number in change._asdict().items()})
    left = changes.open_now - now.open
    return changes._replace(left=max(left, 0), carried=changes.carried + max(-left, 0))
