"""Splits a report into pages, and renders each as one SNS message, with its subject and attributes."""

from collections import Counter
from collections.abc import Iterable, Iterator
from functools import partial
from itertools import chain, islice

from ecr_scan_reporter.aws.sns import MAX_SUBJECT, Attributes, ReportMessage
from ecr_scan_reporter.models.severities import severity_rank
from ecr_scan_reporter.reporting.chat_notification import notification
from ecr_scan_reporter.reporting.comparison.changes import Change
from ecr_scan_reporter.reporting.formatting import dumps, foot, origin, to_ascii, truncate
from ecr_scan_reporter.reporting.paging import entry_size, room_for_entries, split
from ecr_scan_reporter.reporting.reports import chat, document, email
from ecr_scan_reporter.reporting.reports.groups import Entry, FindingLimits, Group, Page, Sums, worst_first
from ecr_scan_reporter.reporting.reports.reasons import ReportReason
from ecr_scan_reporter.reporting.reports.wording import headline, title
from ecr_scan_reporter.settings import ReporterSettings

# The most detailed of these levels with which a report fits into one message is used; if there is none, the last one,
# on several pages, but not on more than this.
_LEVELS_OF_DETAIL = (FindingLimits(200, 1000), FindingLimits(50, 100), FindingLimits(20, 20), FindingLimits(8, 10))
_MAX_PAGES = 50
# For a report with more pages, and for an image that is too large for a message even then.
_LEAST_DETAIL = FindingLimits(0, 1)
# Repositories in the attribute of a message: their names and those of the other attributes share its room.
_MAX_REPOSITORIES = 500


def build_pages(group: Group, settings: ReporterSettings) -> list[Page]:
    """Split a report into as few pages as fit; every image that it names is on exactly one page."""
    repositories = worst_first(group.inventory.repositories.values()) if group.inventory else []
    entries: list[Entry] = [*group.named, *group.unnamed(), *repositories]
    for detail in (*_LEVELS_OF_DETAIL, _LEAST_DETAIL):
        empty = Page(group, (), detail)
        size_of = partial(_entry_size, detail=detail, settings=settings)
        first_room, room = _room(empty, settings), _room(empty._replace(part=2, parts=2), settings)
        chunks = chain.from_iterable(map(_split_by_name, split(entries, size_of, first_room, room)))
        # Whether there are more pages is known before their entries are measured. Reminders are no entries.
        most = _MAX_PAGES if detail is _LEVELS_OF_DETAIL[-1] else 1
        first, *others = islice(chunks, most + 1)
        if len(others) < most and (others or most > 1 or first_room >= 0):
            break
    pages = [empty._replace(entries=first)]
    for chunk in chain(others, chunks):
        fits = size_of(chunk[0]) <= room
        pages.append(Page(group, chunk, detail if fits else _LEAST_DETAIL))
    return [page._replace(part=number, parts=len(pages)) for number, page in enumerate(pages, start=1)]


def _split_by_name(entries: Iterable[Entry]) -> Iterator[list[Entry]]:
    """Yield entries in chunks whose repositories the attribute of a message has room for; one chunk at least."""
    chunk: list[Entry] = []
    names: set[str] = set()
    for entry in entries:
        if len(names) >= _MAX_REPOSITORIES and entry.repository not in names:
            yield chunk
            chunk, names = [], set()
        chunk.append(entry)
        names.add(entry.repository)
    yield chunk


def _room(empty: Page, settings: ReporterSettings) -> int:
    return room_for_entries(build_message(empty, settings._replace(chat_topic_arn="")))


def _entry_size(entry: Entry, detail: FindingLimits, settings: ReporterSettings) -> int:
    # Its repository is in an attribute of its message, too.
    return entry_size(document.entry_values(entry, detail, settings)) + len(dumps(entry.repository)) + 2


def build_message(page: Page, settings: ReporterSettings) -> ReportMessage:
    """Render a page in every format."""
    return ReportMessage(
        subject=_subject(page, settings),
        email=email.render(page, settings),
        document=document.render(page, settings),
        chat=chat.render(page, settings),
        attributes=_attributes(page),
    )


def smaller_messages(page: Page, settings: ReporterSettings) -> Iterator[ReportMessage]:
    """Yield a page with less and less, for what SNS never accepts: without findings, without images, without names."""
    yield build_message(page._replace(detail=_LEAST_DETAIL), settings)
    brief = build_message(page._replace(entries=(), detail=_LEAST_DETAIL, omitted=max(len(page.entries), 1)), settings)
    group, words = page.group, headline(page.group)
    left_out = f"Amazon SNS did not accept the text of this message ({page.id}), which names what was found."
    where = origin(group.registry, group.name, settings)
    text = "\n".join([f"{words}.", "", where, "", left_out, "", *foot(settings)]) + "\n"
    heading = title(group, settings)
    chat_text = notification(heading, left_out, "ecr-scan-report", settings.name, page.id) if brief.chat else ""
    brief = brief._replace(email=text, chat=chat_text)
    yield brief
    yield brief._replace(attributes={**brief.attributes, "repositories": []})


def _subject(page: Page, settings: ReporterSettings) -> str:
    images = (*page.group.images, *page.group.failed)
    part = f" ({page.part}/{page.parts})" if page.part > 1 else ""
    text = to_ascii(title(page.group, settings))
    if not images:
        return truncate(text, MAX_SUBJECT - len(part)) + part
    head, more = f"{text}: ", f" and {len(images) - 1:,} more" if len(images) > 1 else ""
    name = to_ascii(images[0].name)
    # Counts of every severity can fill the subject: truncate the image name first, then the counts.
    room = max(MAX_SUBJECT - len(part) - len(head) - len(more), 3)
    return truncate(head + truncate(name, room) + more, MAX_SUBJECT - len(part)) + part


def _attributes(page: Page) -> Attributes:
    """Return the attributes that a filter policy can match; at most ten.

    So `overdue` makes room for `group`, and `fixed` for `known_exploited`: who waits for bad news comes first.
    """
    group = page.group
    worst = group.sums.news + group.reminded.news or (group.inventory.counts if group.inventory else Counter())
    # What is open or overdue for longer is not new.
    new = group.by_reason.get(ReportReason.NEWS, Sums()).news
    unread = ReportReason.FINDINGS_NOT_READ in group.by_reason
    attributes: Attributes = {
        # Findings that were not read are not "no findings".
        "severity": min(worst, key=severity_rank) if worst else "UNDEFINED" if unread else "NONE",
        "new_critical": new["CRITICAL"],
        "new_high": new["HIGH"],
        "repositories": _repositories(page),
        "account": group.registry.account,
        "region": group.registry.region,
        "failed_scans": len(group.failed),
        "id": page.id,
    }
    attributes |= (
        {"known_exploited": group.exploited} if group.exploited else {"fixed": group.sums.changes[Change.FIXED]}
    )
    return attributes | ({"group": group.name} if group.name else {"overdue": group.sums.overdue.total()})


def _repositories(page: Page) -> list[str]:
    """Return the repositories of the entries on a page; on the first one, which has the whole text, others as well."""
    group = page.group
    own = {entry.repository for entry in page.entries}
    others = {image.repository for image in (*group.images, *group.failed, *group.reminders)}
    others |= set(group.inventory.repositories) if group.inventory else set()
    room = _MAX_REPOSITORIES - len(own) if page.part == 1 else 0
    return sorted(own | set(sorted(others - own)[:room]))
