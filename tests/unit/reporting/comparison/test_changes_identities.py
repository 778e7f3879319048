"""Two CVE ids are never one finding, and a finding keeps its identity, whatever advisories say of it."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

from ecr_scan_reporter.memory.rules import IgnoreRule
from ecr_scan_reporter.models.findings import Finding, is_cve
from ecr_scan_reporter.reporting.comparison.changes import GONE, Absence, Change, Comparison, KnownFinding, compare
from ecr_scan_reporter.reporting.comparison.ignored import RuleMatcher
from hypothesis import given, settings
from hypothesis import strategies as st
from support.random_tests import examples

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


def entry(id_: str, *related: str, package: str = "cups", severity: str = "HIGH") -> Finding:
    return Finding(id_, severity, package, ("1.0",), aliases=related)


def scans(*found: Sequence[Finding]) -> Comparison:
    """Compare scans of one image, a day apart; return the comparison of the last one."""
    remembered: Sequence[KnownFinding] = ()
    for day, findings in enumerate(found):
        now = NOW + timedelta(days=day)
        comparison = compare(findings, remembered, now, {"CRITICAL": 1, "HIGH": 1}, Absence.OF_SAME_IMAGE)
        remembered = comparison.findings
    return comparison


def said(comparison: Comparison) -> dict[str, str]:
    return {known.finding.id: change for change, found in comparison.changes.items() for known in found}


def test_cves_that_share_advisories_are_findings_of_their_own() -> None:
    found = [
        entry("CVE-2024-47176", "GHSA-a", "GHSA-b"),
        entry("CVE-2024-47076", "GHSA-b", "GHSA-c"),
        entry("CVE-2024-47175", "GHSA-c"),
        entry("CVE-2024-47177", "GHSA-a", "GHSA-c"),
    ]
    assert list(said(scans(found)).values()) == 4 * ["new"]
    assert list(said(scans(found, found[::-1])).values()) == 4 * ["still_open"]


def test_advisory_is_the_one_cve_that_it_stands_for() -> None:
    advisory, cve, plain = entry("GHSA-a", "CVE-1"), entry("CVE-1", "GHSA-a"), entry("GHSA-a")
    assert said(scans([advisory])) == {"CVE-1": "new"}
    for first in ([advisory], [cve], [advisory, cve], [plain, cve]):
        for second in ([advisory], [cve], [advisory, cve], [plain], [entry("CVE-1")]):
            assert said(scans(first, second)) == {"CVE-1": "still_open"}
    # Other advisories than those of GitHub stand for a CVE as well.
    assert said(scans([entry("ALAS-2024-1", "CVE-1")])) == {"CVE-1": "new"}


def test_advisory_of_several_cves_or_of_none_is_a_finding_of_its_own() -> None:
    assert said(scans([entry("ELSA-1", "CVE-1", "CVE-2")])) == {"ELSA-1": "new"}
    assert said(scans([entry("GHSA-a")])) == {"GHSA-a": "new"}
    shared = [entry("GHSA-a"), entry("CVE-1", "GHSA-a"), entry("CVE-2", "GHSA-a", package="libcups")]
    assert said(scans(shared)) == {"GHSA-a": "new", "CVE-1": "new", "CVE-2": "new"}


def test_advisory_that_gets_its_first_cve_is_known_by_it() -> None:
    for listed in ([entry("GHSA-a", "CVE-1")], [entry("CVE-1", "GHSA-a")]):
        comparison = scans([entry("GHSA-a")], listed)
        assert said(comparison) == {"CVE-1": "still_open"}
        assert comparison.findings[0].first_seen == NOW


def test_advisory_that_gains_a_second_cve_adds_a_finding() -> None:
    both = [entry("GHSA-a", "CVE-1", "CVE-2", severity="CRITICAL")]
    first = [entry("GHSA-a", "CVE-1")]
    assert said(scans(first, both)) == {"CVE-1": "still_open", "GHSA-a": "new"}
    comparison = scans(first, both, both, both)
    assert said(comparison) == {"CVE-1": "still_open", "GHSA-a": "still_open"}
    # What the advisory says of the other one is not said of it.
    assert [known.finding.severity for known in comparison.findings if known.finding.id == "CVE-1"] == ["HIGH"]
    # It is gone when the advisory is about others.
    others = [entry("GHSA-a", "CVE-2", "CVE-3")]
    assert said(scans(first, others, others)) == {"CVE-1": "withdrawn", "GHSA-a": "still_open"}


def test_advisory_that_loses_a_cve_stays_what_it_is() -> None:
    both, one = [entry("GHSA-a", "CVE-1", "CVE-2")], [entry("GHSA-a", "CVE-1")]
    assert said(scans(both, one)) == {"GHSA-a": "still_open"}


def test_findings_that_turn_out_to_be_one_are_not_renamed() -> None:
    apart, joined = [entry("GHSA-a"), entry("CVE-1")], [entry("GHSA-a", "CVE-1"), entry("CVE-1", "GHSA-a")]
    assert said(scans(apart, joined)) == {"GHSA-a": "still_open", "CVE-1": "still_open"}


def ignored(rule: str, comparison: Comparison) -> list[str]:
    rules = [IgnoreRule(rule, "", "Not called.", "team-a", date(2099, 1, 1), None, "key")]
    return sorted(known.finding.id for known in RuleMatcher(rules, NOW).apply(comparison, "app").ignored)


def test_rule_reaches_its_own_and_what_stands_for_it() -> None:
    shared = scans([entry("CVE-1", "GHSA-a", "GHSA-b"), entry("CVE-2", "GHSA-a"), entry("GHSA-c", "CVE-1", "CVE-2")])
    assert ignored("CVE-1", shared) == ["CVE-1"]
    assert ignored("GHSA-b", shared) == ["CVE-1"]
    assert ignored("GHSA-a", shared) == []
    assert ignored("GHSA-c", shared) == ["GHSA-c"]
    # Both were findings before it was known that they are one.
    apart = scans([entry("GHSA-a"), entry("CVE-1")], [entry("GHSA-a", "CVE-1"), entry("CVE-1", "GHSA-a")])
    assert ignored("CVE-1", apart) == ignored("GHSA-a", apart) == ["CVE-1", "GHSA-a"]


CVES, ADVISORIES = ("CVE-1", "CVE-2", "CVE-3"), ("GHSA-a", "GHSA-b", "ALAS-1")


def entries_of(own: Sequence[str], other: Sequence[str]) -> st.SearchStrategy[Finding]:
    related = st.sets(st.sampled_from(other), max_size=3).map(sorted)
    packages = st.sampled_from(("cups", "zlib"))
    return st.builds(lambda *made: entry(made[0], *made[1], package=made[2]), st.sampled_from(own), related, packages)


entries = entries_of(CVES, ADVISORIES) | entries_of(ADVISORIES, CVES)


@settings(max_examples=examples(1000))
@given(st.lists(st.lists(entries, max_size=5), min_size=1, max_size=5))
def test_no_graph_of_advisories_joins_two_cves_or_renames_one(history: list[list[Finding]]) -> None:
    remembered: Sequence[KnownFinding] = ()
    for day, findings in enumerate(history):
        now = NOW + timedelta(days=day)
        comparison = compare(findings, remembered, now, {"HIGH": 1}, Absence.OF_SAME_IMAGE)
        # Each CVE of the scan is a finding of that name, and each advisory is one of its CVE ids, or of its own name.
        present = {(known.finding.package, known.finding.id): known for known in comparison.open()}
        for found in findings:
            ids = {found.id} if is_cve(found.id) else {found.id, *CVES}
            assert any((found.package, id_) in present for id_ in ids)
            own = {cve for other in findings if other[:3] == found[:3] for cve in other.aliases}
            if not is_cve(found.id) and len(own) > 1:
                assert (found.package, found.id) in present
        for (_, id_), known in present.items():
            assert not (is_cve(id_) and any(map(is_cve, known.finding.aliases)))
        # A finding has the name under which it is remembered, or the first CVE id of an advisory.
        before = {(known.finding.package, known.finding.id) for known in remembered if not known.gone_at}
        renamed = before - {(known.finding.package, known.finding.id) for known in comparison.of(*Change)}
        assert not any(is_cve(id_) for _, id_ in renamed)
        # The order of the entries does not matter, and the same scan again says nothing.
        assert set(compare(findings[::-1], remembered, now, {"HIGH": 1}, Absence.OF_SAME_IMAGE).findings) == set(
            comparison.findings
        )
        remembered = comparison.findings
        again = compare(findings, remembered, now, {"HIGH": 1}, Absence.OF_SAME_IMAGE)
        assert not list(again.of(Change.NEW, Change.BACK, Change.RAISED))
        # A rule reaches no other CVE.
        for cve in CVES:
            assert not set(ignored(cve, comparison)) & set(CVES) - {cve}
    assert sum(known.gone_at is None for known in remembered) == comparison.open_now
    assert not set(comparison.of(*GONE)) & set(comparison.open())
