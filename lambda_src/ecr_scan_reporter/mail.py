"""A report as plain text, for people: SNS mail has no markup, and mail clients wrap at about 76 columns."""

from collections.abc import Iterator, Mapping
from datetime import UTC

from .gathering import ImageReport, Package, packages, short
from .models import Finding
from .wording import clock, counts, cut, headline, image_link, plural, printable

_WIDTH = 76
# Findings that are shown of one package before "and 5 more".
_PER_PACKAGE = 3


def text(
    told: list[ImageReport],
    failed: list[ImageReport],
    *,
    thresholds: Mapping[str, int],
    partition: str,
    name: str,
    part: tuple[int, int],
    most: int,
) -> str:
    """The mail.

    Args:
        told: images over a threshold, worst first.
        failed: images whose scan failed.
        thresholds: findings of a severity from which an image is told.
        partition: the account's, such as `aws-cn`.
        name: the instance of this module that speaks.
        part: which of how many messages this is.
        most: findings that are shown of one image.
    """
    lines = list(_head(told, failed, thresholds, part))
    for number, report in enumerate(told, start=1):
        lines += ["", *_image(number, report, partition, most)]
    if failed:
        lines += ["", "Scans that failed"]
        for report in failed:
            lines += _failure(report, partition)
    account = (told or failed)[0].event.account
    lines += ["", "--", f'Sent by ecr-scan-reporter "{name}" in {account}.']
    lines += ["Thresholds, groups and subscribers are inputs of its module block."]
    return "\n".join(printable(line) for line in lines) + "\n"


def _head(
    told: list[ImageReport], failed: list[ImageReport], thresholds: Mapping[str, int], part: tuple[int, int]
) -> Iterator[str]:
    reports = told + failed
    event = reports[0].event
    times = sorted(report.event.time.astimezone(UTC) for report in reports)
    until = f" to {clock(times[-1])}" if clock(times[-1]) != clock(times[0]) else ""
    yield f"{headline(told, failed)}."
    yield f"Account {event.account}, {event.region}, {times[0]:%d %b %Y}, {clock(times[0])}{until} UTC."
    if told:
        limits = ", ".join(f"{severity} {number}" for severity, number in thresholds.items())
        yield f"Told from these numbers of findings: {limits}."
    if part[1] > 1:
        yield f"Message {part[0]} of {part[1]}: together they were too long for one."


def _image(number: int, report: ImageReport, partition: str, most: int) -> Iterator[str]:
    platform = f" ({report.platform})" if report.platform else ""
    bare = "" if report.tags else " (no tag)"
    yield f"{number}. {report.name}{platform}{bare}"
    yield f"   {counts(report.counts)}; scanned {clock(report.event.time)} UTC"
    also = f", also tagged {', '.join(report.tags[1:4])}" if len(report.tags) > 1 else ""
    yield f"   {short(report.event.digest)}{cut(also, _WIDTH - 22)}"
    shown = report.findings[:most]
    if shown:
        yield ""
    for package in packages(shown):
        yield from _package(package)
    if left := len(report.findings) - len(shown):
        yield f"   and {plural(left, 'more finding')}"
    if link := image_link(report, partition):
        yield ""
        yield f"   {link}"


def _package(package: Package) -> Iterator[str]:
    name = f"{package.name} {package.installed}".strip() or "package not named"
    fixed = f", fixed in {package.fixed}" if package.fixed else ""
    line = f"{name}: {plural(len(package.findings), 'CVE')}{fixed}"
    yield f"   {cut(line, _WIDTH - 3)}"
    for finding in package.findings[:_PER_PACKAGE]:
        yield f"     {_finding(finding)}"
    if (left := len(package.findings) - _PER_PACKAGE) > 0:
        yield f"     and {left} more"


def _finding(finding: Finding) -> str:
    exploit = "  exploit known" if finding.exploit else ""
    line = f"{finding.severity:<9} {cut(finding.name, 24)}{exploit}"
    return f"{line}  {finding.link}" if finding.link.startswith("https://") else line


def _failure(report: ImageReport, partition: str) -> Iterator[str]:
    yield f"   {report.name}"
    words = "the operating system is not supported" if report.unsupported else report.reason or "ECR gives no reason"
    yield f"     {cut(words, _WIDTH - 5)}"
    if link := image_link(report, partition):
        yield f"     {link}"
