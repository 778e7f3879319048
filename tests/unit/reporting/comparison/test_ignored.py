"""Matches findings with the rules for ignored findings, and keeps the books balanced without them."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from ecr_scan_reporter.memory.codec import unpack_as
from ecr_scan_reporter.memory.rules import IgnoreRule, parse_rule
from ecr_scan_reporter.models.findings import Finding
from ecr_scan_reporter.reporting.baseline import Findings, encode_findings
from ecr_scan_reporter.reporting.comparison.changes import SUPPRESSED, Absence, Change, Comparison, IgnoredBy, compare
from ecr_scan_reporter.reporting.comparison.ignored import RuleMatcher

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


def rule(**values: Any) -> IgnoreRule:
    end = {} if "expires" in values or "until_fixed" in values else {"expires": "2026-12-03"}
    return parse_rule({"reason": "Not called.", "owner": "team-a", **end, **values})


def scan(
    findings: Sequence[Finding], rules: Sequence[IgnoreRule] = (), before: Comparison | None = None, days: int = 0
) -> tuple[Comparison, RuleMatcher]:
    now = NOW + timedelta(days=days)
    known = before.findings if before else ()
    matcher = RuleMatcher(rules, now)
    return matcher.apply(compare(findings, known, now, {"HIGH": 1}, Absence.OF_SAME_IMAGE), "team-a/app"), matcher


A = Finding("CVE-2026-0001", "HIGH", "openssl", ("3.0.1",), aliases=("GHSA-jfh8-c2jp-5v3q",))
B = Finding("CVE-2026-0002", "HIGH", "zlib", ("1.2",))
FIXED_A = Finding("CVE-2026-0001", "HIGH", "openssl", ("3.0.1",), ("3.0.2",), fix_available=True)


@pytest.mark.parametrize(
    ("values", "matches"),
    [
        ({"id": "CVE-2026-0001"}, True),
        ({"id": "GHSA-jfh8-c2jp-5v3q"}, True),
        ({"id": "ghsa-JFH8-c2jp-5v3q"}, True),
        ({"id": "CVE-2026-000"}, False),
        ({"package": "openssl"}, True),
        ({"package": "open"}, False),
        ({"id": "CVE-2026-0001", "repositories": "team-a/"}, True),
        ({"id": "CVE-2026-0001", "repositories": "app"}, False),
        ({"id": "CVE-2026-0001", "expires": "2026-11-24"}, True),
        ({"id": "CVE-2026-0001", "expires": "2026-11-23"}, False),
        ({"id": "CVE-2026-0001", "until_fixed": True}, True),
    ],
)
def test_rule_matches_by_id_alias_or_package(values: dict[str, Any], matches: bool) -> None:
    ignoring = rule(**values)
    comparison, matcher = scan([A, B], [ignoring])
    assert [known.finding.id for known in comparison.ignored] == (["CVE-2026-0001"] if matches else [])
    assert matcher.used == matcher.matched == ({ignoring.key} if matches else set())


def test_suppression_in_inspector_comes_before_a_rule() -> None:
    ignoring = rule(id="CVE-2026-0001")
    comparison, matcher = scan([A._replace(suppressed=True)], [ignoring])
    assert [known.ignored_by for known in comparison.ignored] == [SUPPRESSED]
    assert (matcher.used, matcher.matched) == (set(), {ignoring.key})


def test_first_rule_of_the_list_ignores_and_the_others_match() -> None:
    package, id_ = rule(package="openssl", reason="First."), rule(id="CVE-2026-0001")
    comparison, matcher = scan([A], [package, id_])
    assert comparison.ignored[0].ignored_by == IgnoredBy("package openssl", "First.", "team-a", date(2026, 12, 3))
    assert (matcher.used, matcher.matched) == ({package.key}, {package.key, id_.key})


def test_ignored_finding_is_not_new_and_not_open() -> None:
    comparison, _ = scan([A, B], [rule(id=A.id)])
    counted = comparison.without_ignored()
    assert (comparison.open_now, counted.open_now) == (2, 1)
    assert [known.finding.id for known in counted.changes[Change.NEW]] == [B.id]


@pytest.mark.parametrize(
    ("ignoring", "days", "findings", "reason"),
    [
        (rule(id=A.id), 10, [A], "was ignored until 3 Dec 2026: Not called."),
        (rule(id=A.id, until_fixed=True), 1, [FIXED_A], "was ignored until a fix was known: Not called."),
        (None, 1, [A], "was ignored by a rule that no longer applies: Not called."),
    ],
    ids=["expired", "fixed", "removed"],
)
def test_finding_of_a_rule_that_ends_is_no_longer_ignored_and_said_once(
    ignoring: IgnoreRule | None, days: int, findings: Sequence[Finding], reason: str
) -> None:
    first, _ = scan([A], [ignoring or rule(id=A.id)])
    second, matcher = scan(findings, [ignoring] if ignoring else [], first, days)
    [known] = second.without_ignored().changes[Change.NO_LONGER_IGNORED]
    assert (known.was_ignored, known.first_seen) == (reason, NOW)
    assert matcher.ended == ({ignoring.key} if ignoring and ignoring.expires is None else set())
    third, _ = scan(findings, [ignoring] if ignoring else [], second, days + 1)
    assert [known.was_ignored for known in third.without_ignored().changes[Change.STILL_OPEN]] == [""]


def test_finding_that_is_absent_once_stays_ignored_and_then_goes_unnoticed() -> None:
    rules = [rule(id=A.id)]
    first, _ = scan([A, B], rules)
    second, _ = scan([B], rules, first, 1)
    assert [known.finding.id for known in second.ignored] == [A.id]
    third, _ = scan([B], rules, second, 2)
    assert [known.finding.id for known in third.changes[Change.WITHDRAWN]] == [A.id]
    counted = third.without_ignored()
    assert (counted.changes[Change.WITHDRAWN], counted.open_before, counted.open_now) == ((), 1, 1)


def test_remembered_findings_keep_their_rule_and_old_ones_can_be_read() -> None:
    plain, _ = scan([A, B])
    rows = encode_findings(plain.findings)
    assert set(unpack_as(Findings, rows)) == set(plain.findings)
    ignored, _ = scan([A, B], [rule(id=A.id), rule(package="zlib", until_fixed=True)])
    assert set(unpack_as(Findings, encode_findings(ignored.findings))) == set(ignored.findings)
    ended, _ = scan([A, B], [], ignored, 1)
    assert set(unpack_as(Findings, encode_findings(ended.findings))) == set(ended.findings)
    # The findings of an upgrade need not be written again: nothing has changed about them.
    again, _ = scan([A, B], [], plain, 1)
    assert encode_findings(again.findings) == rows


def ignored_by(package: str, *rules: IgnoreRule, ignore_kernel_headers: bool = True) -> str:
    comparison = compare([Finding("CVE-2026-1", "HIGH", package)], [], NOW, {}, Absence.UNKNOWN)
    matcher = RuleMatcher(rules, NOW, ignore_kernel_headers=ignore_kernel_headers)
    [known] = matcher.apply(comparison, "app").changes[Change.NEW]
    return known.ignored_by.rule if known.ignored_by else ""


@pytest.mark.parametrize(
    "package",
    [
        *("linux", "linux-libc-dev", "linux-libc-dev-arm64-cross", "linux-headers", "linux-headers-6.1.0-13-amd64"),
        *("linux-kbuild-6.1", "linux-glibc-devel", "kernel-headers", "kernel-devel", "kernel6.12-headers"),
        *("kernel-uek-devel", "kernel-default-devel"),
    ],
)
def test_findings_of_kernel_headers_are_ignored_unless_a_rule_ignores_them(package: str) -> None:
    assert ignored_by(package) == "kernel headers"
    assert ignored_by(package, ignore_kernel_headers=False) == ""
    rule = parse_rule({"package": package, "reason": "x", "owner": "y", "until_fixed": True})
    assert ignored_by(package, rule) == f"package {package}"


@pytest.mark.parametrize("package", ["linux-pam", "util-linux", "kernel", "linuxptp", "libc6-dev", "python3-devel", ""])
def test_findings_of_other_packages_are_not_kernel_headers(package: str) -> None:
    assert ignored_by(package) == ""
