"""Splits the results of a group into pages and renders each page as one SNS message."""

from dataclasses import replace

from ecr_scan_reporter.aws.sns import MAX_MESSAGE, MAX_SUBJECT, ReportMessage, publications
from ecr_scan_reporter.models import severity_rank
from ecr_scan_reporter.reporting.rendering import chat, document, email
from ecr_scan_reporter.reporting.rendering.formatting import headline, to_ascii, total_counts, truncate
from ecr_scan_reporter.reporting.rendering.page import Context, Detail, Page
from ecr_scan_reporter.reporting.triage import Group, ImageResult

# The most detailed one that lets a group fit into one message is used; if none does, the last one, on several pages.
_DETAILS = (Detail(200, 12, 1000), Detail(50, 10, 100), Detail(20, 8, 20), Detail(8, 3, 10))
# For a single image that is too large for a message even so.
_LEAST_DETAIL = Detail(0, 0, 1)
# Bytes that are kept free: SNS may count more than the body, and a page's own number takes some.
_MARGIN = 4 * 1024
_PAGE_SIZE = MAX_MESSAGE - _MARGIN
# Bytes by which an image may grow on a page of many: its number, and a comma.
_IMAGE_MARGIN = 16


def build_pages(group: Group, context: Context) -> list[Page]:
    """Split a group into as few pages as fit; every result is on exactly one page."""
    results = (*group.images, *group.failed)
    for detail in _DETAILS:
        empty = Page(group.account, group.region, group.name, (), (), detail)
        chunks = _split(results, empty, context, stop_at_second=detail is not _DETAILS[-1])
        if len(chunks) == 1:
            break
    return [
        replace(_with(empty, chunk), detail=chunk_detail, part=number, parts=len(chunks))
        for number, (chunk, chunk_detail) in enumerate(chunks, start=1)
    ]


def _split(
    results: tuple[ImageResult, ...], empty: Page, context: Context, *, stop_at_second: bool
) -> list[tuple[list[ImageResult], Detail]]:
    """Split results, in their order, into chunks that fit on a page; each with the detail that makes it fit."""
    chunks: list[tuple[list[ImageResult], Detail]] = []
    base = _size(empty, context)
    room = 0
    for result in results:
        size = _size(_with(empty, [result]), context) - base + _IMAGE_MARGIN
        if size > room:
            if stop_at_second and chunks:
                return [*chunks, ([result], empty.detail)]
            fits = base + size <= _PAGE_SIZE
            chunks.append(([], empty.detail if fits else _LEAST_DETAIL))
            room = _PAGE_SIZE - base if fits else size
        chunks[-1][0].append(result)
        room -= size
    return chunks


def _with(page: Page, results: list[ImageResult]) -> Page:
    images = tuple(result for result in results if not result.failed)
    failed = tuple(result for result in results if result.failed)
    return replace(page, images=images, failed=failed)


def _size(page: Page, context: Context) -> int:
    report, _ = publications(build_message(page, context))
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
    results = page.results
    more = f" and {len(results) - 1} more" if len(results) > 1 else ""
    head = f"[ECR] {headline(page.images, page.failed)}: "
    name = to_ascii(results[0].name) if results else ""
    # Counts of every severity can fill the subject: truncate the image name first, then the counts.
    return truncate(head + truncate(name, max(MAX_SUBJECT - len(head) - len(more), 3)) + more, MAX_SUBJECT)


def _attributes(page: Page) -> dict[str, str | int | list[str]]:
    """Return what a subscriber's filter policy can match."""
    found = [severity for severity, number in total_counts(page.images).items() if number]
    attributes: dict[str, str | int | list[str]] = {
        "severity": min(found, key=severity_rank) if found else "NONE",
        "repositories": sorted({result.event.repository for result in page.results}),
        "account": page.account,
        "region": page.region,
        "failed_scans": len(page.failed),
    }
    return attributes | ({"group": page.group} if page.group else {})
