"""Renders a page as plain text for email: SNS mail has no markup, and mail clients wrap at about 76 columns."""

from collections.abc import Iterator
from datetime import UTC

from ecr_scan_reporter.models import Finding
from ecr_scan_reporter.reporting.findings import PackageFindings
from ecr_scan_reporter.reporting.rendering.formatting import (
    console_url,
    fix_advice,
    format_counts,
    format_time,
    headline,
    pluralize,
    replace_unprintable,
    truncate,
)
from ecr_scan_reporter.reporting.rendering.page import Context, Page
from ecr_scan_reporter.reporting.triage import ImageResult, short_digest

_WIDTH = 76


def render(page: Page, context: Context) -> str:
    """Render a page."""
    lines = list(_head(page, context))
    for number, result in enumerate(page.images, start=1):
        lines += ["", *_image(number, result, page, context)]
    if page.failed:
        lines += ["", "Failed scans"]
        for result in page.failed:
            lines += _failure(result, context)
    lines += ["", "--", f'Sent by ecr-scan-reporter "{context.name}" in {page.account}.']
    lines += ["Its module block sets the thresholds, groups and subscribers."]
    return "\n".join(replace_unprintable(line) for line in lines) + "\n"


def _head(page: Page, context: Context) -> Iterator[str]:
    yield f"{headline(page.images, page.failed)}."
    times = sorted(result.event.time.astimezone(UTC) for result in page.results)
    if times:
        first, last = format_time(times[0]), format_time(times[-1])
        until = f" to {last}" if last != first else ""
        yield f"Account {page.account}, {page.region}, {times[0]:%d %b %Y}, {first}{until} UTC."
    if page.images:
        thresholds = ", ".join(f"{severity} {number}" for severity, number in context.thresholds.items())
        yield f"Reported at or above: {thresholds}."
    if page.parts > 1:
        yield f"Message {page.part} of {page.parts}: one message was too small for all images."


def _image(number: int, result: ImageResult, page: Page, context: Context) -> Iterator[str]:
    platform = f" ({result.platform})" if result.platform else ""
    untagged = "" if result.tags else " (no tag)"
    yield f"{number}. {result.name}{platform}{untagged}"
    yield f"   {format_counts(result.counts)}; scanned {format_time(result.event.time)} UTC"
    also = f", also tagged {', '.join(result.tags[1:4])}" if len(result.tags) > 1 else ""
    yield f"   {short_digest(result.event.digest)}{truncate(also, _WIDTH - 22)}"
    if result.unread_reason:
        yield "   The findings could not be read:"
        yield f"   {truncate(result.unread_reason, _WIDTH - 3)}."
    if result.findings:
        shown = result.findings.packages[: page.detail.packages]
        if shown:
            yield ""
        for package in shown:
            yield from _package(package)
        if more := result.findings.total_packages - len(shown):
            findings = result.findings.total - sum(package.total for package in shown)
            yield f"   and {pluralize(findings, 'more finding')} in {pluralize(more, 'package')}"
    if url := console_url(result, context.partition):
        yield ""
        yield f"   {url}"


def _package(package: PackageFindings) -> Iterator[str]:
    head = f"{truncate(package.label, 40)}: {pluralize(package.total, 'CVE')}"
    advice = fix_advice(package)
    if advice and len(head) + len(advice) + 2 <= _WIDTH - 3:
        yield f"   {head}, {advice}"
    else:
        yield f"   {head}"
        if advice:
            yield f"     {truncate(advice, _WIDTH - 5)}"
    for finding in package.worst:
        yield f"     {_finding(finding)}"
    if more := package.total - len(package.worst):
        yield f"     and {more} more"


def _finding(finding: Finding) -> str:
    exploit = "  exploit known" if finding.exploit_available else ""
    line = f"{finding.severity:<9} {truncate(finding.id, 24)}{exploit}"
    return f"{line}  {finding.url}" if finding.url else line


def _failure(result: ImageResult, context: Context) -> Iterator[str]:
    yield f"   {result.name}"
    reason = "The operating system is not supported."
    if not result.unsupported:
        reason = result.failure_reason or result.unread_reason or "ECR gives no reason."
    yield f"     {truncate(reason, _WIDTH - 5)}"
    if url := console_url(result, context.partition):
        yield f"     {url}"
