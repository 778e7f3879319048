"""Collects the notices of an overview, with sentences about rules and the catalog; says which group gets them.

What concerns the whole registry is for the group without a name: DLQs, unconfirmed addresses, alarms that nobody
receives, what could not be read, and rules that name no repository of another group.
"""

import logging
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from ecr_scan_reporter.errors import AwsError
from ecr_scan_reporter.memory.exploited import Catalog
from ecr_scan_reporter.memory.rules import IgnoreRule, RuleUse
from ecr_scan_reporter.reporting.dependencies import ReporterDependencies
from ecr_scan_reporter.reporting.formatting import captured_group, pluralize, truncate
from ecr_scan_reporter.reporting.overviews.overview import Notices, Overview
from ecr_scan_reporter.shared.durations import Duration
from ecr_scan_reporter.shared.matching import matching, undecided

logger = logging.getLogger(__name__)

# Notices about a rule: that it ends so soon, and that it has ignored nothing for so long.
_ENDS_WITHIN, _UNUSED_FOR = timedelta(days=14), timedelta(days=90)
# The use of a rule is remembered to the day.
_DAY = timedelta(days=1)
# From this age on, a catalog is old: CISA changes it about twice a week.
_OLD_CATALOG = timedelta(days=3)
# Repositories of a group that are named because their summary cannot be read, or because their names cannot be
# matched.
_MAX_NAMED = 20


def notices_by_group(
    overviews: Sequence[Overview], unreadable: Collection[str], deps: ReporterDependencies, now: datetime
) -> Mapping[str | None, Notices]:
    """Read what there is to say; what cannot be read becomes a notice, too.

    Args:
        unreadable: names of repositories whose summary cannot be read.

    Returns:
        The notices of each group, and of the one without a name if there is something to say about the registry.
    """
    failed: list[str] = []

    def attempt(what: str, call: Callable[[], Any], otherwise: Any) -> Any:
        try:
            return call()
        except AwsError as error:
            logger.warning("could not read part of the overview", extra={"reason": str(error)})
            failed.append(f"Could not {what}.")
            return otherwise

    dlqs = {
        name: number
        for name, dlq in deps.dlqs.items()
        if (number := attempt(f"count the messages in {name}", dlq.message_count, 0))
    }
    unconfirmed = attempt("list the subscriptions of the reports topic", deps.publisher.unconfirmed_addresses, [])
    silent = attempt("list the subscriptions of the alarms topic", deps.publisher.alarms_reach_nobody, False)
    rules = attempt("read ignored_findings", partial(deps.rules.read, now), ())
    catalog = attempt("read the catalog of known exploited vulnerabilities", partial(deps.catalog, now), None)
    settings, enhanced = deps.settings, any(overview.is_enhanced for overview in overviews)
    since = all_scanned_since(now, settings.max_age, settings.run_interval, enhanced=enhanced)
    sentences = defaultdict[str | None, list[str]](list, {None: failed + _names_without_answer(overviews)})
    if settings.known_exploited and catalog is not None:
        sentences[None] += _age_of_catalog(catalog, now)
    for name in sorted(unreadable):
        sentences[captured_group(name, settings.group_by)].append(f"Could not read what is known about {name}.")
    uses, times = deps.rules.uses(), Counter(rule.key for rule in rules)
    # Only these are matched with the names of all repositories.
    named = [rule for rule in rules if times[rule.key] > 1 or rule_notices([rule], uses, now, since)]
    found = {
        group: Notices(rule_notices(own, uses, now, since), unreadable=sentences[group][:_MAX_NAMED])
        for group, own in _rules_by_group(named, overviews).items()
    }
    found[None] = found[None]._replace(dlqs=dlqs, unconfirmed=unconfirmed, alarms_reach_nobody=silent)
    return {group: notices for group, notices in found.items() if group is not None or any(notices)}


def _age_of_catalog(catalog: Catalog, now: datetime) -> list[str]:
    """Return a sentence about a catalog that was not read for days; none if it was."""
    what, why = "The catalog of known exploited vulnerabilities", f": {catalog.problem}" if catalog.problem else ""
    since = catalog.read_at or catalog.asked_at
    if since is None:
        return [f"{what} was never read. See whether the catalog reader is started."]
    if now - since < _OLD_CATALOG:
        return []
    age = pluralize((now - since).days, "day")
    return [f"{what} is {age} old{why}." if catalog.read_at else f"{what} was not read for {age}{why}."]


def _rules_by_group(
    rules: Sequence[IgnoreRule], overviews: Sequence[Overview]
) -> dict[str | None, Sequence[IgnoreRule]]:
    """Return the rules that name a repository of each group; the group without a name has those of no other, too."""
    expressions = {rule.repositories for rule in rules if rule.repositories}
    matched = {
        overview.group: set[object]().union(*(matching(expressions, name) for name in overview.names))
        for overview in overviews
    }
    others = set[object]().union(*(found for group, found in matched.items() if group is not None))
    matched[None] = matched.get(None, set()) | {None} | expressions - others
    return {group: [rule for rule in rules if rule.repositories in found] for group, found in matched.items()}


def _names_without_answer(overviews: Sequence[Overview]) -> list[str]:
    names = undecided().intersection(name for overview in overviews for name in overview.names)
    return [
        f"A regular expression takes too long for {truncate(name, 100)}: it is scanned and reported, without a group."
        for name in sorted(names)[:_MAX_NAMED]
    ]


def all_scanned_since(now: datetime, promised_age: Duration, run_interval: timedelta, *, enhanced: bool) -> datetime:
    """Return since when every image was scanned. A rule that has matched nothing since then matches nothing.

    A run skips an image whose scan is a little younger than the promised age, and the next run scans it. Enhanced
    scanning reports on an image only when something changes, which can take months: 90 days, as for unused rules.

    Args:
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
        scanned_since: since when every image was scanned.
    """
    notices: list[str] = []
    keys = set[str]()
    for rule in rules:
        if rule.key in keys:
            notices.append(f"The rule for {rule.name} is in the list twice.")
            continue
        keys.add(rule.key)
        if notice := _end(rule, now) or _use(uses.get(rule.key, RuleUse()), now, scanned_since):
            notices.append(f"The rule for {rule.name} {notice}.")
    return notices


def _end(rule: IgnoreRule, now: datetime) -> str:
    if rule.expires is None:
        return ""
    days = (rule.expires - now.astimezone(UTC).date()).days
    if days <= 0:
        return f"ended on {rule.expires.day} {rule.expires:%b %Y}"
    return f"ends in {pluralize(days, 'day')}" if days <= _ENDS_WITHIN.days else ""


def _use(use: RuleUse, now: datetime, scanned_since: datetime) -> str:
    """Return a notice about the use of a rule; "" until every image was scanned since the rule was added or used."""
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
