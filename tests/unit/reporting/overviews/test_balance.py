"""The books of a repository balance, also where a part of them was forgotten, or the repository is gone."""

from datetime import UTC, datetime, timedelta

import pytest
from ecr_scan_reporter.memory.images import Ledger
from ecr_scan_reporter.memory.snapshots import RepositorySnapshot
from ecr_scan_reporter.reporting.overviews.overview import Balance, compare_snapshots, never_run, repository_balance


@pytest.mark.parametrize(
    ("before", "now", "balance"),
    [
        (None, RepositorySnapshot(Ledger(carried=2, new=1), 3), Balance(carried=2, new=1)),
        (
            RepositorySnapshot(Ledger(new=5, fixed=1), 4),
            RepositorySnapshot(Ledger(new=8, fixed=3, back=1, withdrawn=1, new_critical=2, new_high=1), 5),
            Balance(open_before=4, new=3, fixed=2, back=1, withdrawn=1, new_critical=2, new_high=1),
        ),
        # Images were deleted, ...
        (RepositorySnapshot(Ledger(new=5), 5), RepositorySnapshot(Ledger(new=5), 2), Balance(open_before=5, left=3)),
        # ... their ledgers were forgotten, ...
        (RepositorySnapshot(Ledger(new=5), 5), RepositorySnapshot(Ledger(new=2), 2), Balance(open_before=5, left=3)),
        # ... or those of images that are listed.
        (RepositorySnapshot(Ledger(fixed=4), 1), RepositorySnapshot(Ledger(), 3), Balance(open_before=1, carried=2)),
    ],
)
def test_books_balance(before: RepositorySnapshot | None, now: RepositorySnapshot, balance: Balance) -> None:
    assert repository_balance(before, now) == balance
    assert balance.open_now == now.open


NEW, OLD, EMPTY = (RepositorySnapshot(Ledger(new=number), number) for number in (5, 3, 0))


@pytest.mark.parametrize(
    ("before", "now", "unreadable", "balances", "after"),
    [
        # The first overview has no changes, and an empty snapshot is not the first one.
        (None, {"app": NEW}, (), {}, {"app": NEW}),
        ({}, {"app": NEW}, (), {"app": Balance(new=5)}, {"app": NEW}),
        ({"app": OLD}, {"app": NEW}, (), {"app": Balance(open_before=3, new=2)}, {"app": NEW}),
        # A repository that is gone took its findings with it, if it had any; ...
        ({"gone": OLD, "empty": EMPTY}, {}, (), {"gone": Balance(open_before=3, left=3)}, {}),
        # ... one that cannot be read is as it was, and one that never could be read is not remembered.
        ({"lost": OLD}, {}, ("lost",), {}, {"lost": OLD}),
        ({}, {}, ("lost",), {}, {}),
        (None, {}, ("lost",), {}, {}),
    ],
)
def test_repositories_are_compared_with_the_last_overview(
    before: dict[str, RepositorySnapshot] | None,
    now: dict[str, RepositorySnapshot],
    unreadable: tuple[str, ...],
    balances: dict[str, Balance],
    after: dict[str, RepositorySnapshot],
) -> None:
    assert compare_snapshots(before, now, unreadable) == (balances, after)


def test_repositories_in_which_no_run_ended_in_time_are_named_by_their_wait() -> None:
    at, hour = datetime(2026, 11, 23, tzinfo=UTC), timedelta(hours=1)
    waiting = {"b": at - hour, "c": at - 2 * hour, "a": at - hour, "now": at, "later": at + hour}
    assert never_run(waiting, at) == ["c", "a", "b"]
