"""Processes the scan of one image: reads it, compares it with memory, and remembers the outcome in one transaction."""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import NamedTuple

from ecr_scan_reporter.aws.dynamodb import Table
from ecr_scan_reporter.aws.ecr import EcrRegistry
from ecr_scan_reporter.errors import AwsError, ConditionError
from ecr_scan_reporter.memory.images import ImageMemory, ImageRecord, Remembered
from ecr_scan_reporter.memory.outbox import INVENTORY, PUSH, Outbox, outbox_item, run_window
from ecr_scan_reporter.memory.scans import asked_run
from ecr_scan_reporter.models.images import ImageId, RegistryId
from ecr_scan_reporter.reporting.comparison.changes import Comparison, KnownFinding, compare, unchanged
from ecr_scan_reporter.reporting.comparison.ignored import RuleMatcher
from ecr_scan_reporter.reporting.comparison.judged import Judged, add_to_ledger, best_updates, count_new, judge
from ecr_scan_reporter.reporting.comparison.tracks import track_labels
from ecr_scan_reporter.reporting.formatting import short_digest
from ecr_scan_reporter.reporting.intake.events import ScanEvent
from ecr_scan_reporter.reporting.intake.image_details import BatchDetails, ImageDetails
from ecr_scan_reporter.reporting.intake.scan_results import CompleteScan, FailedScan, UnreadScan, read_scan
from ecr_scan_reporter.reporting.reports.encoding import (
    FINDINGS_FORMAT,
    decode_findings,
    encode_findings,
    encode_report,
)
from ecr_scan_reporter.reporting.reports.image_report import ImageReport, ReportReason
from ecr_scan_reporter.reporting.reports.reasons import (
    open_counts,
    over_thresholds,
    reason_of_scan,
    reason_without_scan,
)
from ecr_scan_reporter.reporting.reports.scan_report import findings_report, image_report
from ecr_scan_reporter.settings import ReporterSettings

logger = logging.getLogger(__name__)

# An image is inventory if it was pushed longer than this before memory began to know its repository.
_NEWS_BEFORE_KNOWN = timedelta(days=1)
# How often an image is compared if other invocations are faster.
_ATTEMPTS = 4


class Outcome(NamedTuple):
    """What became of one event.

    Args:
        windows: in which the image waits to be reported.
        run: the run that asked for the scan; "" if none did, or if the event was processed before.
        added: whether this event put the image into a window.
        repeated: whether the event, or a later one, was processed before.
        new: the new findings by severity, without those that a rule ignores.
    """

    windows: tuple[str, ...] = ()
    run: str = ""
    added: bool = False
    repeated: bool = False
    new: Mapping[str, int] = {}


class _Baseline(NamedTuple):
    """What a complete scan is compared with.

    Args:
        findings: of this digest, or of its predecessor.
        first: whether no earlier scan of this digest can be compared with it.
        successor: whether they are the predecessor's.
        predecessor: the name of the predecessor.
        reported_at: when this image, or its predecessor, was last reported.
        inventory: whether the image was pushed before memory began to know its repository.
    """

    findings: Sequence[KnownFinding] = ()
    first: bool = True
    successor: bool = False
    predecessor: str = ""
    reported_at: datetime | None = None
    inventory: bool = False


class ImageProcessor:
    """Processes scan events of one batch.

    Args:
        settings: of the reporter.
        ecr: the registry.
        table: the memory table.
        images: with scan events in this batch.
        rules: those for ignored findings.
        now: aware.
    """

    def __init__(
        self,
        settings: ReporterSettings,
        ecr: EcrRegistry,
        table: Table,
        images: Iterable[ImageId],
        rules: RuleMatcher,
        now: datetime,
    ) -> None:
        self.settings, self.ecr, self.rules, self.now = settings, ecr, rules, now
        self.memory, self.outbox = ImageMemory(table), Outbox(table)
        self.details = BatchDetails(ecr, table, images, now)
        self.own = RegistryId(settings.account, settings.region)

    def process(self, event: ScanEvent, receives: int) -> Outcome:
        """Compare a scan with what is remembered, and remember it.

        Args:
            event: of the scan.
            receives: how often SQS has delivered its message.

        Raises:
            FindingsNotReadError: the findings are not there yet; the message should be retried.
            AwsError: ECR or DynamoDB rejected a call.
        """
        return self._repeat_on_conflict(lambda: self._process(event, receives))

    def process_overdue(self, image: ImageId, run: str) -> Outcome:
        """Report the findings of an image whose deadline has passed, unless they were reported as overdue before.

        Args:
            image: of this registry.
            run: the run of the schedule that found it; "" if none did.

        Raises:
            AwsError: DynamoDB rejected a call.
        """
        return self._repeat_on_conflict(lambda: self._process_overdue(image, run))

    def _repeat_on_conflict(self, process: Callable[[], Outcome]) -> Outcome:
        for attempt in range(_ATTEMPTS):
            try:
                outcome = process()
            except ConditionError as error:
                conflict = error
            else:
                # If the answer to a write is lost, its repetition fails although the write was ours.
                return outcome._replace(added=True) if attempt and outcome.repeated else outcome
        raise conflict

    def waiting(self, image: ImageId) -> Outcome:
        """Return the windows in which an image waits: an earlier invocation may have ended before it opened them.

        Raises:
            AwsError: DynamoDB rejected a call.
        """
        remembered = self._read(image)
        windows = {PUSH, INVENTORY, remembered.record.window} - {""}
        if run := remembered.asked.get("run"):
            windows.add(run_window(str(run)))
        name = self._remembered_as(image)
        waiting = (window for window in sorted(windows) if self.outbox.holds(window, name, image.digest))
        return Outcome(tuple(waiting))

    def _process(self, event: ScanEvent, receives: int) -> Outcome:
        remembered = self._read(event.image)
        record = remembered.record
        if record.event_at and event.time.replace(microsecond=0) <= record.event_at:
            return Outcome(repeated=True)
        run = asked_run(remembered.asked, record.event_at, event.time)
        scan = read_scan(event, receives, self.ecr, self.own)
        match scan:
            case CompleteScan(at) if record.scanned_at and at.replace(microsecond=0) <= record.scanned_at:
                # An earlier event announced the same scan.
                record = record._replace(event_at=event.time, failed=False, unsupported=False)
                return self._remember(event.image, event.time, record, run)
            case CompleteScan():
                return self._complete(event, remembered, scan, run)
            case FailedScan():
                return self._failed(event, record, scan, run)
            case UnreadScan():
                return self._unread(event, record, scan, run)

    def _read(self, image: ImageId) -> Remembered:
        return self.memory.read(self._remembered_as(image), image.digest)

    def _complete(self, event: ScanEvent, remembered: Remembered, scan: CompleteScan, run: str) -> Outcome:
        """Remember what a scan changed, and report it if there is a reason."""
        # Compare it.
        before, image = remembered.record, event.image
        record = self._described(event, before, scan)
        baseline = self._baseline(event, remembered, record)
        comparison = compare(
            scan.findings, baseline.findings, event.time, self.settings.thresholds, successor=baseline.successor
        )
        # An inventory is not overdue on its first day, even if its event is old.
        judged = self._judge(comparison, image, record, event.time if baseline.inventory else self.now)

        # Decide whether it is reported.
        reason = reason_of_scan(judged, baseline.reported_at, self.settings, self.now, inventory=baseline.inventory)
        report = None
        if reason:
            if not baseline.first and not event.tags:
                # The tags of an index may have moved since.
                record = _with_details(record, self.details.read(image, event.tags))
            report = findings_report(image, event.time, record, reason, judged)
            report = report._replace(first_scan=baseline.first, predecessor=baseline.predecessor)

        # Remember it.
        record = _updated(record, judged, baseline, scan)
        encoded = encode_findings(judged.comparison.findings)
        pushed = [(label, record.pushed_at or event.time) for label in track_labels(record.tags)]
        outcome = self._remember(
            image,
            event.time,
            record._replace(reported_at=self.now if reason else baseline.reported_at),
            run,
            findings=None if encoded == remembered.findings else encoded,
            tracks=pushed if baseline.first else _joined(before, record.tags, event.time),
            report=report,
        )
        return outcome if baseline.inventory else outcome._replace(new=count_new(judged.comparison.without_ignored()))

    def _process_overdue(self, image: ImageId, run: str) -> Outcome:
        remembered = self._read(image)
        record = remembered.record
        if not record.due_at or record.due_at > self.now or record.findings_format != FINDINGS_FORMAT:
            # The image is gone, or was reported in the meantime.
            return Outcome(repeated=True)
        judged = self._judge(unchanged(decode_findings(remembered.findings)), image, record, self.now)
        record, report = judged.update(record), None
        if reason := reason_without_scan(judged, self.settings):
            record = record._replace(reported_at=self.now)
            scanned_at = record.scanned_at if record.failed else record.event_at
            report = findings_report(image, scanned_at or self.now, record, reason, judged)
        outcome = self._remember(
            image,
            self.now,
            record,
            run,
            findings=encode_findings(judged.comparison.findings),
            report=report,
            entry="-OVERDUE",
        )
        # It is not a result of the run.
        return outcome._replace(run="")

    def _described(self, event: ScanEvent, before: ImageRecord, scan: CompleteScan) -> ImageRecord:
        """Return the record of an image with what is known of it besides its findings."""
        record = before._replace(
            event_at=event.time,
            failed=False,
            unsupported=False,
            tags=event.tags or before.tags,
            operating_system=scan.operating_system or before.operating_system,
        )
        if _is_comparable(before):
            return record
        return _with_details(record, self.details.read(event.image, event.tags))

    def _baseline(self, event: ScanEvent, remembered: Remembered, record: ImageRecord) -> _Baseline:
        """Return what a scan is compared with."""
        before, name = remembered.record, self._remembered_as(event.image)
        if _is_comparable(before):
            return _Baseline(decode_findings(remembered.findings), first=False, reported_at=before.reported_at)
        if before.scanned_at or self._is_inventory(event.image, record.pushed_at):
            # It was scanned by a release that identified findings in another way, or it existed before memory did.
            return _Baseline(inventory=True)
        labels, since = track_labels(record.tags), record.pushed_at or event.time
        for digest in self.memory.track_images(name, event.image.digest, record, labels, before=since):
            predecessor = self.memory.read(name, digest)
            if _is_comparable(predecessor.record):
                return _Baseline(
                    decode_findings(predecessor.findings),
                    successor=True,
                    predecessor=(predecessor.record.tags or (short_digest(digest),))[0],
                    reported_at=predecessor.record.reported_at,
                )
        return _Baseline()

    def _is_inventory(self, image: ImageId, pushed_at: datetime | None) -> bool:
        since = self.memory.known_since(self._remembered_as(image), self.now)
        return pushed_at is not None and pushed_at < since - _NEWS_BEFORE_KNOWN

    def _judge(self, comparison: Comparison, image: ImageId, record: ImageRecord, now: datetime) -> Judged:
        """Judge what changed. Nothing is newly overdue if the track has a later image, which has its own dates."""
        judged = judge(comparison, self.rules, image.repository, self.settings, now)
        if judged.newly_overdue and record.pushed_at:
            name, labels = self._remembered_as(image), track_labels(record.tags)
            if any(self.memory.track_images(name, image.digest, record, labels, after=record.pushed_at)):
                return judged._replace(newly_overdue=())
        return judged

    def _failed(self, event: ScanEvent, before: ImageRecord, scan: FailedScan, run: str) -> Outcome:
        image, known = event.image, before.revision > 0
        record = before._replace(event_at=event.time, failed=True, unsupported=scan.unsupported)
        if before.failed:
            return self._remember(image, event.time, record, run)
        details = ImageDetails(event.tags or before.tags, before.platform)
        own = image.registry == self.own
        if own and not (known and event.tags):
            details = self.details.read(image, event.tags)
        if details.no_image:
            return Outcome(run=run)
        inventory = own and not known and self._is_inventory(image, details.pushed_at)
        record, report = record._replace(tags=details.tags, platform=details.platform), None
        if inventory or self.settings.notify_on_scan_failure:
            reason = ReportReason.INVENTORY if inventory else ReportReason.SCAN_FAILED
            report = image_report(image, event.time, record, reason)._replace(
                failure=scan.reason or "ECR gives no reason.", unsupported=scan.unsupported
            )
        tracks = _joined(before, details.tags, event.time)
        return self._remember(image, event.time, record, run, tracks=tracks, report=report)

    def _unread(self, event: ScanEvent, before: ImageRecord, scan: UnreadScan, run: str) -> Outcome:
        """Remember a scan whose findings cannot be read, and which therefore says nothing about any of them."""
        image = event.image
        extra = {"repository": image.repository, "digest": image.digest, "reason": scan.reason}
        logger.warning("could not read findings; using event counts", extra=extra)
        if before.revision == 0:
            self.memory.known_since(self._remembered_as(image), self.now)
        counts = {severity: number for severity, number in (event.counts or {}).items() if number}
        changed = event.counts is None or counts != (before.listed or {})
        over = event.counts is None or over_thresholds(counts, self.settings.thresholds)
        record, report = before._replace(event_at=event.time, tags=event.tags or before.tags), None
        if not scan.expired:
            # The scan did not fail.
            record = record._replace(failed=False, unsupported=False)
        if changed and over and not scan.expired:
            report = self._unread_report(event, record, scan, counts)
        if before.scanned_at is None:
            record = record._replace(counts=counts, listed=counts)
        tracks = _joined(before, event.tags, event.time)
        return self._remember(image, event.time, record, run, tracks=tracks, report=report)

    def _unread_report(
        self, event: ScanEvent, record: ImageRecord, scan: UnreadScan, counts: Mapping[str, int]
    ) -> ImageReport | None:
        """Return what to say of it; None for an image of the inventory whose counts are unknown, too."""
        image, details, inventory = event.image, ImageDetails(), False
        if record.scanned_at is None and image.registry == self.own:
            # What keeps ECR from giving the findings may keep it from giving these as well.
            with suppress(AwsError):
                details = self.details.read(image, event.tags)
            inventory = self._is_inventory(image, details.pushed_at)
        record = record._replace(tags=details.tags or record.tags, platform=details.platform or record.platform)
        if inventory and not counts:
            return None
        reason = ReportReason.INVENTORY if inventory else ReportReason.FINDINGS_NOT_READ
        report = image_report(image, event.time, record, reason)
        return report._replace(counts=counts, failure="" if inventory else scan.reason)

    def _remember(
        self,
        image: ImageId,
        at: datetime,
        record: ImageRecord,
        run: str,
        *,
        findings: bytes | None = None,
        tracks: Sequence[tuple[str, datetime]] = (),
        report: ImageReport | None = None,
        entry: str = "",
    ) -> Outcome:
        window, item = "", None
        repository = self._remembered_as(image)
        if report:
            window = run_window(run) if run else PUSH
            if report.reason is ReportReason.INVENTORY:
                window = INVENTORY
            item = outbox_item(window, repository, image.digest, at, encode_report(report), self.now, entry)
            record = record._replace(window=window)
        self.memory.write(repository, image.digest, record, self.now, findings=findings, tracks=tracks, outbox=item)
        return Outcome((window,) if window else (), run, added=bool(window))

    def _remembered_as(self, image: ImageId) -> str:
        """Return the name by which memory knows a repository: with account and Region if it is in another registry.

        ECR has no names with a colon, but events may: such a name has account and Region as well.
        """
        own = image.registry == self.own and ":" not in image.repository
        return image.repository if own else ":".join((*image.registry, image.repository))


def _is_comparable(record: ImageRecord) -> bool:
    """Return whether the findings of the last complete scan are remembered, in a format that this release reads."""
    return record.scanned_at is not None and record.findings_format == FINDINGS_FORMAT


def _with_details(record: ImageRecord, details: ImageDetails) -> ImageRecord:
    pushed_at = details.pushed_at or record.pushed_at
    return record._replace(tags=details.tags, platform=details.platform, pushed_at=pushed_at)


def _updated(record: ImageRecord, judged: Judged, baseline: _Baseline, scan: CompleteScan) -> ImageRecord:
    """Return the record of an image with what is known of its findings after a complete scan."""
    comparison = judged.comparison
    return judged.update(record)._replace(
        scanned_at=scan.completed_at,
        counts=open_counts(comparison),
        listed=scan.listed,
        findings_format=FINDINGS_FORMAT,
        ledger=add_to_ledger(record.ledger, comparison, first=baseline.first, inventory=baseline.inventory),
        updates=best_updates(comparison.without_ignored()),
    )


def _joined(before: ImageRecord, tags: Sequence[str], at: datetime) -> list[tuple[str, datetime]]:
    """Return the tracks that an image has joined since its last scan; its first scan adds those of its push."""
    joined = set(track_labels(tags)) - set(track_labels(before.tags)) if before.scanned_at else set()
    return [(label, at) for label in sorted(joined)]
