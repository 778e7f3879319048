"""What is written to the memory table has room in an item, and in a transaction, whatever is in it."""

import random
from base64 import b64encode
from datetime import UTC, datetime, timedelta

import hypothesis
import pytest
from ecr_scan_reporter.memory.codec import unpack_as
from ecr_scan_reporter.models.findings import Finding
from ecr_scan_reporter.reporting.baseline import Findings, encode_findings
from ecr_scan_reporter.reporting.comparison.changes import Change, KnownFinding
from ecr_scan_reporter.reporting.reports.image_report import (
    ImageReport,
    encode_report,
    leave_out,
    totals,
)
from ecr_scan_reporter.reporting.reports.reasons import ReportReason
from hypothesis import given
from hypothesis import strategies as st
from support.random_tests import examples

NOW = datetime(2026, 11, 23, tzinfo=UTC)
TRANSACTION, ITEM = 4 * 1024 * 1024, 400 * 1024


def known(source: random.Random, number: int, texts: int) -> list[KnownFinding]:
    """Return findings as large as they may be: with so many texts in each list."""

    def some(length: int) -> str:
        return b64encode(source.randbytes(length)).decode()[:length]

    def named(length: int) -> tuple[str, ...]:
        return tuple(some(length) for _ in range(texts))

    findings = (
        Finding(
            id=some(128),
            severity=source.choice(["CRITICAL", "HIGH", "LOW"]),
            package=some(256),
            installed_versions=named(128),
            fixed_versions=named(128),
            paths=named(256),
            url=f"https://{some(500)}",
            aliases=named(128),
        )
        for _ in range(number)
    )
    return [KnownFinding(finding, NOW - timedelta(seconds=number)) for number, finding in enumerate(findings)]


@pytest.mark.slow
@pytest.mark.parametrize(("number", "texts"), [(10_000, 1), (500, 20)])
def test_findings_of_any_size_have_room_in_a_transaction(number: int, texts: int) -> None:
    encoded = encode_findings(known(random.Random(1), number, texts))
    # Beside them, there is a report.
    assert len(encoded) < TRANSACTION - ITEM - 100_000
    kept = unpack_as(Findings, encoded)
    assert len({found.finding.id for found in kept}) == len(kept) >= number // 2


@pytest.mark.slow
@hypothesis.settings(max_examples=examples(100))
@given(seed=st.integers(0, 1000), number=st.sampled_from([1, 300, 3000]), texts=st.sampled_from([0, 3, 20]))
def test_report_of_any_size_has_room_in_an_item(seed: int, number: int, texts: int) -> None:
    found = known(random.Random(seed), min(number, 300 if texts else 3000), texts)
    changes = {Change.NEW: tuple(found)}
    report = ImageReport(
        ReportReason.NEWS,
        "123456789012",
        "eu-west-1",
        "team/" + "a" * 250,
        "sha256:" + "a" * 64,
        tags=tuple(f"{seed}{number:0120}{n}" for n in range(1000)),
        platforms=("linux/amd64",),
        scanned_at=NOW,
        totals=totals(changes),
        changes={Change.NEW: tuple(found[:200])},
        left_out=leave_out(changes, {Change.NEW: found[:200]}),
        ignored_by={f"rule {seed} {n:0500}": 1 for n in range(1000)},
    )
    encoded = encode_report(report)
    assert len(encoded) < ITEM - 4000
    decoded = unpack_as(ImageReport, encoded)
    assert decoded.totals == report.totals
    # Each finding is named or left out.
    assert len(decoded.changes.get(Change.NEW, ())) + len(decoded.left_out) == len(found)
