"""Says which rule ignores a finding, and why one no longer does. Kernel headers are ignored without a rule."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from operator import itemgetter

from ecr_scan_reporter.memory.rules import IgnoreRule
from ecr_scan_reporter.models.findings import Finding, cves_of_advisories
from ecr_scan_reporter.reporting.comparison.changes import (
    KERNEL_HEADERS,
    SUPPRESSED,
    Comparison,
    IgnoredBy,
    KnownFinding,
)
from ecr_scan_reporter.shared.matching import matching

# Packages that name the vulnerabilities of the kernel, in images that have none to run: its headers, and "linux", the
# source package by which Debian's and Ubuntu's findings may name them.
_KERNEL_HEADERS = re.compile(
    r"linux|linux-(libc-dev|headers|kbuild|compiler)(-.+)?|linux-(glibc-devel|kernel-headers)"
    r"|kernel[0-9.]*(-[0-9a-z]+)*-(headers|devel)(-.+)?"
)
# The name by which rules are found: an id, without regard to case, or a package.
_Name = tuple[str, str]
_ID, _PACKAGE = "id", "package"


class RuleMatcher:
    """Matches the findings of a batch with the rules, and notes which of them were used. Safe for concurrent use.

    The rules of one name are matched with a repository once: there may be thousands of them.

    Args:
        rules: in the order of the list.
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
        """Return the identity of the rules that are about a repository, in their order, whether they have ended or not.

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
    """Yield the names by which rules for a finding are found. An advisory of several CVE ids stands for none."""
    yield _PACKAGE, finding.package
    yield _ID, finding.id.casefold()
    for link in finding.links():
        if len(cves[link[0]]) == 1:
            yield from ((_ID, other.casefold()) for other in link)
