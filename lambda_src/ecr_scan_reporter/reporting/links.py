"""Finds the image that an image replaces, and what is known of it, in memory and in ECR."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import NamedTuple

from ecr_scan_reporter.aws.dynamodb import Table
from ecr_scan_reporter.aws.ecr import EcrRegistry
from ecr_scan_reporter.errors import ImageNotFoundError, RepositoryNotFoundError
from ecr_scan_reporter.memory.images import ImageMemory, ImageRecord, Remembered
from ecr_scan_reporter.memory.pushes import PushedImage, pushed_images
from ecr_scan_reporter.models.images import ImageId
from ecr_scan_reporter.reporting.comparison.changes import KnownFinding
from ecr_scan_reporter.reporting.comparison.lineage import Candidates, candidates, siblings
from ecr_scan_reporter.reporting.reports.encoding import FINDINGS_FORMAT, decode_findings

# How many images back the findings are looked for, if scans of the last ones failed or could not be read.
_MAX_BACK = 5


class Link(NamedTuple):
    """What an image is compared with when it is scanned for the first time.

    Args:
        predecessor: the image that it replaces; None if it replaces none.
        record: of the predecessor.
        findings: of the predecessor, or of the last one before it whose findings are known.
        scanner: that listed these findings.
        replaced: the digests of the predecessor and of its other platforms.
        known_here: the findings of an image that is alike, if it replaces none.
        known_here_reported_at: when that image was last reported (aware).
    """

    predecessor: ImageId | None = None
    record: ImageRecord = ImageRecord()
    findings: Sequence[KnownFinding] = ()
    scanner: str = ""
    replaced: tuple[str, ...] = ()
    known_here: Sequence[KnownFinding] = ()
    known_here_reported_at: datetime | None = None


def is_comparable(record: ImageRecord) -> bool:
    """Return whether the findings of the last complete scan are remembered, in a format that this release reads."""
    return record.scanned_at is not None and record.findings_format == FINDINGS_FORMAT


def find_link(image: ImageId, pushed: PushedImage, memory: ImageMemory, table: Table, ecr: EcrRegistry) -> Link:
    """Find what an image is compared with: one query, and one read of the candidates; more calls only in rare cases.

    Args:
        image: of this registry.
        pushed: the same, with what its first scan found.
        memory: of the images.
        table: of the memory.
        ecr: the registry.

    Raises:
        AwsError: DynamoDB or ECR rejected a call.
    """
    others = pushed_images(table, image)
    found = candidates(pushed, others)
    wanted = dict.fromkeys(image._replace(digest=other.digest) for other in (*found.replaced, *found.alike))
    remembered = memory.read_many(wanted) if wanted else {}
    if link := _predecessor(image, found, remembered, others, memory):
        return link
    for alike in found.alike:
        known = remembered[image._replace(digest=alike.digest)]
        if not is_comparable(known.record):
            continue
        # It may have a tag by now that no scan has seen.
        with suppress(ImageNotFoundError, RepositoryNotFoundError):
            tags = ecr.image(image.repository, alike.digest).tags
            found = candidates(pushed, [alike._replace(tags=tags)])
            if set(tags) - set(alike.tags) and (link := _predecessor(image, found, remembered, others, memory)):
                return link
        return Link(known_here=decode_findings(known.findings), known_here_reported_at=known.record.reported_at)
    return Link()


def _predecessor(
    image: ImageId,
    found: Candidates,
    remembered: Mapping[ImageId, Remembered],
    others: Sequence[PushedImage],
    memory: ImageMemory,
) -> Link | None:
    known = [(other, remembered[image._replace(digest=other.digest)]) for other in found.replaced]
    known = [(other, entry) for other, entry in known if entry.record.revision]
    if found.of_family:
        known = [(other, entry) for other, entry in known if not entry.record.successors] or known
    if not known:
        return None
    chosen, entry = known[0]
    replaced = (chosen.digest, *(digest for digest in siblings(chosen, others) if digest != image.digest))
    predecessor, record = image._replace(digest=chosen.digest), entry.record
    for _ in range(_MAX_BACK):
        if is_comparable(entry.record) or not entry.record.predecessor:
            break
        entry = memory.read(image._replace(digest=entry.record.predecessor))
    if not is_comparable(entry.record):
        return Link(predecessor, record, replaced=replaced)
    return Link(predecessor, record, decode_findings(entry.findings), entry.record.scanner, replaced)
