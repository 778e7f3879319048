"""Findings: vulnerabilities of packages in an image, how they are sorted, and how many versions and paths one names."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import NamedTuple

from ecr_scan_reporter.models.severities import severity_rank

# Versions, paths and aliases that a finding names. One image may have a package in thousands of places; most findings
# have a few aliases, and the advisory of a distribution may list hundreds, which stands for none of them.
MAX_NAMED = 20


class Finding(NamedTuple):
    """One vulnerability of one package in an image.

    A package may be installed in several versions and places; `installed_versions` and `paths` name them. `aliases` are
    related ids: of a CVE, the advisories that list it; of an advisory, the CVE ids that it lists. Aliases, fixed
    versions, `fix_available` and `exploit_available` are known with enhanced scanning only. `cvss_score` is 0 to 10; 0
    if it is unknown. `suppressed`: a person decided in Amazon Inspector not to be told of it. `versions_omitted`: how
    many installed versions there are besides those that are named.
    """

    id: str
    severity: str
    package: str = ""
    installed_versions: tuple[str, ...] = ()
    fixed_versions: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    fix_available: bool = False
    exploit_available: bool = False
    cvss_score: float = 0.0
    url: str = ""
    aliases: tuple[str, ...] = ()
    suppressed: bool = False
    versions_omitted: int = 0

    def links(self) -> Iterator[tuple[str, str]]:
        """Yield each advisory that is related to the finding with its CVE id: one of them is the finding's own id."""
        own = is_cve(self.id)
        for alias in self.aliases:
            if is_cve(alias) is not own:
                yield (alias, self.id) if own else (self.id, alias)


def cves_of(finding: Finding) -> tuple[str, ...]:
    """Return the CVE ids that a finding is about: its own, or all that its advisory lists."""
    return (finding.id,) if is_cve(finding.id) else tuple(filter(is_cve, finding.aliases))


def is_cve(id_: str) -> bool:
    """Return whether the id of a vulnerability is a CVE id, and not that of an advisory such as a GHSA."""
    return id_.startswith("CVE-")


def merge_entries(id_: str, entries: Sequence[Finding]) -> Finding:
    """Merge entries of one vulnerability of one package into one finding, which names a few versions and paths.

    Args:
        id_: of the vulnerability.
        entries: one at least.
    """
    # A suppressed entry says nothing of the places where the finding is not suppressed.
    entries = [entry for entry in entries if not entry.suppressed] or entries
    if len(entries) == 1 and entries[0].id == id_:
        return entries[0]
    worst = min(entries, key=finding_sort_key)
    versions = _distinct(entry.installed_versions for entry in entries)
    return with_ids(worst, id_, (entry_id for entry in entries for entry_id in (entry.id, *entry.aliases)))._replace(
        installed_versions=versions[:MAX_NAMED],
        fixed_versions=_distinct(entry.fixed_versions for entry in entries)[:MAX_NAMED],
        paths=_distinct(entry.paths for entry in entries)[:MAX_NAMED],
        fix_available=any(entry.fix_available for entry in entries),
        exploit_available=any(entry.exploit_available for entry in entries),
        versions_omitted=len(versions[MAX_NAMED:]) + sum(entry.versions_omitted for entry in entries),
    )


def with_ids(finding: Finding, id_: str, related: Iterable[str]) -> Finding:
    """Return a finding by the id of its vulnerability, with those of the related ids that may be aliases of that."""
    aliases = {alias for alias in related if is_cve(alias) is not is_cve(id_)}
    return finding._replace(id=id_, aliases=tuple(sorted(aliases)[:MAX_NAMED]))


def finding_sort_key(finding: Finding) -> tuple[int, bool, bool, float, str, str]:
    """Return a sort key: by severity, then exploit known, then fix available, then score."""
    return (
        severity_rank(finding.severity),
        not finding.exploit_available,
        not finding.fix_available,
        -finding.cvss_score,
        finding.package,
        finding.id,
    )


def _distinct(values: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(sorted(set(chain.from_iterable(values))))


def cves_of_advisories(findings: Iterable[Finding]) -> Mapping[str, set[str]]:
    """Return by advisory the CVE ids to which it is related. It stands for one of them if that is the only one."""
    cves: defaultdict[str, set[str]] = defaultdict(set)
    for finding in findings:
        for advisory, cve in finding.links():
            cves[advisory].add(cve)
    return cves
