"""Renders a page as markdown for chat: a custom notification of Amazon Q Developer in chat applications.

https://docs.aws.amazon.com/chatbot/latest/adminguide/custom-notifs.html
"""

import json

from ecr_scan_reporter.reporting.findings import PackageFindings
from ecr_scan_reporter.reporting.rendering.formatting import (
    console_url,
    fix_advice,
    format_counts,
    headline,
    pluralize,
    replace_unprintable,
    truncate,
)
from ecr_scan_reporter.reporting.rendering.page import Context, Page
from ecr_scan_reporter.reporting.triage import ImageResult

# Characters, from the document above.
_MAX_TITLE, _MAX_DESCRIPTION = 250, 8000
# Characters reserved for "and 37 more images".
_TAIL = 100
_MAX_PACKAGES = 5


def render(page: Page, context: Context) -> str:
    """Render a page."""
    blocks = [_image(result, page, context) for result in page.images]
    blocks += [
        f"*Scan failed*: {code(result.name)} {code(result.failure_reason or 'no reason given')}"
        for result in page.failed
    ]
    description, shown = "", 0
    for block in blocks:
        if len(description) + len(block) > _MAX_DESCRIPTION - _TAIL:
            break
        description += block + "\n\n"
        shown += 1
    if more := len(blocks) - shown:
        description += f"and {pluralize(more, 'more image')}"
    return json.dumps(
        {
            "version": "1.0",
            "source": "custom",
            "content": {
                "textType": "client-markdown",
                "title": truncate(f"ECR: {headline(page.images, page.failed)}", _MAX_TITLE),
                "description": description.strip(),
            },
            "metadata": {
                "threadId": truncate(f"ecr-scan-reporter {context.name}", 100),
                "eventType": "ecr-scan-report",
            },
        },
        allow_nan=False,
    )


def code(text: str) -> str:
    """Format untrusted text as a code span, in which nothing is markup."""
    text = truncate(replace_unprintable(text), 200).replace("`", "'")
    return f"`{text.replace('&', '&amp;').replace('<', '&lt;').replace('>', '&gt;')}`"


def _image(result: ImageResult, page: Page, context: Context) -> str:
    url = console_url(result, context.partition)
    lines = [f"*{format_counts(result.counts)}*: {code(result.name)}{f' ([console]({url}))' if url else ''}"]
    if result.unread_reason:
        lines.append(f"• The findings could not be read: {code(result.unread_reason)}")
    if result.findings:
        shown = result.findings.packages[: min(_MAX_PACKAGES, page.detail.packages)]
        lines += [_package(package) for package in shown]
        if more := result.findings.total_packages - len(shown):
            lines.append(f"• and {pluralize(more, 'more package')}")
    return "\n".join(lines)


def _package(package: PackageFindings) -> str:
    worst = ", ".join(code(finding.id) for finding in package.worst)
    advice = f", {code(fix_advice(package))}" if package.fixes else ""
    return f"• {code(package.label)}: {pluralize(package.total, 'CVE')} ({worst}){advice}"
