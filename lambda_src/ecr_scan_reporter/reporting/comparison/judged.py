"""Judges what a scan changed: what a rule ignores, what counts, what is overdue and what is known to be exploited.

It adds that up for the overview.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from hashlib import sha256
from operator import itemgetter
from typing import NamedTuple

from ecr_scan_reporter.memory.exploited import Catalog
from ecr_scan_reporter.memory.images import FindingDeadline, ImageRecord, KnownExploited, Ledger, Update, UpdateKey
from ecr_scan_reporter.memory.rules import IgnoreRule
from ecr_scan_reporter.models.exploited import known_exploit
from ecr_scan_reporter.models.findings import Finding, cves_of, cves_of_advisories, finding_sort_key
from ecr_scan_reporter.models.severities import EXPLOITED, KEV
from ecr_scan_reporter.reporting.comparison.changes import (
    KERNEL_HEADERS,
    SUPPRESSED,
    Change,
    Comparison,
    IgnoredBy,
    KnownFinding,
)
from ecr_scan_reporter.settings import ReporterSettings
from ecr_scan_reporter.shared.matching import matching

# How many updates, and findings that are known to be exploited, are remembered per image.
_MAX_UPDATES, _MAX_EXPLOITED = 3, 3
# How many deadlines the record of an image names.
_MAX_EARLIEST = 3
# Of an image that is judged without the catalog of known exploited vulnerabilities.
NO_CATALOG = Catalog()
# Packages that name the vulnerabilities of the kernel, in images that have none to run: its headers, and "linux", the
# source package by which Debian's and Ubuntu's findings may name them.
_KERNEL_HEADERS = re.compile(
    r"linux|linux-(libc-dev|headers|kbuild|compiler)(-.+)?|linux-(glibc-devel|kernel-headers)"
    r"|kernel[0-9.]*(-[0-9a-z]+)*-(headers|devel)(-.+)?"
)
# What rules are found by: an id, without regard to case, or a package.
_Name = tuple[str, str]
_ID, _PACKAGE = "id", "package"


class RuleMatcher:
    """Matches the findings of a batch with the rules, and notes which of them were used. Safe for concurrent use.

    What rules of one name say of a repository is found out once: there may be thousands of them.

    Args:
        rules: in the order of the list.
        now: aware.
        repositories: of the images of the batch. Their names are matched here, in the main thread, in bounded time.
        ignore_kernel_headers: whether the findings of these packages are ignored where no rule does.

    Attributes:
        matched: the keys of the rules that matched a finding.
        used: the keys of those that ignored one: the first of the list that matches.
        ended: the keys of those that did not match because a fix is known.
    """

    def __init__(
        self,
        rules: Sequence[IgnoreRule],
        now: datetime,
        repositories: Iterable[str] = (),
        *,
        ignore_kernel_headers: bool = True,
    ) -> None:
        self._today, self._ignore_kernel_headers = now.astimezone(UTC).date(), ignore_kernel_headers
        self._rules: defaultdict[_Name, list[tuple[int, IgnoreRule]]] = defaultdict(list)
        for position, rule in enumerate(rules):
            self._rules[(_ID, rule.id.casefold()) if rule.id else (_PACKAGE, rule.package)].append((position, rule))
        self._expressions = {rule.repositories for rule in rules if rule.repositories}
        self._selecting = {name: matching(self._expressions, name) for name in set(repositories) if self._expressions}
        self._first: dict[tuple[_Name, str, bool], tuple[int, IgnoreRule] | None] = {}
        self._listed, self._identities = rules, dict[str, str]()
        self.matched: set[str] = set()
        self.used: set[str] = set()
        self.ended: set[str] = set()

    def identity(self, repository: str) -> str:
        """Return what identifies the rules that are about a repository, in their order, whether they have ended or not.

        It is another one when one of them is added, changed, moved or removed.
        """
        if repository not in self._identities:
            own = " ".join(rule.key for rule in self._listed if self._is_about(rule, repository))
            self._identities[repository] = sha256(own.encode()).hexdigest()
        return self._identities[repository]

    def apply(self, comparison: Comparison, repository: str) -> Comparison:
        """Return the same comparison; each open finding has the rule that ignores it, if there is one."""
        cves = cves_of_advisories(known.finding for known in comparison.findings)
        return comparison.each_open(lambda known: self._mark(known, repository, cves))

    def _mark(self, known: KnownFinding, repository: str, cves: Mapping[str, set[str]]) -> KnownFinding:
        names = [name for name in _names(known.finding, cves) if name in self._rules]
        found = [self._first_match(name, repository, fix_known=known.fix_known) for name in names]
        if known.ignored_by == SUPPRESSED:
            return known
        if first := min(filter(None, found), key=itemgetter(0), default=None):
            rule = first[1]
            self.used.add(rule.key)
            ignored_by = IgnoredBy(rule.name, rule.reason, rule.owner, rule.expires)
            return known._replace(ignored_by=ignored_by, was_ignored="")
        if self._ignore_kernel_headers and _KERNEL_HEADERS.fullmatch(known.finding.package):
            return known._replace(ignored_by=KERNEL_HEADERS, was_ignored="")
        if known.ignored_by:
            return known._replace(ignored_by=None, was_ignored=self._describe_end(known, known.ignored_by))
        return known

    def _first_match(self, name: _Name, repository: str, *, fix_known: bool) -> tuple[int, IgnoreRule] | None:
        """Return the first rule of a name that ignores its findings in a repository, with its position in the list."""
        key = name, repository, fix_known
        if key not in self._first:
            matches = list(self._matches(*key))
            self.matched.update(rule.key for _, rule in matches)
            self._first[key] = matches[0] if matches else None
        return self._first[key]

    def _matches(self, name: _Name, repository: str, fix_known: bool) -> Iterator[tuple[int, IgnoreRule]]:
        for position, rule in self._rules[name]:
            if not self._is_about(rule, repository):
                continue
            if rule.expires is None and fix_known:
                self.ended.add(rule.key)
            elif rule.expires is None or self._today < rule.expires:
                yield position, rule

    def _is_about(self, rule: IgnoreRule, repository: str) -> bool:
        if rule.repositories is None:
            return True
        if repository not in self._selecting:
            self._selecting[repository] = matching(self._expressions, repository)
        return rule.repositories in self._selecting[repository]

    def _describe_end(self, known: KnownFinding, rule: IgnoredBy) -> str:
        if rule.expires and rule.expires <= self._today:
            return f"was ignored until {rule.expires.day} {rule.expires:%b %Y}: {rule.reason}"
        if rule.expires is None and known.fix_known:
            return f"was ignored until a fix was known: {rule.reason}"
        return f"was ignored by a rule that no longer applies: {rule.reason}"


def _names(finding: Finding, cves: Mapping[str, set[str]]) -> Iterator[_Name]:
    """Yield what the rules for a finding are found by. An advisory of several CVE ids stands for none of them."""
    yield _PACKAGE, finding.package
    yield _ID, finding.id.casefold()
    for link in finding.links():
        if len(cves[link[0]]) == 1:
            yield from ((_ID, other.casefold()) for other in link)


class DueDate(NamedTuple):
    """Until when a finding should be fixed.

    Args:
        at: the beginning (aware) of the day, UTC, on which it becomes overdue: every run of that day then finds it.
        rule: the key of `fix_within`.
        days: the value of that key.
    """

    at: datetime
    rule: str
    days: int


class OverdueFinding(NamedTuple):
    """A finding whose deadline has passed."""

    known: KnownFinding
    due: DueDate


class Deadlines(NamedTuple):
    """The deadlines of an image's open findings.

    Args:
        due_at: the earliest one that has not passed; None if there is none.
        overdue: how many findings are overdue.
        earliest: of the findings with the earliest ones, passed or not.
        passed: the overdue findings that have not been reported as such yet.
    """

    due_at: datetime | None
    overdue: int
    earliest: tuple[FindingDeadline, ...]
    passed: tuple[OverdueFinding, ...]


class Judged(NamedTuple):
    """A comparison, and what follows from it.

    Args:
        comparison: with all findings.
        counted: only with the findings that count towards thresholds and deadlines.
        deadlines: of the findings that count.
        now: when it is judged (aware).
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

        What was both found and in the catalog when that was first read did not turn urgent: the overview has it.
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
        """The findings with a note of what is reported of them, and without what only their own report says."""
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
        """Return the record of the image with what is ignored, what is overdue, and what replaced it."""
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


def due_date(known: KnownFinding, fix_within: Mapping[str, int]) -> DueDate | None:
    """Return until when an open finding should be fixed; None if it has no deadline.

    Args:
        known: the finding; its age runs from when the application first had it.
        fix_within: days by severity, by EXPLOITED for findings with a known exploit, and by KEV for those that are
            known to be exploited; 0 there for as many as CISA gives.
    """
    seen = known.first_seen.astimezone(UTC).date()
    allowed = [
        (seen, fix_within.get(rule, 0), rule)
        for rule in (known.finding.severity, *((EXPLOITED,) if known.exploit_known else ()))
        if rule in fix_within
    ]
    if known.kev and KEV in fix_within:
        allowed.append((known.kev.counts_from, fix_within[KEV] or known.kev.days, KEV))
    dates = [DueDate(datetime.combine(day + timedelta(days), time(), UTC), rule, days) for day, days, rule in allowed]
    return min(dates, key=lambda due: due.at, default=None)


def check_deadlines(comparison: Comparison, fix_within: Mapping[str, int], now: datetime) -> Deadlines:
    """Return what the deadlines say about the open findings of a comparison.

    Args:
        comparison: only with findings that count.
        fix_within: see `due_date`.
        now: aware.
    """
    dated = [(known, due) for known in comparison.open() if (due := due_date(known, fix_within))]
    dated.sort(key=lambda pair: (pair[1].at, pair[0].finding.package, pair[0].finding.id))
    overdue = [OverdueFinding(known, due) for known, due in dated if due.at <= now]
    return Deadlines(
        due_at=next((due.at for known, due in dated if due.at > now), None),
        overdue=len(overdue),
        earliest=tuple(
            FindingDeadline(known.finding.id, known.finding.package, known.finding.severity, due.at, due.rule, due.days)
            for known, due in dated[:_MAX_EARLIEST]
        ),
        passed=tuple(finding for finding in overdue if not finding.known.overdue_reported),
    )


def mark_exploited(comparison: Comparison, catalog: Catalog) -> Comparison:
    """Return the same changes; each open finding has what the catalog of known exploited vulnerabilities says of it.

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
    """Apply the rules, the catalog of known exploits and the deadlines to what a scan changed.

    Args:
        comparison: of the scan.
        rules: those for ignored findings.
        repository: of the image.
        settings: of the reporter.
        now: aware; the deadlines are those of this time.
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
    """Return what identifies the settings and rules by which `judge` judges the images of a repository.

    Of the catalog, it says since when there is one: what changes in it later is matched with the images.
    """
    decisive = (
        *(rules.identity(repository), sorted(settings.fix_within.items())),
        *(settings.fixable_only, settings.ignore_kernel_headers, catalog.begun_at),
    )
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
