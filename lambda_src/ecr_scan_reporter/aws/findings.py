"""Reads the findings of images, which DescribeImageScanFindings lists.

It reads packages, versions, ids, scores and URLs of basic and enhanced findings, merges the entries of one finding, and
cuts what is too long or too many. Any value of an answer may be missing, null or of another type.

https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_ImageScanFindings.html
"""

import heapq
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ecr_scan_reporter.aws.clients import read_pages
from ecr_scan_reporter.aws.ecr_errors import translated
from ecr_scan_reporter.models.findings import MAX_NAMED, Finding, finding_sort_key, is_cve, merge_entries
from ecr_scan_reporter.models.scan_statuses import ACTIVE
from ecr_scan_reporter.models.scans import BASIC, ENHANCED, ScanResult
from ecr_scan_reporter.shared.text import clean

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient

# The maximum that ECR returns in one response; its default is 100.
PAGE_SIZE = 1000
# Texts that sources write where there is no version, without spaces and punctuation; Inspector writes "NotAvailable".
_NO_VERSION = {"", "na", "none", "notavailable", "null", "unknown"}
# Findings of one image that are kept: far more than real images have, and as many as a transaction of the memory table
# has room for, whatever is in them.
_MAX_FINDINGS = 10_000
# Bytes of a text.
_MAX_ID, _MAX_NAME, _MAX_URL = 128, 256, 512
_NO_EPOCH = re.compile(r"\A0+:")
_EPOCH = re.compile(r"[1-9][0-9]{0,8}")


class EcrFindings:
    """The findings of the images of a registry. `client` retries."""

    def __init__(self, client: Any) -> None:
        self._ecr: ECRClient = client

    def scan_result(self, repository: str, digest: str) -> ScanResult:
        """Return all findings of an image's last scan; 1,000 per call, fewer with enhanced scanning.

        Raises:
            ImageNotFoundError: the image was deleted.
            ScanNotFoundError: the image has no scan.
            AwsError: ECR rejected a call.
        """
        call, image = self._ecr.describe_image_scan_findings, {"imageDigest": digest}
        pages = read_pages(call, "nextToken", repositoryName=repository, imageId=image, maxResults=PAGE_SIZE)
        status: Any = {}
        completed_at: datetime | None = None
        operating_system = scanner = ""
        findings: list[Finding] = []
        listed: Counter[str] = Counter()
        with translated():
            for page in pages:
                status = page.get("imageScanStatus") or {}
                found: Any = page.get("imageScanFindings") or {}
                completed_at = found.get("imageScanCompletedAt") or completed_at
                basic = list(filter(is_object, found.get("findings") or ()))
                enhanced = list(filter(is_object, found.get("enhancedFindings") or ()))
                is_enhanced = enhanced or status.get("status") == ACTIVE
                scanner = scanner or (ENHANCED if is_enhanced else BASIC if basic else "")
                for entry in basic:
                    findings.append(basic_finding(entry))
                    listed[basic_severity(entry)] += 1
                for entry in enhanced:
                    findings += enhanced_findings(entry)
                    listed[enhanced_severity(entry)] += 1
                    operating_system = operating_system or image_system(entry)
        kept, left_out = fold(findings)
        return ScanResult(
            status=status.get("status", ""),
            description=clean(status.get("description"), 1024),
            findings=kept,
            left_out=left_out,
            listed=listed,
            completed_at=completed_at,
            operating_system=operating_system,
            scanner=scanner,
        )


def basic_finding(entry: Any) -> Finding:
    """Parse an entry of basic scanning."""
    attributes = {
        clean(attribute.get("key"), 128): clean(attribute.get("value"), _MAX_NAME)
        for attribute in filter(is_object, entry.get("attributes") or ())
    }
    return Finding(
        id=clean(entry.get("name"), _MAX_ID),
        severity=basic_severity(entry),
        package=attributes.get("package_name", ""),
        installed_versions=_texts(whole_version(attributes.get("package_version"))),
        cvss_score=_score(attributes.get("CVSS3_SCORE") or attributes.get("CVSS2_SCORE")),
        url=_https_url(entry.get("uri")),
    )


def enhanced_findings(entry: Any) -> Iterator[Finding]:
    """Yield one finding per package that an entry of Inspector names; none if Inspector has closed it."""
    if entry.get("status") == "CLOSED":
        return
    details = to_object(entry.get("packageVulnerabilityDetails"))
    vulnerability = clean(details.get("vulnerabilityId"), _MAX_ID) or clean(entry.get("title"), _MAX_ID)
    aliases = _aliases(vulnerability, details.get("relatedVulnerabilities"))
    for package in list(filter(is_object, details.get("vulnerablePackages") or ())) or [{}]:
        yield Finding(
            id=vulnerability,
            aliases=aliases,
            severity=enhanced_severity(entry),
            package=clean(package.get("name"), _MAX_NAME),
            installed_versions=_texts(_installed_version(package)),
            fixed_versions=_texts(whole_version(package.get("fixedInVersion"))),
            paths=_texts(clean(package.get("filePath"), _MAX_NAME)),
            fix_available=entry.get("fixAvailable") in ("YES", "PARTIAL"),
            exploit_available=entry.get("exploitAvailable") == "YES",
            cvss_score=_score(entry.get("score")),
            url=_https_url(details.get("sourceUrl")),
            suppressed=entry.get("status") == "SUPPRESSED",
        )


def fold(entries: Iterable[Finding]) -> tuple[tuple[Finding, ...], int]:
    """Merge the entries of one id in one package; return the worst findings, and how many others there are.

    Suppressed entries stay apart. A package may be installed in thousands of versions and places, each of which has an
    entry.
    """
    found: defaultdict[tuple[str, str, bool], list[Finding]] = defaultdict(list)
    for entry in entries:
        found[entry.package, entry.id, entry.suppressed].append(entry)
    findings = (merge_entries(id_, same) for (_, id_, _), same in found.items())
    left_out = max(len(found) - _MAX_FINDINGS, 0)
    kept = heapq.nsmallest(_MAX_FINDINGS, findings, key=finding_sort_key) if left_out else findings
    return tuple(kept), left_out


def basic_severity(entry: Any) -> str:
    """Return the severity of an entry of basic scanning."""
    return clean(entry.get("severity"), 64) or "UNDEFINED"


def enhanced_severity(entry: Any) -> str:
    """Return the severity of an entry of Inspector."""
    return clean(entry.get("severity"), 64) or "UNTRIAGED"


def severity_counts(value: Any) -> dict[str, int] | None:
    """Return ECR's own counts of its entries by severity, without those that are 0; None if it gives none."""
    if not is_object(value):
        return None
    counts = {clean(severity, 64): number for severity, number in value.items() if severity != "TOTAL"}
    return {severity: number for severity, number in counts.items() if isinstance(number, int) and number > 0}


def image_system(entry: Any) -> str:
    """Return the operating system of the image that an entry of Inspector is about; "" if it does not name it."""
    for resource in filter(is_object, entry.get("resources") or ()):
        image = to_object(to_object(resource.get("details")).get("awsEcrContainerImage"))
        if platform := clean(image.get("platform"), 128):
            return platform
    return ""


def whole_version(version: object, release: object = None, epoch: object = None) -> str:
    """Return a version as package managers print it, `[epoch:]version[-release]`; "" if the text is no version.

    Inspector splits installed versions into these parts, and gives fixed ones as a whole with an epoch of 0, which
    package managers do not print. A part that the version already has is not added again.
    """
    text, revision = _version(version), _version(release)
    if text and revision and not text.endswith(f"-{revision}"):
        text = f"{text}-{revision}"
    if text and _EPOCH.fullmatch(number := str(epoch)) and not text.startswith(f"{number}:"):
        text = f"{number}:{text}"
    return text


def is_object(value: object) -> bool:
    """Return whether a JSON value is an object."""
    return isinstance(value, dict)


def to_object(value: Any) -> dict[str, Any]:
    """Return a JSON value that is an object; {} for any other."""
    return value if isinstance(value, dict) else {}


def _installed_version(package: Mapping[str, Any]) -> str:
    return whole_version(package.get("version"), package.get("release"), package.get("epoch"))


def _version(value: object) -> str:
    text = _NO_EPOCH.sub("", clean(value, _MAX_ID).strip(), count=1)
    return "" if "".join(filter(str.isalnum, text)).casefold() in _NO_VERSION else text


def _texts(text: str) -> tuple[str, ...]:
    return (text,) if text else ()


def _aliases(vulnerability: str, related: object) -> tuple[str, ...]:
    """Return the related ids of the other kind: advisories about a CVE, or the CVE ids that an advisory lists."""
    ids = {clean(value, _MAX_ID).strip() for value in related} if isinstance(related, list) else set()
    return tuple(sorted(id_ for id_ in ids if id_ and is_cve(id_) is not is_cve(vulnerability)))[:MAX_NAMED]


def _https_url(value: object) -> str:
    # A part of an address leads nowhere.
    text = clean(value, _MAX_URL + 1)
    fits = len(text.encode()) <= _MAX_URL
    return text if fits and text.startswith("https://") and text.isprintable() and " " not in text else ""


def _score(value: object) -> float:
    """Parse a CVSS score; 0 if it is not a number from 0 to 10."""
    try:
        score = float(str(value or 0))
    except ValueError:
        return 0.0
    return score if 0 <= score <= 10 else 0.0
