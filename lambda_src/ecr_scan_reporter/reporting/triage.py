"""Decides which scan results to report, in what order and to which group."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from ecr_scan_reporter.models import SEVERITIES, UNSUPPORTED_IMAGE
from ecr_scan_reporter.reporting.events import ScanEvent
from ecr_scan_reporter.reporting.findings import ImageFindings
from ecr_scan_reporter.settings import ReporterSettings


@dataclass(frozen=True, slots=True)
class ImageResult:
    """The result of an image's scan.

    Args:
        event: of the scan.
        message_ids: of all messages about this image.
        receives: how often SQS has delivered those messages, at most.
        failed: whether the scan failed.
        findings: None until they are read, and where they cannot be read.
        unread_reason: why the findings could not be read.
        failure_reason: why the scan failed.
        tags: the image's own, or those of the index that it is part of.
        platform: such as linux/arm64, if an index names it.
    """

    event: ScanEvent
    message_ids: tuple[str, ...]
    receives: int
    failed: bool
    findings: ImageFindings | None = None
    unread_reason: str = ""
    failure_reason: str = ""
    tags: tuple[str, ...] = ()
    platform: str = ""

    @property
    def counts(self) -> Mapping[str, int]:
        """Findings by severity: of the findings, or of the event where they could not be read."""
        return self.findings.counts if self.findings else self.event.counts or {}

    @property
    def name(self) -> str:
        """The image as people know it, such as `team-a/checkout:4.2.0`."""
        if self.tags:
            return f"{self.event.repository}:{self.tags[0]}"
        return f"{self.event.repository}@{short_digest(self.event.digest)}"

    @property
    def unsupported(self) -> bool:
        """Whether the scan failed because ECR does not support the image's operating system."""
        return UNSUPPORTED_IMAGE in self.failure_reason


@dataclass(frozen=True, slots=True)
class Group:
    """The results of one account, Region and value of `group_by` (`name`; None if it does not match)."""

    account: str
    region: str
    name: str | None
    images: tuple[ImageResult, ...]
    failed: tuple[ImageResult, ...]


def short_digest(digest: str) -> str:
    """Shorten a digest to twelve hexadecimal digits, as `docker images` does."""
    return digest[:19]


def latest_per_image(events: Iterable[tuple[str, int, ScanEvent]]) -> list[ImageResult]:
    """Reduce events to one result per image: that of its last scan.

    If the last scan failed after another one was complete, the image has both results: the findings of the complete
    one still hold.

    Args:
        events: message id, number of receives and event; an event may occur twice.
    """
    results: dict[tuple[str, str, str, str], dict[bool, ImageResult]] = {}
    for message_id, receives, event in events:
        of_image = results.setdefault(event.image_key, {})
        known = of_image.get(event.failed)
        newest = event if known is None or event.time >= known.event.time else known.event
        ids = (known.message_ids if known else ()) + (message_id,)
        receives = max(receives, known.receives if known else 0)
        of_image[event.failed] = ImageResult(newest, ids, receives, event.failed, tags=newest.tags)
    return [result for of_image in results.values() for result in _without_outdated_failure(of_image)]


def _without_outdated_failure(of_image: Mapping[bool, ImageResult]) -> Iterable[ImageResult]:
    complete, failed = of_image.get(False), of_image.get(True)
    if complete and failed and failed.event.time <= complete.event.time:
        return [replace(complete, message_ids=complete.message_ids + failed.message_ids)]
    return of_image.values()


def is_candidate(result: ImageResult, settings: ReporterSettings) -> bool:
    """Return whether a result may be reportable once its findings are read."""
    if not settings.repositories.matches(result.event.repository):
        return False
    if result.failed:
        return settings.notify_on_scan_failure
    counts = result.event.counts
    return counts is None or any(counts.get(severity) for severity in settings.thresholds)


def is_reportable(result: ImageResult, settings: ReporterSettings) -> bool:
    """Return whether a result is reported: the scan failed, or a severity reaches its threshold."""
    if result.failed:
        return settings.notify_on_scan_failure
    if result.findings is None and result.event.counts is None:
        return True  # nothing is known about the findings, so nothing rules the image out
    return any(result.counts.get(severity, 0) >= number for severity, number in settings.thresholds.items())


def image_sort_key(result: ImageResult) -> tuple[object, ...]:
    """Return a sort key: most critical findings first, then most high ones, and so on."""
    return (*(-result.counts.get(severity, 0) for severity in SEVERITIES), result.name, result.event.digest)


def group_results(results: Sequence[ImageResult], group_by: re.Pattern[str] | None) -> list[Group]:
    """Group results by account, Region and what `group_by` captures in the repository name, worst image first."""

    def key(result: ImageResult) -> tuple[str, str, bool, str]:
        captured = _capture(result.event.repository, group_by)
        return result.event.account, result.event.region, captured is None, captured or ""

    groups = []
    for (account, region, unmatched, captured), members in groupby(sorted(results, key=key), key):
        ordered = sorted(members, key=image_sort_key)
        images = tuple(result for result in ordered if not result.failed)
        failed = tuple(result for result in ordered if result.failed)
        groups.append(Group(account, region, None if unmatched else captured, images, failed))
    return groups


def _capture(repository: str, group_by: re.Pattern[str] | None) -> str | None:
    match = group_by.match(repository) if group_by else None
    return match.group(1) if match else None
