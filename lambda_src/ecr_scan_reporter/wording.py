"""How counts, times, links and foreign text read, in every form of a report."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from urllib.parse import quote, urlencode

from .gathering import ImageReport
from .settings import SEVERITIES

# The console's host per partition; the other partitions' consoles are not public.
_CONSOLES = {
    "aws": "console.aws.amazon.com",
    "aws-cn": "console.amazonaws.cn",
    "aws-us-gov": "console.amazonaws-us-gov.com",
}


def printable(text: str) -> str:
    """`text` without anything that breaks a line or hides: what is not printable becomes "?"."""
    return "".join(char if char.isprintable() else "?" for char in text)


def ascii_only(text: str) -> str:
    """`text` in printable ASCII; what is not becomes "?"."""
    return "".join(char if " " <= char <= "~" else "?" for char in text)


def cut(text: str, length: int) -> str:
    """`text` in at most `length` characters, with an ellipsis where it was cut."""
    return text if len(text) <= length else text[: length - 3] + "..."


def plural(number: int, word: str) -> str:
    """`1 image`, `2 images`."""
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def counts(numbers: Mapping[str, int]) -> str:
    """`2 critical, 9 high`, worst first."""
    known = [(severity, numbers.get(severity, 0)) for severity in SEVERITIES]
    return ", ".join(f"{number} {severity.lower()}" for severity, number in known if number) or "no findings"


def summed(reports: Iterable[ImageReport]) -> dict[str, int]:
    """The counts of several images together."""
    total = dict.fromkeys(SEVERITIES, 0)
    for report in reports:
        for severity in SEVERITIES:
            total[severity] += report.counts.get(severity, 0)
    return total


def clock(moment: datetime) -> str:
    """`09:14`, UTC."""
    return f"{moment.astimezone(UTC):%H:%M}"


def rfc3339(moment: datetime) -> str:
    """`2026-11-23T09:14:00Z`."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def headline(told: list[ImageReport], failed: list[ImageReport]) -> str:
    """`2 critical, 14 high in 3 images, 1 scan failed`."""
    worst = {severity: number for severity, number in summed(told).items() if severity in ("CRITICAL", "HIGH")}
    shown = worst if any(worst.values()) else summed(told)
    parts = [f"{counts(shown)} in {plural(len(told), 'image')}"] if told else []
    parts += [f"{plural(len(failed), 'scan')} failed"] if failed else []
    return ", ".join(parts)


def image_link(report: ImageReport, partition: str) -> str:
    """The image in the ECR console; empty where the partition has no console that is known."""
    host, event = _CONSOLES.get(partition), report.event
    if host is None:
        return ""
    place = "/".join(quote(part, safe="") for part in (event.account, *event.repository.split("/")))
    query = urlencode({"region": event.region})
    region = quote(event.region, safe="")
    return (
        f"https://{region}.{host}/ecr/repositories/private/{place}/_/image/{quote(event.digest)}/scan-results?{query}"
    )
