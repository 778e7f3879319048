"""Splits a report into pages and renders each page as one SNS message."""

import json
from collections.abc import Sequence

from ecr_scan_reporter.aws.sns import MAX_MESSAGE, MAX_SUBJECT, ReportMessage, publications
from ecr_scan_reporter.models.severities import severity_rank
from ecr_scan_reporter.reporting.comparison.changes import Change
from ecr_scan_reporter.reporting.formatting import Context, dumps, to_ascii, truncate
from ecr_scan_reporter.reporting.reports import chat, document, email
from ecr_scan_reporter.reporting.reports.grouping import Group, RepositoryInventory
from ecr_scan_reporter.reporting.reports.image_report import ImageReport, ReportReason, count_changes, count_news
from ecr_scan_reporter.reporting.reports.page import FindingLimits, Page
from ecr_scan_reporter.reporting.reports.wording import headline

# The most detailed one with which a report fits into one message is used; if there is none, the last one, on several
# pages.
_DETAILS = (FindingLimits(200, 1000), FindingLimits(50, 100), FindingLimits(20, 20), FindingLimits(8, 10))
# For an image that is too large for a message even then.
_LEAST_DETAIL = FindingLimits(0, 1)
# Bytes that are kept free: SNS may count more than the body, and a page's own number takes some.
_MARGIN = 4 * 1024
_PAGE_SIZE = MAX_MESSAGE - _MARGIN
# SNS limits the size of an attribute's value.
_MAX_REPOSITORIES = 500

_Entry = ImageReport | RepositoryInventory


def build_pages(group: Group, context: Context) -> list[Page]:
    """Split a report into as few pages as fit; every image is on exactly one page."""
    repositories = tuple(group.inventory.sorted_repositories()) if group.inventory else ()
    entries: list[_Entry] = [*group.images, *group.failed, *repositories]
    for detail in _DETAILS:
        empty = Page(group, (), (), (), detail)
        chunks = _split(entries, empty, context, stop_at_second=detail is not _DETAILS[-1])
        if len(chunks) == 1:
            break
    return [
        _with(empty, chunk)._replace(detail=chunk_detail, part=number, parts=len(chunks))
        for number, (chunk, chunk_detail) in enumerate(chunks, start=1)
    ]


def _split(
    entries: Sequence[_Entry], empty: Page, context: Context, *, stop_at_second: bool
) -> list[tuple[list[_Entry], FindingLimits]]:
    """Split entries, in their order, into chunks that fit on a page; each with the detail that makes it fit."""
    chunks: list[tuple[list[_Entry], FindingLimits]] = [([], empty.detail)]
    # The first page also has the text of the email.
    room = _PAGE_SIZE - _size(empty, context)
    further = _PAGE_SIZE - _size(empty._replace(part=2, parts=2), context)
    for entry in entries:
        size = _entry_size(entry, empty.detail, context)
        if size > room:
            if stop_at_second:
                return [*chunks, ([entry], empty.detail)]
            fits = size <= further
            room = further if fits else size
            chunks.append(([], empty.detail if fits else _LEAST_DETAIL))
        chunks[-1][0].append(entry)
        room -= size
    return chunks


def _entry_size(entry: _Entry, detail: FindingLimits, context: Context) -> int:
    """Return the bytes that an entry takes in a message: the document is a string in the JSON of the message."""
    match entry:
        case RepositoryInventory():
            value = document.repository(entry)
        case ImageReport(failed=True):
            value = document.failure(entry, detail, context)
        case _:
            value = document.image(entry, detail, context)
    return len(json.dumps(dumps(value), ensure_ascii=False).encode()) + 1


def _with(page: Page, entries: Sequence[_Entry]) -> Page:
    images = [entry for entry in entries if isinstance(entry, ImageReport)]
    return page._replace(
        images=tuple(image for image in images if not image.failed),
        failed=tuple(image for image in images if image.failed),
        repositories=tuple(entry for entry in entries if isinstance(entry, RepositoryInventory)),
    )


def _size(page: Page, context: Context) -> int:
    report, *_ = publications(build_message(page, context))
    return report.size


def build_message(page: Page, context: Context) -> ReportMessage:
    """Render a page in every format."""
    return ReportMessage(
        subject=_subject(page),
        email=email.render(page, context),
        document=document.render(page, context),
        chat=chat.render(page, context),
        attributes=_attributes(page),
    )


def _subject(page: Page) -> str:
    images = (*page.group.images, *page.group.failed)
    part = f" ({page.part}/{page.parts})" if page.part > 1 else ""
    text = f"[ECR] {headline(page.group)}"
    if not images:
        return truncate(to_ascii(text), MAX_SUBJECT - len(part)) + part
    head, more = f"{text}: ", f" and {len(images) - 1:,} more" if len(images) > 1 else ""
    name = to_ascii(images[0].name)
    # Counts of every severity can fill the subject: truncate the image name first, then the counts.
    room = max(MAX_SUBJECT - len(part) - len(head) - len(more), 3)
    return truncate(head + truncate(name, room) + more, MAX_SUBJECT - len(part)) + part


def _attributes(page: Page) -> dict[str, str | int | list[str]]:
    """Return what a subscriber's filter policy can match.

    At most ten: for queues with raw delivery, SNS discards messages with more. So `overdue` makes room for `group`.
    https://docs.aws.amazon.com/sns/latest/dg/sns-message-attributes.html
    """
    group = page.group
    found = count_news(group.images)
    worst = +found or (group.inventory.counts if group.inventory else found)
    unread = any(image.reason is ReportReason.FINDINGS_NOT_READ for image in group.images)
    repositories = {image.repository for image in (*group.images, *group.failed)}
    repositories |= set(group.inventory.repositories) if group.inventory else set()
    attributes: dict[str, str | int | list[str]] = {
        # Findings that were not read are not "no findings".
        "severity": min(worst, key=severity_rank) if worst else "UNDEFINED" if unread else "NONE",
        "new_critical": found["CRITICAL"],
        "new_high": found["HIGH"],
        "fixed": count_changes(group.images, Change.FIXED),
        "repositories": sorted(repositories)[:_MAX_REPOSITORIES],
        "account": group.account,
        "region": group.region,
        "failed_scans": len(group.failed),
        "part": page.part,
    }
    return attributes | ({"group": group.name} if group.name else {"overdue": group.overdue})
