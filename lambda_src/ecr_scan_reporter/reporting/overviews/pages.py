"""Splits an overview into pages and renders each page as one SNS message."""

from collections.abc import Iterator

from ecr_scan_reporter.aws.sns import MAX_MESSAGE, MAX_SUBJECT, Attributes, ReportMessage
from ecr_scan_reporter.reporting.formatting import to_ascii, truncate
from ecr_scan_reporter.reporting.overviews import chat, document, email
from ecr_scan_reporter.reporting.overviews.overview import Overview, OverviewPage
from ecr_scan_reporter.reporting.overviews.wording import headline
from ecr_scan_reporter.reporting.paging import entry_size, room_for_entries, split
from ecr_scan_reporter.reporting.registry_state import RepositoryLine

# How many texts each list of the document has at most, besides that of the repositories: as many of these as leave half
# of the first message for the repositories. With the last one, they always do.
_MOST = (300, 20, 5, 1)
# Characters of a group's name in the subject, at least; below that it is left out.
_MIN_GROUP = 8


def build_messages(overview: Overview) -> Iterator[ReportMessage]:
    """Yield the messages of an overview, as few as fit; every repository is in exactly one of them."""

    def size_of(line: RepositoryLine) -> int:
        return entry_size(document.repository(line, overview))

    silent = overview._replace(settings=overview.settings._replace(chat_topic_arn=""))
    for most in _MOST:
        empty = OverviewPage(silent, (), most=most)
        first_room = room_for_entries(build_message(empty))
        if first_room >= MAX_MESSAGE // 2:
            break
    room = room_for_entries(build_message(empty._replace(part=2, parts=2)))
    chunks = list(split(overview.state.repositories, size_of, first_room, room))
    for number, chunk in enumerate(chunks, start=1):
        yield build_message(OverviewPage(overview, chunk, number, len(chunks), most))


def build_message(page: OverviewPage) -> ReportMessage:
    """Render a page in every format."""
    return ReportMessage(
        subject=subject(page.overview, f" ({page.part}/{page.parts})" if page.part > 1 else ""),
        email=email.render(page),
        document=document.render(page),
        chat=chat.render(page),
        attributes=_attributes(page),
    )


def subject(overview: Overview, part: str = "") -> str:
    """Return the subject, which alone says whether to open the overview."""
    prefix, words = f"{overview.settings.subject_prefix} ", headline(overview)
    room = MAX_SUBJECT - len(prefix) - len(part)
    if len(words) > room:
        words = words.replace(" scanned in time", " in time")
    free = room - len(words) - 2
    if overview.group is not None and free >= min(_MIN_GROUP, len(overview.group)):
        words = f"{truncate(to_ascii(overview.group), free)}: {words}"
    else:
        words = words[:1].upper() + words[1:]
    return prefix + truncate(words, room) + part


def _attributes(page: OverviewPage) -> Attributes:
    """Return the attributes that a subscriber's filter policy can match; at most ten.

    So `failed_scans` makes room for `known_exploited`.
    """
    overview = page.overview
    critical, high = (overview.changes.new_critical, overview.changes.new_high) if overview.changes else (0, 0)
    attributes: Attributes = {
        "kind": "overview",
        "severity": "CRITICAL" if critical else "HIGH" if high else "NONE",
        "new_critical": critical,
        "new_high": high,
        "overdue": overview.state.overdue,
        "account": overview.settings.account,
        "region": overview.settings.region,
        "id": page.id,
    }
    state = overview.state
    failed = state.coverage.counts.get("failed", 0)
    attributes |= {"known_exploited": state.exploited} if state.exploited else {"failed_scans": failed}
    return attributes | ({"group": overview.group} if overview.group else {})
