"""Formats counts, times, links and untrusted text for every format of a report."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from urllib.parse import quote, urlencode

from ecr_scan_reporter.models import SEVERITIES
from ecr_scan_reporter.reporting.findings import PackageFindings
from ecr_scan_reporter.reporting.triage import ImageResult

# The console's host by partition; the consoles of other partitions are not public.
_CONSOLE_HOSTS = {
    "aws": "console.aws.amazon.com",
    "aws-cn": "console.amazonaws.cn",
    "aws-us-gov": "console.amazonaws-us-gov.com",
}
# Fixed versions that one line names.
_MAX_FIXES = 3


def replace_unprintable(text: str) -> str:
    """Replace what breaks a line or hides text by "?"."""
    return "".join(char if char.isprintable() else "?" for char in text)


def to_ascii(text: str) -> str:
    """Replace what is not printable ASCII by "?"."""
    return "".join(char if " " <= char <= "~" else "?" for char in text)


def truncate(text: str, length: int) -> str:
    """Cut a text to `length` characters, with an ellipsis if it is longer."""
    return text if len(text) <= length else text[: length - 3] + "..."


def pluralize(number: int, word: str) -> str:
    """Format `1 image`, `2 images`."""
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def format_counts(counts: Mapping[str, int]) -> str:
    """Format `2 critical, 9 high`, most severe first."""
    known = [(severity, counts.get(severity, 0)) for severity in SEVERITIES]
    return ", ".join(f"{number} {severity.lower()}" for severity, number in known if number) or "no findings"


def total_counts(results: Iterable[ImageResult]) -> dict[str, int]:
    """Add up the findings of several images by severity."""
    total = dict.fromkeys(SEVERITIES, 0)
    for result in results:
        for severity in SEVERITIES:
            total[severity] += result.counts.get(severity, 0)
    return total


def format_time(moment: datetime) -> str:
    """Format `09:14`, UTC."""
    return f"{moment.astimezone(UTC):%H:%M}"


def format_rfc3339(moment: datetime) -> str:
    """Format `2026-11-23T09:14:00Z`."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def headline(images: Iterable[ImageResult], failed: Iterable[ImageResult]) -> str:
    """Format `2 critical, 14 high in 3 images, 1 scan failed`."""
    images, failed = list(images), list(failed)
    total = total_counts(images)
    severe = {severity: number for severity, number in total.items() if severity in ("CRITICAL", "HIGH")}
    parts = []
    if images:
        counts = severe if any(severe.values()) else total
        parts.append(f"{format_counts(counts)} in {pluralize(len(images), 'image')}")
    if failed:
        parts.append(f"{pluralize(len(failed), 'scan')} failed")
    return ", ".join(parts)


def fix_advice(package: PackageFindings) -> str:
    """Format which version fixes the findings of a package: `fixed in 2.0`, or `fixed in 2.0 (3 of 4), 2.1 (1 of 4)`.

    Versions are not compared: each ecosystem orders them differently.
    """
    if not package.fixes:
        return ""
    if package.fixes[0][1] == package.total:
        return f"fixed in {package.fixes[0][0]}"
    fixes = [f"{version} ({number} of {package.total})" for version, number in package.fixes[:_MAX_FIXES]]
    return f"fixed in {', '.join(fixes)}"


def console_url(result: ImageResult, partition: str) -> str:
    """Return the image's URL in the ECR console; "" if the partition's console is not known."""
    host, event = _CONSOLE_HOSTS.get(partition), result.event
    if host is None:
        return ""
    path = "/".join(quote(part, safe="") for part in (event.account, *event.repository.split("/")))
    query = urlencode({"region": event.region})
    region = quote(event.region, safe="")
    return f"https://{region}.{host}/ecr/repositories/private/{path}/_/image/{quote(event.digest)}/scan-results?{query}"
