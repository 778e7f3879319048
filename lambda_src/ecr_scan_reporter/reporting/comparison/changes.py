"""Compares a scan's findings with those remembered: which are the same, new, back, fixed or withdrawn."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from enum import Enum, StrEnum, auto
from typing import NamedTuple

from ecr_scan_reporter.models.exploited import KnownExploit
from ecr_scan_reporter.models.findings import Finding, cves_of_advisories, is_cve, merge_entries, with_ids
from ecr_scan_reporter.models.severities import severity_rank

# The key of a finding in an image: its package, and the id of its vulnerability.
FindingKey = tuple[str, str]

# A finding that was gone for longer is new when it returns.
_BACK_WITHIN = timedelta(days=30)
# A finding is withdrawn if a scan does not have it this long after the first one of its application that did not:
# vulnerability databases drop entries and restore them. A daily build may be a little early.
_WITHDRAWN_AFTER = timedelta(hours=20)


class Change(StrEnum):
    """The change of one finding in a scan. All are open but the last two."""

    NEW = "new"
    BACK = "back"
    RAISED = "raised"
    FIX_AVAILABLE = "fix_available"
    EXPLOIT_KNOWN = "exploit_known"
    # Its rule ended or was removed, or Inspector's suppression was.
    NO_LONGER_IGNORED = "no_longer_ignored"
    # Another image of the repository has it, which this image does not replace.
    KNOWN_HERE = "known_here"
    STILL_OPEN = "still_open"
    FIXED = "fixed"
    WITHDRAWN = "withdrawn"


# The changes that add to the findings that were open before.
ADDED = (Change.NEW, Change.BACK, Change.NO_LONGER_IGNORED, Change.KNOWN_HERE)
# The changes for which an image is reported.
NEWS = (
    *(Change.NEW, Change.BACK, Change.RAISED, Change.FIX_AVAILABLE, Change.EXPLOIT_KNOWN),
    Change.NO_LONGER_IGNORED,
)
OPEN = (*NEWS, Change.KNOWN_HERE, Change.STILL_OPEN)
GONE = (Change.FIXED, Change.WITHDRAWN)


class Absence(Enum):
    """The meaning of a finding that was open before and that a scan does not have."""

    # The scan is of an image that replaces the one before: missing findings are fixed.
    OF_SUCCESSOR = auto()
    # The scan is of the same image: missing findings are withdrawn, in time.
    OF_SAME_IMAGE = auto()
    # The list of findings is not whole: missing findings may be open.
    UNKNOWN = auto()
    # Another scanner made the list. It does not look for everything.
    OF_OTHER_SCANNER = auto()


class IgnoredBy(NamedTuple):
    """The rule that ignores a finding. `expires` is the day on which it ends (UTC); None for when a fix is known."""

    rule: str
    reason: str
    owner: str
    expires: date | None


# In place of a rule: a container runs the kernel of its host.
KERNEL_HEADERS = IgnoredBy("kernel headers", "a container runs the kernel of its host", "", None)
# In place of a rule: a person decided it in Amazon Inspector, which does not say who, or why.
SUPPRESSED = IgnoredBy("suppressed in Inspector", "", "", None)


class KnownFinding(NamedTuple):
    """A finding as it is remembered.

    Args:
        finding: as the last scan that had it listed it.
        first_seen: when a scan of the application first had it.
        absent_since: when the scans of the application began to lack it: the end of the first of them; None if the last
            one has it.
        gone_at: when it was fixed or withdrawn; None while it is open.
        peak_severity: the worst severity that it ever had.
        fix_known: whether a fix was ever available.
        exploit_known: whether an exploit was ever known.
        overdue_reported: whether it was reported as overdue.
        ignored_by: the rule that ignores it; None if none does.
        was_ignored: why it was ignored until this scan; "" if it was not, or still is.
        exploited_at: when it was first reported as known to be exploited; None if it never was.
        kev: the information of the catalog of known exploited vulnerabilities about it; None if it does not have it.
    """

    finding: Finding
    first_seen: datetime
    absent_since: datetime | None = None
    gone_at: datetime | None = None
    peak_severity: str = ""
    fix_known: bool = False
    exploit_known: bool = False
    overdue_reported: bool = False
    ignored_by: IgnoredBy | None = None
    was_ignored: str = ""
    exploited_at: datetime | None = None
    kev: KnownExploit | None = None


class Comparison(NamedTuple):
    """The changes that a scan shows.

    `changes` has every finding that is open or was open before under one change, so that
    open now = open before + new + back + no longer ignored + known here - fixed - withdrawn.
    Findings that another scanner had listed, and this one does not look for, are in none.
    `gone_before` has the other ones that are remembered: they were gone before the scan, and still are.
    """

    changes: Mapping[Change, tuple[KnownFinding, ...]]
    gone_before: tuple[KnownFinding, ...] = ()

    @property
    def findings(self) -> tuple[KnownFinding, ...]:
        """The findings to remember."""
        return (*self.open(), *self.of(*GONE), *self.gone_before)

    def of(self, *changes: Change) -> Iterator[KnownFinding]:
        """Yield the findings with one of these changes."""
        return (known for change in changes for known in self.changes.get(change, ()))

    def open(self) -> Iterator[KnownFinding]:
        """Yield the findings that are open after the scan."""
        return self.of(*OPEN)

    @property
    def open_before(self) -> int:
        """How many findings were open before the scan."""
        return sum(len(found) for change, found in self.changes.items() if change not in ADDED)

    @property
    def open_now(self) -> int:
        """How many findings are open after the scan."""
        return sum(1 for _ in self.open())

    @property
    def ignored(self) -> tuple[KnownFinding, ...]:
        """The open findings that a rule ignores."""
        return tuple(known for known in self.open() if known.ignored_by)

    def each_open(self, mark: Callable[[KnownFinding], KnownFinding]) -> "Comparison":
        """Return the same changes, with `mark` applied to each open finding."""
        changes = {
            change: tuple(map(mark, found)) if change in OPEN else found for change, found in self.changes.items()
        }
        return self._replace(changes=changes)

    def with_fix(self) -> "Comparison":
        """Return the changes of the findings with a fix; a newly fixable one is new among them."""
        changes = self._only(lambda _, known: known.finding.fix_available)
        changes[Change.NEW] += changes.pop(Change.FIX_AVAILABLE)
        return self._replace(changes=changes | {Change.FIX_AVAILABLE: ()})

    def without_ignored(self) -> "Comparison":
        """Return the changes of the findings that no rule ignores."""
        changes = self._only(lambda change, known: not (known.ignored_by or (known.was_ignored and change in OPEN)))
        ended = tuple(known for known in self.open() if known.was_ignored and not known.ignored_by)
        return self._replace(changes=changes | {Change.NO_LONGER_IGNORED: ended})

    def _only(self, counts: Callable[[Change, KnownFinding], bool]) -> dict[Change, tuple[KnownFinding, ...]]:
        """Return the changes of the findings that count."""
        changes = self.changes.items()
        return {change: tuple(known for known in found if counts(change, known)) for change, found in changes}


class Identities:
    """Says which vulnerability each entry of a scan is: two CVE ids are never one, whatever advisories they share.

    An entry with a CVE id is that vulnerability. An entry of an advisory is the CVE that the advisory stands for, if
    that is exactly one, and otherwise a vulnerability of its own. Findings that were once told apart stay so.

    Args:
        scan: the entries of a scan.
        known: the findings that are remembered of the image.
        still_open: those of them that are open.
    """

    def __init__(self, scan: Sequence[Finding], known: Sequence[Finding], still_open: Iterable[Finding]) -> None:
        self._open = {(finding.package, finding.id) for finding in still_open}
        self._everywhere = cves_of_advisories([*scan, *known])
        self._listed: defaultdict[FindingKey, set[str]] = defaultdict(set)
        # The advisories of the scan that are about a CVE.
        self._about: defaultdict[FindingKey, list[str]] = defaultdict(list)
        for finding in scan:
            for advisory, cve in () if is_cve(finding.id) else finding.links():
                self._about[finding.package, cve].append(advisory)
        for finding in (*scan, *known):
            if not is_cve(finding.id):
                self._listed[finding.package, finding.id].update(cve for _, cve in finding.links())

    def key(self, finding: Finding) -> FindingKey:
        """Return the key of an entry, or of a finding that is remembered."""
        own = finding.package, finding.id
        if is_cve(finding.id):
            return own
        # The advisory's own list of CVE ids comes first.
        cves = self._listed.get(own) or self._everywhere.get(finding.id, set())
        if len(cves) != 1:
            return own
        [cve] = cves
        named = finding.package, cve
        return own if own in self._open and named in self._open else named

    def advisory_about(self, finding: Finding, present: Mapping[FindingKey, Finding]) -> Finding | None:
        """Return the advisory that a scan has in place of a finding that it lacks, and that is about others, too.

        Args:
            finding: one that is remembered.
            present: the merged findings of the scan.
        """
        if not is_cve(finding.id):
            return None
        for advisory in (*self._about.get((finding.package, finding.id), ()), *finding.aliases):
            key = finding.package, advisory
            if key in present and finding.id in (self._listed.get(key) or {finding.id}):
                return present[key]
        return None


def merge(findings: Iterable[Finding], identities: Identities) -> dict[FindingKey, Finding]:
    """Merge the entries of each vulnerability in each package into one finding; return them by their keys.

    A package that is installed in several versions or places has one entry for each of them, and a vulnerability may
    have one for each of its ids.

    Args:
        findings: of one image.
        identities: tells their keys.
    """
    merged: dict[FindingKey, list[Finding]] = {}
    for finding in findings:
        merged.setdefault(identities.key(finding), []).append(finding)
    return {key: merge_entries(key[1], entries) for key, entries in merged.items()}


class _ListedFindings:
    """The findings that a scan lists. Each is the first remembered finding that claims it, or it is new.

    Args:
        scan: the entries of the scan.
        known: all findings that are remembered.
        still_open: those of them that are open in the image.
    """

    def __init__(
        self, scan: Sequence[Finding], known: Iterable[KnownFinding], still_open: Iterable[KnownFinding]
    ) -> None:
        self._identities = Identities(scan, [each.finding for each in known], (each.finding for each in still_open))
        self._merged = merge(scan, self._identities)
        self.unclaimed = dict(self._merged)
        self.installed = {(finding.package, version) for finding in scan for version in finding.installed_versions}

    def claim(self, known: KnownFinding) -> Finding | None:
        """Return the scan's own finding for one that is remembered; None if it has none that is not claimed."""
        return self.unclaimed.pop(self._identities.key(known.finding), None)

    def advisory_about(self, known: KnownFinding) -> Finding | None:
        """Return the advisory that the scan has in place of a finding that it lacks, and that is about others, too."""
        return self._identities.advisory_about(known.finding, self._merged)


def compare(
    scan: Iterable[Finding],
    remembered: Sequence[KnownFinding],
    now: datetime,
    thresholds: Mapping[str, int],
    absence: Absence,
    known_here: Iterable[KnownFinding] = (),
) -> Comparison:
    """Compare the findings of a complete scan with those that are remembered.

    Args:
        scan: all findings of the scan, in any order and with duplicates.
        remembered: the findings of this digest, or of its predecessor.
        now: when the scan was complete.
        thresholds: by severity; decides whether a raised severity counts.
        absence: the meaning of a finding that is missing.
        known_here: the findings of another image of the repository, which this image does not replace. Those that
            both have are known here if they are most of each.
    """
    scan, known_here = list(scan), tuple(known_here)
    still_open = [known for known in remembered if not known.gone_at]
    may_return = [known for known in remembered if known.gone_at and now - known.gone_at <= _BACK_WITHIN]
    others = [known for known in known_here if not known.gone_at]
    listed = _ListedFindings(scan, (*remembered, *known_here), still_open)
    # Open findings first: a finding of the scan may have the ids of one that is open and of one that is gone.
    changes = dict.fromkeys(Change, ()) | _changes_of_open(still_open, listed, now, thresholds, absence)
    changes[Change.BACK], gone_before = _found_again(may_return, listed)
    changes[Change.KNOWN_HERE], _ = _found_again(others, listed)
    changes[Change.NEW] = tuple(_first_seen(finding, now) for finding in listed.unclaimed.values())
    comparison = Comparison(changes, gone_before)
    if known_here and 2 * len(changes[Change.KNOWN_HERE]) <= max(comparison.open_now, len(others)):
        return compare(scan, remembered, now, thresholds, absence)
    return comparison


def unchanged(findings: Iterable[KnownFinding]) -> Comparison:
    """Return the comparison of remembered findings with themselves, as if a scan had changed nothing."""
    findings = [known._replace(was_ignored="") for known in findings]
    still_open = tuple(known for known in findings if not known.gone_at)
    gone = tuple(known for known in findings if known.gone_at)
    return Comparison(dict.fromkeys(Change, ()) | {Change.STILL_OPEN: still_open}, gone)


def _changes_of_open(
    still_open: Iterable[KnownFinding],
    listed: _ListedFindings,
    now: datetime,
    thresholds: Mapping[str, int],
    absence: Absence,
) -> dict[Change, tuple[KnownFinding, ...]]:
    """Return the changes of the findings that were open before a scan."""
    changes = defaultdict[Change, list[KnownFinding]](list)
    for known in still_open:
        if finding := listed.claim(known):
            changes[_open_change(known, finding, thresholds)].append(_seen_again(known, finding))
        elif advisory := listed.advisory_about(known):
            changes[Change.STILL_OPEN].append(_seen_again(known, _as_listed(known.finding, advisory)))
        elif absence is not Absence.OF_OTHER_SCANNER:
            change, absent = _absent(known, listed.installed, now, absence)
            changes[change].append(absent)
    return {change: tuple(found) for change, found in changes.items()}


def _found_again(
    remembered: Iterable[KnownFinding], listed: _ListedFindings
) -> tuple[tuple[KnownFinding, ...], tuple[KnownFinding, ...]]:
    """Return the findings that a scan has again, as they are to be remembered, and those that it does not have."""
    pairs = [(known, listed.claim(known)) for known in remembered]
    again = tuple(_seen_again(known, finding) for known, finding in pairs if finding)
    return again, tuple(known for known, finding in pairs if not finding)


def _first_seen(finding: Finding, now: datetime) -> KnownFinding:
    return KnownFinding(
        finding._replace(suppressed=False),
        first_seen=now,
        peak_severity=finding.severity,
        fix_known=finding.fix_available,
        exploit_known=finding.exploit_available,
        ignored_by=SUPPRESSED if finding.suppressed else None,
    )


def _open_change(known: KnownFinding, finding: Finding, thresholds: Mapping[str, int]) -> Change:
    """Return the change of a finding that is still open.

    Only the first time that a finding is this severe, or has a fix or an exploit, counts: sources change their minds.
    """
    if _is_raised(known, finding) and finding.severity in thresholds:
        return Change.RAISED
    if finding.exploit_available and not known.exploit_known:
        return Change.EXPLOIT_KNOWN
    if finding.fix_available and not known.fix_known:
        return Change.FIX_AVAILABLE
    return Change.STILL_OPEN


def _seen_again(known: KnownFinding, finding: Finding) -> KnownFinding:
    """Return a finding that is still open, or open again, as it is to be remembered."""
    # Aliases stay, so that the finding is known by each of its ids.
    ids = (finding.id, *finding.aliases, known.finding.id, *known.finding.aliases)
    ended = known.ignored_by == SUPPRESSED and not finding.suppressed
    return KnownFinding(
        with_ids(finding, finding.id, ids)._replace(suppressed=False),
        first_seen=known.first_seen,
        peak_severity=finding.severity if _is_raised(known, finding) else known.peak_severity,
        fix_known=known.fix_known or finding.fix_available,
        exploit_known=known.exploit_known or finding.exploit_available,
        overdue_reported=known.overdue_reported,
        ignored_by=SUPPRESSED if finding.suppressed else None if ended else known.ignored_by,
        was_ignored="was suppressed in Inspector" if ended else "",
        exploited_at=known.exploited_at,
    )


def _as_listed(finding: Finding, advisory: Finding) -> Finding:
    """Return a finding with the state of its package from an advisory that is about more than this one."""
    return finding._replace(
        installed_versions=advisory.installed_versions,
        fixed_versions=advisory.fixed_versions,
        paths=advisory.paths,
        suppressed=advisory.suppressed,
    )


def _is_raised(known: KnownFinding, finding: Finding) -> bool:
    return severity_rank(finding.severity) < severity_rank(known.peak_severity)


def _absent(
    known: KnownFinding, installed: Collection[tuple[str, str]], now: datetime, absence: Absence
) -> tuple[Change, KnownFinding]:
    """Return the change of an open finding that a scan does not have, and the finding as it is to be remembered.

    Args:
        installed: the packages in which the scan found something, with their versions.
        now: when the scan was complete.
        absence: its meaning in general.
    """
    if absence is Absence.UNKNOWN:
        return Change.STILL_OPEN, known._replace(was_ignored="")
    versions = known.finding.installed_versions
    if absence is Absence.OF_SUCCESSOR and not any(
        (known.finding.package, version) in installed for version in versions
    ):
        return Change.FIXED, known._replace(gone_at=now)
    # The package is installed as before: the image did not change, but the database did, perhaps for a day.
    since = known.absent_since or now
    if now - since >= _WITHDRAWN_AFTER:
        return Change.WITHDRAWN, known._replace(gone_at=now)
    return Change.STILL_OPEN, known._replace(absent_since=since, was_ignored="")
