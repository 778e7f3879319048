"""Builds one overview per group of repositories: their state, and what changed since the last overview.

It reads one summary after the other, so the memory that it takes does not depend on the number of images.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from ecr_scan_reporter.memory.snapshots import RepositorySnapshot
from ecr_scan_reporter.memory.summaries import RepositorySummary
from ecr_scan_reporter.reporting.formatting import captured_group
from ecr_scan_reporter.reporting.overviews.balance import Balance, repository_balance
from ecr_scan_reporter.reporting.registry_state import RegistryState, RepositoryLine
from ecr_scan_reporter.settings import ReporterSettings
from ecr_scan_reporter.shared.durations import Duration

# How many repositories whose last run is too old are named.
_MAX_STALE = 10
# A repository whose last run is older than this many intervals between two runs has missed one.
_MISSED = 2


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
    """Where the repositories of one group stand, and what has changed since the last overview.

    Args:
        account: of the registry.
        region: of the registry.
        group: what `group_by` captured; None if it is not set or does not match.
        made_at: aware.
        max_age: the promised age of scans.
        stale_after: how old the last run of a repository may be.
        since: when the last overview was published (aware); None if this is the first one.
        state: of the repositories.
        changes: since the last overview; None in the first one.
        balances: the changes by repository, including those that are deleted; empty in the first overview.
        stale: names of the repositories whose last run is too old, the oldest first.
        known: whether a run has ended here, now or before the last overview.
        notices: about the module itself.
    """

    account: str
    region: str
    group: str | None
    made_at: datetime
    max_age: Duration
    stale_after: timedelta
    since: datetime | None
    state: RegistryState
    changes: Balance | None
    balances: Mapping[str, Balance]
    stale: Sequence[str]
    known: bool
    notices: Notices = Notices()

    @property
    def stale_examples(self) -> Sequence[str]:
        """The names of a few repositories whose last run is too old."""
        return self.stale[:_MAX_STALE]

    @property
    def is_enhanced(self) -> bool:
        """Whether the registry seems to use enhanced scanning.

        Only enhanced scanning knows fixed versions, and only with it can the monitoring of an image lapse.
        """
        return self.state.has_fixes or bool(self.state.coverage.counts.get("expired"))

    def is_stale(self, line: RepositoryLine) -> bool:
        """Return whether the last run of a repository is too old."""
        return line.updated_at < self.made_at - self.stale_after


class _Group(NamedTuple):
    """What is added up of one group."""

    state: RegistryState
    balances: dict[str, Balance]


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
        unreadable: names of repositories whose summary cannot be read, complete once `summaries` is read. Their last
            snapshot is kept.

    Returns:
        The overviews without notices, those of groups without a name last, and the snapshot for the next ones. There is
        at least one overview, even if there is no summary.
    """
    groups: defaultdict[str | None, _Group] = defaultdict(lambda: _Group(RegistryState(), {}))
    snapshot: dict[str, RepositorySnapshot] = {}
    for summary in summaries:
        name = summary.repository
        if not settings.repositories.matches(name):
            continue
        snapshot[name] = RepositorySnapshot(summary.ledger, summary.open.total())
        group = groups[captured_group(name, settings.group_by)]
        group.state.add(summary)
        if before is not None:
            group.balances[name] = repository_balance(before.get(name), snapshot[name])
    for name, known in (before or {}).items():
        if name in unreadable:
            snapshot[name] = known
        elif name not in snapshot and known.open:
            deleted = Balance(open_before=known.open, left=known.open)
            groups[captured_group(name, settings.group_by)].balances[name] = deleted
    first, has_run = before is None, bool(snapshot or before)
    names = sorted(groups or [None], key=lambda name: (name is None, name or ""))
    overviews = [_overview(name, groups[name], None if first else since, settings, now) for name in names]
    return [overview._replace(known=has_run) for overview in overviews], snapshot


def _overview(
    name: str | None, group: _Group, since: datetime | None, settings: ReporterSettings, now: datetime
) -> Overview:
    overview = Overview(
        account=settings.account,
        region=settings.region,
        group=name,
        made_at=now,
        max_age=settings.max_age,
        stale_after=_MISSED * settings.run_interval,
        since=since,
        state=group.state,
        changes=sum(group.balances.values(), Balance()) if since else None,
        balances=group.balances,
        stale=(),
        known=True,
    )
    stale = sorted((line.updated_at, line.repository) for line in group.state.repositories if overview.is_stale(line))
    return overview._replace(stale=[name for _, name in stale])
