"""Merges the findings of one image."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from ecr_scan_reporter.models.findings import Finding, cves_of_advisories, is_cve, merge_entries

# What identifies a finding in an image: its package, and the id of its vulnerability.
Key = tuple[str, str]


class Identities:
    """Says which vulnerability each entry of a scan is: two CVE ids are never one, whatever advisories they share.

    An entry with a CVE id is that vulnerability. An entry of an advisory is the CVE that the advisory stands for, if
    that is exactly one, and otherwise a vulnerability of its own. What was once told apart stays so.

    Args:
        scan: the entries of a scan.
        known: the findings that are remembered of the image.
        still_open: those of them that are open.
    """

    def __init__(self, scan: Sequence[Finding], known: Sequence[Finding], still_open: Iterable[Finding]) -> None:
        self._open = {(finding.package, finding.id) for finding in still_open}
        self._everywhere = cves_of_advisories([*scan, *known])
        self._listed: defaultdict[Key, set[str]] = defaultdict(set)
        # The advisories of the scan that are about a CVE.
        self._about: defaultdict[Key, list[str]] = defaultdict(list)
        for finding in scan:
            for advisory, cve in () if is_cve(finding.id) else finding.links():
                self._about[finding.package, cve].append(advisory)
        for finding in (*scan, *known):
            if not is_cve(finding.id):
                self._listed[finding.package, finding.id].update(cve for _, cve in finding.links())

    def key(self, finding: Finding) -> Key:
        """Return what identifies an entry, or a finding that is remembered."""
        own = finding.package, finding.id
        if is_cve(finding.id):
            return own
        # What the advisory lists itself counts more than what lists it.
        cves = self._listed.get(own) or self._everywhere.get(finding.id, set())
        if len(cves) != 1:
            return own
        [cve] = cves
        named = finding.package, cve
        return own if own in self._open and named in self._open else named

    def advisory_about(self, finding: Finding, present: Mapping[Key, Finding]) -> Finding | None:
        """Return what a scan has in place of a finding that it lacks: an advisory that is about others, too.

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


def merge(findings: Iterable[Finding], identities: Identities) -> dict[Key, Finding]:
    """Merge the entries of each vulnerability in each package into one finding; return them by what identifies them.

    A package that is installed in several versions or places has one entry for each of them, and a vulnerability may
    have one for each of its ids.

    Args:
        findings: of one image.
        identities: what identifies them.
    """
    merged: dict[Key, list[Finding]] = {}
    for finding in findings:
        merged.setdefault(identities.key(finding), []).append(finding)
    return {key: merge_entries(key[1], entries) for key, entries in merged.items()}
