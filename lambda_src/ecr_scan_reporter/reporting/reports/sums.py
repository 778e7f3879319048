"""Adds up the images of a report."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from ecr_scan_reporter.reporting.comparison.changes import Change
from ecr_scan_reporter.reporting.reports.image_report import ImageReport


@dataclass(slots=True)
class Sums:
    """Several images added up; each platform of an index is an image, with the findings of all of them.

    Attributes:
        images: how many there are.
        news: what counts for the subject, by severity.
        changes: findings by change.
        overdue: findings that are reported as overdue, by severity.
        late: how many images have such findings.
        ignored: how many findings each rule ignores.
        exploited: findings that are reported as known to be exploited, by severity.
        urgent: how many images have such findings.
    """

    images: int = 0
    news: Counter[str] = field(default_factory=Counter)
    changes: Counter[Change] = field(default_factory=Counter)
    overdue: Counter[str] = field(default_factory=Counter)
    late: int = 0
    ignored: Counter[str] = field(default_factory=Counter)
    exploited: Counter[str] = field(default_factory=Counter)
    urgent: int = 0

    def add(self, image: ImageReport) -> None:
        """Add one entry, which may be several images."""
        number = image.images
        self.images += number
        self.late += number if image.overdue_counts else 0
        self.urgent += number if image.exploited_counts else 0
        for counts, found in (
            (self.news, image.news),
            (self.overdue, image.overdue_counts),
            (self.ignored, image.ignored_by),
            (self.exploited, image.exploited_counts),
        ):
            for key, count in found.items():
                counts[key] += count * number
        for change, severities in image.totals.items():
            self.changes[change] += sum(severities.values()) * number


def add_up(images: Iterable[ImageReport]) -> Sums:
    """Add up images."""
    sums = Sums()
    for image in images:
        sums.add(image)
    return sums
