"""Adds up what the scans of an image changed, for the overview."""

from collections import Counter, defaultdict

from ecr_scan_reporter.memory.images import Ledger, Update, UpdateKey
from ecr_scan_reporter.reporting.comparison.changes import Change, Comparison

# How many updates are remembered per image.
_MAX_UPDATES = 3


def add_to_ledger(ledger: Ledger, comparison: Comparison, *, first: bool, inventory: bool) -> Ledger:
    """Add what a scan changed to the ledger of its image.

    Args:
        ledger: before the scan; empty for the first complete scan of an image.
        comparison: of the scan with what was remembered, with all findings.
        first: whether the image was compared with its predecessor, or with nothing.
        inventory: whether the image was pushed before memory knew its repository: then nothing is new.
    """
    if inventory:
        return ledger._replace(carried=ledger.carried + comparison.open_now - ledger.open)
    number = {change: len(found) for change, found in comparison.changes.items()}
    new = count_new(comparison)
    return ledger + Ledger(
        carried=comparison.open_before if first else 0,
        new=number[Change.NEW],
        back=number[Change.BACK],
        fixed=number[Change.FIXED],
        withdrawn=number[Change.WITHDRAWN],
        new_critical=new["CRITICAL"],
        new_high=new["HIGH"],
    )


def count_new(comparison: Comparison) -> Counter[str]:
    """Count the new findings by severity, without those that a rule ignores."""
    return Counter(known.finding.severity for known in comparison.changes[Change.NEW] if not known.ignored_by)


def best_updates(comparison: Comparison) -> tuple[Update, ...]:
    """Return the updates that solve the most open findings."""
    counts: defaultdict[UpdateKey, Counter[str]] = defaultdict(Counter)
    for known in comparison.open():
        finding = known.finding
        if finding.package:
            counts[UpdateKey(finding.package, finding.installed_versions, finding.fixed_versions)][
                finding.severity
            ] += 1
    updates = (Update(*key, number) for key, number in counts.items())
    return tuple(sorted(updates, key=Update.sort_key)[:_MAX_UPDATES])
