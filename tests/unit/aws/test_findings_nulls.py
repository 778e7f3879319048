"""Any value of ECR's answer about a scan may be null: the findings that are whole are read all the same."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

import boto3
import pytest
from ecr_scan_reporter.aws.findings import EcrFindings
from ecr_scan_reporter.models.findings import Finding
from ecr_scan_reporter.models.scans import ScanResult
from support.fixtures import answer_always

BASIC = {
    "name": "CVE-2026-0001",
    "severity": "HIGH",
    "uri": "https://example.com/1",
    "attributes": [{"key": "package_name", "value": "zlib"}, {"key": "package_version", "value": "1.2.13"}],
}
ENHANCED = {
    "severity": "CRITICAL",
    "status": "ACTIVE",
    "title": "CVE-2026-0002 - openssl",
    "score": 9.8,
    "fixAvailable": "YES",
    "exploitAvailable": "NO",
    "resources": [{"details": {"awsEcrContainerImage": {"platform": "DEBIAN_12"}}}],
    "packageVulnerabilityDetails": {
        "vulnerabilityId": "CVE-2026-0002",
        "sourceUrl": "https://example.com/2",
        "relatedVulnerabilities": ["GHSA-aaaa-bbbb-cccc"],
        "vulnerablePackages": [{"name": "openssl", "version": "3.0.1", "fixedInVersion": "3.0.15", "filePath": "/lib"}],
    },
}


def enhanced(name: str) -> dict[str, Any]:
    """Return a finding of enhanced scanning."""
    details: Any = ENHANCED["packageVulnerabilityDetails"]
    return {**ENHANCED, "title": name, "packageVulnerabilityDetails": {**details, "vulnerabilityId": name}}


ANSWER: dict[str, Any] = {
    "imageScanStatus": {"status": "COMPLETE", "description": "The scan was completed."},
    "imageScanFindings": {
        "imageScanCompletedAt": 1_795_683_600,
        "findings": [BASIC, {**BASIC, "name": "CVE-2026-0003"}],
        "enhancedFindings": [ENHANCED, enhanced("CVE-2026-0004")],
    },
}


def scan_result(answer: object) -> ScanResult:
    """Return what is read of an answer of ECR."""
    client = boto3.client("ecr")
    answer_always(client, "DescribeImageScanFindings", json.dumps(answer).encode())
    return EcrFindings(client).scan_result("app", "sha256:1")


def paths(value: object, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield where each value inside of a value is."""
    children: Any = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        yield (*path, key)
        yield from paths(child, (*path, key))


def with_null(path: tuple[Any, ...]) -> Any:
    answer: Any = json.loads(json.dumps(ANSWER))
    *parents, last = path
    inner = answer
    for key in parents:
        inner = inner[key]
    inner[last] = None
    return answer


def ids(findings: Iterable[Finding]) -> list[str]:
    return [finding.id for finding in findings]


IDS = {"findings": ["CVE-2026-0001", "CVE-2026-0003"], "enhancedFindings": ["CVE-2026-0002", "CVE-2026-0004"]}


def test_whole_answer_is_read() -> None:
    result = scan_result(ANSWER)
    assert ids(result.findings) == IDS["findings"] + IDS["enhancedFindings"]
    assert (result.status, result.operating_system) == ("COMPLETE", "DEBIAN_12")
    assert result.listed == {"HIGH": 2, "CRITICAL": 2}


@pytest.mark.parametrize("path", list(paths(ANSWER)), ids=lambda path: ".".join(map(str, path)))
def test_null_takes_away_nothing_else(path: tuple[Any, ...]) -> None:
    whole, result = scan_result(ANSWER).findings, scan_result(with_null(path)).findings
    match path:
        case ("imageScanFindings", str() as kind, int() as number, *_):
            affected = {IDS[kind][number]}
        case ("imageScanFindings", ("findings" | "enhancedFindings") as kind):
            affected = set(IDS[kind])
        case ("imageScanFindings",):
            affected = set(ids(whole))
        case _:
            affected = set()
    others = [finding for finding in whole if finding.id not in affected]
    assert [finding for finding in result if finding in others] == others
    assert len(result) <= len(whole)
    # An entry is left out as a whole, or counts with what it has.
    assert all(finding.severity for finding in result)
