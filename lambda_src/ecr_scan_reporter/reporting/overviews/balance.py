"""What changed in the open findings of repositories since the last overview."""

from dataclasses import dataclass, replace

from ecr_scan_reporter.memory.images import Ledger
from ecr_scan_reporter.memory.snapshots import RepositorySnapshot


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


def repository_balance(before: RepositorySnapshot | None, now: RepositorySnapshot) -> Balance:
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
