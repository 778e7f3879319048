"""Findings and results of a scan, in the shapes of ECR's API."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

COMPLETE = "COMPLETE"
FAILED = "FAILED"
COMPLETE_DESCRIPTION = "The scan was completed."
UNSUPPORTED_OS = "UnsupportedImageError: The operating system and/or package manager are not supported."


@dataclass(frozen=True)
class Finding:
    """One vulnerability of one package, as basic scanning reports it.

    Attributes:
        name: the CVE.
        severity: INFORMATIONAL, LOW, MEDIUM, HIGH, CRITICAL or UNDEFINED.
        package: name of the installed package.
        version: installed version of the package.
        description: what the vulnerability is.
        uri: where it is described.
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


def severity_counts(findings: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Count findings per severity, without the severities that have none."""
    return dict(Counter(finding["severity"] for finding in findings))
