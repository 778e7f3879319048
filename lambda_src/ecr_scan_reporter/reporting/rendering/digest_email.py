"""Renders a digest as plain text for email: at most 40 lines of 76 columns, whatever the size of the registry.

The first page says all that the digest has to say to people; further pages have the rest of the JSON document.
"""

from collections.abc import Iterator, Sequence

from ecr_scan_reporter.reporting.digest import Digest
from ecr_scan_reporter.reporting.rendering import digest_wording as wording
from ecr_scan_reporter.reporting.rendering.digest_wording import Item, Line
from ecr_scan_reporter.reporting.rendering.formatting import format_time, replace_unprintable, truncate
from ecr_scan_reporter.reporting.rendering.page import Context, DigestPage

_WIDTH, _HEIGHT = 76, 40
# Reasons with a line of their own, and the width of an update and of a reason.
_REASONS, _UPDATE, _REASON = 4, 42, 20


def render(page: DigestPage, context: Context) -> str:
    """Render a page."""
    digest = page.digest
    if page.part > 1:
        lines = [f"Message {page.part} of {page.parts} has no text of its own: the first one has all of it."]
        lines += ["The messages are parts of one JSON document."]
    else:
        lines = [*_head(digest), "", *_promise(digest), "", *_changes(digest), "", *_updates(digest), "", "Needs you"]
    footer = ["", "--", f'Sent by ecr-scan-reporter "{context.name}" in {digest.account}.']
    if page.part == 1:
        lines += _needs(digest, _HEIGHT - len(lines) - len(footer))
    return "\n".join(truncate(replace_unprintable(line), _WIDTH) for line in [*lines, *footer]) + "\n"


def _head(digest: Digest) -> Iterator[str]:
    words = wording.news(digest)
    yield f"{words[:1].upper()}{words[1:]}."
    made = f"{wording.format_date(digest.made_at)}, {format_time(digest.made_at)} UTC"
    where = f"Account {digest.account}, {digest.region}, {made}"
    yield f"{where}." if digest.group is None else f"{where}, {digest.group}."


def _promise(digest: Digest) -> Iterator[str]:
    yield f"Promise: every image is scanned within {wording.format_age(digest.max_age)}"
    words = wording.promise(digest)
    late = digest.late
    end = f"; {sum(late.values()):,} {'is' if sum(late.values()) == 1 else 'are'} not:" if late else "."
    yield f"  {words[:1].upper()}{words[1:]}{end}"
    reasons = list(late)
    if len(reasons) > _REASONS:
        reasons = reasons[: _REASONS - 1]
    for reason in reasons:
        before = f"  {late[reason]:>7,}  {truncate(wording.reason_words(reason), _REASON):<{_REASON}}  "
        yield _line(Line(before, digest.examples.get(reason, ()), late[reason]), "").rstrip()
    others = {reason: number for reason, number in late.items() if reason not in reasons}
    if others:
        words = ", ".join(f"{wording.reason_words(reason)} {number:,}" for reason, number in others.items())
        yield f"  {sum(others.values()):>7,}  others: {words}"
    if excluded := wording.not_promised(digest):
        yield f"  Not promised: {excluded}."
    if digest.stale:
        yield _line(wording.stale(digest), "  ")


def _changes(digest: Digest) -> Iterator[str]:
    if digest.changes is None or digest.since is None:
        yield "Changes: none yet, this is the first digest"
        yield f"  {wording.open_now(digest)}."
        return
    yield f"Changes since {wording.format_date(digest.since)}, {format_time(digest.since)} UTC"
    for sign, number, words in wording.balance(digest.changes, digest):
        yield f"  {sign:1} {number:>9,}  {words}"


def _updates(digest: Digest) -> Iterator[str]:
    yield "Do first"
    for number, update in enumerate(digest.updates, start=1):
        name = truncate(wording.update_names(update), _UPDATE)
        yield f"  {number}. {name:<{_UPDATE}}  {wording.update_effect(update)}"
    if not digest.updates:
        yield "  No package with open findings is known." if digest.total_open else "  Nothing is open."


def _needs(digest: Digest, room: int) -> Iterator[str]:
    """Yield what needs people: first a line of each, then details as far as there is room."""
    items = list(wording.needs(digest))
    if not items:
        yield "  Nothing."
        return
    hidden = max(len(items) - room, 0)
    if hidden:
        items = items[: room - 1]
    rest = room - len(items) - bool(hidden)
    for item in items:
        shown = _details(item, rest)
        yield _line(item.line, "  ")
        yield from shown
        rest -= len(shown)
    if hidden:
        yield f"  and {hidden + 1} more, which the JSON document has"


def _details(item: Item, room: int) -> list[str]:
    lines = [_line(detail, "    ") for detail in item.details[:room]]
    return lines


def _line(line: Line, indent: str) -> str:
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
