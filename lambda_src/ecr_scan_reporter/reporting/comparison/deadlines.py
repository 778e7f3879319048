"""Says until when findings should be fixed, and which of them are overdue."""

from collections.abc import Mapping
from datetime import UTC, datetime, time, timedelta
from typing import NamedTuple

from ecr_scan_reporter.memory.images import FindingDeadline
from ecr_scan_reporter.models.severities import EXPLOITED, KEV
from ecr_scan_reporter.reporting.comparison.changes import (
    Comparison,
    KnownFinding,
)

# How many deadlines the record of an image names.
_MAX_EARLIEST = 3


class DueDate(NamedTuple):
    """Until when a finding should be fixed.

    Args:
        at: the beginning of the day, UTC, on which it becomes overdue: every run of that day then finds it.
        rule: the key of `fix_within`.
        days: the value of that key.
    """

    at: datetime
    rule: str
    days: int


class OverdueFinding(NamedTuple):
    """A finding whose deadline has passed."""

    known: KnownFinding
    due: DueDate


class Deadlines(NamedTuple):
    """The deadlines of an image's open findings.

    Args:
        due_at: the earliest one that has not passed; None if there is none.
        overdue: how many findings are overdue.
        earliest: of the findings with the earliest ones, passed or not.
        passed: the overdue findings that have not been reported as such yet.
    """

    due_at: datetime | None
    overdue: int
    earliest: tuple[FindingDeadline, ...]
    passed: tuple[OverdueFinding, ...]


def due_date(known: KnownFinding, fix_within: Mapping[str, int]) -> DueDate | None:
    """Return until when an open finding should be fixed; None if it has no deadline.

    Args:
        known: the finding; its age runs from when the application first had it, or, by KEV, from `counts_from`.
        fix_within: days by severity, by EXPLOITED for findings with a known exploit, and by KEV for those that are
            known to be exploited; 0 there for as many as CISA gives.
    """
    seen = known.first_seen.astimezone(UTC).date()
    allowed = [
        (seen, fix_within.get(rule, 0), rule)
        for rule in (known.finding.severity, *((EXPLOITED,) if known.exploit_known else ()))
        if rule in fix_within
    ]
    if known.kev and KEV in fix_within:
        allowed.append((known.kev.counts_from, fix_within[KEV] or known.kev.days, KEV))
    dates = [DueDate(datetime.combine(day + timedelta(days), time(), UTC), rule, days) for day, days, rule in allowed]
    return min(dates, key=lambda due: due.at, default=None)


def check_deadlines(comparison: Comparison, fix_within: Mapping[str, int], now: datetime) -> Deadlines:
    """Return the deadlines of the open findings of a comparison.

    Args:
        comparison: only with findings that count.
        fix_within: see `due_date`.
    """
    dated = [(known, due) for known in comparison.open() if (due := due_date(known, fix_within))]
    dated.sort(key=lambda pair: (pair[1].at, pair[0].finding.package, pair[0].finding.id))
    overdue = [OverdueFinding(known, due) for known, due in dated if due.at <= now]
    return Deadlines(
        due_at=next((due.at for known, due in dated if due.at > now), None),
        overdue=len(overdue),
        earliest=tuple(
            FindingDeadline(known.finding.id, known.finding.package, known.finding.severity, due.at, due.rule, due.days)
            for known, due in dated[:_MAX_EARLIEST]
        ),
        passed=tuple(finding for finding in overdue if not finding.known.overdue_reported),
    )
