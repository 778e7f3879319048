"""Encodes what waits to be reported, and decodes what other releases encoded."""

import json
import zlib
from datetime import UTC, datetime

from ecr_scan_reporter.reporting.reports.image_report import ImageReport, ReportReason, decode_report, encode_report

IMAGE = ImageReport(
    reason=ReportReason.NEWS,
    account="123456789012",
    region="eu-west-1",
    repository="team-a/app",
    digest="sha256:1",
    tags=("1.0",),
    platforms=(),
    scanned_at=datetime(2026, 11, 23, 9, 0, tzinfo=UTC),
)


def test_report_survives_its_encoding() -> None:
    assert decode_report(encode_report(IMAGE)) == IMAGE


def test_report_of_a_newer_release_is_decoded_without_what_it_added() -> None:
    whole = IMAGE._replace(digests=("sha256:1",))
    values = [*json.loads(zlib.decompress(encode_report(whole))), {"added": "later"}]
    assert decode_report(zlib.compress(json.dumps(values).encode())) == whole
