"""A report with very many images names the worst ones on few pages, and counts the others by repository."""

import json
from collections import Counter
from datetime import UTC, datetime

import pytest
from ecr_scan_reporter.models.findings import Finding
from ecr_scan_reporter.reporting.comparison.changes import Change, KnownFinding
from ecr_scan_reporter.reporting.reports import groups, sns_messages
from ecr_scan_reporter.reporting.reports.gathering import make_group
from ecr_scan_reporter.reporting.reports.groups import GroupKey
from ecr_scan_reporter.reporting.reports.image_report import ImageReport
from ecr_scan_reporter.reporting.reports.reasons import ReportReason
from ecr_scan_reporter.reporting.reports.sns_messages import build_message, build_pages
from support import schemas
from support.invocations import REGISTRY
from support.reporter_settings import SETTINGS

NOW = datetime(2026, 11, 23, 9, 14, tzinfo=UTC)
KEY = GroupKey(REGISTRY, True, "")
FOUND = tuple(
    KnownFinding(Finding(f"CVE-2026-{n}", "HIGH", "openssl", url="https://x/" + 400 * "u"), NOW) for n in range(8)
)


def image(number: int, *, failed: bool = False) -> ImageReport:
    report = ImageReport(
        ReportReason.SCAN_FAILED if failed else ReportReason.NEWS,
        *("123456789012", "eu-west-1", f"team/app-{number % 7}", f"sha256:{number:064}", (str(number),), (), NOW),
        failure="No space." if failed else "",
    )
    if failed:
        return report
    return report._replace(counts={"HIGH": 8}, totals={Change.NEW: {"HIGH": 8}}, changes={Change.NEW: FOUND})


@pytest.mark.slow
@pytest.mark.parametrize("most_pages", [50, 4])
def test_report_names_the_first_images_and_counts_all(monkeypatch: pytest.MonkeyPatch, most_pages: int) -> None:
    monkeypatch.setattr(groups, "_MAX_NAMED", 300)
    monkeypatch.setattr(sns_messages, "_MAX_PAGES", most_pages)
    found = [*(image(n) for n in range(400)), *(image(n, failed=True) for n in range(400, 720))]
    built = build_pages(make_group(KEY, found, None), SETTINGS)
    documents = [json.loads(build_message(page, SETTINGS).document) for page in built]
    for document in documents:
        schemas.REPORT.validate(document)
    named = Counter(entry["digest"] for document in documents for entry in document["images"])
    failed = Counter(entry["digest"] for document in documents for entry in document["failed_scans"])
    assert [len(named), len(failed), set(named.values()), set(failed.values())] == [300, 300, {1}, {1}]
    unnamed = [entry for document in documents for entry in document["unnamed"]]
    assert len({entry["repository"] for entry in unnamed}) == len(unnamed) == 2
    assert sum(entry["images"] for entry in unnamed) == 120
    assert sum(entry["failed_scans"] for entry in unnamed) == 20
    assert sum(entry["counts"].get("HIGH", 0) for entry in unnamed) == 800
    assert documents[0]["totals"]["images"] == 400
    assert documents[0]["totals"]["new"] == 3200
    # With more pages, the document names no findings.
    assert len(built) == (9 if most_pages == 50 else 3)
    shown = sum(len(entry["changes"]["new"]) for document in documents for entry in document["images"])
    assert (shown > 0) is (most_pages == 50)
