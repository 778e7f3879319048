"""Parses what ECR lists as findings."""

from typing import Any

import pytest
from ecr_scan_reporter.aws.findings import enhanced_findings, whole_version
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("version", "release", "epoch", "whole"),
    [
        ("1.1.1n", "0+deb11u4", 0, "1.1.1n-0+deb11u4"),
        ("1.4.3", "12.amzn2.2", 0, "1.4.3-12.amzn2.2"),
        ("8.2.3995", "1ubuntu2", 2, "2:8.2.3995-1ubuntu2"),
        ("8.2.3995", "1ubuntu2", "2", "2:8.2.3995-1ubuntu2"),
        ("1.2.12", "r3", None, "1.2.12-r3"),
        ("2.14.1", "", None, "2.14.1"),
        ("2.14.1", None, 0, "2.14.1"),
        ("2.14.1", "NotAvailable", 0, "2.14.1"),
        ("0:1.1.1n-0+deb11u5", None, None, "1.1.1n-0+deb11u5"),
        ("1:8.2.4919-1ubuntu1", None, None, "1:8.2.4919-1ubuntu1"),
        # What is there already is not added again.
        ("1:8.2.4919-1ubuntu1", "1ubuntu1", 1, "1:8.2.4919-1ubuntu1"),
        ("v0.0.0-20230731152917-f99041a5c027", "", 0, "v0.0.0-20230731152917-f99041a5c027"),
        (" 1.0 ", " 2 ", 0, "1.0-2"),
        *((text, "r1", 1, "") for text in ("NotAvailable", "NOT_AVAILABLE", "N/A", "n/a", "unknown", "None", "-", "")),
        (None, "r1", 1, ""),
        (7, "r1", 1, ""),
        *(("1.0", None, epoch, "1.0") for epoch in (True, -1, 1.5, [1], "one", "01", 10**20)),
    ],
)
def test_version_is_whole(version: Any, release: Any, epoch: Any, whole: str) -> None:
    assert whole_version(version, release, epoch) == whole


parts = st.builds("{}{}".format, st.integers(0, 99), st.text("0123456789abcde+.~", max_size=8))


@given(parts, parts, st.integers(0, 3))
def test_parts_and_the_whole_are_the_same_text(version: str, release: str, epoch: int) -> None:
    whole = whole_version(version, release, epoch)
    # Inspector writes the epoch of a fixed version even if it is 0.
    assert whole == whole_version(f"{epoch}:{version}-{release}") == whole_version(whole)
    assert not whole.startswith("0:")
    assert whole.removeprefix(f"{epoch}:") == f"{version}-{release}"


@pytest.mark.parametrize(
    ("value", "available"), [("YES", True), ("PARTIAL", True), ("NO", False), (None, False), ("MAYBE", False)]
)
def test_partial_fix_is_a_fix(value: str | None, available: bool) -> None:
    details = {"vulnerabilityId": "CVE-2023-0286", "vulnerablePackages": [{"name": "openssl"}]}
    [finding] = enhanced_findings({"fixAvailable": value, "packageVulnerabilityDetails": details})
    assert finding.fix_available is available


def test_each_package_of_an_entry_is_a_finding() -> None:
    packages = [
        {"name": "openssl", "version": "1.1.1n", "release": "0+deb11u4", "epoch": 0, "filePath": "/usr/lib"},
        {"name": "libssl1.1", "version": "1.1.1n", "fixedInVersion": "0:1.1.1n-0+deb11u5"},
        {"name": None, "version": None, "fixedInVersion": "NotAvailable", "filePath": None},
    ]
    entry = {"packageVulnerabilityDetails": {"vulnerabilityId": "CVE-2023-0286", "vulnerablePackages": packages}}
    assert [
        (finding.package, finding.installed_versions, finding.fixed_versions, finding.paths)
        for finding in enhanced_findings(entry)
    ] == [
        ("openssl", ("1.1.1n-0+deb11u4",), (), ("/usr/lib",)),
        ("libssl1.1", ("1.1.1n",), ("1.1.1n-0+deb11u5",), ()),
        ("", (), (), ()),
    ]
