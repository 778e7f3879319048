"""The updates to install first, which a report names: those with a known fix first, then those that solve most."""

import heapq
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator

from ecr_scan_reporter.memory.images import Update, UpdateKey
from ecr_scan_reporter.models.severities import severity_key
from ecr_scan_reporter.reporting.comparison.changes import NEWS, OPEN, Change
from ecr_scan_reporter.reporting.reports.image_report import ImageReport
from ecr_scan_reporter.reporting.reports.reasons import ReportReason

# Updates that are named.
_MAX_FIXES = 5
# The changes whose findings are to be fixed first, by the reason of the report; for other reasons, those of open ones.
_CHANGES_TO_FIX: dict[ReportReason, tuple[Change, ...]] = {ReportReason.NEWS: NEWS, ReportReason.FIXED: ()}


def fix_first(images: Iterable[ImageReport], severities: Collection[str]) -> list[Update]:
    """Return the updates that solve the most severe news, or open findings if there is no news.

    Args:
        severities: only findings of these count.
    """
    return heapq.nsmallest(_MAX_FIXES, _updates(images, severities), key=_sort_key)


def _updates(images: Iterable[ImageReport], severities: Collection[str]) -> Iterator[Update]:
    """Yield the updates that solve the findings that the reports of images are about."""
    counts: defaultdict[UpdateKey, Counter[str]] = defaultdict(Counter)
    needed_by: Counter[UpdateKey] = Counter()
    for image in images:
        own: set[UpdateKey] = set()
        for change in _CHANGES_TO_FIX.get(image.reason, OPEN):
            for known in image.changes.get(change, ()):
                finding = known.finding
                if finding.package and finding.severity in severities:
                    update = UpdateKey(finding.package, finding.installed_versions, finding.fixed_versions)
                    counts[update][finding.severity] += image.images
                    own.add(update)
        needed_by.update(dict.fromkeys(own, image.images))
    for update, solved in counts.items():
        yield Update(*update, solved, needed_by[update])


def _sort_key(fix: Update) -> tuple[object, ...]:
    """Sort updates that are possible now first, then those that solve most."""
    return not fix.fixed_versions, severity_key(fix.counts), -fix.images, fix.package, fix.installed_versions
