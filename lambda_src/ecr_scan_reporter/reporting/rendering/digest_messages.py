"""Splits a digest into pages and renders each page as one SNS message."""

import json
from collections.abc import Iterator

from ecr_scan_reporter.aws.sns import MAX_MESSAGE, MAX_SUBJECT, ReportMessage, publications
from ecr_scan_reporter.reporting.digest import Digest, RepositoryRow
from ecr_scan_reporter.reporting.rendering import digest_chat, digest_document, digest_email
from ecr_scan_reporter.reporting.rendering.digest_wording import headline
from ecr_scan_reporter.reporting.rendering.document import dumps
from ecr_scan_reporter.reporting.rendering.formatting import to_ascii, truncate
from ecr_scan_reporter.reporting.rendering.page import Context, DigestPage

# Bytes that are kept free: SNS may count more than the body, and a page's own number takes some.
_MARGIN = 4 * 1024
_PAGE_SIZE = MAX_MESSAGE - _MARGIN
# Characters of a group's name in the subject, at least; below that it is left out.
_MIN_GROUP = 8


def build_pages(digest: Digest, context: Context) -> list[DigestPage]:
    """Split a digest into as few pages as fit; every repository is on exactly one page."""
    empty = DigestPage(digest, ())
    # The first page also has the text of the email.
    room = _PAGE_SIZE - _size(empty, context)
    further = _PAGE_SIZE - _size(empty._replace(part=2, parts=2), context)
    chunks: list[list[RepositoryRow]] = [[]]
    for row in digest.repositories:
        size = _row_size(row)
        if size > room:
            chunks.append([])
            room = further
        chunks[-1].append(row)
        room -= size
    return [DigestPage(digest, tuple(chunk), number, len(chunks)) for number, chunk in enumerate(chunks, start=1)]


def build_messages(digest: Digest, context: Context) -> Iterator[ReportMessage]:
    """Yield the messages of a digest, rendered one after the other."""
    for page in build_pages(digest, context):
        yield build_message(page, context)


def build_message(page: DigestPage, context: Context) -> ReportMessage:
    """Render a page in every format."""
    return ReportMessage(
        subject=subject(page.digest, f" ({page.part}/{page.parts})" if page.part > 1 else ""),
        email=digest_email.render(page, context),
        document=digest_document.render(page, context),
        chat=digest_chat.render(page, context),
        attributes=_attributes(page),
    )


def subject(digest: Digest, part: str = "") -> str:
    """Return the subject, which alone says whether to open the digest."""
    prefix, words = "[ECR] ", headline(digest)
    room = MAX_SUBJECT - len(prefix) - len(part)
    if len(words) > room:
        words = words.replace(" scanned in time", " in time")
    free = room - len(words) - 2
    if digest.group is not None and free >= min(_MIN_GROUP, len(digest.group)):
        words = f"{truncate(to_ascii(digest.group), free)}: {words}"
    else:
        words = words[:1].upper() + words[1:]
    return prefix + truncate(words, room) + part


def _attributes(page: DigestPage) -> dict[str, str | int | list[str]]:
    """Return what a subscriber's filter policy can match.

    At most ten: for queues with raw delivery, SNS discards messages with more.
    https://docs.aws.amazon.com/sns/latest/dg/sns-message-attributes.html
    """
    digest = page.digest
    critical, high = (digest.changes.new_critical, digest.changes.new_high) if digest.changes else (0, 0)
    attributes: dict[str, str | int | list[str]] = {
        "kind": "digest",
        "severity": "CRITICAL" if critical else "HIGH" if high else "NONE",
        "new_critical": critical,
        "new_high": high,
        "overdue": digest.overdue,
        "failed_scans": digest.coverage.get("failed", 0),
        "account": digest.account,
        "region": digest.region,
        "part": page.part,
    }
    return attributes | ({"group": digest.group} if digest.group else {})


def _size(page: DigestPage, context: Context) -> int:
    report, *_ = publications(build_message(page, context))
    return report.size


def _row_size(row: RepositoryRow) -> int:
    """Return the bytes that a row takes in a message: the document is a string in the JSON of the message."""
    text = dumps(digest_document.repository(row))
    return len(json.dumps(text, ensure_ascii=False).encode()) + 1
