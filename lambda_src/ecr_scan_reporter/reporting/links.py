"""What an image is compared with when it is scanned for the first time, and what is known of an image at all."""

from collections.abc import Sequence
from typing import NamedTuple

from ecr_scan_reporter.memory.codec import readable
from ecr_scan_reporter.memory.images import ImageRecord, Remembered
from ecr_scan_reporter.memory.items import formats
from ecr_scan_reporter.memory.pushes import PushedImage
from ecr_scan_reporter.models.images import ImageId
from ecr_scan_reporter.reporting.comparison.changes import KnownFinding
from ecr_scan_reporter.reporting.reports.encoding import COMPARABLE, decode_findings


class Link(NamedTuple):
    """What an image is compared with when it is scanned for the first time.

    Args:
        predecessor: the image that it replaces; None if it replaces none.
        record: of the predecessor, or of the image that is alike.
        findings: of the predecessor; None if nothing can be compared with them.
        scanner: that listed these findings.
        replaced: the predecessor and its other platforms.
        successors: the digests of images that replace it already, as they replaced other platforms of it.
        known_here: the findings of an image that is alike, if it replaces none.
    """

    predecessor: ImageId | None = None
    record: ImageRecord = ImageRecord()
    findings: Sequence[KnownFinding] | None = ()
    scanner: str = ""
    replaced: tuple[PushedImage, ...] = ()
    successors: frozenset[str] = frozenset()
    known_here: Sequence[KnownFinding] = ()


def is_comparable(record: ImageRecord) -> bool:
    """Return whether the findings of the last complete scan are remembered, in a format that this release reads."""
    return (
        record.scanned_at is not None and record.findings_format in formats() and record.findings_format >= COMPARABLE
    )


def known_findings(remembered: Remembered) -> Sequence[KnownFinding] | None:
    """Return the findings of the last complete scan of an image; None if they are not known, or cannot be read."""
    if not is_comparable(remembered.record):
        return None
    return next(readable([remembered.findings], decode_findings), None)
