"""Judges the changes of a scan: which findings are ignored, count, are overdue, or are known to be exploited.

It adds that up for the overview.
"""

from collections import Counter, defaultdict
from datetime import date, datetime
from hashlib import sha256
from typing import NamedTuple

from ecr_scan_reporter.memory.exploited import Catalog
from ecr_scan_reporter.memory.images import ImageRecord, KnownExploited, Ledger, Update, UpdateKey
from ecr_scan_reporter.models.exploited import known_exploit
from ecr_scan_reporter.models.findings import cves_of, finding_sort_key
from ecr_scan_reporter.reporting.comparison.changes import (
    KERNEL_HEADERS,
    Change,
    Comparison,
    KnownFinding,
)
from ecr_scan_reporter.reporting.comparison.deadlines import Deadlines, OverdueFinding, check_deadlines
from ecr_scan_reporter.reporting.comparison.ignored import RuleMatcher
from ecr_scan_reporter.settings import ReporterSettings

# How many updates, and findings that are known to be exploited, are remembered per image.
_MAX_UPDATES, _MAX_EXPLOITED = 3, 3
# Of an image that is judged without the catalog of known exploited vulnerabilities.
NO_CATALOG = Catalog()


class Judged(NamedTuple):
    """A comparison, and what follows from it.

    Args:
        comparison: with all findings.
        counted: only with the findings that count towards thresholds and deadlines.
        deadlines: of the findings that count.
        now: when it is judged.
        exploited: the open findings that are known to be exploited, and not ignored, those due first come first.
        judged_by: identifies the settings and rules that decided all of this.
        successor: the digest of an image that has replaced this one, and has its deadlines now; "" if there is none.
    """

    comparison: Comparison
    counted: Comparison
    deadlines: Deadlines
    now: datetime
    exploited: tuple[KnownFinding, ...] = ()
    judged_by: str = ""
    successor: str = ""

    @property
    def newly_overdue(self) -> tuple[OverdueFinding, ...]:
        """The findings to report as overdue."""
        return () if self.successor else self.deadlines.passed

    @property
    def newly_exploited(self) -> tuple[KnownFinding, ...]:
        """The findings to report as known to be exploited, whatever their severity: each once.

        A finding that was known when the catalog was first read is not urgent: the overview has it.
        """
        if self.successor:
            return ()
        return tuple(
            known._replace(exploited_at=self.now)
            for known in self.exploited
            if known.kev and not known.kev.is_old and not known.exploited_at
        )

    @property
    def to_remember(self) -> tuple[KnownFinding, ...]:
        """The findings with a note of what is reported of them, and without the parts that only a report needs."""
        overdue = {_key(found.known) for found in self.newly_overdue}
        exploited = set(map(_key, self.newly_exploited))

        def note(known: KnownFinding) -> KnownFinding:
            key = _key(known)
            return known._replace(
                was_ignored="",
                kev=None,
                overdue_reported=known.overdue_reported or key in overdue,
                exploited_at=self.now if key in exploited else known.exploited_at,
            )

        return self.comparison.each_open(note).findings

    def update(self, record: ImageRecord) -> ImageRecord:
        """Return the record of the image with its ignored, overdue and exploited findings, and its successor."""
        ignored = [(known, known.ignored_by) for known in self.comparison.open() if known.ignored_by]
        told = {_key(known): known for known in self.newly_exploited}
        first = [told.get(_key(known), known) for known in self.exploited[:_MAX_EXPLOITED]]
        return record._replace(
            ignored=len(ignored),
            kernel_headers=sum(rule == KERNEL_HEADERS for _, rule in ignored),
            exploited=len(self.exploited),
            exploited_first=tuple(
                KnownExploited(*known.finding[:3], kev.added, kev.due, kev.ransomware, known.exploited_at)
                for known in first
                if (kev := known.kev)
            ),
            exploited_ignored=sum(known.kev is not None for known, _ in ignored),
            due_at=self.deadlines.due_at,
            overdue=self.deadlines.overdue,
            waived=bool(self.successor and (self.deadlines.passed or self.exploited)),
            earliest_deadlines=self.deadlines.earliest,
            ignored_until=min((rule.expires for _, rule in ignored if rule.expires), default=None),
            judged_by=self.judged_by,
            successors=record.successors | ({self.successor} if self.successor else set()),
        )


def _key(known: KnownFinding) -> tuple[str, str]:
    return known.finding.package, known.finding.id


def _exploited_sort_key(known: KnownFinding) -> tuple[object, ...]:
    return known.kev.due if known.kev else date.max, finding_sort_key(known.finding)


def mark_exploited(comparison: Comparison, catalog: Catalog) -> Comparison:
    """Return the same changes; each open finding has the information of the catalog of known exploited vulnerabilities.

    An advisory of several vulnerabilities has the entry that is due first.
    """
    if (begun_at := catalog.begun_at) is None:
        return comparison

    def mark(known: KnownFinding) -> KnownFinding:
        found = [
            known_exploit(cve, entry, known.first_seen, begun_at)
            for cve in cves_of(known.finding)
            if (entry := catalog.entries.get(cve)) and not entry.removed
        ]
        return known._replace(kev=min(found, key=lambda kev: (kev.due, kev.cve))) if found else known

    return comparison.each_open(mark)


def judge(
    comparison: Comparison,
    rules: RuleMatcher,
    repository: str,
    settings: ReporterSettings,
    now: datetime,
    catalog: Catalog = NO_CATALOG,
) -> Judged:
    """Apply the rules, the catalog of known exploits and the deadlines to the changes of a scan.

    Args:
        now: the deadlines are those of this time.
        catalog: of known exploited vulnerabilities; empty if it is not read.
    """
    comparison = rules.apply(mark_exploited(comparison, catalog), repository)
    counted = comparison.without_ignored()
    if settings.fixable_only:
        counted = counted.with_fix()
    deadlines = check_deadlines(counted, settings.fix_within, now)
    exploited = (known for known in comparison.open() if known.kev and not known.ignored_by)
    first = tuple(sorted(exploited, key=_exploited_sort_key))
    return Judged(comparison, counted, deadlines, now, first, identity(rules, repository, settings, catalog))


def identity(rules: RuleMatcher, repository: str, settings: ReporterSettings, catalog: Catalog = NO_CATALOG) -> str:
    """Return the identity of the settings and rules by which `judge` judges the images of a repository.

    Of the catalog, it says since when there is one: its later changes are matched with the images.
    """
    decisive = (
        *(rules.identity(repository), sorted(settings.fix_within.items())),
        *(settings.fixable_only, settings.ignore_kernel_headers, catalog.begun_at),
    )
    return sha256(repr(decisive).encode()).hexdigest()[:16]


def add_to_ledger(
    ledger: Ledger, comparison: Comparison, *, first: bool, inventory: bool, other_scanner: bool = False
) -> Ledger:
    """Add the changes of a scan to the ledger of its image.

    Args:
        ledger: before the scan; empty for the first complete scan of an image.
        comparison: of the scan with the remembered findings, with all findings.
        first: whether the image was compared with its predecessor, or with nothing.
        inventory: whether the image was pushed before memory knew its repository: then nothing is new.
        other_scanner: whether another scanner made the list before: findings that only that one had are not gone.
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
