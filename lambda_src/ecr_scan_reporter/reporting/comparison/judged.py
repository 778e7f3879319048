"""Judges what a scan changed: what a rule ignores, what counts and what is overdue; and adds it up for the overview."""

from collections import Counter, defaultdict
from datetime import date, datetime
from hashlib import sha256
from typing import NamedTuple

from ecr_scan_reporter.memory.images import ImageRecord, Ledger, Update, UpdateKey
from ecr_scan_reporter.reporting.comparison.changes import Change, Comparison
from ecr_scan_reporter.reporting.comparison.deadlines import (
    Deadlines,
    OverdueFinding,
    check_deadlines,
    mark_reported,
)
from ecr_scan_reporter.reporting.comparison.ignored import RuleMatcher
from ecr_scan_reporter.settings import ReporterSettings

# How many updates are remembered per image.
_MAX_UPDATES = 3


class Judged(NamedTuple):
    """A comparison, and what follows from it.

    Args:
        comparison: with all findings.
        counted: only with the findings that count towards thresholds and deadlines.
        deadlines: of the findings that count.
        judged_by: identifies the settings and rules that decided all of this.
        successor: the digest of an image that has replaced this one, and has its deadlines now; "" if there is none.
    """

    comparison: Comparison
    counted: Comparison
    deadlines: Deadlines
    judged_by: str = ""
    successor: str = ""

    @property
    def newly_overdue(self) -> tuple[OverdueFinding, ...]:
        """The findings to report as overdue."""
        return () if self.successor else self.deadlines.passed

    @property
    def to_remember(self) -> Comparison:
        """The comparison with a note of what is reported as overdue, and without what only its own report says."""
        marked = mark_reported(self.comparison, self.newly_overdue)
        return marked._replace(findings=tuple(known._replace(was_ignored="") for known in marked.findings))

    @property
    def ignored_until(self) -> date | None:
        """The first day (UTC) on which a rule has ended that ignores a finding; None if there is none."""
        ends = (known.ignored_by.expires for known in self.comparison.ignored if known.ignored_by)
        return min(filter(None, ends), default=None)

    def update(self, record: ImageRecord) -> ImageRecord:
        """Return the record of the image with what is ignored, what is overdue, and what replaced it."""
        return record._replace(
            ignored=len(self.comparison.ignored),
            due_at=self.deadlines.due_at,
            overdue=self.deadlines.overdue,
            waived=bool(self.successor and self.deadlines.passed),
            earliest_deadlines=self.deadlines.earliest,
            ignored_until=self.ignored_until,
            judged_by=self.judged_by,
            successors=record.successors | ({self.successor} if self.successor else set()),
        )


def judge(
    comparison: Comparison, rules: RuleMatcher, repository: str, settings: ReporterSettings, now: datetime
) -> Judged:
    """Apply the rules for ignored findings and the deadlines to what a scan changed; deadlines are those of `now`."""
    comparison = rules.apply(comparison, repository)
    counted = comparison.without_ignored()
    if settings.fixable_only:
        counted = counted.with_fix()
    deadlines = check_deadlines(counted, settings.fix_within, now)
    return Judged(comparison, counted, deadlines, identity(rules, repository, settings))


def identity(rules: RuleMatcher, repository: str, settings: ReporterSettings) -> str:
    """Return what identifies the settings and rules by which `judge` judges the images of a repository."""
    decisive = rules.identity(repository), sorted(settings.fix_within.items()), settings.fixable_only
    return sha256(repr(decisive).encode()).hexdigest()[:16]


def add_to_ledger(
    ledger: Ledger, comparison: Comparison, *, first: bool, inventory: bool, other_scanner: bool = False
) -> Ledger:
    """Add what a scan changed to the ledger of its image.

    Args:
        ledger: before the scan; empty for the first complete scan of an image.
        comparison: of the scan with what was remembered, with all findings.
        first: whether the image was compared with its predecessor, or with nothing.
        inventory: whether the image was pushed before memory knew its repository: then nothing is new.
        other_scanner: whether another scanner made the list before: what it had and this one has not is not gone.
    """
    if inventory:
        gone = max(ledger.open - comparison.open_before, 0) if other_scanner else 0
        carried = ledger.carried + comparison.open_now - ledger.open + gone
        return ledger._replace(carried=carried, not_looked_for=ledger.not_looked_for + gone)
    number = {change: len(found) for change, found in comparison.changes.items()}
    new = count_new(comparison)
    return ledger + Ledger(
        carried=(comparison.open_before if first else 0) + number[Change.KNOWN_HERE],
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
