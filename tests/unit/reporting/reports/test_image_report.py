"""What the report of an image names, and how it is encoded to wait, and decoded if another release encoded it."""

import json
import zlib
from datetime import UTC, datetime

from ecr_scan_reporter.memory.codec import unpack_as
from ecr_scan_reporter.memory.images import ImageRecord
from ecr_scan_reporter.models.findings import Finding
from ecr_scan_reporter.models.images import ImageId
from ecr_scan_reporter.reporting.comparison.changes import (
    Absence,
    Change,
    Comparison,
    IgnoredBy,
    KnownFinding,
    compare,
)
from ecr_scan_reporter.reporting.comparison.deadlines import Deadlines, DueDate, OverdueFinding
from ecr_scan_reporter.reporting.comparison.judged import Judged
from ecr_scan_reporter.reporting.reports.image_report import (
    ImageReport,
    encode_report,
    findings_report,
    image_report,
)
from ecr_scan_reporter.reporting.reports.reasons import (
    ReportReason,
)

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
IMAGE = ImageId("123456789012", "eu-west-1", "app", "sha256:0")
RECORD = ImageRecord(tags=("1.0", "latest"), platform="linux/arm64")
RULES = [IgnoredBy(rule, "not reachable", "Ann", None) for rule in ("CVE-1", "package zlib")]
REPORT = ImageReport(
    reason=ReportReason.NEWS,
    account="123456789012",
    region="eu-west-1",
    repository="team-a/app",
    digest="sha256:1",
    tags=("1.0",),
    platforms=(),
    scanned_at=NOW,
)


def judged_scan(number: int) -> Judged:
    """Return a scan with as many new findings, as many overdue ones, and as many ignored ones."""
    counted = compare([Finding(f"CVE-{n:04}", "HIGH") for n in range(number)], (), NOW, {}, Absence.OF_SAME_IMAGE)
    ignored = tuple(
        KnownFinding(Finding(f"CVE-{n}", "LOW"), NOW, ignored_by=RULES[n % 2]) for n in reversed(range(number))
    )
    comparison = Comparison({**counted.changes, Change.STILL_OPEN: ignored})
    overdue = tuple(OverdueFinding(known, DueDate(NOW, "HIGH", 7)) for known in counted.open())
    return Judged(comparison, counted, Deadlines(None, number, (), overdue), NOW)


def report(number: int, reason: ReportReason = ReportReason.NEWS) -> ImageReport:
    return findings_report(IMAGE, NOW, RECORD, reason, judged_scan(number))


def test_report_names_the_image() -> None:
    image = image_report(IMAGE, NOW, RECORD, ReportReason.SCAN_FAILED)
    assert (image.account, image.region, image.repository, image.digest) == IMAGE
    assert (image.tags, image.platforms, image.scanned_at) == (("1.0", "latest"), ("linux/arm64",), NOW)
    assert image_report(IMAGE, NOW, ImageRecord(), ReportReason.SCAN_FAILED).platforms == ()


def test_report_names_the_worst_findings_and_counts_all() -> None:
    image = report(203)
    assert [known.finding.id for known in image.changes[Change.NEW]] == [f"CVE-{n:04}" for n in range(200)]
    assert len(image.left_out) == 3
    assert (image.counts, image.totals, image.open_before) == ({"HIGH": 203}, {Change.NEW: {"HIGH": 203}}, 0)
    assert (len(image.overdue), image.overdue_counts) == (200, {"HIGH": 203})
    assert len(image.ignored) == 200
    assert image.ignored_by == {"CVE-1": 102, "package zlib": 101}
    assert [known.finding.id for known in report(3).ignored] == ["CVE-0", "CVE-1", "CVE-2"]


def test_inventory_names_five_findings_and_is_not_combined() -> None:
    image = report(7, ReportReason.INVENTORY)
    assert (len(image.changes[Change.NEW]), len(image.overdue), len(image.ignored)) == (5, 5, 5)
    assert (image.left_out, image.counts) == ({}, {"HIGH": 7})


def test_report_survives_its_encoding() -> None:
    assert unpack_as(ImageReport, encode_report(REPORT)) == REPORT


def test_report_of_a_newer_release_is_decoded_without_what_it_added() -> None:
    whole = REPORT._replace(digests=("sha256:1",))
    values = [*json.loads(zlib.decompress(encode_report(whole))), {"added": "later"}]
    assert unpack_as(ImageReport, zlib.compress(json.dumps(values).encode())) == whole
