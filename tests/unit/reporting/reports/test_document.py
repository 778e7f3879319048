"""The report as JSON: all that a program needs of each finding."""

import json

from ecr_scan_reporter.reporting.reports import document
from support.report_page import high, page_about
from support.reporter_settings import SETTINGS


def test_document_has_all_fields_of_a_finding() -> None:
    [image] = json.loads(document.render(page_about(high(1, "https://example.com/1")), SETTINGS))["images"]
    assert image["changes"]["new"] == [
        {
            "id": "CVE-2026-0001",
            "aliases": [],
            "severity": "HIGH",
            "package": "package-01",
            "installed_versions": ["1.0"],
            "fixed_versions": ["1.1"],
            "paths": [],
            "fix_available": False,
            "exploit_available": False,
            "cvss_score": None,
            "url": "https://example.com/1",
            "first_seen": "2026-11-23T09:14:00Z",
        }
    ]


def test_document_has_more_findings_than_the_mail() -> None:
    [image] = json.loads(document.render(page_about(*map(high, range(30))), SETTINGS))["images"]
    assert len(image["changes"]["new"]) == 30
    assert image["counts"] == {"HIGH": 30}
