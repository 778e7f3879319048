"""Adds up the changes of an image's findings, so that the books balance."""

from collections import Counter
from datetime import UTC, datetime, timedelta

from ecr_scan_reporter.memory.images import Ledger, Update
from ecr_scan_reporter.memory.rules import parse_rule
from ecr_scan_reporter.models.findings import Finding
from ecr_scan_reporter.reporting.comparison.changes import Comparison, compare
from ecr_scan_reporter.reporting.comparison.ignored import RuleMatcher
from ecr_scan_reporter.reporting.comparison.ledger import add_to_ledger, best_updates

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


def scan(*ids: str, before: Comparison | None = None, day: int = 0, successor: bool = False) -> Comparison:
    findings = [Finding(id_, "HIGH", package=f"package-{id_}", installed_versions=("1.0",)) for id_ in ids]
    known = before.findings if before else ()
    return compare(findings, known, NOW + timedelta(days=day), {}, successor=successor)


def test_ledger_of_one_image_over_several_scans() -> None:
    first = scan("a", "b")
    ledger = add_to_ledger(Ledger(), first, first=True, inventory=False)
    assert ledger == Ledger(new=2, new_high=2)
    second = scan("b", "c", before=first, day=1)
    ledger = add_to_ledger(ledger, second, first=False, inventory=False)
    assert ledger == Ledger(new=3, new_high=3)  # absent from one scan is still open
    third = scan("b", "c", before=second, day=2)
    ledger = add_to_ledger(ledger, third, first=False, inventory=False)
    assert ledger == Ledger(new=3, new_high=3, withdrawn=1)
    fourth = scan("a", "b", "c", before=third, day=3)
    ledger = add_to_ledger(ledger, fourth, first=False, inventory=False)
    assert ledger == Ledger(new=3, new_high=3, withdrawn=1, back=1)
    assert ledger.open == fourth.open_now == 3


def test_successor_carries_what_was_open_in_its_predecessor() -> None:
    rebuilt = scan("b", "c", before=scan("a", "b"), day=1, successor=True)
    ledger = add_to_ledger(Ledger(), rebuilt, first=True, inventory=False)
    assert ledger == Ledger(carried=2, new=1, new_high=1, fixed=1)
    assert ledger.open == rebuilt.open_now == 2


def test_inventory_is_carried_and_not_new() -> None:
    assert add_to_ledger(Ledger(), scan("a", "b"), first=True, inventory=True) == Ledger(carried=2)
    # A release that identifies findings in another way takes them as an inventory once more.
    before = Ledger(carried=1, new=4, fixed=2)
    assert add_to_ledger(before, scan("a"), first=True, inventory=True) == Ledger(carried=-1, new=4, fixed=2)


def test_new_finding_that_a_rule_ignores_is_no_new_critical() -> None:
    rules = RuleMatcher([parse_rule({"id": "CVE-1", "reason": "-", "owner": "-", "until_fixed": True})], NOW)
    found = [Finding("CVE-1", "CRITICAL", "openssl"), Finding("CVE-2", "CRITICAL", "zlib")]
    comparison = rules.apply(compare(found, (), NOW, {}, successor=False), "app")
    ledger = add_to_ledger(Ledger(), comparison, first=True, inventory=False)
    assert ledger == Ledger(new=2, new_critical=1)
    assert ledger.open == comparison.open_now == 2


def test_updates_that_solve_most_come_first() -> None:
    def entry(id_: str, severity: str, package: str, fixed: str = "") -> Finding:
        return Finding(id_, severity, package, ("1.0",), (fixed,) if fixed else ())

    comparison = compare(
        [
            entry("CVE-1", "HIGH", "busybox"),
            entry("CVE-2", "HIGH", "busybox"),
            entry("CVE-3", "CRITICAL", "openssl", "1.1"),
            entry("CVE-4", "LOW", "zlib"),
            entry("CVE-5", "LOW", "curl"),
            entry("CVE-6", "CRITICAL", ""),
        ],
        (),
        NOW,
        {},
        successor=False,
    )
    assert best_updates(comparison) == (
        Update("openssl", ("1.0",), ("1.1",), Counter({"CRITICAL": 1})),
        Update("busybox", ("1.0",), (), Counter({"HIGH": 2})),
        Update("curl", ("1.0",), (), Counter({"LOW": 1})),
    )
