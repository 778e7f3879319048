"""What a report says of one image, from the scan until it is published."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from ecr_scan_reporter.models import SEVERITIES
from ecr_scan_reporter.reporting.changes import NEWS, OPEN, Change, KnownFinding
from ecr_scan_reporter.reporting.deadlines import DueDate
from ecr_scan_reporter.reporting.findings import finding_sort_key

# Findings that a report keeps of one image; the counts are of all.
MAX_FINDINGS = 200


class Reason(StrEnum):
    """Why an image is in a report."""

    NEWS = "news"
    OVERDUE = "overdue"
    FIXED = "fixed"
    REMINDER = "reminder"
    EVERY_SCAN = "every_scan"
    SCAN_FAILED = "scan_failed"
    FINDINGS_NOT_READ = "findings_not_read"
    INVENTORY = "inventory"


@dataclass(frozen=True, slots=True)
class ImageReport:
    """One image of a report.

    Args:
        reason: why it is reported.
        account: of the image.
        region: of the image.
        repository: of the image.
        digest: of the image.
        tags: the image's own, or those of the index that it is part of.
        platforms: such as linux/arm64, if an index names it; several once equal images of one index are merged.
        scanned_at: the time (aware) of the scan's event.
        first_scan: whether no scan of this digest was complete before.
        predecessor: the tag or short digest of the image that it was compared with, if it is another one.
        counts: open findings by severity.
        open_before: how many findings were open before this scan.
        totals: by change and severity, how many findings.
        changes: the worst findings by change; as many as there is room for.
        ignored: the worst of the open findings that a rule ignores; they are in none of the above.
        ignored_by: by rule, how many findings it ignores.
        overdue: the findings whose deadline has passed since the last report, those that are overdue for longest first.
        overdue_counts: by severity, how many there are.
        failure: why the scan failed, or why its findings could not be read.
        unsupported: whether the scan failed because ECR does not support the operating system.
        digests: of all images that were merged into this one.
    """

    reason: Reason
    account: str
    region: str
    repository: str
    digest: str
    tags: tuple[str, ...]
    platforms: tuple[str, ...]
    scanned_at: datetime
    first_scan: bool = False
    predecessor: str = ""
    counts: Mapping[str, int] = field(default_factory=dict)
    open_before: int = 0
    totals: Mapping[Change, Mapping[str, int]] = field(default_factory=dict)
    changes: Mapping[Change, tuple[KnownFinding, ...]] = field(default_factory=dict)
    ignored: tuple[KnownFinding, ...] = ()
    ignored_by: Mapping[str, int] = field(default_factory=dict)
    overdue: tuple[tuple[KnownFinding, DueDate], ...] = ()
    overdue_counts: Mapping[str, int] = field(default_factory=dict)
    failure: str = ""
    unsupported: bool = False
    digests: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The image as people know it, such as `team-a/checkout:4.2.0`."""
        if self.tags:
            return f"{self.repository}:{self.tags[0]}"
        return f"{self.repository}@{short_digest(self.digest)}"

    @property
    def failed(self) -> bool:
        """Whether the image is in the report because its scan failed."""
        return self.reason is Reason.SCAN_FAILED

    def total(self, *changes: Change) -> int:
        """Return how many findings have one of these changes."""
        return sum(sum(self.totals.get(change, {}).values()) for change in changes)

    def total_by_severity(self, *changes: Change) -> Counter[str]:
        """Return how many findings have one of these changes, by severity."""
        totals: Counter[str] = Counter()
        for change in changes:
            totals.update(self.totals.get(change, {}))
        return totals

    @property
    def news(self) -> Counter[str]:
        """What counts for the subject: news by severity, or what is open where the reason is another one."""
        if self.reason is Reason.NEWS:
            return self.total_by_severity(*NEWS)
        if self.reason is Reason.OVERDUE:
            return Counter(self.overdue_counts)
        return Counter() if self.reason is Reason.FIXED else Counter(self.counts)

    def worst(self, *changes: Change) -> list[KnownFinding]:
        """Return the findings with one of these changes, the most severe first."""
        found = (known for change in changes for known in self.changes.get(change, ()))
        return sorted(found, key=lambda known: finding_sort_key(known.finding))


def short_digest(digest: str) -> str:
    """Shorten a digest to twelve hexadecimal digits, as `docker images` does."""
    return digest[:19]


def image_sort_key(image: ImageReport) -> tuple[object, ...]:
    """Return a sort key: most critical news first, then most high ones, and so on; then by what is open."""
    news = image.news
    return (
        *(-news.get(severity, 0) for severity in SEVERITIES),
        *(-image.counts.get(severity, 0) for severity in SEVERITIES),
        image.name,
        image.digest,
    )


def totals(changes: Mapping[Change, Iterable[KnownFinding]]) -> dict[Change, dict[str, int]]:
    """Count findings by change and severity."""
    return {
        change: dict(Counter(known.finding.severity for known in found))
        for change in Change
        if (found := tuple(changes.get(change, ())))
    }


def keep_worst(changes: Mapping[Change, Iterable[KnownFinding]], number: int) -> dict[Change, tuple[KnownFinding, ...]]:
    """Keep the worst findings, news before what is open still, and that before what is gone."""
    order = (NEWS, (Change.STILL_OPEN,), (Change.FIXED, Change.WITHDRAWN))
    kept: dict[Change, list[KnownFinding]] = {}
    for group in order:
        found = [(change, known) for change in group for known in changes.get(change, ())]
        found.sort(key=lambda pair: finding_sort_key(pair[1].finding))
        for change, known in found[:number]:
            kept.setdefault(change, []).append(known)
        number -= min(number, len(found))
    return {change: tuple(found) for change, found in kept.items()}


def combine(first: ImageReport, second: ImageReport) -> ImageReport:
    """Combine two reports of the same image in one window into one, as if there had been one scan."""
    if second.reason is Reason.FINDINGS_NOT_READ:
        overdue = Counter(first.overdue_counts) + Counter(second.overdue_counts)
        return replace(second, overdue=(*first.overdue, *second.overdue), overdue_counts=overdue)
    words: dict[tuple[str, str], tuple[Change, KnownFinding]] = {
        (known.finding.package, known.finding.id): (change, known)
        for change, found in first.changes.items()
        for known in found
    }
    for change, found in second.changes.items():
        for known in found:
            key = known.finding.package, known.finding.id
            before = words.pop(key, (None, known))[0]
            combined = _combine_changes(before, change)
            if combined:
                words[key] = combined, known
    open_before = first.open_before
    for known in second.ignored:
        # A rule was added between the two scans.
        before, _ = words.pop((known.finding.package, known.finding.id), (Change.NEW, known))
        open_before -= before not in (Change.NEW, Change.BACK)
    changes: dict[Change, list[KnownFinding]] = {}
    for change, known in words.values():
        changes.setdefault(change, []).append(known)
    reason = min(first.reason, second.reason, key=list(Reason).index)
    return replace(
        second,
        reason=reason,
        first_scan=first.first_scan,
        predecessor=first.predecessor,
        open_before=open_before,
        overdue=(*first.overdue, *second.overdue),
        overdue_counts=Counter(first.overdue_counts) + Counter(second.overdue_counts),
        changes=keep_worst(changes, MAX_FINDINGS),
        totals=totals(changes),
    )


def _combine_changes(before: Change | None, after: Change) -> Change | None:
    """Return what two changes in a row amount to; None if nothing is left to say."""
    if before in (Change.NEW, Change.BACK):
        return None if after not in OPEN else before
    if before in (Change.FIXED, Change.WITHDRAWN) and after in OPEN:
        return Change.STILL_OPEN
    if after is Change.STILL_OPEN and before is not None:
        return before
    return after
