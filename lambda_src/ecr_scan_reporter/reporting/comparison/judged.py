"""Judges what a scan changed: what a rule ignores, what counts, and what is overdue."""

from datetime import datetime
from typing import NamedTuple

from ecr_scan_reporter.memory.images import ImageRecord
from ecr_scan_reporter.reporting.comparison.changes import Comparison
from ecr_scan_reporter.reporting.comparison.deadlines import (
    Deadlines,
    OverdueFinding,
    check_deadlines,
    mark_reported,
)
from ecr_scan_reporter.reporting.comparison.ignored import RuleMatcher
from ecr_scan_reporter.settings import ReporterSettings


class Judged(NamedTuple):
    """A comparison, and what follows from it.

    Args:
        comparison: with all findings.
        counted: only with the findings that count towards thresholds and deadlines.
        deadlines: of the findings that count.
        superseded: whether another image has replaced this one, which has the deadlines now.
    """

    comparison: Comparison
    counted: Comparison
    deadlines: Deadlines
    superseded: bool = False

    @property
    def newly_overdue(self) -> tuple[OverdueFinding, ...]:
        """The findings to report as overdue."""
        return () if self.superseded else self.deadlines.passed

    @property
    def to_remember(self) -> Comparison:
        """The comparison with a note of what is reported as overdue."""
        return mark_reported(self.comparison, self.newly_overdue)

    def update(self, record: ImageRecord) -> ImageRecord:
        """Return the record of the image with what is ignored and what is overdue."""
        return record._replace(
            ignored=len(self.comparison.ignored),
            due_at=self.deadlines.due_at,
            overdue=self.deadlines.overdue,
            earliest_deadlines=self.deadlines.earliest,
        )


def judge(
    comparison: Comparison, rules: RuleMatcher, repository: str, settings: ReporterSettings, now: datetime
) -> Judged:
    """Apply the rules for ignored findings and the deadlines to what a scan changed; deadlines are those of `now`."""
    comparison = rules.apply(comparison, repository)
    counted = comparison.without_ignored()
    if settings.fixable_only:
        counted = counted.with_fix()
    deadlines = check_deadlines(counted, settings.fix_within, now)
    return Judged(comparison, counted, deadlines)
