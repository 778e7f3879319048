"""Reads from ECR what an event does not say: the findings, or why the scan failed; and how often that is tried."""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta
from hashlib import sha256
from typing import NamedTuple

from ecr_scan_reporter.aws.ecr import EcrRegistry
from ecr_scan_reporter.errors import AwsError, FindingsNotReadError, ImageNotFoundError, RepositoryNotFoundError
from ecr_scan_reporter.models.findings import Finding
from ecr_scan_reporter.models.scan_statuses import ACTIVE, COMPLETE, EXPIRED, FAILED, IN_PROGRESS, UNSUPPORTED_SYSTEM
from ecr_scan_reporter.models.scans import BASIC, ENHANCED, ScanResult
from ecr_scan_reporter.reporting.intake.events import ScanEvent

# From this delivery on, an image whose findings cannot be read is reported without them.
LAST_READ = 3
# A scan's date and the time of its event differ by less.
DATES_DIFFER = timedelta(minutes=30)


class CompleteScan(NamedTuple):
    """A scan whose findings were read to the last page.

    Args:
        findings: as ECR lists them.
        operating_system: of the image; "" if ECR does not name it.
        listed: the number of ECR's entries by severity, to be compared with the counts of events.
        scanner: "basic" or "enhanced"; "" if that is not known.
        shorter: how the list differs from its event, which counts more findings or is of a later scan, or that ECR
            lists more than are kept; "" if none of this is so. Findings missing in such a list may be open.
        last_read: whether the list is not read again.
        is_older: whether ECR lists the scan before the one that the event announces.
        content: a hash of all that ECR lists, with the date; "" without a date: such a list may be of any scan.
    """

    completed_at: datetime
    findings: tuple[Finding, ...]
    operating_system: str
    listed: Mapping[str, int] = {}
    scanner: str = ""
    shorter: str = ""
    last_read: bool = True
    is_older: bool = False
    content: str = ""

    def agrees_with(self, event: ScanEvent) -> bool:
        """Return whether an event may have announced this scan, as far as its time and its counts tell."""
        is_newer = self.completed_at > event.time + DATES_DIFFER
        if self.is_older or event.failed or event.counts is None or is_newer:
            return not self.is_older
        return +Counter(event.counts) == +Counter(self.listed)

    def is_other_scanner(self, scanner: str) -> bool:
        """Return whether another scanner listed the known findings: each looks for something else."""
        return bool(scanner and self.scanner) and scanner != self.scanner


class FailedScan(NamedTuple):
    """A scan that failed; `reason` is ECR's, "" if it gives none."""

    reason: str

    @property
    def unsupported(self) -> bool:
        """Whether ECR does not support the operating system of the image."""
        return UNSUPPORTED_SYSTEM in self.reason


class UnreadScan(NamedTuple):
    """A scan whose findings cannot be read; `reason` says why. An expired scan is not worth a report.

    `in_progress`: whether the image is being scanned, or its scan has just ended, so that nothing can be read yet.
    """

    reason: str
    expired: bool = False
    in_progress: bool = False


def read_scan(event: ScanEvent, receives: int, ecr: EcrRegistry) -> CompleteScan | FailedScan | UnreadScan:
    """Read the result of the scan that an event announces.

    Args:
        receives: how often SQS has delivered its message.

    Raises:
        FindingsNotReadError: the findings are not there yet, or a call failed; the message should be retried.
    """
    image = event.image
    if image.registry != ecr.id:
        # This function can only read its own registry, where a repository of the same name is another one.
        return _failed_or_unread(event, f"the image is in account {image.account}, {image.region}")
    try:
        scan = ecr.findings.scan_result(image.repository, image.digest)
    except (ImageNotFoundError, RepositoryNotFoundError):
        return _failed_or_unread(event, "the image was deleted")
    except AwsError as error:
        return _unread(event, receives, str(error))
    if scan.status in (COMPLETE, ACTIVE):
        return _read_complete(event, receives, scan)
    return _read_incomplete(event, receives, scan)


def _read_complete(event: ScanEvent, receives: int, scan: ScanResult) -> CompleteScan | FailedScan | UnreadScan:
    """Return the result of a complete scan, unless it is not there yet, or the event announces a later one."""
    # Each finding of a result that was not counted is one entry.
    listed = scan.listed or Counter(finding.severity for finding in scan.findings)
    if not event.failed and not listed and any((event.counts or {}).values()) and not _is_newer(scan, event):
        # COMPLETE can precede the findings by seconds.
        return _unread(event, receives, "ECR returns no findings yet")
    last_read, is_older = receives >= LAST_READ, _is_older(scan, event)
    if is_older and not last_read:
        raise FindingsNotReadError(f"ECR lists the scan of {scan.completed_at} still")
    if is_older and event.failed:
        return FailedScan(scan.description)
    return _complete(event, scan, listed, last_read=last_read, is_older=is_older)


def _read_incomplete(event: ScanEvent, receives: int, scan: ScanResult) -> FailedScan | UnreadScan:
    """Return why there are no findings, by the status of a scan that is not complete."""
    is_basic_look = event.is_look and event.scanner == BASIC
    if event.failed or (is_basic_look and scan.status == FAILED):
        return FailedScan(scan.description)
    if scan.status in IN_PROGRESS and is_basic_look:
        return UnreadScan("the image is being scanned again", in_progress=True)
    if scan.status in IN_PROGRESS:
        return _unread(event, receives, "the image is being scanned again")
    reason = f"the last scan ended with {scan.status}" + (f": {scan.description}" if scan.description else "")
    return UnreadScan(reason, expired=scan.status == EXPIRED)


def _complete(
    event: ScanEvent, scan: ScanResult, listed: Mapping[str, int], *, last_read: bool, is_older: bool
) -> CompleteScan:
    counted, found = sum((event.counts or {}).values()), sum(listed.values())
    shorter, dated, scanner = "", _date(scan, event), scan.scanner or event.scanner
    if is_older:
        shorter = f"ECR lists the scan of {dated:%Y-%m-%d %H:%M} UTC still, which is older than its event."
    elif not event.failed and found < counted and not _is_newer(scan, event):
        if not last_read:
            raise FindingsNotReadError(f"ECR lists {found} of {counted} findings yet")
        shorter = f"The list of findings is shorter than its event says: it has {found:,} of {counted:,}."
    elif scan.left_out:
        kept = len(scan.findings)
        shorter = f"Only the worst {kept:,} of {kept + scan.left_out:,} findings are kept."
    values = dated and (int(dated.timestamp()), sorted(scan.findings), sorted(listed.items()), scan.left_out)
    content = sha256(repr(values).encode(errors="replace")).hexdigest()[:16] if dated else ""
    # Without a date, every event is a new result.
    at, system = dated or event.time, scan.operating_system
    return CompleteScan(at, scan.findings, system, listed, scanner, shorter, last_read, is_older, content)


def _is_older(scan: ScanResult, event: ScanEvent) -> bool:
    """Return whether ECR lists the scan before the one that an event announces; a look announces none."""
    dated = None if event.is_look else _date(scan, event)
    return dated is not None and dated < event.time - DATES_DIFFER


def _is_newer(scan: ScanResult, event: ScanEvent) -> bool:
    """Return whether ECR lists a scan after the one that an event announces, so that its counts do not matter."""
    dated = _date(scan, event)
    return dated is not None and dated > event.time + DATES_DIFFER


def _date(scan: ScanResult, event: ScanEvent) -> datetime | None:
    # With enhanced scanning, ECR's date may be that of the first scan, whatever the status.
    is_dated = scan.status == COMPLETE and (scan.scanner or event.scanner) != ENHANCED
    return scan.completed_at if is_dated else None


def _failed_or_unread(event: ScanEvent, reason: str) -> FailedScan | UnreadScan:
    return FailedScan(reason) if event.failed else UnreadScan(reason)


def _unread(event: ScanEvent, receives: int, reason: str) -> FailedScan | UnreadScan:
    if receives < LAST_READ:
        raise FindingsNotReadError(reason)
    return _failed_or_unread(event, reason)
