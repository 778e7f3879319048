"""Each page of a report is well below what SNS accepts."""

from datetime import UTC, datetime

import pytest
from ecr_scan_reporter.models.findings import Finding
from ecr_scan_reporter.reporting.comparison.changes import Change, KnownFinding
from ecr_scan_reporter.reporting.reports.groups import Group
from ecr_scan_reporter.reporting.reports.image_report import ImageReport
from ecr_scan_reporter.reporting.reports.reasons import ReportReason
from ecr_scan_reporter.reporting.reports.sns_messages import build_message, build_pages
from support.invocations import REGISTRY
from support.reporter_settings import SETTINGS

NOW = datetime(2026, 11, 23, 9, 14, tzinfo=UTC)
# https://docs.aws.amazon.com/sns/latest/api/API_Publish.html, and what is kept free of it.
LIMIT, FREE = 256 * 1024, 3 * 1024


def image(number: int, findings: int, text: str) -> ImageReport:
    """Return the news of an image."""
    known = tuple(
        KnownFinding(Finding(f"CVE-2026-{number:04}{n:04}", "HIGH", f"{text}{n}", ("1.0",)), NOW)
        for n in range(findings)
    )
    return ImageReport(
        ReportReason.NEWS,
        "123456789012",
        "eu-west-1",
        f"team/{text}-{number:05}",
        f"sha256:{number:064}",
        ("1.0",),
        (),
        NOW,
        counts={"HIGH": findings},
        totals={Change.NEW: {"HIGH": findings}},
        changes={Change.NEW: known},
        digests=(f"sha256:{number:064}",),
    )


@pytest.mark.slow
@pytest.mark.parametrize("text", ["app", "日本語", '"\\'], ids=["ascii", "unicode", "escaped"])
@pytest.mark.parametrize(("images", "findings"), [(900, 1), (300, 8), (1500, 0)])
def test_pages_are_nearly_full_and_keep_room_free(images: int, findings: int, text: str) -> None:
    group = Group(REGISTRY, None, tuple(image(n, findings, text) for n in range(images)), ())
    pages = build_pages(group, SETTINGS)
    assert len(pages) > 1
    sizes = []
    for page in pages:
        report, *others = build_message(page, SETTINGS).publications
        message = report.parameters
        attributes = message["MessageAttributes"].items()
        parts = [message["Subject"], message["Message"], *(name for name, _ in attributes)]
        parts += [value for _, attribute in attributes for value in attribute.values()]
        sizes.append(sum(len(part.encode()) for part in parts))
        assert all(len(other.parameters["Message"].encode()) <= LIMIT - FREE for other in others)
    assert max(sizes) <= LIMIT - FREE
    # All but the last one are full, so that a smaller margin would be seen here.
    assert min(sizes[:-1]) > LIMIT - FREE - 12 * 1024
