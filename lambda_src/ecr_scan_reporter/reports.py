"""What is worth telling of a scan, and how it reads."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote, urlencode

from .scan_events import ScanEvent
from .settings import SEVERITIES

# SNS: "UTF-8 text with no line breaks or control characters, and less than 100 characters".
# https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
_SUBJECT = 99

# The console's host per partition; the other partitions' consoles are not public.
_CONSOLES = {
    "aws": "console.aws.amazon.com",
    "aws-cn": "console.amazonaws.cn",
    "aws-us-gov": "console.amazonaws-us-gov.com",
}


@dataclass(frozen=True, slots=True)
class Report:
    """A message for people. `subject`: at most 99 printable ASCII characters."""

    subject: str
    text: str


def worth_telling(event: ScanEvent, thresholds: Mapping[str, int], notify_on_scan_failure: bool) -> bool:
    """Whether people should hear of this scan: it failed, or a severity's findings reach the severity's threshold."""
    if event.failed:
        return notify_on_scan_failure
    return any(event.counts.get(severity, 0) >= number for severity, number in thresholds.items())


def report(event: ScanEvent, partition: str, name: str) -> Report:
    """Put a scan into words.

    Args:
        event: the scan.
        partition: the account's, such as `aws-cn`.
        name: the instance of this module that speaks.
    """
    image = f"{event.repository}:{event.tags[0]}" if event.tags else f"{event.repository}@{event.digest[:19]}"
    head = "scan failed" if event.failed else _counts(event.counts)
    lines = [
        f"{head}: {image}",
        "",
        f"Image     {image}",
        *(f"          {event.repository}:{tag}" for tag in event.tags[1:]),
        f"Digest    {event.digest}",
        f"Account   {event.account} ({event.region})",
        f"Scanned   {event.time:%d %b %Y, %H:%M} UTC",
        f"Findings  {'none: the scan failed' if event.failed else _counts(event.counts)}",
    ]
    link = image_link(event, partition)
    if link:
        lines += ["", link]
    lines += ["", "--", f'Sent by ecr-scan-reporter "{name}".']
    return Report(subject=_subject(f"[ECR] {head}: {image}"), text="\n".join(_printable(line) for line in lines) + "\n")


def image_link(event: ScanEvent, partition: str) -> str | None:
    """The image in the ECR console, or None where the partition has no console that is known."""
    host = _CONSOLES.get(partition)
    if host is None:
        return None
    place = "/".join(quote(part, safe="") for part in (event.account, *event.repository.split("/")))
    query = urlencode({"region": event.region})
    return f"https://{event.region}.{host}/ecr/repositories/private/{place}/_/image/{quote(event.digest)}/scan-results?{query}"


def _counts(counts: Mapping[str, int]) -> str:
    known = [(severity, counts.get(severity, 0)) for severity in SEVERITIES]
    return ", ".join(f"{number} {severity.lower()}" for severity, number in known if number) or "no findings"


def _subject(text: str) -> str:
    plain = "".join(char if " " <= char <= "~" else "?" for char in text)
    return plain if len(plain) <= _SUBJECT else plain[: _SUBJECT - 3] + "..."


def _printable(line: str) -> str:
    return "".join(char if char.isprintable() else "?" for char in line)
