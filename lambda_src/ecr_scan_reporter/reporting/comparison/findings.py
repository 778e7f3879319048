"""Merges and sorts the findings of one image."""

from collections.abc import Iterable
from itertools import chain

from ecr_scan_reporter.models.findings import Finding
from ecr_scan_reporter.models.severities import severity_rank


class Aliases:
    """The ids that mean the same vulnerability of the same package, according to the findings."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        self._parents: dict[tuple[str, str], tuple[str, str]] = {}
        for finding in findings:
            for alias in finding.aliases:
                first, second = self.key(finding), self._root((finding.package, alias))
                self._parents[max(first, second)] = min(first, second)

    def key(self, finding: Finding) -> tuple[str, str]:
        """Return what identifies a finding: its package and one of the ids of its vulnerability."""
        return self._root((finding.package, finding.id))

    def _root(self, key: tuple[str, str]) -> tuple[str, str]:
        while (parent := self._parents.get(key, key)) != key:
            key = parent
        return key


def merge(findings: Iterable[Finding], aliases: Aliases | None = None) -> list[Finding]:
    """Merge entries of the same vulnerability in the same package into one finding.

    A package that is installed in several versions or places has one entry for each of them, and a vulnerability with
    aliases may have one for each of its ids.

    Args:
        findings: of one image.
        aliases: what is known about aliases; by default what the findings themselves say.
    """
    findings = list(findings)
    aliases = aliases or Aliases(findings)
    merged: dict[tuple[str, str], list[Finding]] = {}
    for finding in findings:
        merged.setdefault(aliases.key(finding), []).append(finding)
    return [entries[0] if len(entries) == 1 else _merge_entries(entries) for entries in merged.values()]


def _merge_entries(entries: list[Finding]) -> Finding:
    worst = min(entries, key=finding_sort_key)
    ids = {entry.id for entry in entries} | {alias for entry in entries for alias in entry.aliases}
    name = min((entry.id for entry in entries), key=lambda id_: (not id_.startswith("CVE-"), id_))
    return worst._replace(
        id=name,
        aliases=tuple(sorted(ids - {name})),
        installed_versions=_distinct(entry.installed_versions for entry in entries),
        fixed_versions=_distinct(entry.fixed_versions for entry in entries),
        paths=_distinct(entry.paths for entry in entries),
        fix_available=any(entry.fix_available for entry in entries),
        exploit_available=any(entry.exploit_available for entry in entries),
    )


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
