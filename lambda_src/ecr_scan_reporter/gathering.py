"""What is worth telling of a gathering of scan events, in which order, and to whom."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from .models import Finding
from .scan_events import ScanEvent
from .settings import SEVERITIES, ReporterSettings

UNSUPPORTED = "UnsupportedImageError"


@dataclass(frozen=True, slots=True)
class ImageReport:
    """One image that people should hear of.

    Args:
        event: its scan.
        messages: the ids of the messages that told of it.
        counts: findings per severity; what `fixable_only` leaves out is not counted.
        findings: worst first; empty where they could not be read, and then the counts are the event's.
        tags: its own, or else those of the index it is a part of.
        platform: such as linux/arm64, where an index tells.
        reason: why the scan failed.
    """

    event: ScanEvent
    messages: tuple[str, ...]
    counts: Mapping[str, int]
    findings: tuple[Finding, ...] = ()
    tags: tuple[str, ...] = ()
    platform: str = ""
    reason: str = ""

    @property
    def name(self) -> str:
        """The image as people know it, such as `team-a/checkout:4.2.0`."""
        if self.tags:
            return f"{self.event.repository}:{self.tags[0]}"
        return f"{self.event.repository}@{short(self.event.digest)}"

    @property
    def unsupported(self) -> bool:
        """Whether the scan failed because ECR does not support what is in the image."""
        return UNSUPPORTED in self.reason


@dataclass(frozen=True, slots=True)
class Package:
    """The findings of one installed package, worst first. `fixed` is the version that mends the worst of them."""

    name: str
    installed: str
    fixed: str
    findings: tuple[Finding, ...]


def short(digest: str) -> str:
    """The digest as people tell images apart: its first twelve hexadecimal digits."""
    return digest[:19]


def latest(events: Iterable[tuple[str, ScanEvent]]) -> list[ImageReport]:
    """One report for each image, of its last scan; takes (message id, event), in which an event may come twice."""
    reports: dict[tuple[str, str, str, str], ImageReport] = {}
    for message, event in events:
        known = reports.get(event.image)
        newest = event if known is None or event.time >= known.event.time else known.event
        messages = (known.messages if known else ()) + (message,)
        reports[event.image] = ImageReport(newest, messages, newest.counts, tags=newest.tags)
    return list(reports.values())


def worth_telling(report: ImageReport, settings: ReporterSettings) -> bool:
    """Whether people should hear of this: a scan failed, or a severity's findings reach the severity's threshold."""
    if not settings.repositories.matches(report.event.repository):
        return False
    if report.event.failed:
        return settings.notify_on_scan_failure
    return any(report.counts.get(severity, 0) >= number for severity, number in settings.thresholds.items())


def with_findings(report: ImageReport, findings: Iterable[Finding], fixable_only: bool) -> ImageReport:
    """The report with its findings, worst first; with `fixable_only` it counts only those that a version mends."""
    kept = [finding for finding in findings if finding.fixable or not fixable_only]
    counts = Counter(finding.severity for finding in kept) if fixable_only else report.counts
    return replace(report, findings=tuple(sorted(kept, key=badness)), counts=counts)


def badness(finding: Finding) -> tuple[int, bool, bool, float, str, str]:
    """A sort key, worst first: severity, then exploit known, then fix available, then score."""
    return (
        rank(finding.severity),
        not finding.exploit,
        not finding.fixable,
        -finding.score,
        finding.package,
        finding.name,
    )


def rank(severity: str) -> int:
    """0 for CRITICAL and so on; a severity that is not known comes last."""
    return SEVERITIES.index(severity) if severity in SEVERITIES else len(SEVERITIES)


def worst_first(report: ImageReport) -> tuple[object, ...]:
    """A sort key for images: the most critical findings first, then the most high ones, and so on."""
    return (*(-report.counts.get(severity, 0) for severity in SEVERITIES), report.name, report.event.digest)


def packages(findings: Iterable[Finding]) -> list[Package]:
    """Findings, worst first, put together by package; the package with the worst finding comes first."""
    by_package: dict[tuple[str, str], list[Finding]] = {}
    for finding in findings:
        by_package.setdefault((finding.package, finding.installed), []).append(finding)
    return [
        Package(name, installed, next((finding.fixed for finding in found if finding.fixed), ""), tuple(found))
        for (name, installed), found in by_package.items()
    ]


def groups(
    reports: Sequence[ImageReport], group_by: re.Pattern[str] | None
) -> list[tuple[str | None, list[ImageReport]]]:
    """Reports by account, Region and the value that `group_by` captures in the repository's name, worst first.

    What it does not match makes a group of its own, whose value is None.
    """

    def key(report: ImageReport) -> tuple[str, str, bool, str]:
        value = _captured(report.event.repository, group_by)
        return report.event.account, report.event.region, value is None, value or ""

    return [
        (None if nothing else value, sorted(members, key=worst_first))
        for (_, _, nothing, value), members in groupby(sorted(reports, key=key), key)
    ]


def _captured(repository: str, group_by: re.Pattern[str] | None) -> str | None:
    match = group_by.match(repository) if group_by else None
    return match.group(1) if match else None
