"""Encodes findings and reports for the memory table: compressed JSON."""

from collections import Counter
from collections.abc import Iterable

from ecr_scan_reporter.memory.codec import decode, encode, pack, unpack
from ecr_scan_reporter.models.findings import Finding, finding_sort_key
from ecr_scan_reporter.reporting.comparison.changes import KnownFinding
from ecr_scan_reporter.reporting.reports.image_report import (
    MAX_FINDINGS,
    ImageReport,
    ReportReason,
    cut,
    leave_out,
)

# The first format with findings that are identified as now. A release that identifies them in another way changes it;
# the findings of every image then count as a first inventory again.
COMPARABLE = 1
_MAX_PATHS = 5
# Bytes of the findings of an image, which are written in one transaction: that has room for 4 MB. And of what is to be
# reported of it: an item has room for 400 KB.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
_MAX_FINDINGS_SIZE, _MAX_REPORT_SIZE = 3_000_000, 380_000
# How many findings a report keeps of an image: as many as there is room for.
_KEPT = (MAX_FINDINGS, 50, 10, 0)
# Tags of an image, and rules with what they ignore, that are kept where room is short.
_FEW = 50


def encode_findings(findings: Iterable[KnownFinding]) -> bytes:
    """Encode the findings of one image in at most 3 MB; the order of the findings makes no difference.

    Where that is too little, only what identifies a finding is kept of each, and then only of the worst ones.
    """
    kept = sorted(map(_without_most_paths, findings), key=lambda known: (known.finding.package, known.finding.id))
    data = pack(encode(_Findings, kept))
    if len(data) > _MAX_FINDINGS_SIZE:
        kept = [known._replace(finding=_without_details(known.finding)) for known in kept]
        data = pack(encode(_Findings, kept))
    while len(data) > _MAX_FINDINGS_SIZE:
        kept = sorted(kept, key=lambda known: finding_sort_key(known.finding))[: len(kept) // 2]
        data = pack(encode(_Findings, kept))
    return data


def decode_findings(data: bytes) -> tuple[KnownFinding, ...]:
    """Decode what `encode_findings` encoded; what a newer release added is ignored.

    Raises:
        UnreadableItemError: it is something else.
    """
    return decode(_Findings, unpack(data))


def encode_report(image: ImageReport) -> bytes:
    """Encode what is to be reported of one image in at most 380 KB: the findings that there is room for."""
    for kept in _KEPT:
        data = pack(encode(ImageReport, _keep(image, kept)))
        if len(data) <= _MAX_REPORT_SIZE:
            break
    return data


def _keep(image: ImageReport, number: int) -> ImageReport:
    kept = cut(image, number)
    if number < MAX_FINDINGS:
        # The counts are of all. Two reports of one window are combined from what is left out as well.
        left_out = {} if image.reason is ReportReason.INVENTORY else leave_out(image.changes, kept.changes)
        kept = kept._replace(
            left_out={**image.left_out, **left_out},
            tags=image.tags[:_FEW],
            ignored_by=dict(Counter(image.ignored_by).most_common(_FEW)),
        )
    return kept._replace(
        changes={change: tuple(map(_without_most_paths, found)) for change, found in kept.changes.items()},
        ignored=tuple(map(_without_most_paths, kept.ignored)),
        overdue=tuple(found._replace(known=_without_most_paths(found.known)) for found in kept.overdue),
        exploited=tuple(map(_without_most_paths, kept.exploited)),
    )


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
