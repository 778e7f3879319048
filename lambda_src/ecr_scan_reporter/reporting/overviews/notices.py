"""What an overview says about the module itself: to each group what concerns its own repositories.

What concerns the whole registry is for the group without a name: DLQs, unconfirmed addresses, alarms that nobody
receives, what could not be read, and rules that name no repository of another group.
"""

import logging
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from ecr_scan_reporter.errors import AwsError
from ecr_scan_reporter.memory.exploited import Catalog
from ecr_scan_reporter.memory.rules import IgnoreRule
from ecr_scan_reporter.reporting.dependencies import ReporterDependencies
from ecr_scan_reporter.reporting.formatting import captured_group, pluralize, truncate
from ecr_scan_reporter.reporting.overviews.overview import Notices, Overview, all_scanned_since, rule_notices
from ecr_scan_reporter.shared.matching import matching, undecided

logger = logging.getLogger(__name__)

# From when on a catalog is old: CISA changes it about twice a week.
_OLD_CATALOG = timedelta(days=3)
# Repositories of a group that are named because their summary cannot be read, or their names not be matched.
_MAX_NAMED = 20


def notices_by_group(
    overviews: Sequence[Overview], unreadable: Collection[str], deps: ReporterDependencies, now: datetime
) -> Mapping[str | None, Notices]:
    """Read what there is to say; what cannot be read becomes a notice, too.

    Args:
        overviews: of all groups.
        unreadable: names of repositories whose summary cannot be read.
        deps: the settings and clients.
        now: aware.

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

    counts = {name: attempt(f"count the messages in {name}", dlq.message_count, 0) for name, dlq in deps.dlqs.items()}
    dlqs = {name: number for name, number in counts.items() if number}
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
