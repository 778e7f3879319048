"""Encodes findings and reports for the memory table: compressed JSON."""

from collections.abc import Iterable

from ecr_scan_reporter.memory.codec import decode, encode, pack, unpack
from ecr_scan_reporter.reporting.comparison.changes import KnownFinding
from ecr_scan_reporter.reporting.reports.image_report import ImageReport

# Of the remembered findings. A release that identifies findings in another way changes it; the findings of every image
# then count as a first inventory again.
FINDINGS_FORMAT = 1
_MAX_PATHS = 5


def encode_findings(findings: Iterable[KnownFinding]) -> bytes:
    """Encode the findings of one image; the order of the findings makes no difference."""
    kept = sorted(map(_without_most_paths, findings), key=lambda known: (known.finding.package, known.finding.id))
    return pack(encode(_Findings, kept))


def decode_findings(data: bytes) -> tuple[KnownFinding, ...]:
    """Decode what `encode_findings` encoded; what a newer release added is ignored.

    Raises:
        UnreadableItemError: it is something else.
    """
    return decode(_Findings, unpack(data)) if data else ()


def encode_report(image: ImageReport) -> bytes:
    """Encode what is to be reported of one image."""
    changes = {change: tuple(map(_without_most_paths, found)) for change, found in image.changes.items()}
    ignored = tuple(map(_without_most_paths, image.ignored))
    overdue = tuple(found._replace(known=_without_most_paths(found.known)) for found in image.overdue)
    return pack(encode(ImageReport, image._replace(changes=changes, ignored=ignored, overdue=overdue)))


def decode_report(data: bytes) -> ImageReport:
    """Decode what `encode_report` encoded; what a newer release added is ignored.

    Raises:
        UnreadableItemError: it is something else.
    """
    return decode(ImageReport, unpack(data))


_Findings = tuple[KnownFinding, ...]


def _without_most_paths(known: KnownFinding) -> KnownFinding:
    finding = known.finding
    if len(finding.paths) <= _MAX_PATHS:
        return known
    return known._replace(finding=finding._replace(paths=finding.paths[:_MAX_PATHS]))
