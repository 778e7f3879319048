"""The remembered findings of an image, the baseline that its next scan is compared with, and what is inventory."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import NamedTuple

from ecr_scan_reporter.memory.codec import pack_as, readable, unpack_as
from ecr_scan_reporter.memory.images import ImageRecord, Remembered
from ecr_scan_reporter.memory.items import formats
from ecr_scan_reporter.memory.pushes import PushedImage
from ecr_scan_reporter.models.findings import Finding, finding_sort_key
from ecr_scan_reporter.models.images import ImageId
from ecr_scan_reporter.reporting.comparison.changes import Absence, KnownFinding
from ecr_scan_reporter.reporting.formatting import short_digest
from ecr_scan_reporter.settings import ReporterSettings

# The first format with findings that are identified as now. A release that identifies them in another way changes it;
# the findings of every image then count as a first inventory again.
COMPARABLE_FROM_FORMAT = 1
_MAX_PATHS = 5
# An image is inventory if it was pushed longer than this before memory could have known it: see `is_inventory`.
_NEWS_IF_PUSHED_WITHIN = timedelta(days=1)
# Bytes of the findings of an image, which are written in one transaction: that has room for 4 MB.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
_MAX_FINDINGS_SIZE = 3_000_000

# The type as which the findings of an image are encoded.
Findings = tuple[KnownFinding, ...]


class Baseline(NamedTuple):
    """The baseline that a complete scan is compared with.

    Args:
        findings: of this digest or its predecessor; None if those of the predecessor cannot be compared.
        absence: the meaning of one of them that is missing.
        first: whether no earlier scan of this digest can be compared with it.
        inventory: whether nothing is new: the image was pushed before memory began to know its repository, the
            memory of it or its predecessor cannot be read, or another scanner found the findings that are compared.
        record: of this image, its predecessor, or the image that is alike.
        predecessor: the image that it replaces; None if it replaces none.
        replaced: the predecessor and its other platforms.
        successors: the digests of images that replace it already, as they replaced other platforms of it.
        known_here: the findings of an image that is alike, if it replaces none.
    """

    findings: Sequence[KnownFinding] | None = ()
    absence: Absence = Absence.OF_SUCCESSOR
    first: bool = True
    inventory: bool = False
    record: ImageRecord = ImageRecord()
    predecessor: ImageId | None = None
    replaced: tuple[PushedImage, ...] = ()
    successors: frozenset[str] = frozenset()
    known_here: Sequence[KnownFinding] = ()

    @property
    def name(self) -> str:
        """The name of the predecessor; "" if there is none."""
        return (self.record.tags or (short_digest(self.predecessor.digest),))[0] if self.predecessor else ""


def is_inventory(
    pushed_at: datetime | None, registry_known: datetime, repository_known: datetime, settings: ReporterSettings
) -> bool:
    """Return whether an image is older than what memory could know.

    A new repository, whose first scan may come as late as promised, is no inventory; one that was excluded is.

    Args:
        pushed_at: when the image was pushed; None if that is not known.
        registry_known: since when memory knows its registry.
        repository_known: since when memory knows its repository.
    """
    promised = settings.max_age.before(repository_known - settings.run_interval)
    known = min(max(registry_known, promised), repository_known)
    return pushed_at is not None and pushed_at < known - _NEWS_IF_PUSHED_WITHIN


def is_comparable(record: ImageRecord) -> bool:
    """Return whether the findings of the last complete scan are remembered, in a format that this release reads."""
    return (
        record.scanned_at is not None
        and record.findings_format in formats()
        and record.findings_format >= COMPARABLE_FROM_FORMAT
    )


def known_findings(remembered: Remembered) -> Sequence[KnownFinding] | None:
    """Return the findings of the last complete scan of an image; None if they are not known, or cannot be read."""
    if not is_comparable(remembered.record):
        return None
    return next(readable([remembered.findings], partial(unpack_as, Findings)), None)


def encode_findings(findings: Iterable[KnownFinding]) -> bytes:
    """Encode the findings of one image in at most 3 MB; the order of the findings makes no difference.

    Where that is too little, only the identity of each finding is kept, and then only of the worst ones.
    """
    kept = sorted(map(without_most_paths, findings), key=lambda known: (known.finding.package, known.finding.id))
    data = pack_as(Findings, kept)
    if len(data) > _MAX_FINDINGS_SIZE:
        kept = [known._replace(finding=_without_details(known.finding)) for known in kept]
        data = pack_as(Findings, kept)
    while len(data) > _MAX_FINDINGS_SIZE:
        kept = sorted(kept, key=lambda known: finding_sort_key(known.finding))[: len(kept) // 2]
        data = pack_as(Findings, kept)
    return data


def without_most_paths(known: KnownFinding) -> KnownFinding:
    """Return a finding with as many paths as are remembered."""
    finding = known.finding
    if len(finding.paths) <= _MAX_PATHS:
        return known
    return known._replace(finding=finding._replace(paths=finding.paths[:_MAX_PATHS]))


def _without_details(finding: Finding) -> Finding:
    return Finding(
        finding.id,
        finding.severity,
        finding.package,
        finding.installed_versions[:1],
        fix_available=finding.fix_available,
        exploit_available=finding.exploit_available,
        suppressed=finding.suppressed,
        versions_omitted=finding.versions_omitted + len(finding.installed_versions[1:]),
    )
