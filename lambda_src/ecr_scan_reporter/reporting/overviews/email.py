"""Renders an overview as plain text for email: at most 40 lines of 76 columns, whatever the size of the registry.

The first page has all of the text; further pages have the rest of the JSON document.
"""

from collections.abc import Iterator, Sequence

from ecr_scan_reporter.reporting.formatting import (
    foot,
    format_date,
    format_duration,
    format_time,
    origin,
    pluralize,
    reason_words,
    replace_unprintable,
    truncate,
)
from ecr_scan_reporter.reporting.overviews import wording
from ecr_scan_reporter.reporting.overviews.overview import Overview, OverviewPage
from ecr_scan_reporter.reporting.overviews.wording import NamedLine

_WIDTH, _HEIGHT = 76, 40
_ELSEWHERE = ", see the JSON document"
# How many exploited findings have a line of their own, and how many updates are named then.
_MAX_EXPLOITED, _MAX_UPDATES_BESIDE_EXPLOITED = 2, 2
# Reasons with a line of their own, and the width of one.
_MAX_REASONS, _REASON_WIDTH = 4, 20
# The greatest width of what an update solves that leaves room for two severities.
_MAX_EFFECT = 34


def render(page: OverviewPage) -> str:
    """Render a page."""
    overview = page.overview
    if page.part > 1:
        lines = [f"This is part {page.part} of {page.parts} of an overview. Part 1 has all of its text."]
        lines += ["This part has only further repositories of its JSON document."]
    else:
        lines = [*_head(overview), "", *_promise(overview), "", *_changes(overview), ""]
        lines += [*_exploited(overview), *_updates(overview), "", "Needs you"]
    footer = ["", "--", *foot(overview.settings)]
    if page.part == 1:
        lines += _needs(overview, _HEIGHT - len(lines) - len(footer))
    return "\n".join(truncate(replace_unprintable(line), _WIDTH) for line in [*lines, *footer]) + "\n"


def _head(overview: Overview) -> Iterator[str]:
    words = wording.news(overview) or wording.promise(overview)
    yield f"{words[:1].upper()}{words[1:]}."
    made = f"{format_date(overview.made_at)}, {format_time(overview.made_at)} UTC"
    settings = overview.settings
    yield f"{origin(settings.registry, overview.group, settings)}, {made}."


def _promise(overview: Overview) -> Iterator[str]:
    yield f"Promise: every image is scanned within {format_duration(overview.settings.max_age)}"
    words = wording.promise(overview)
    if old := wording.no_run(overview):
        yield f"  {old[:1].upper()}{old[1:]}. As of then:"
        words = wording.coverage(overview)
    late = overview.state.coverage.late
    end = f"; {pluralize(sum(late.values()), 'was', 'were')} not:" if late else "."
    yield f"  {words[:1].upper()}{words[1:]}{end}"
    reasons = list(late)
    if len(reasons) > _MAX_REASONS:
        reasons = reasons[: _MAX_REASONS - 1]
    for reason in reasons:
        before = f"    {late[reason]:,} {truncate(reason_words(reason), _REASON_WIDTH)}: "
        yield _line(NamedLine(before, overview.state.coverage.names.get(reason, ()), late[reason]), "").rstrip(": ")
    others = {reason: number for reason, number in late.items() if reason not in reasons}
    if others:
        named = [f"{reason_words(reason)} ({number:,})" for reason, number in others.items()]
        yield _line(NamedLine(f"    {sum(others.values()):,} others: ", named), "")
    if excluded := wording.not_promised(overview):
        yield f"  Not counted: {excluded}."


def _changes(overview: Overview) -> Iterator[str]:
    if overview.changes is None or overview.since is None or not overview.known:
        yield wording.no_changes(overview)
        yield from (f"  {line}" for line in wording.open_now(overview))
        return
    yield f"Changes since {format_date(overview.since)}, {format_time(overview.since)} UTC"
    for sign, number, words in wording.balance(overview.changes, overview):
        yield " ".join(filter(None, (" ", sign, f"{number:,}", words)))


def _exploited(overview: Overview) -> Iterator[str]:
    heading, lines = wording.exploited(overview)
    if heading:
        yield heading
        yield from (_line(line, "  ") for line in lines[:_MAX_EXPLOITED])
        yield ""


def _updates(overview: Overview) -> Iterator[str]:
    yield "Do first"
    updates = overview.state.updates[: _MAX_UPDATES_BESIDE_EXPLOITED if overview.state.exploited_first else None]
    effects = [wording.update_effect(update) for update, *_ in updates]
    if any(len(effect) > _MAX_EFFECT for effect in effects):
        effects = [wording.update_effect(update, severities=1) for update, *_ in updates]
    names = [wording.update_names(update) for update, *_ in updates]
    for number, (name, effect) in enumerate(zip(names, effects, strict=True), start=1):
        # "  1. " and ": " are seven characters.
        yield f"  {number}. {truncate(name, _WIDTH - 7 - len(effect))}: {effect}"
    if not overview.state.updates:
        yield f"  {wording.no_updates(overview)}"


def _needs(overview: Overview, room: int) -> Iterator[str]:
    """Yield what needs people: a line for each item, with details as long as there is room."""
    items = list(wording.needs(overview))
    if not items:
        yield "  Nothing."
        return
    hidden = max(len(items) - room, 0)
    if hidden:
        items = items[: room - 1]
    rest = room - len(items) - bool(hidden)
    for item in items:
        details = item.details[:rest]
        rest -= len(details)
        intro = item.intro if details else _ELSEWHERE if item.details else ""
        yield _line(item.line, "  ") + intro
        yield from (_line(detail, "    ") for detail in details)
    if hidden:
        yield f"  {hidden + 1} more{_ELSEWHERE}"


def _line(line: NamedLine, indent: str) -> str:
    """Format a line with as many names as fit."""
    room = _WIDTH - len(indent) - len(line.before) - len(line.after)
    return f"{indent}{line.before}{_names(line.names, room, more=line.more)}{line.after}"


def _names(names: Sequence[str], room: int, *, more: bool) -> str:
    for number in range(len(names), 0, -1):
        tail = ", ..." if more or number < len(names) else ""
        text = ", ".join(names[:number]) + tail
        if len(text) <= room:
            return text
    return truncate(names[0], max(room, 3)) if names else ""
