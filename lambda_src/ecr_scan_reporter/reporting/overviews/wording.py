"""Words of an overview that all formats share."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from ecr_scan_reporter.memory.images import KnownExploited, Update
from ecr_scan_reporter.models.severities import SEVERITIES
from ecr_scan_reporter.reporting.formatting import (
    format_counts,
    format_date,
    format_day,
    format_time,
    package_label,
    pluralize,
    start_of,
)
from ecr_scan_reporter.reporting.overviews.overview import Balance, Notices, Overview


class NamedLine(NamedTuple):
    """A line with untrusted names in it.

    Args:
        before: the text before the names.
        names: that are untrusted.
        total: how many names there are, if not all are known.
        after: the text after the names.
    """

    before: str
    names: Sequence[str] = ()
    total: int = 0
    after: str = ""

    @property
    def more(self) -> bool:
        """Whether there are more names than are known."""
        return self.total > len(self.names)


class Need(NamedTuple):
    """Something that needs people: a line that names it, and its details with an introduction."""

    line: NamedLine
    intro: str = ""
    details: tuple[NamedLine, ...] = ()


def severe(counts: Mapping[str, int]) -> str:
    """Format `38 critical, 400 high, 2,972 others`; "" if nothing is open."""
    parts = [f"{counts[severity]:,} {severity.lower()}" for severity in SEVERITIES[:2] if counts.get(severity)]
    others = sum(number for severity, number in counts.items() if severity not in SEVERITIES[:2])
    if others:
        parts.append(pluralize(others, "other") if parts else f"{others:,} of lower severity")
    return ", ".join(parts)


def headline(overview: Overview) -> str:
    """Format `2 new critical, 1 overdue, 3 other notices, 10,409 of 10,412 images scanned in time`."""
    return ", ".join(filter(None, (news(overview), promise(overview))))


def news(overview: Overview) -> str:
    """Format the part of the headline before the promise."""
    parts = [_new(overview)] if overview.known else []
    if overview.state.exploited:
        parts.append(f"{overview.state.exploited:,} known exploited")
    if overview.state.overdue:
        parts.append(f"{overview.state.overdue:,} overdue")
    if notices := _count_notices(overview):
        parts.append(pluralize(notices, "other notice" if overview.state.overdue else "notice"))
    return ", ".join(parts)


def _new(overview: Overview) -> str:
    changes = overview.changes
    if changes is None:
        return f"first overview: {format_counts(overview.state.open, 1, '') or 'nothing'} open"
    if changes.new_critical:
        return f"{changes.new_critical:,} new critical"
    if changes.new_high:
        return f"{changes.new_high:,} new high"
    return f"{changes.new:,} new" if changes.new else "nothing new"


def _count_notices(overview: Overview) -> int:
    """Count what needs people, except what other numbers of the headline say."""
    notices = overview.notices
    partly_stale = 0 < len(overview.stale) < len(overview.state.repositories)
    lists = (notices.rules, notices.dlqs, notices.unconfirmed, notices.unreadable)
    single = partly_stale, bool(overview.never_run), bool(overview.lost), notices.alarms_reach_nobody
    return sum(single) + sum(map(len, lists))


def promise(overview: Overview) -> str:
    """Format `10,409 of 10,412 images scanned in time`; if no run has finished, say that instead."""
    if not overview.known or (overview.never_run and not overview.state.repositories):
        return "the first run has not ended"
    if overview.state.updated_at is None:
        # It may be there only for what concerns the whole registry.
        return "no repository without a group" if overview.settings.group_by and not overview.group else "no images"
    return no_run(overview) or coverage(overview)


def no_run(overview: Overview) -> str:
    """Format `no run since 16 Nov 2026`; "" if a repository had one lately."""
    if overview.state.updated_at is None or len(overview.stale) < len(overview.state.repositories):
        return ""
    return f"no run since {format_date(overview.state.updated_at)}"


def coverage(overview: Overview) -> str:
    """Format `10,409 of 10,412 images scanned in time`."""
    found = overview.state.coverage
    return (
        f"{found.in_time:,} of {pluralize(found.promised, 'image')} scanned in time" if found.promised else "no images"
    )


def not_promised(overview: Overview) -> str:
    """Format `120 archived, 30 not selected`; "" if there are none."""
    counts = overview.state.coverage.counts
    parts = {"archived": counts.get("archived"), "not selected": counts.get("not_selected")}
    return ", ".join(f"{number:,} {word}" for word, number in parts.items() if number)


def _interval(interval: timedelta) -> str:
    seconds = int(interval.total_seconds())
    for size, word in ((86400, "day"), (3600, "hour")):
        if seconds >= size and seconds % size == 0:
            return pluralize(seconds // size, word)
    return pluralize(seconds // 60, "minute")


def balance(changes: Balance, overview: Overview) -> list[tuple[str, int, str]]:
    """Return the lines of the balance: a sign, a number and what it counts. Zeros have no line."""
    new = format_counts({"CRITICAL": changes.new_critical, "HIGH": changes.new_high}, none="")
    lines = [
        ("+", changes.new, f"new ({new})" if new else "new"),
        ("+", changes.back, "back again"),
        ("+", changes.carried, "carried into rebuilt images, or found in a first inventory"),
        ("-", changes.fixed, "fixed"),
        ("-", changes.withdrawn, "withdrawn by the vulnerability database"),
        ("-", changes.not_looked_for, "not looked for by the scanner that is used now"),
        ("-", changes.left, "gone with deleted images"),
    ]
    lines = [line for line in lines if line[1]]
    ignored = [("", number, f"of them ignored {why}") for number, why in _ignored(overview)]
    if not lines:
        return [("", changes.open_now, f"open, as before{_open_details(overview)}"), *ignored]
    return [
        ("", changes.open_before, "open before"),
        *lines,
        ("=", changes.open_now, f"open now{_open_details(overview)}"),
        *ignored,
    ]


def no_changes(overview: Overview) -> str:
    """Return the heading if no changes are known."""
    return "Changes" if overview.since else "Changes: none yet, this is the first overview"


def open_now(overview: Overview) -> list[str]:
    """Format `3,410 open (38 critical, 400 high, 2,972 others).` and `12 of them ignored by rules.`."""
    if not overview.known:
        return ["Nothing is known yet."]
    ignored = [f"{number:,} of them ignored {why}." for number, why in _ignored(overview)]
    return [f"{overview.state.open.total():,} open{_open_details(overview)}.", *ignored]


def _ignored(overview: Overview) -> list[tuple[int, str]]:
    """Return how many open findings are ignored, and why."""
    state = overview.state
    numbers = ((state.ignored - state.kernel_headers, "by rules"), (state.kernel_headers, "in kernel headers"))
    return [(number, why) for number, why in numbers if number > 0]


def exploited(overview: Overview) -> tuple[str, list[NamedLine]]:
    """Return a heading, and lines for the findings that are known to be exploited; no heading without the catalog."""
    if not overview.settings.known_exploited:
        return "", []
    state = overview.state
    ignored = f", {state.exploited_ignored:,} more ignored" if state.exploited_ignored else ""
    why = " (when due, when told)" if state.exploited_first else ""
    lines = [_exploited(each.image, each.finding, overview.made_at) for each in state.exploited_first]
    return f"Known exploited: {pluralize(state.exploited, 'finding')}{ignored}{why}", lines


def _exploited(image: str, found: KnownExploited, now: datetime) -> NamedLine:
    due, added = (format_day(start_of(day), now) for day in (found.due, found.added))
    told = f"told {format_day(found.told_at, now)}" if found.told_at else f"listed {added}"
    ransomware = ", ransomware" if found.ransomware else ""
    return NamedLine(f"{due}: ", (f"{found.id} in {image}",), after=f", {told}{ransomware}")


def _open_details(overview: Overview) -> str:
    worst = severe(overview.state.open)
    return f" ({worst})" if worst else ""


def no_updates(overview: Overview) -> str:
    """Return why no update is named."""
    if not overview.known:
        return "Nothing is known yet."
    return "No package is known for what is open." if overview.state.open.total() else "Nothing is open."


def update_names(update: Update) -> str:
    """Format `openssl 3.0.1-r2 -> 3.0.15-r0`, `busybox 1.36.1` if no fix is known: basic scanning knows none."""
    installed = package_label(update.package or "package not named", update.installed_versions)
    return f"{installed} -> {', '.join(update.fixed_versions[:2])}" if update.fixed_versions else installed


def update_effect(update: Update, severities: int = 2) -> str:
    """Format `41 images, 3 critical, 12 high`, with at most this many severities."""
    return f"{pluralize(update.images, 'image')}, {format_counts(update.counts, severities, 'severity unknown')}"


def needs(overview: Overview) -> Iterator[Need]:
    """Yield what needs people, the most urgent first."""
    if not overview.known:
        at = overview.first_run_at
        begins = f"began on {format_date(at)}, {format_time(at)} UTC" if at else "starts by itself within ten minutes"
        yield Need(NamedLine(f"The first run has not ended. It {begins}."))
    yield from _stale_needs(overview)
    yield from _overdue_needs(overview)
    yield from _scan_needs(overview)
    if number := len(overview.lost):
        before = f"No event came of {pluralize(number, 'scan')} (is the rule disabled?): "
        yield Need(NamedLine(before, overview.lost_examples, number))
    yield from _delivery_needs(overview.notices)
    yield from _sentence_needs(overview.notices.unreadable, "{} things could not be read")
    yield from _sentence_needs(overview.notices.rules, "{:,} notices about ignore rules")


def _stale_needs(overview: Overview) -> Iterator[Need]:
    if number := len(overview.stale):
        words = pluralize(number, "repository", "repositories")
        before = f"No run of {words} in the last {_interval(overview.stale_after)}: "
        yield Need(NamedLine(before, overview.stale_examples, number))
    if number := len(overview.never_run):
        words = pluralize(number, "repository", "repositories")
        yield Need(NamedLine(f"No run of {words} has ever ended: ", overview.never_run_examples, number))


def _overdue_needs(overview: Overview) -> Iterator[Need]:
    if number := overview.state.overdue:
        words = pluralize(number, "finding is overdue", "findings are overdue")
        yield Need(NamedLine(words), " (date and rule of fix_within):", tuple(_overdue(overview)))


def _overdue(overview: Overview) -> Iterator[NamedLine]:
    for overdue in overview.state.overdue_worst:
        found = overdue.finding
        # The date, and why that one: this many days after a scan first had the finding.
        why = f"{found.rule}, {pluralize(found.days, 'day')}" if found.rule else found.severity
        name = f"{found.id} in {overdue.image}"
        yield NamedLine(f"{format_day(found.due_at, overview.made_at)} ({why}): ", (name,))


def _scan_needs(overview: Overview) -> Iterator[Need]:
    counts, names = overview.state.coverage
    if failed := counts.get("failed", 0):
        before = f"{pluralize(failed, 'image')} whose last scan failed: "
        yield Need(NamedLine(before, names.get("failed", ()), failed))
    if quota := counts.get("quota", 0):
        images = pluralize(quota, "image")
        yield Need(NamedLine(f"The daily quota of scans was used up before {images} could be scanned."))


def _delivery_needs(notices: Notices) -> Iterator[Need]:
    if dlqs := notices.dlqs:
        words = pluralize(sum(dlqs.values()), "message is", "messages are")
        if len(dlqs) == 1:
            yield Need(NamedLine(f"{words} in the DLQ ", list(dlqs)))
        else:
            yield Need(NamedLine(f"{words} in DLQs: ", [f"{name} ({number:,})" for name, number in dlqs.items()]))
    if notices.unconfirmed:
        words = pluralize(len(notices.unconfirmed), "address", "addresses")
        yield Need(NamedLine(f"{words} never confirmed the subscription: ", notices.unconfirmed))
    if notices.alarms_reach_nobody:
        yield Need(NamedLine("Nobody receives the alarms: see the inputs alarm_email and alarm_actions."))


def _sentence_needs(sentences: Sequence[str], many: str) -> Iterator[Need]:
    """Yield one sentence as it is, and several below a line with their number."""
    if len(sentences) == 1:
        yield Need(NamedLine("", sentences))
    elif sentences:
        yield Need(NamedLine(many.format(len(sentences))), ":", tuple(NamedLine("", (text,)) for text in sentences))
