"""Findings of basic scanning in the shape of ECR's API."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

COMPLETE = "COMPLETE"
FAILED = "FAILED"
UNSUPPORTED_OS = "UnsupportedImageError: The operating system and/or package manager are not supported."


@dataclass(frozen=True)
class Finding:
    """One vulnerability of one package, as basic scanning reports it.

    Attributes:
        name: CVE identifier.
        severity: INFORMATIONAL, LOW, MEDIUM, HIGH, CRITICAL or UNDEFINED.
        package: name of the installed package.
        version: installed version of the package.
        description: description of the vulnerability.
        uri: address of the description.
        score: CVSS 3 base score.
    """

    name: str
    severity: str
    package: str = "openssl"
    version: str = "3.0.1-r2"
    description: str | None = None
    uri: str | None = None
    score: float | None = None

    def to_api(self) -> dict[str, Any]:
        """Return the finding in the shape of DescribeImageScanFindings."""
        attributes = {"package_name": self.package, "package_version": self.version}
        if self.score is not None:
            attributes["CVSS3_SCORE"] = str(self.score)
        finding: dict[str, Any] = {
            "name": self.name,
            "severity": self.severity,
            "uri": self.uri or f"https://nvd.nist.gov/vuln/detail/{self.name}",
            "attributes": [{"key": key, "value": value} for key, value in attributes.items()],
        }
        if self.description is not None:
            finding["description"] = self.description
        return finding


def severity_counts(findings: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """Count findings per severity, and leave out severities without findings."""
    return dict(Counter(str(finding["severity"]) for finding in findings))
