"""The books of a repository balance, also where a part of them was forgotten."""

import pytest
from ecr_scan_reporter.memory.images import Ledger
from ecr_scan_reporter.memory.snapshots import RepositorySnapshot
from ecr_scan_reporter.reporting.overviews.overview import Balance, repository_balance


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
