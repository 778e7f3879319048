"""Renders an overview as markdown for chat."""

from collections.abc import Iterator

from ecr_scan_reporter.reporting.chat_notification import MAX_DESCRIPTION, notification
from ecr_scan_reporter.reporting.formatting import code, format_date, format_duration, origin, reason_words
from ecr_scan_reporter.reporting.overviews import wording
from ecr_scan_reporter.reporting.overviews.overview import Overview, OverviewPage
from ecr_scan_reporter.reporting.overviews.wording import NamedLine

_TAIL = "The rest is in the JSON document."
# Names in one line, and further lines of one item; a name takes at most 200 characters before they are escaped.
_MAX_NAMES, _MAX_DETAILS = 3, 3


def render(page: OverviewPage) -> str:
    """Render a page: the whole overview on the first one, nothing on the others; nothing without a chat topic."""
    if page.part > 1 or not page.overview.settings.chat_topic_arn:
        return ""
    settings = page.overview.settings
    title = f"{settings.subject_prefix} overview: {wording.headline(page.overview)}"
    return notification(title, _description(page.overview), "ecr-scan-overview", settings.name, page.id)


def _description(overview: Overview) -> str:
    """Return as many lines as fit: a line is never cut, as that would leave markup open."""
    settings = overview.settings
    lines = [code(origin(settings.registry, overview.group, settings)), ""]
    lines += [*_promise(overview), "", *_changes(overview), "", *_exploited(overview)]
    lines += [*_updates(overview), "", *_needs(overview)]
    text = ""
    for line in lines:
        if len(text) + len(line) > MAX_DESCRIPTION - len(_TAIL):
            return text + _TAIL
        text += line + "\n"
    return text.strip()


def _promise(overview: Overview) -> Iterator[str]:
    yield f"*Promise: every image is scanned within {format_duration(overview.settings.max_age)}*"
    words = wording.promise(overview)
    if old := wording.no_run(overview):
        yield f"{old[:1].upper()}{old[1:]}. As of then:"
        words = wording.coverage(overview)
    yield f"{words[:1].upper()}{words[1:]}."
    for reason, number in overview.state.coverage.late.items():
        words = f"{number:,} {reason_words(reason)}"
        names = overview.state.coverage.names.get(reason, ())
        yield _line(NamedLine(f"• {words}: " if names else f"• {words}", names, number))
    if excluded := wording.not_promised(overview):
        yield f"• Not counted: {excluded}"


def _changes(overview: Overview) -> Iterator[str]:
    if overview.changes is None or overview.since is None or not overview.known:
        yield f"*{wording.no_changes(overview)}*"
        yield from wording.open_now(overview)
        return
    yield f"*Changes since {format_date(overview.since)}*"
    for sign, number, words in wording.balance(overview.changes, overview):
        yield f"• {sign} {number:,} {words}".replace("  ", " ")


def _exploited(overview: Overview) -> Iterator[str]:
    heading, lines = wording.exploited(overview)
    if heading:
        yield f"*{heading}*"
        yield from (f"• {_line(line)}" for line in lines)
        yield ""


def _updates(overview: Overview) -> Iterator[str]:
    yield "*Do first*"
    for update, *_ in overview.state.updates:
        yield f"• {code(wording.update_names(update))}: {wording.update_effect(update)}"
    if not overview.state.updates:
        yield wording.no_updates(overview)


def _needs(overview: Overview) -> Iterator[str]:
    yield "*Needs you*"
    items = list(wording.needs(overview))
    for item in items:
        yield f"• {_line(item.line)}{item.intro}"
        yield from (f"  {_line(detail)}" for detail in item.details[:_MAX_DETAILS])
        if (more := len(item.details) - _MAX_DETAILS) > 0:
            yield f"  and {more:,} more"
    if not items:
        yield "Nothing."


def _line(line: NamedLine) -> str:
    names = ", ".join(map(code, line.names[:_MAX_NAMES]))
    more = ", ..." if line.more or len(line.names) > _MAX_NAMES else ""
    return f"{line.before}{names}{more if names else ''}{line.after}"
