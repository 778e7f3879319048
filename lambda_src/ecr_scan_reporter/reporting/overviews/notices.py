"""Names the rules of ignored_findings that need attention, for the overview."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from ecr_scan_reporter.memory.rules import IgnoreRule, RuleUse
from ecr_scan_reporter.reporting.formatting import pluralize
from ecr_scan_reporter.shared.durations import Duration

_ENDS_WITHIN, _UNUSED_FOR = timedelta(days=14), timedelta(days=90)
# The use of a rule is remembered to the day.
_DAY = timedelta(days=1)


def all_scanned_since(now: datetime, promised_age: Duration, run_interval: timedelta, *, enhanced: bool) -> datetime:
    """Return since when every image was scanned: what a rule did not do since then, it does not do.

    A run skips an image whose scan is a little younger than the promised age, and the next run scans it. Enhanced
    scanning reports on an image only when something changes, which can take months: 90 days, as for unused rules.

    Args:
        now: aware.
        promised_age: of scans.
        run_interval: the time between two runs.
        enhanced: whether the registry uses enhanced scanning.
    """
    since = promised_age.before(now - run_interval - _DAY)
    return min(since, now - _UNUSED_FOR) if enhanced else since


def rule_notices(
    rules: Sequence[IgnoreRule], uses: Mapping[str, RuleUse], now: datetime, scanned_since: datetime
) -> list[str]:
    """Return a short sentence for each rule that ends, has ended, or ignores nothing, in the order of the list.

    Args:
        rules: in the order of the list.
        uses: when each rule was used, by its key; a rule that the reporter has not read yet is missing.
        now: aware.
        scanned_since: since when every image was scanned (aware).
    """
    return list(_notices(rules, uses, now, scanned_since))


def _notices(
    rules: Sequence[IgnoreRule], uses: Mapping[str, RuleUse], now: datetime, scanned_since: datetime
) -> Iterator[str]:
    keys = set[str]()
    for rule in rules:
        if rule.key in keys:
            yield f"The rule for {rule.name} is in the list twice."
            continue
        keys.add(rule.key)
        if notice := _end(rule, now) or _use(uses.get(rule.key, RuleUse()), now, scanned_since):
            yield f"The rule for {rule.name} {notice}."


def _end(rule: IgnoreRule, now: datetime) -> str:
    if rule.expires is None:
        return ""
    days = (rule.expires - now.astimezone(UTC).date()).days
    if days <= 0:
        return f"ended on {rule.expires.day} {rule.expires:%b %Y}"
    return f"ends in {pluralize(days, 'day')}" if days <= _ENDS_WITHIN.days else ""


def _use(use: RuleUse, now: datetime, scanned_since: datetime) -> str:
    """Return what the use of a rule says; "" until every image was scanned since the rule was added or used."""
    last = use.used_at or use.added_at
    if last is None or last > scanned_since:
        return ""
    matches = use.matched_at is not None and use.matched_at > scanned_since
    if use.ended_at and not matches and (use.matched_at is None or use.ended_at > use.matched_at):
        return "has ended: a fix is known"
    if use.matched_at is None:
        return "has never matched; it may be misspelled"
    if now - use.matched_at >= _UNUSED_FOR:
        return f"has matched nothing for {_UNUSED_FOR.days} days"
    return "matches only what other rules ignore" if matches else ""
