"""Findings: vulnerabilities of packages in an image."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple


class Finding(NamedTuple):
    """One vulnerability of one package in an image.

    A package may be installed in several versions and places; `installed_versions` and `paths` name them. `aliases` are
    related ids: of a CVE, the advisories that list it; of an advisory, the CVE ids that it lists. Aliases, fixed
    versions, `fix_available` and `exploit_available` are known with enhanced scanning only. `cvss_score` is 0 to 10; 0
    if it is unknown. `suppressed`: a person decided in Amazon Inspector not to be told of it.
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

    def links(self) -> Iterator[tuple[str, str]]:
        """Yield each advisory that is related to the finding with its CVE id: one of them is the finding's own id."""
        own = is_cve(self.id)
        for alias in self.aliases:
            if is_cve(alias) is not own:
                yield (alias, self.id) if own else (self.id, alias)


def is_cve(id_: str) -> bool:
    """Return whether the id of a vulnerability is a CVE id, and not that of an advisory such as a GHSA."""
    return id_.startswith("CVE-")


def cves_of_advisories(findings: Iterable[Finding]) -> Mapping[str, set[str]]:
    """Return by advisory the CVE ids to which it is related. It stands for one of them if that is the only one."""
    cves: defaultdict[str, set[str]] = defaultdict(set)
    for finding in findings:
        for advisory, cve in finding.links():
            cves[advisory].add(cve)
    return cves
