"""Processes the scan of one image: reads, compares with memory, and remembers the outcome in one transaction."""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from ecr_scan_reporter.aws.ecr import EcrRegistry
from ecr_scan_reporter.errors import ConditionError
from ecr_scan_reporter.memory.images import ImageMemory, ImageRecord, Remembered
from ecr_scan_reporter.memory.outbox import INVENTORY, PUSH, outbox_item, run_window
from ecr_scan_reporter.memory.scans import asked_run
from ecr_scan_reporter.reporting.changes import Change, Comparison, KnownFinding, compare
from ecr_scan_reporter.reporting.encoding import (
    FINDINGS_FORMAT,
    decode_findings,
    encode_findings,
    encode_report,
)
from ecr_scan_reporter.reporting.events import ScanEvent
from ecr_scan_reporter.reporting.facts import ImageFacts, Registry
from ecr_scan_reporter.reporting.ledger import best_updates, post
from ecr_scan_reporter.reporting.notify import open_counts, over_thresholds, report_reason
from ecr_scan_reporter.reporting.report import (
    MAX_FINDINGS,
    ImageReport,
    Reason,
    keep_worst,
    short_digest,
    totals,
)
from ecr_scan_reporter.reporting.scan_results import CompleteScan, FailedScan, UnreadScan, read_scan
from ecr_scan_reporter.reporting.tracks import track_labels
from ecr_scan_reporter.settings import ReporterSettings

logger = logging.getLogger(__name__)

# An image is inventory if it was pushed longer than this before memory began to know its repository.
_NEWS_BEFORE_KNOWN = timedelta(days=1)
# How often an image is compared again because another invocation was faster.
_ATTEMPTS = 4
# Findings that an inventory keeps of one image.
_MAX_INVENTORY_FINDINGS = 5


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one event.

    Args:
        window: in which the image waits to be reported; "" if it does not.
        run: the run that asked for the scan; "" if none did, or if the event was processed before.
        added: whether this event put the image into the window.
        new: the new findings by severity.
    """

    window: str = ""
    run: str = ""
    added: bool = False
    new: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Baseline:
    """What a scan is compared with.

    Args:
        findings: of this digest, or of its predecessor.
        successor: whether they are the predecessor's.
        predecessor: the name of the predecessor.
        reported_at: when this image, or its predecessor, was last reported.
        inventory: whether the image was there before memory began to know its repository.
    """

    findings: Sequence[KnownFinding] = ()
    successor: bool = False
    predecessor: str = ""
    reported_at: datetime | None = None
    inventory: bool = False


@dataclass(frozen=True, slots=True)
class Processor:
    """Processes scan events of one batch.

    Args:
        settings: of the reporter.
        ecr: the registry.
        memory: what is known of the images.
        registry: facts of the images in this batch.
        now: aware.
    """

    settings: ReporterSettings
    ecr: EcrRegistry
    memory: ImageMemory
    registry: Registry
    now: datetime

    def process(self, event: ScanEvent, receives: int) -> Outcome:
        """Compare a scan with what is remembered, and remember it.

        Args:
            event: of the scan.
            receives: how often SQS has delivered its message.

        Raises:
            FindingsNotReadError: the findings are not there yet; the message should be retried.
            AwsError: ECR or DynamoDB rejected a call.
        """
        for attempt in range(_ATTEMPTS):
            try:
                outcome = self._process(event, receives)
            except ConditionError as error:
                conflict = error
            else:
                # A write whose answer was lost, and which was repeated, fails although it was ours.
                return replace(outcome, added=True) if attempt and outcome.window else outcome
        raise conflict

    def _process(self, event: ScanEvent, receives: int) -> Outcome:
        remembered = self.memory.read(self._repository(event), event.digest)
        record = remembered.record
        if record.event_at and event.time.replace(microsecond=0) <= record.event_at:
            # The window may have lost its message if the invocation before ended here.
            return Outcome(record.window)
        run = asked_run(remembered.asked, record.event_at, event.time)
        scan = read_scan(event, receives, self.ecr, self.settings.account, self.settings.region)
        match scan:
            case CompleteScan():
                return self._complete(event, remembered, scan, run)
            case FailedScan():
                return self._failed(event, record, scan, run)
            case UnreadScan():
                return self._unread(event, record, scan, run)

    def _complete(self, event: ScanEvent, remembered: Remembered, scan: CompleteScan, run: str) -> Outcome:
        record = replace(remembered.record, event_at=event.time, failed=False, unsupported=False)
        if record.scanned_at and scan.completed_at.replace(microsecond=0) <= record.scanned_at:
            return self._remember(event, replace(record, window=""), run)
        first = record.scanned_at is None or record.findings_format != FINDINGS_FORMAT
        facts = self.registry.facts(event) if first else ImageFacts(event.tags or record.tags, record.platform)
        baseline = (
            self._baseline(event, record, facts, scan)
            if first
            else _Baseline(decode_findings(remembered.findings), reported_at=record.reported_at)
        )
        comparison = compare(
            scan.findings, baseline.findings, event.time, self.settings.thresholds, successor=baseline.successor
        )
        counted = comparison.with_fix() if self.settings.fixable_only else comparison
        reason = report_reason(counted, baseline.reported_at, self.settings, self.now)
        if baseline.inventory:
            reason = Reason.INVENTORY
        if reason and not first and not event.tags:
            # The tags of an index may have moved since.
            facts = self.registry.facts(event)
        record = replace(
            record,
            scanned_at=scan.completed_at,
            counts=open_counts(comparison),
            tags=facts.tags,
            platform=facts.platform,
            operating_system=scan.operating_system or record.operating_system,
            pushed_at=facts.pushed_at or record.pushed_at,
            findings_format=FINDINGS_FORMAT,
            ledger=post(record.ledger, comparison, first=first, inventory=baseline.inventory),
            updates=best_updates(comparison),
        )
        since = event.time if not first else facts.pushed_at or event.time
        labels = set(track_labels(facts.tags)) - set(() if first else track_labels(remembered.record.tags))
        encoded = encode_findings(comparison.findings)
        outcome = self._remember(
            event,
            replace(record, reported_at=self.now if reason else baseline.reported_at),
            run,
            findings=None if encoded == remembered.findings else encoded,
            tracks=[(label, since) for label in sorted(labels)],
            report=self._report(event, record, reason, counted, baseline, first=first) if reason else None,
        )
        new = Counter(known.finding.severity for known in comparison.changes[Change.NEW])
        return outcome if baseline.inventory else replace(outcome, new=new)

    def _baseline(self, event: ScanEvent, record: ImageRecord, facts: ImageFacts, scan: CompleteScan) -> _Baseline:
        """Find what the first complete scan of an image is compared with."""
        if record.scanned_at or self._is_inventory(event, facts):
            # It was scanned by a release that identified findings in another way, or it was there before.
            return _Baseline(inventory=True)
        before = facts.pushed_at or event.time
        for label in track_labels(facts.tags):
            predecessors = self.memory.predecessors(self._repository(event), facts.platform, label, before)
            for digest, operating_system in predecessors:
                known = {scan.operating_system, operating_system} - {""}
                if digest == event.digest or len(known) > 1:
                    continue
                remembered = self.memory.read(self._repository(event), digest)
                if remembered.record.scanned_at and remembered.record.findings_format == FINDINGS_FORMAT:
                    return _Baseline(
                        decode_findings(remembered.findings),
                        successor=True,
                        predecessor=(remembered.record.tags or (short_digest(digest),))[0],
                        reported_at=remembered.record.reported_at,
                    )
        return _Baseline()

    def _is_inventory(self, event: ScanEvent, facts: ImageFacts) -> bool:
        since = self.memory.known_since(self._repository(event), self.now)
        return facts.pushed_at is not None and facts.pushed_at < since - _NEWS_BEFORE_KNOWN

    def _failed(self, event: ScanEvent, record: ImageRecord, scan: FailedScan, run: str) -> Outcome:
        failed_before, known = record.failed, record.revision > 0
        record = replace(record, event_at=event.time, failed=True, unsupported=scan.unsupported)
        if failed_before:
            return self._remember(event, replace(record, window=""), run)
        facts = ImageFacts(event.tags or record.tags, record.platform)
        own = (event.account, event.region) == (self.settings.account, self.settings.region)
        if own and not (known and event.tags):
            facts = self.registry.facts(event)
        if facts.no_image:
            return Outcome(run=run)
        inventory = own and not known and self._is_inventory(event, facts)
        record = replace(record, tags=facts.tags, platform=facts.platform)
        report = None
        if inventory or self.settings.notify_on_scan_failure:
            report = replace(
                _image_report(event, record, Reason.INVENTORY if inventory else Reason.SCAN_FAILED),
                failure=scan.reason or "ECR gives no reason.",
                unsupported=scan.unsupported,
            )
        return self._remember(event, record, run, report=report)

    def _unread(self, event: ScanEvent, record: ImageRecord, scan: UnreadScan, run: str) -> Outcome:
        """Remember a scan whose findings cannot be read: it says nothing about any finding."""
        extra = {"repository": event.repository, "digest": event.digest, "reason": scan.reason}
        logger.warning("could not read findings; using event counts", extra=extra)
        changed = event.counts is None or dict(event.counts) != record.counts
        over = event.counts is None or over_thresholds(event.counts, self.settings.thresholds)
        record = replace(record, event_at=event.time, tags=event.tags or record.tags)
        report = None
        if changed and over and not scan.expired:
            report = replace(
                _image_report(event, record, Reason.FINDINGS_NOT_READ),
                counts=dict(event.counts or {}),
                failure=scan.reason,
            )
        if record.scanned_at is None:
            record = replace(record, counts=dict(event.counts or {}))
        return self._remember(event, record, run, report=report)

    def _report(
        self,
        event: ScanEvent,
        record: ImageRecord,
        reason: Reason,
        comparison: Comparison,
        baseline: _Baseline,
        *,
        first: bool,
    ) -> ImageReport:
        number = _MAX_INVENTORY_FINDINGS if reason is Reason.INVENTORY else MAX_FINDINGS
        return replace(
            _image_report(event, record, reason),
            first_scan=first,
            predecessor=baseline.predecessor,
            counts=open_counts(comparison),
            open_before=comparison.open_before,
            totals=totals(comparison.changes),
            changes=keep_worst(comparison.changes, number),
        )

    def _remember(
        self,
        event: ScanEvent,
        record: ImageRecord,
        run: str,
        *,
        findings: bytes | None = None,
        tracks: Sequence[tuple[str, datetime]] = (),
        report: ImageReport | None = None,
    ) -> Outcome:
        window, item = "", None
        repository = self._repository(event)
        if report:
            window = run_window(run) if run else PUSH
            if report.reason is Reason.INVENTORY:
                window = INVENTORY
            item = outbox_item(window, repository, event.digest, event.time, encode_report(report), self.now)
        record = replace(record, window=window)
        self.memory.write(repository, event.digest, record, self.now, findings=findings, tracks=tracks, outbox=item)
        return Outcome(window, run, added=bool(window))

    def _repository(self, event: ScanEvent) -> str:
        if (event.account, event.region) == (self.settings.account, self.settings.region):
            return event.repository
        return f"{event.account}/{event.region}/{event.repository}"


def _image_report(event: ScanEvent, record: ImageRecord, reason: Reason) -> ImageReport:
    return ImageReport(
        reason=reason,
        account=event.account,
        region=event.region,
        repository=event.repository,
        digest=event.digest,
        tags=record.tags,
        platforms=(record.platform,) if record.platform else (),
        scanned_at=event.time,
    )
