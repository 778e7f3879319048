"""What a report says of one image, from the scan until it is published."""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from itertools import islice
from typing import NamedTuple

from ecr_scan_reporter.models import SEVERITIES, severity_rank
from ecr_scan_reporter.reporting.changes import GONE, NEWS, Change, KnownFinding
from ecr_scan_reporter.reporting.deadlines import DueDate
from ecr_scan_reporter.reporting.findings import finding_sort_key

# Findings that a report keeps of one image; the counts are of all.
MAX_FINDINGS = 200
# Of this many others, a few bytes are kept; an item of the memory table has room for them.
_MAX_LEFT_OUT = 15_000


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


# Which of the reasons of several scans in one window counts. The texts of the first three list what is open, those of
# the next two only what is overdue or gone.
_PRECEDENCE = (
    Reason.NEWS,
    Reason.REMINDER,
    Reason.EVERY_SCAN,
    Reason.OVERDUE,
    Reason.FIXED,
    Reason.SCAN_FAILED,
    Reason.FINDINGS_NOT_READ,
    Reason.INVENTORY,
)


class Word(NamedTuple):
    """What a report says about a finding that it does not name. `first_seen`: Unix seconds."""

    change: Change
    severity: str
    first_seen: int


class ImageReport(NamedTuple):
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
    counts: Mapping[str, int] = {}
    open_before: int = 0
    totals: Mapping[Change, Mapping[str, int]] = {}
    changes: Mapping[Change, tuple[KnownFinding, ...]] = {}
    left_out: Mapping[str, Word] = {}
    ignored: tuple[KnownFinding, ...] = ()
    ignored_by: Mapping[str, int] = {}
    overdue: tuple[tuple[KnownFinding, DueDate], ...] = ()
    overdue_counts: Mapping[str, int] = {}
    failure: str = ""
    unsupported: bool = False
    digests: tuple[str, ...] = ()

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
        """What counts for the subject: news by severity, or what is open if the reason is another one."""
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


def image_name(repository: str, name: str) -> str:
    """Return the full name of an image; `name` is a tag or a short digest."""
    return f"{repository}@{name}" if name.startswith("sha256:") else f"{repository}:{name}"


def severity_key(counts: Mapping[str, int]) -> tuple[int, ...]:
    """Return a sort key: most critical findings first, then most high ones, and so on; unknown severities last."""
    ordered = [0] * (len(SEVERITIES) + 1)
    for severity, number in counts.items():
        ordered[severity_rank(severity)] -= number
    return tuple(ordered)


def image_sort_key(image: ImageReport) -> tuple[object, ...]:
    """Return a sort key: most critical news first, then most high ones, and so on; then by what is open."""
    return (*severity_key(image.news), *severity_key(image.counts), image.name, image.digest)


def count_images(images: Iterable[ImageReport]) -> int:
    """Count images; each platform of an index is one."""
    return sum(image.images for image in images)


def count_news(images: Iterable[ImageReport]) -> Counter[str]:
    """Count by severity what counts for the subject, in each image."""
    counts: Counter[str] = Counter()
    for image in images:
        counts.update({severity: number * image.images for severity, number in image.news.items()})
    return counts


def count_changes(images: Iterable[ImageReport], change: Change) -> int:
    """Count the findings with a change, in each image."""
    return sum(image.total(change) * image.images for image in images)


def totals(changes: Mapping[Change, Iterable[KnownFinding]]) -> dict[Change, dict[str, int]]:
    """Count findings by change and severity."""
    return {
        change: dict(Counter(known.finding.severity for known in found))
        for change in Change
        if (found := tuple(changes.get(change, ())))
    }


def keep_worst(
    changes: Mapping[Change, Iterable[KnownFinding]], number: int, reason: Reason
) -> dict[Change, tuple[KnownFinding, ...]]:
    """Keep the worst findings: news, then what is still open, then what is gone; that first where it is the reason."""
    order: tuple[tuple[Change, ...], ...] = (NEWS, (Change.STILL_OPEN,), GONE)
    if reason is Reason.FIXED:
        order = (GONE, NEWS, (Change.STILL_OPEN,))
    kept: dict[Change, list[KnownFinding]] = {}
    for group in order:
        found = [(change, known) for change in group for known in changes.get(change, ())]
        found.sort(key=lambda pair: finding_sort_key(pair[1].finding))
        for change, known in found[:number]:
            kept.setdefault(change, []).append(known)
        number -= min(number, len(found))
    return {change: tuple(found) for change, found in kept.items()}


def key_of(known: KnownFinding) -> str:
    """Return a short text that identifies a finding of one image."""
    finding = known.finding
    return sha256(f"{finding.package}\n{min((finding.id, *finding.aliases))}".encode()).hexdigest()[:16]


def leave_out(
    changes: Mapping[Change, Iterable[KnownFinding]], kept: Mapping[Change, Iterable[KnownFinding]]
) -> dict[str, Word]:
    """Return what `combine` has to know of the findings that are not kept."""
    named = {key_of(known) for found in kept.values() for known in found}
    words = (
        (key, Word(change, known.finding.severity, int(known.first_seen.timestamp())))
        for change, found in changes.items()
        for known in found
        if (key := key_of(known)) not in named
    )
    return dict(islice(words, _MAX_LEFT_OUT))


def combine(first: ImageReport, second: ImageReport, since: datetime) -> ImageReport:
    """Combine two reports of the same image in one window into one, as if there had been one scan.

    Between the two, there may have been scans that were not worth a report: what only the second one has is new, and
    what only the first one has is gone.

    Args:
        first: which may combine earlier ones.
        second: of the later scan.
        since: the time of the earliest scan.
    """
    if first.reason is Reason.FINDINGS_NOT_READ:
        if second.reason is Reason.OVERDUE and not second.changes.keys() - {Change.STILL_OPEN}:
            # It comes from no scan of its own, and what could not be read still cannot.
            return second._replace(failure=first.failure)
        return second
    if second.reason is Reason.FINDINGS_NOT_READ:
        return first._replace(scanned_at=second.scanned_at, counts=second.counts, failure=second.failure)
    before, after = _words(first), _words(second)
    open_before = first.open_before
    for key in map(key_of, second.ignored):
        # A rule was added between the two scans.
        word = before.pop(key, None)
        open_before -= word is not None and word.change not in (Change.NEW, Change.BACK)
    named = {key_of(known): known for image in (first, second) for known in image.worst(*Change)}
    changes: dict[Change, list[KnownFinding]] = {}
    left_out: dict[str, Word] = {}
    for key in before | after:
        change = _combine_changes(before.get(key), after.get(key), since)
        if change is None:
            continue
        if key in named:
            changes.setdefault(change, []).append(named[key])
        else:
            left_out[key] = (after.get(key) or before[key])._replace(change=change)
    totals_ = Counter((word.change, word.severity) for word in left_out.values())
    totals_.update((change, known.finding.severity) for change, found in changes.items() for known in found)
    reason = min(first.reason, second.reason, key=_PRECEDENCE.index)
    kept = keep_worst(changes, MAX_FINDINGS, reason)
    return second._replace(
        reason=reason,
        first_scan=first.first_scan,
        predecessor=first.predecessor,
        open_before=open_before,
        overdue=(*first.overdue, *second.overdue),
        overdue_counts=Counter(first.overdue_counts) + Counter(second.overdue_counts),
        changes=kept,
        left_out=left_out | leave_out(changes, kept),
        totals={
            change: {severity: number for (other, severity), number in totals_.items() if other is change}
            for change in Change
            if any(other is change for other, _ in totals_)
        },
    )


def _words(image: ImageReport) -> dict[str, Word]:
    words = dict(image.left_out)
    for change, found in image.changes.items():
        for known in found:
            words[key_of(known)] = Word(change, known.finding.severity, int(known.first_seen.timestamp()))
    return words


def _combine_changes(first: Word | None, second: Word | None, since: datetime) -> Change | None:
    """Return what two changes in a row amount to; None if nothing is left to say."""
    before, after = first and first.change, second and second.change
    if second is None or after in GONE:
        if before in (None, Change.NEW, Change.BACK):
            return None
        return after or (before if before in GONE else Change.WITHDRAWN)
    if before in (Change.NEW, Change.BACK):
        return before
    if before is None:
        # What a rule ignored until now, or what has a fix only now, is new although it was first seen before.
        is_back = after is not Change.NEW and second.first_seen < int(since.timestamp())
        return Change.BACK if is_back else Change.NEW
    if after in (Change.NEW, Change.BACK, Change.STILL_OPEN):
        return Change.STILL_OPEN if before in GONE else before
    return after
