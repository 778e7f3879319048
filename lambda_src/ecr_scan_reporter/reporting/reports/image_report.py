"""The report of one image: how many of its findings are kept, the worst first, and how it waits in the outbox."""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from hashlib import sha256
from itertools import islice
from typing import NamedTuple

from ecr_scan_reporter.memory.codec import pack_as
from ecr_scan_reporter.memory.images import ImageRecord
from ecr_scan_reporter.models.findings import finding_sort_key
from ecr_scan_reporter.models.images import ImageId
from ecr_scan_reporter.models.severities import severity_key
from ecr_scan_reporter.reporting.baseline import without_most_paths
from ecr_scan_reporter.reporting.comparison.changes import GONE, NEWS, Change, KnownFinding
from ecr_scan_reporter.reporting.comparison.deadlines import OverdueFinding
from ecr_scan_reporter.reporting.comparison.judged import Judged
from ecr_scan_reporter.reporting.console_links import image_console_url
from ecr_scan_reporter.reporting.formatting import image_name, short_digest
from ecr_scan_reporter.reporting.reports.reasons import ReportReason, open_counts

# Findings that a report keeps of one image, and those that an inventory keeps; the counts are of all.
MAX_FINDINGS, _MAX_INVENTORY_FINDINGS = 200, 5
# Of this many others, a few bytes are kept; an item of the memory table has room for them.
_MAX_LEFT_OUT = 15_000
# Bytes of the report of an image: an item has room for 400 KB.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
_MAX_REPORT_SIZE = 380_000
# How many findings a report keeps of an image: as many as there is room for.
_FINDINGS_KEPT = (MAX_FINDINGS, 50, 10, 0)
# Tags of an image, and rules with counts of ignored findings, that are kept where room is short.
_TAGS_AND_RULES_KEPT = 50


class LeftOutFinding(NamedTuple):
    """The part of a finding that a report keeps without naming it. `first_seen`: Unix seconds."""

    change: Change
    severity: str
    first_seen: int


class ImageReport(NamedTuple):
    """One image of a report.

    Args:
        reason: why it is reported.
        account: of the image.
        region: of the image.
        tags: the image's own, or those of the index that it is part of.
        platforms: such as linux/arm64, if an index names it; several once equal images of one index are merged.
        scanned_at: the time of the scan's event.
        first_scan: whether no earlier scan of this digest can be compared with it.
        predecessor: the tag or short digest of the image that it was compared with, if that is another image.
        counts: open findings by severity.
        open_before: how many findings were open before this scan.
        totals: by change and severity, how many findings.
        changes: the worst findings by change; as many as there is room for.
        left_out: the other findings, by a short key, until the reports of a window are combined.
        ignored: the worst of the open findings that a rule ignores; they are in none of the above.
        ignored_by: by rule, how many findings it ignores.
        overdue: the findings whose deadline has passed since the last report, those overdue for the longest first.
        overdue_counts: by severity, how many there are.
        failure: why the scan failed, or why its findings could not be read.
        shorter: how the list of findings is shorter than it should be; "" if it is not.
        unsupported: whether the scan failed because ECR does not support the operating system.
        exploited: the findings that are reported as known to be exploited, those that are due first come first.
        exploited_counts: by severity, how many there are.
        digests: of all images that were merged into this one.
    """

    reason: ReportReason
    account: str
    region: str
    repository: str
    digest: str
    tags: tuple[str, ...]
    platforms: tuple[str, ...]
    scanned_at: datetime
    first_scan: bool = False
    predecessor: str = ""
    counts: Mapping[str, int] = {}
    open_before: int = 0
    totals: Mapping[Change, Mapping[str, int]] = {}
    changes: Mapping[Change, tuple[KnownFinding, ...]] = {}
    left_out: Mapping[str, LeftOutFinding] = {}
    ignored: tuple[KnownFinding, ...] = ()
    ignored_by: Mapping[str, int] = {}
    overdue: tuple[OverdueFinding, ...] = ()
    overdue_counts: Mapping[str, int] = {}
    failure: str = ""
    shorter: str = ""
    unsupported: bool = False
    exploited: tuple[KnownFinding, ...] = ()
    exploited_counts: Mapping[str, int] = {}
    digests: tuple[str, ...] = ()

    @property
    def id(self) -> ImageId:
        """The image."""
        return ImageId(self.account, self.region, self.repository, self.digest)

    @property
    def name(self) -> str:
        """The image as people know it, such as `team-a/checkout:4.2.0`."""
        return image_name(self.repository, self.tags[0] if self.tags else short_digest(self.digest))

    @property
    def images(self) -> int:
        """How many images this is: several platforms of one index are one entry."""
        return len(self.digests) or 1

    @property
    def failed(self) -> bool:
        """Whether the image is in the report because its scan failed."""
        return self.reason is ReportReason.SCAN_FAILED

    def console_url(self, partition: str) -> str:
        """Return the image's URL in the ECR console; "" if the partition's console is not known."""
        return image_console_url(partition, self.id)

    def total(self, *changes: Change) -> int:
        """Return how many findings have one of these changes."""
        return sum(sum(self.totals.get(change, {}).values()) for change in changes)

    @property
    def news(self) -> Counter[str]:
        """The findings that count for the subject, by severity: news, or the open ones if the reason is another one."""
        if self.reason is ReportReason.NEWS:
            return sum((Counter(self.totals.get(change, {})) for change in NEWS), Counter())
        if self.reason is ReportReason.OVERDUE:
            return Counter(self.overdue_counts)
        if self.reason is ReportReason.KNOWN_EXPLOITED:
            return Counter(self.exploited_counts)
        return Counter() if self.reason is ReportReason.FIXED else Counter(self.counts)

    def worst(self, *changes: Change) -> list[KnownFinding]:
        """Return the findings with one of these changes, the most severe first."""
        found = (known for change in changes for known in self.changes.get(change, ()))
        return sorted(found, key=lambda known: finding_sort_key(known.finding))

    def named(self, changes: Iterable[Change]) -> list[tuple[Change, KnownFinding]]:
        """Return the worst findings by change, in the order of `changes`, without those that are named before."""
        before = {finding_key(known) for known in (*self.exploited, *(known for known, _ in self.overdue))}
        found = ((change, known) for change in changes for known in self.worst(change))
        return [(change, known) for change, known in found if finding_key(known) not in before]

    @property
    def named_overdue(self) -> list[OverdueFinding]:
        """The overdue findings without those that are named as known to be exploited."""
        exploited = set(map(finding_key, self.exploited))
        return [overdue for overdue in self.overdue if finding_key(overdue.known) not in exploited]


def image_sort_key(image: ImageReport) -> tuple[object, ...]:
    """Return a sort key: known to be exploited, then most critical news, then most high ones; then by open findings."""
    return (
        not image.exploited_counts,
        *severity_key(image.news),
        *severity_key(image.counts),
        image.name,
        image.digest,
    )


def totals(
    changes: Mapping[Change, Iterable[KnownFinding]], left_out: Iterable[LeftOutFinding] = ()
) -> dict[Change, Counter[str]]:
    """Count findings by change and severity."""
    counts: dict[Change, Counter[str]] = {change: Counter() for change in Change}
    for entry in left_out:
        counts[entry.change][entry.severity] += 1
    for change, found in changes.items():
        counts[change].update(known.finding.severity for known in found)
    return {change: found for change, found in counts.items() if found}


def keep_worst(
    changes: Mapping[Change, Iterable[KnownFinding]], number: int, reason: ReportReason
) -> dict[Change, tuple[KnownFinding, ...]]:
    """Keep the worst findings: news, open, then gone ones; the gone ones first if they are the reason."""
    others = (Change.KNOWN_HERE, Change.STILL_OPEN)
    order: tuple[tuple[Change, ...], ...] = (NEWS, others, GONE)
    if reason is ReportReason.FIXED:
        order = (GONE, NEWS, others)
    kept: dict[Change, list[KnownFinding]] = {}
    for group in order:
        found = [(change, known) for change in group for known in changes.get(change, ())]
        found.sort(key=lambda pair: finding_sort_key(pair[1].finding))
        for change, known in found[:number]:
            kept.setdefault(change, []).append(known)
        number -= min(number, len(found))
    return {change: tuple(found) for change, found in kept.items()}


def cut(image: ImageReport, number: int) -> ImageReport:
    """Return a report with only so many of its worst findings, and of those that are ignored and overdue."""
    return image._replace(
        changes=keep_worst(image.changes, number, image.reason),
        ignored=image.ignored[:number],
        overdue=image.overdue[:number],
        exploited=image.exploited[:number],
    )


def finding_key(known: KnownFinding) -> str:
    """Return a short text that identifies a finding of one image."""
    return short_key(known.finding.package, known.finding.id)


def short_key(package: str, id_: str) -> str:
    """Return a short text that identifies a vulnerability of a package."""
    return sha256(f"{package}\n{id_}".encode()).hexdigest()[:16]


def leave_out(
    changes: Mapping[Change, Iterable[KnownFinding]], kept: Mapping[Change, Iterable[KnownFinding]]
) -> dict[str, LeftOutFinding]:
    """Return the findings that are not kept, as `combine_reports` needs them."""
    named = shortened(kept)
    return dict(islice(((key, found) for key, found in shortened(changes).items() if key not in named), _MAX_LEFT_OUT))


def shortened(changes: Mapping[Change, Iterable[KnownFinding]]) -> dict[str, LeftOutFinding]:
    """Return the change, severity and date of each finding, by its key."""
    return {
        finding_key(known): LeftOutFinding(change, known.finding.severity, int(known.first_seen.timestamp()))
        for change, found in changes.items()
        for known in found
    }


def image_report(image: ImageId, scanned_at: datetime, record: ImageRecord, reason: ReportReason) -> ImageReport:
    """Return a report that says nothing about findings. `record` names the tags and the platform."""
    platforms = (record.platform,) if record.platform else ()
    return ImageReport(reason, *image, tags=record.tags, platforms=platforms, scanned_at=scanned_at)


def findings_report(
    image: ImageId, scanned_at: datetime, record: ImageRecord, reason: ReportReason, judged: Judged
) -> ImageReport:
    """Return a report with the worst findings."""
    inventory = reason is ReportReason.INVENTORY
    number = _MAX_INVENTORY_FINDINGS if inventory else MAX_FINDINGS
    told = {finding_key(known): known for known in judged.newly_exploited}
    counted = judged.counted.each_open(lambda known: told.get(finding_key(known), known)) if told else judged.counted
    kept = keep_worst(counted.changes, number, reason)
    ignored = sorted(judged.comparison.ignored, key=lambda known: finding_sort_key(known.finding))
    return image_report(image, scanned_at, record, reason)._replace(
        counts=open_counts(counted),
        open_before=counted.open_before,
        totals=totals(counted.changes),
        changes=kept,
        left_out={} if inventory else leave_out(counted.changes, kept),
        ignored=tuple(ignored[:number]),
        ignored_by=Counter(known.ignored_by.rule for known in ignored if known.ignored_by),
        overdue=judged.newly_overdue[:number],
        overdue_counts=Counter(overdue.known.finding.severity for overdue in judged.newly_overdue),
        exploited=judged.newly_exploited[:number],
        exploited_counts=Counter(known.finding.severity for known in judged.newly_exploited),
    )


def encode_report(image: ImageReport) -> bytes:
    """Encode the report of one image in at most 380 KB: the findings that there is room for."""
    for kept in _FINDINGS_KEPT:
        data = pack_as(ImageReport, _keep(image, kept))
        if len(data) <= _MAX_REPORT_SIZE:
            break
    return data


def _keep(image: ImageReport, number: int) -> ImageReport:
    kept = cut(image, number)
    if number < MAX_FINDINGS:
        # The counts are of all. Two reports of one window are combined from the findings left out as well.
        left_out = {} if image.reason is ReportReason.INVENTORY else leave_out(image.changes, kept.changes)
        kept = kept._replace(
            left_out={**image.left_out, **left_out},
            tags=image.tags[:_TAGS_AND_RULES_KEPT],
            ignored_by=dict(Counter(image.ignored_by).most_common(_TAGS_AND_RULES_KEPT)),
        )
    return kept._replace(
        changes={change: tuple(map(without_most_paths, found)) for change, found in kept.changes.items()},
        ignored=tuple(map(without_most_paths, kept.ignored)),
        overdue=tuple(found._replace(known=without_most_paths(found.known)) for found in kept.overdue),
        exploited=tuple(map(without_most_paths, kept.exploited)),
    )
