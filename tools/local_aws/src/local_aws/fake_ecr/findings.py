"""Findings of basic and of enhanced scanning in the shape of ECR's API."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

COMPLETE = "COMPLETE"
ACTIVE = "ACTIVE"
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


@dataclass(frozen=True)
class EnhancedFinding:
    """One vulnerability of one package, as Amazon Inspector reports it.

    Inspector splits the version of an OS package: Debian's openssl 1.1.1n-0+deb11u4 has the version 1.1.1n and the
    release 0+deb11u4. `fixed_in` is whole, such as 0:1.1.1n-0+deb11u5.

    Attributes:
        name: CVE identifier. Inspector has one finding per image, vulnerability and package.
        severity: INFORMATIONAL, LOW, MEDIUM, HIGH, CRITICAL or UNTRIAGED.
        package: name of the installed package.
        fixed_in: version that fixes it; none is known if empty.
        arch: architecture of the package.
        status: ACTIVE, SUPPRESSED or CLOSED.
        score: CVSS 3.1 base score.
    """

    name: str
    severity: str
    package: str = "openssl"
    version: str = "1.1.1n"
    release: str = "0+deb11u4"
    epoch: int = 0
    fixed_in: str = ""
    arch: str = "X86_64"
    status: str = ACTIVE
    score: float = 7.5

    def to_api(self) -> dict[str, Any]:
        """Return the finding in the shape of DescribeImageScanFindings, without its ARN, image and dates."""
        package: dict[str, Any] = {
            "name": self.package,
            "epoch": self.epoch,
            "version": self.version,
            "release": self.release,
            "arch": self.arch,
            "packageManager": "OS",
        }
        cvss = {"scoringVector": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N", "source": "NVD", "version": "3.1"}
        return {
            "description": f"A vulnerability of {self.package}.",
            "exploitAvailable": "NO",
            "fixAvailable": "YES" if self.fixed_in else "NO",
            "packageVulnerabilityDetails": {
                "cvss": [{**cvss, "baseScore": self.score}],
                "referenceUrls": [],
                "relatedVulnerabilities": [],
                "source": "NVD",
                "sourceUrl": f"https://nvd.nist.gov/vuln/detail/{self.name}",
                "vulnerabilityId": self.name,
                "vulnerablePackages": [package | ({"fixedInVersion": self.fixed_in} if self.fixed_in else {})],
            },
            "remediation": {"recommendation": {"text": "None Provided"}},
            "score": self.score,
            "severity": self.severity,
            "status": self.status,
            "title": f"{self.name} - {self.package}",
            "type": "PACKAGE_VULNERABILITY",
        }


def severity_counts(findings: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """Count findings per severity, and leave out severities without findings."""
    return dict(Counter(str(finding["severity"]) for finding in findings))
