"""Puts a group of images into messages for SNS: as few as the limit on their size allows."""

import json
from collections.abc import Callable
from dataclasses import dataclass

from .chat import notification
from .document import document
from .gathering import ImageReport, rank
from .mail import text
from .settings import ReporterSettings
from .wording import ascii_only, cut, headline, summed

# SNS: "UTF-8 text with no line breaks or control characters, and less than 100 characters", and 256 KiB for a message
# with its attributes. https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
_SUBJECT = 99
_MESSAGE = 256 * 1024
# Findings shown of one image, in the document and in the mail: as many as fit, and at least the last line's.
_DETAIL = ((200, 12), (50, 10), (20, 8), (8, 5))
_LEAST = _DETAIL[-1]


@dataclass(frozen=True, slots=True)
class Report:
    """One message. `body` is for SNS's MessageStructure=json; `images` are those it tells of."""

    subject: str
    body: str
    attributes: dict[str, tuple[str, str]]
    chat: str
    images: tuple[ImageReport, ...]

    @property
    def size(self) -> int:
        """Bytes, as SNS counts them: the message and its attributes."""
        attributes = sum(
            len(name.encode()) + len(kind.encode()) + len(value.encode())
            for name, (kind, value) in self.attributes.items()
        )
        return len(self.body.encode()) + attributes


def reports(images: list[ImageReport], group: str | None, settings: ReporterSettings) -> list[Report]:
    """Put one group of images, worst first, into messages; every image is in exactly one."""
    for detail in _DETAIL:
        whole = _report(images, group, settings, (1, 1), detail)
        if whole.size <= _MESSAGE:
            return [whole]
    parts = _split(images, lambda some: _report(some, group, settings, (999, 999), _LEAST).size <= _MESSAGE)
    return [_report(part, group, settings, (number, len(parts)), _LEAST) for number, part in enumerate(parts, start=1)]


def _split(images: list[ImageReport], fits: Callable[[list[ImageReport]], bool]) -> list[list[ImageReport]]:
    """Cut the list, in its order, into pieces that fit; a single image always does."""
    parts: list[list[ImageReport]] = []
    rest = images
    while rest:
        low, high = 1, len(rest)
        while low < high:
            middle = (low + high + 1) // 2
            low, high = (middle, high) if fits(rest[:middle]) else (low, middle - 1)
        parts.append(rest[:low])
        rest = rest[low:]
    return parts


def _report(
    images: list[ImageReport],
    group: str | None,
    settings: ReporterSettings,
    part: tuple[int, int],
    detail: tuple[int, int],
) -> Report:
    told = [image for image in images if not image.event.failed]
    failed = [image for image in images if image.event.failed]
    in_document, in_mail = detail
    common = {"thresholds": settings.thresholds, "partition": settings.partition, "name": settings.name, "part": part}
    body = {
        "default": document(told, failed, group=group, most=in_document, **common),  # type: ignore[arg-type]
        "email": text(told, failed, most=in_mail, **common),  # type: ignore[arg-type]
    }
    return Report(
        subject=_subject(told, failed),
        body=json.dumps(body, ensure_ascii=False),
        attributes=_attributes(told, failed, group),
        chat=notification(told, failed, settings.partition, settings.name, in_mail),
        images=tuple(images),
    )


def _subject(told: list[ImageReport], failed: list[ImageReport]) -> str:
    images = told + failed
    more = f" and {len(images) - 1} more" if len(images) > 1 else ""
    head = f"[ECR] {headline(told, failed)}: "
    # Counts of every severity can fill the subject by themselves: then the name gives way, and in the end they do.
    name = cut(ascii_only(images[0].name), max(_SUBJECT - len(head) - len(more), 3))
    return cut(head + name + more, _SUBJECT)


def _attributes(told: list[ImageReport], failed: list[ImageReport], group: str | None) -> dict[str, tuple[str, str]]:
    """What a subscriber's filter policy can pick by."""
    found = [severity for severity, number in summed(told).items() if number]
    event = (told or failed)[0].event
    repositories = sorted({image.event.repository for image in told + failed})
    attributes = {
        "severity": ("String", min(found, key=rank) if found else "NONE"),
        "repositories": ("String.Array", json.dumps(repositories)),
        "account": ("String", event.account),
        "region": ("String", event.region),
        "failed_scans": ("Number", str(len(failed))),
    }
    return attributes | ({"group": ("String", group)} if group else {})
