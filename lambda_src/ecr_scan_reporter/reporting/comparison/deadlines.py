"""Decides until when a finding should be fixed, and which findings are overdue."""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime, time, timedelta
from typing import NamedTuple

from ecr_scan_reporter.memory.images import FindingDeadline
from ecr_scan_reporter.models.severities import EXPLOITED
from ecr_scan_reporter.reporting.comparison.changes import Comparison, KnownFinding

# How many deadlines the record of an image names.
_MAX_EARLIEST = 3


class DueDate(NamedTuple):
    """Until when a finding should be fixed.

    Args:
        at: the beginning (aware) of the day, UTC, on which it becomes overdue: every run of that day then finds it.
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
        known: the finding; its age runs from when the application first had it.
        fix_within: days by severity, and by EXPLOITED for findings with a known exploit.
    """
    rules = (known.finding.severity, *((EXPLOITED,) if known.exploit_known else ()))
    allowed = [(fix_within[rule], rule) for rule in rules if rule in fix_within]
    if not allowed:
        return None
    days, rule = min(allowed, key=lambda pair: pair[0])
    day = known.first_seen.astimezone(UTC).date() + timedelta(days=days)
    return DueDate(datetime.combine(day, time(), UTC), rule, days)


def check_deadlines(comparison: Comparison, fix_within: Mapping[str, int], now: datetime) -> Deadlines:
    """Return what the deadlines say about the open findings of a comparison.

    Args:
        comparison: only with findings that count.
        fix_within: days by severity, and by EXPLOITED for findings with a known exploit.
        now: aware.
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


def mark_reported(comparison: Comparison, passed: Collection[OverdueFinding]) -> Comparison:
    """Return a comparison that remembers that these findings were reported as overdue."""
    keys = {_key(overdue.known) for overdue in passed}
    findings = (
        known._replace(overdue_reported=True) if _key(known) in keys and not known.gone_at else known
        for known in comparison.findings
    )
    return Comparison(tuple(findings), comparison.changes)


def _key(known: KnownFinding) -> tuple[str, str]:
    return known.finding.package, known.finding.id
