"""Renders a digest as markdown for chat: a custom notification of Amazon Q Developer in chat applications.

https://docs.aws.amazon.com/chatbot/latest/adminguide/custom-notifs.html
"""

import json
from collections.abc import Iterator

from ecr_scan_reporter.reporting.digest import Digest
from ecr_scan_reporter.reporting.rendering import digest_wording as wording
from ecr_scan_reporter.reporting.rendering.chat import code
from ecr_scan_reporter.reporting.rendering.digest_wording import Line
from ecr_scan_reporter.reporting.rendering.formatting import format_date, format_duration, reason_words, truncate
from ecr_scan_reporter.reporting.rendering.page import Context, DigestPage

# Characters, from the document above.
_MAX_TITLE, _MAX_DESCRIPTION = 250, 8000
_TAIL = "The rest is in the JSON document."
# Names in one line, and further lines of one item; a name takes at most 200 characters.
_MAX_NAMES, _MAX_DETAILS = 3, 3


def render(page: DigestPage, context: Context) -> str:
    """Render a page: the whole digest on the first one, nothing on the others."""
    if page.part > 1:
        return ""
    digest = page.digest
    return json.dumps(
        {
            "version": "1.0",
            "source": "custom",
            "content": {
                "textType": "client-markdown",
                "title": truncate(f"ECR digest: {wording.headline(digest)}", _MAX_TITLE),
                "description": _description(digest),
            },
            "metadata": {
                "threadId": truncate(f"ecr-scan-reporter {context.name}", 100),
                "eventType": "ecr-scan-digest",
            },
        },
        allow_nan=False,
    )


def _description(digest: Digest) -> str:
    """Return as many lines as fit: a line is never cut, as that would leave markup open."""
    lines = [f"Group {code(digest.group)}", ""] if digest.group is not None else []
    lines += [*_promise(digest), "", *_changes(digest), "", *_updates(digest), "", *_needs(digest)]
    text = ""
    for line in lines:
        if len(text) + len(line) > _MAX_DESCRIPTION - len(_TAIL):
            return text + _TAIL
        text += line + "\n"
    return text.strip()


def _promise(digest: Digest) -> Iterator[str]:
    yield f"*Promise: every image is scanned within {format_duration(digest.max_age)}*"
    words = wording.promise(digest)
    if old := wording.no_run(digest):
        yield f"{old[:1].upper()}{old[1:]}. As of then:"
        words = wording.coverage(digest)
    yield f"{words[:1].upper()}{words[1:]}."
    for reason, number in digest.late.items():
        words = f"{number:,} {reason_words(reason)}"
        names = digest.examples.get(reason, ())
        yield _line(Line(f"• {words}: " if names else f"• {words}", names, number))
    if excluded := wording.not_promised(digest):
        yield f"• Not counted: {excluded}"


def _changes(digest: Digest) -> Iterator[str]:
    if digest.changes is None or digest.since is None or not digest.known:
        yield f"*{wording.no_changes(digest)}*"
        yield from wording.open_now(digest)
        return
    yield f"*Changes since {format_date(digest.since)}*"
    for sign, number, words in wording.balance(digest.changes, digest):
        yield f"• {sign} {number:,} {words}".replace("  ", " ")


def _updates(digest: Digest) -> Iterator[str]:
    yield "*Do first*"
    for update in digest.updates:
        yield f"• {code(wording.update_names(update))}: {wording.update_effect(update)}"
    if not digest.updates:
        yield wording.no_updates(digest)


def _needs(digest: Digest) -> Iterator[str]:
    yield "*Needs you*"
    items = list(wording.needs(digest))
    for item in items:
        yield f"• {_line(item.line)}{item.intro}"
        yield from (f"  {_line(detail)}" for detail in item.details[:_MAX_DETAILS])
        if (more := len(item.details) - _MAX_DETAILS) > 0:
            yield f"  and {more:,} more"
    if not items:
        yield "Nothing."


def _line(line: Line) -> str:
    names = ", ".join(map(code, line.names[:_MAX_NAMES]))
    more = ", ..." if line.more or len(line.names) > _MAX_NAMES else ""
    return f"{line.before}{names}{more if names else ''}{line.after}"
