"""Matches findings with the rules of `ignored_findings`."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime

from ecr_scan_reporter.memory.rules import IgnoreRule
from ecr_scan_reporter.models.findings import Finding, cves_of_advisories
from ecr_scan_reporter.reporting.comparison.changes import OPEN, SUPPRESSED, Comparison, IgnoredBy, KnownFinding


class RuleMatcher:
    """Matches the findings of a batch with the rules, and notes which of them were used. Safe for concurrent use.

    Args:
        rules: in the order of the list.
        now: aware.

    Attributes:
        matched: the keys of the rules that matched a finding.
        used: the keys of those that ignored one: the first of the list that matches.
        ended: the keys of those that did not match because a fix is known.
    """

    def __init__(self, rules: Sequence[IgnoreRule], now: datetime) -> None:
        self._today = now.astimezone(UTC).date()
        self._by_id: dict[str, list[tuple[int, IgnoreRule]]] = {}
        self._by_package: dict[str, list[tuple[int, IgnoreRule]]] = {}
        for position, rule in enumerate(rules):
            index, name = (self._by_id, rule.id.casefold()) if rule.id else (self._by_package, rule.package)
            index.setdefault(name, []).append((position, rule))
        self.matched: set[str] = set()
        self.used: set[str] = set()
        self.ended: set[str] = set()

    def apply(self, comparison: Comparison, repository: str) -> Comparison:
        """Return the same comparison; each open finding has the rule that ignores it, if there is one."""
        cves = cves_of_advisories(known.finding for known in comparison.findings)
        changes = {
            change: tuple(self._mark(known, repository, cves) for known in found) if change in OPEN else found
            for change, found in comparison.changes.items()
        }
        gone = [known for known in comparison.findings if known.gone_at]
        marked = Comparison((), changes)
        return marked._replace(findings=(*marked.open(), *gone))

    def _mark(self, known: KnownFinding, repository: str, cves: Mapping[str, set[str]]) -> KnownFinding:
        matches = list(self._matches(known, repository, cves))
        self.matched.update(rule.key for rule in matches)
        if known.ignored_by == SUPPRESSED:
            return known
        if matches:
            first = matches[0]
            self.used.add(first.key)
            ignored_by = IgnoredBy(first.name, first.reason, first.owner, first.expires)
            return known._replace(ignored_by=ignored_by, was_ignored="")
        if known.ignored_by:
            return known._replace(ignored_by=None, was_ignored=self._describe_end(known, known.ignored_by))
        return known

    def _matches(self, known: KnownFinding, repository: str, cves: Mapping[str, set[str]]) -> Iterator[IgnoreRule]:
        for rule in self._candidates(known.finding, cves):
            if rule.repositories and not rule.repositories.match(repository):
                continue
            if rule.expires is None and known.fix_known:
                self.ended.add(rule.key)
            elif rule.expires is None or self._today < rule.expires:
                yield rule

    def _candidates(self, finding: Finding, cves: Mapping[str, set[str]]) -> list[IgnoreRule]:
        """Return the rules that name a finding, by an id or by its package, in the order of the list.

        An advisory that is related to several CVE ids stands for none of them.
        """
        aliases = (other for link in finding.links() if len(cves[link[0]]) == 1 for other in link)
        found = {
            position: rule for id_ in (finding.id, *aliases) for position, rule in self._by_id.get(id_.casefold(), ())
        }
        found.update(self._by_package.get(finding.package, ()))
        return [found[position] for position in sorted(found)]

    def _describe_end(self, known: KnownFinding, rule: IgnoredBy) -> str:
        if rule.expires and rule.expires <= self._today:
            return f"was ignored until {rule.expires.day} {rule.expires:%b %Y}: {rule.reason}"
        if rule.expires is None and known.fix_known:
            return f"was ignored until a fix was known: {rule.reason}"
        return f"was ignored by a rule that no longer applies: {rule.reason}"
