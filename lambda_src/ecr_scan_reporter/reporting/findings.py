"""Merges, sorts and groups the findings of one image."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import chain

from ecr_scan_reporter.models import Finding, severity_rank

# What a report shows at most: packages of an image, findings of a package.
_MAX_PACKAGES = 12
_MAX_PACKAGE_FINDINGS = 3


@dataclass(frozen=True, slots=True)
class PackageFindings:
    """The findings of one package.

    Args:
        name: of the package.
        installed_versions: all that are affected.
        total: how many findings the package has.
        worst: the most severe ones.
        fixes: by fixed version, how many findings it fixes; most first.
    """

    name: str
    installed_versions: tuple[str, ...]
    total: int
    worst: tuple[Finding, ...]
    fixes: tuple[tuple[str, int], ...]

    @property
    def label(self) -> str:
        """The package as people know it, such as `openssl 3.0.1-r2`."""
        return f"{self.name} {', '.join(self.installed_versions)}".strip() or "package not named"


@dataclass(frozen=True, slots=True)
class ImageFindings:
    """The findings of one image, as much of them as a report can show.

    Args:
        counts: by severity, of all findings.
        worst: the most severe findings.
        packages: those with the most severe findings.
        total: how many findings the image has.
        total_packages: how many packages have findings.
    """

    counts: dict[str, int]
    worst: tuple[Finding, ...]
    packages: tuple[PackageFindings, ...]
    total: int
    total_packages: int


def summarize(findings: Iterable[Finding], *, fixable_only: bool, max_findings: int) -> ImageFindings:
    """Merge and count the findings of an image; keep the `max_findings` most severe ones and the worst packages."""
    kept = [finding for finding in merge(findings) if finding.fix_available or not fixable_only]
    kept.sort(key=finding_sort_key)
    packages = group_by_package(kept)
    return ImageFindings(
        counts=dict(Counter(finding.severity for finding in kept)),
        worst=tuple(kept[:max_findings]),
        packages=tuple(packages[:_MAX_PACKAGES]),
        total=len(kept),
        total_packages=len(packages),
    )


class Aliases:
    """The ids that mean the same vulnerability of the same package, from everything that findings say about them."""

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
    return replace(
        worst,
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


def group_by_package(findings: Iterable[Finding]) -> list[PackageFindings]:
    """Group sorted findings by package and installed version; the package with the most severe finding comes first."""
    by_package: dict[tuple[str, tuple[str, ...]], list[Finding]] = {}
    for finding in findings:
        by_package.setdefault((finding.package, finding.installed_versions), []).append(finding)
    return [
        PackageFindings(
            name=name,
            installed_versions=versions,
            total=len(members),
            worst=tuple(members[:_MAX_PACKAGE_FINDINGS]),
            fixes=tuple(Counter(", ".join(f.fixed_versions) for f in members if f.fixed_versions).most_common()),
        )
        for (name, versions), members in by_package.items()
    ]


def _distinct(values: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(sorted(set(chain.from_iterable(values))))
