"""Processes the scan of one image: reads it, compares it with memory, and remembers the outcome in one transaction."""

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from ecr_scan_reporter.aws.ecr import EcrRegistry
from ecr_scan_reporter.errors import AwsError, ConditionError
from ecr_scan_reporter.memory.images import ImageMemory, ImageRecord, Remembered
from ecr_scan_reporter.memory.outbox import INVENTORY, PUSH, Outbox, outbox_item, run_window
from ecr_scan_reporter.memory.scans import asked_run
from ecr_scan_reporter.messages.overdue import OverdueMessage
from ecr_scan_reporter.models.images import ImageId, RegistryId
from ecr_scan_reporter.reporting.comparison.changes import Change, Comparison, KnownFinding, compare
from ecr_scan_reporter.reporting.comparison.deadlines import Deadlines, DueDate, check_deadlines, mark_reported
from ecr_scan_reporter.reporting.comparison.findings import finding_sort_key
from ecr_scan_reporter.reporting.comparison.ignored import RuleMatcher
from ecr_scan_reporter.reporting.comparison.ledger import add_to_ledger, best_updates, count_new
from ecr_scan_reporter.reporting.comparison.tracks import track_labels
from ecr_scan_reporter.reporting.formatting import short_digest
from ecr_scan_reporter.reporting.intake.events import ScanEvent
from ecr_scan_reporter.reporting.intake.image_facts import BatchFacts, ImageFacts
from ecr_scan_reporter.reporting.intake.scan_results import CompleteScan, FailedScan, UnreadScan, read_scan
from ecr_scan_reporter.reporting.reports.combine import leave_out
from ecr_scan_reporter.reporting.reports.encoding import (
    FINDINGS_FORMAT,
    decode_findings,
    encode_findings,
    encode_report,
)
from ecr_scan_reporter.reporting.reports.image_report import MAX_FINDINGS, ImageReport, ReportReason, keep_worst, totals
from ecr_scan_reporter.reporting.reports.reasons import open_counts, over_thresholds, report_reason
from ecr_scan_reporter.settings import ReporterSettings

logger = logging.getLogger(__name__)

# An image is inventory if it was pushed longer than this before memory began to know its repository.
_NEWS_BEFORE_KNOWN = timedelta(days=1)
# How often an image is compared if other invocations are faster.
_ATTEMPTS = 4
# Findings that an inventory keeps of one image.
_MAX_INVENTORY_FINDINGS = 5


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
    """What a scan is compared with.

    Args:
        findings: of this digest, or of its predecessor.
        successor: whether they are the predecessor's.
        predecessor: the name of the predecessor.
        reported_at: when this image, or its predecessor, was last reported.
        inventory: whether the image was pushed before memory began to know its repository.
    """

    findings: Sequence[KnownFinding] = ()
    successor: bool = False
    predecessor: str = ""
    reported_at: datetime | None = None
    inventory: bool = False


class Processor:
    """Processes scan events of one batch.

    Args:
        settings: of the reporter.
        ecr: the registry.
        memory: what is known of the images.
        outbox: what waits to be reported.
        registry: facts of the images in this batch.
        rules: those for ignored findings.
        now: aware.
    """

    def __init__(
        self,
        settings: ReporterSettings,
        ecr: EcrRegistry,
        memory: ImageMemory,
        outbox: Outbox,
        registry: BatchFacts,
        rules: RuleMatcher,
        now: datetime,
    ) -> None:
        self.settings, self.ecr, self.memory, self.outbox = settings, ecr, memory, outbox
        self.registry, self.rules, self.now = registry, rules, now
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

    def process_overdue(self, message: OverdueMessage) -> Outcome:
        """Report the findings of an image whose deadline has passed, unless they were reported as overdue before.

        Args:
            message: names the image.

        Raises:
            AwsError: DynamoDB rejected a call.
        """
        return self._repeat_on_conflict(lambda: self._process_overdue(message))

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
        repository, digest = self._remembered_as(image), image.digest
        remembered = self.memory.read(repository, digest)
        windows = {PUSH, INVENTORY, remembered.record.window} - {""}
        if run := remembered.asked.get("run"):
            windows.add(run_window(str(run)))
        waiting = (window for window in sorted(windows) if self.outbox.holds(window, repository, digest))
        return Outcome(tuple(waiting))

    def _process(self, event: ScanEvent, receives: int) -> Outcome:
        remembered = self.memory.read(self._remembered_as(event.image), event.image.digest)
        record = remembered.record
        if record.event_at and event.time.replace(microsecond=0) <= record.event_at:
            return Outcome(repeated=True)
        run = asked_run(remembered.asked, record.event_at, event.time)
        scan = read_scan(event, receives, self.ecr, self.own)
        match scan:
            case CompleteScan():
                return self._complete(event, remembered, scan, run)
            case FailedScan():
                return self._failed(event, record, scan, run)
            case UnreadScan():
                return self._unread(event, record, scan, run)

    def _complete(self, event: ScanEvent, remembered: Remembered, scan: CompleteScan, run: str) -> Outcome:
        record = remembered.record._replace(event_at=event.time, failed=False, unsupported=False)
        if record.scanned_at and scan.completed_at.replace(microsecond=0) <= record.scanned_at:
            return self._remember(event.image, event.time, record, run)
        first = record.scanned_at is None or record.findings_format != FINDINGS_FORMAT
        facts = (
            self.registry.facts(event.image, event.tags)
            if first
            else ImageFacts(event.tags or record.tags, record.platform)
        )
        baseline = (
            self._baseline(event, record, facts, scan)
            if first
            else _Baseline(decode_findings(remembered.findings), reported_at=record.reported_at)
        )
        comparison = compare(
            scan.findings, baseline.findings, event.time, self.settings.thresholds, successor=baseline.successor
        )
        comparison = self.rules.apply(comparison, event.image.repository)
        counted = self._counted(comparison)
        # An inventory is not overdue on its first day, even if its event is old.
        deadlines = check_deadlines(counted, self.settings.fix_within, event.time if baseline.inventory else self.now)
        comparison = mark_reported(comparison, deadlines.passed)
        record = record._replace(
            tags=facts.tags,
            platform=facts.platform,
            operating_system=scan.operating_system or record.operating_system,
            pushed_at=facts.pushed_at or record.pushed_at,
        )
        overdue = self._overdue(event.image, record, deadlines)
        reason = report_reason(counted, baseline.reported_at, self.settings, self.now)
        if overdue and reason in (None, ReportReason.FIXED):
            reason = ReportReason.OVERDUE
        if baseline.inventory:
            reason = ReportReason.INVENTORY
        if reason and not first and not event.tags:
            # The tags of an index may have moved since.
            facts = self.registry.facts(event.image, event.tags)
        record = record._replace(
            scanned_at=scan.completed_at,
            counts=open_counts(comparison),
            tags=facts.tags,
            platform=facts.platform,
            pushed_at=facts.pushed_at or record.pushed_at,
            findings_format=FINDINGS_FORMAT,
            ledger=add_to_ledger(record.ledger, comparison, first=first, inventory=baseline.inventory),
            updates=best_updates(comparison.without_ignored()),
            **_standing(comparison, deadlines),
        )
        since = facts.pushed_at or event.time
        tracks = [(label, since) for label in track_labels(facts.tags)]
        encoded = encode_findings(comparison.findings)
        outcome = self._remember(
            event.image,
            event.time,
            record._replace(reported_at=self.now if reason else baseline.reported_at),
            run,
            findings=None if encoded == remembered.findings else encoded,
            tracks=tracks if first else _moved(event.time, remembered.record, facts.tags),
            report=self._report(event.image, event.time, record, reason, comparison, baseline, overdue, first=first)
            if reason
            else None,
        )
        return outcome if baseline.inventory else outcome._replace(new=count_new(comparison.without_ignored()))

    def _process_overdue(self, message: OverdueMessage) -> Outcome:
        image = self.own.image(message.repository, message.digest)
        remembered = self.memory.read(self._remembered_as(image), image.digest)
        record = remembered.record
        if not record.due_at or record.due_at > self.now or record.findings_format != FINDINGS_FORMAT:
            # The image is gone, or was reported in the meantime.
            return Outcome(repeated=True)
        found = tuple(known._replace(was_ignored="") for known in decode_findings(remembered.findings))
        still_open = tuple(known for known in found if not known.gone_at)
        comparison = Comparison(found, dict.fromkeys(Change, ()) | {Change.STILL_OPEN: still_open})
        comparison = self.rules.apply(comparison, message.repository)
        counted = self._counted(comparison)
        deadlines = check_deadlines(counted, self.settings.fix_within, self.now)
        comparison = mark_reported(comparison, deadlines.passed)
        overdue = self._overdue(image, record, deadlines)
        # No scan is new, so the only possible news is that a rule has ended.
        news = report_reason(counted, record.reported_at, self.settings, self.now) is ReportReason.NEWS
        reason = ReportReason.NEWS if news else ReportReason.OVERDUE if overdue else None
        record = record._replace(
            reported_at=self.now if reason else record.reported_at, **_standing(comparison, deadlines)
        )
        report = None
        if reason:
            scanned_at = record.scanned_at if record.failed else record.event_at
            report = self._report(
                image, scanned_at or self.now, record, reason, comparison, _Baseline(), overdue, first=False
            )
        outcome = self._remember(
            image,
            self.now,
            record,
            message.run,
            findings=encode_findings(comparison.findings),
            report=report,
            entry="-OVERDUE",
        )
        # It is not a result of the run.
        return outcome._replace(run="")

    def _counted(self, comparison: Comparison) -> Comparison:
        """Return what counts towards thresholds and deadlines."""
        counted = comparison.without_ignored()
        return counted.with_fix() if self.settings.fixable_only else counted

    def _overdue(
        self, image: ImageId, record: ImageRecord, deadlines: Deadlines
    ) -> tuple[tuple[KnownFinding, DueDate], ...]:
        """Return what to report as overdue: nothing if the track has a later image, which has its own dates."""
        for label in track_labels(record.tags) if deadlines.passed and record.pushed_at else ():
            for other, operating_system in self.memory.successors(
                self._remembered_as(image), record.platform, label, record.pushed_at or self.now
            ):
                if other != image.digest and len({record.operating_system, operating_system} - {""}) < 2:
                    return ()
        return deadlines.passed

    def _baseline(self, event: ScanEvent, record: ImageRecord, facts: ImageFacts, scan: CompleteScan) -> _Baseline:
        """Find what the first complete scan of an image is compared with."""
        if record.scanned_at or self._is_inventory(event.image, facts):
            # It was scanned by a release that identified findings in another way, or it existed before memory did.
            return _Baseline(inventory=True)
        name, before = self._remembered_as(event.image), facts.pushed_at or event.time
        for label in track_labels(facts.tags):
            predecessors = self.memory.predecessors(name, facts.platform, label, before)
            for digest, operating_system in predecessors:
                known = {scan.operating_system, operating_system} - {""}
                if digest == event.image.digest or len(known) > 1:
                    continue
                remembered = self.memory.read(name, digest)
                if remembered.record.scanned_at and remembered.record.findings_format == FINDINGS_FORMAT:
                    return _Baseline(
                        decode_findings(remembered.findings),
                        successor=True,
                        predecessor=(remembered.record.tags or (short_digest(digest),))[0],
                        reported_at=remembered.record.reported_at,
                    )
        return _Baseline()

    def _is_inventory(self, image: ImageId, facts: ImageFacts) -> bool:
        since = self.memory.known_since(self._remembered_as(image), self.now)
        return facts.pushed_at is not None and facts.pushed_at < since - _NEWS_BEFORE_KNOWN

    def _failed(self, event: ScanEvent, record: ImageRecord, scan: FailedScan, run: str) -> Outcome:
        before, known = record, record.revision > 0
        record = record._replace(event_at=event.time, failed=True, unsupported=scan.unsupported)
        if before.failed:
            return self._remember(event.image, event.time, record, run)
        facts = ImageFacts(event.tags or record.tags, record.platform)
        own = event.image.registry == self.own
        if own and not (known and event.tags):
            facts = self.registry.facts(event.image, event.tags)
        if facts.no_image:
            return Outcome(run=run)
        inventory = own and not known and self._is_inventory(event.image, facts)
        record = record._replace(tags=facts.tags, platform=facts.platform)
        report = None
        if inventory or self.settings.notify_on_scan_failure:
            report = _image_report(
                event.image, event.time, record, ReportReason.INVENTORY if inventory else ReportReason.SCAN_FAILED
            )._replace(
                failure=scan.reason or "ECR gives no reason.",
                unsupported=scan.unsupported,
            )
        return self._remember(
            event.image, event.time, record, run, tracks=_moved(event.time, before, facts.tags), report=report
        )

    def _unread(self, event: ScanEvent, record: ImageRecord, scan: UnreadScan, run: str) -> Outcome:
        """Remember a scan whose findings cannot be read, and which therefore says nothing about any of them."""
        extra = {"repository": event.image.repository, "digest": event.image.digest, "reason": scan.reason}
        logger.warning("could not read findings; using event counts", extra=extra)
        if record.revision == 0:
            self.memory.known_since(self._remembered_as(event.image), self.now)
        counts = {severity: number for severity, number in (event.counts or {}).items() if number}
        changed = event.counts is None or counts != (record.counts or {})
        over = event.counts is None or over_thresholds(counts, self.settings.thresholds)
        tracks = _moved(event.time, record, event.tags)
        record = record._replace(event_at=event.time, tags=event.tags or record.tags)
        report = None
        if not scan.expired:
            # The scan did not fail.
            record = record._replace(failed=False, unsupported=False)
        if changed and over and not scan.expired:
            report = self._unread_report(event, record, scan, counts)
        if record.scanned_at is None:
            record = record._replace(counts=counts)
        return self._remember(event.image, event.time, record, run, tracks=tracks, report=report)

    def _unread_report(
        self, event: ScanEvent, record: ImageRecord, scan: UnreadScan, counts: Mapping[str, int]
    ) -> ImageReport | None:
        """Return what to say of it; None for an image of the inventory whose counts are unknown, too."""
        facts = ImageFacts(record.tags, record.platform)
        if record.scanned_at is None and event.image.registry == self.own:
            # What keeps ECR from giving the findings may keep it from giving these as well.
            with suppress(AwsError):
                facts = self.registry.facts(event.image, event.tags)
        record = record._replace(tags=facts.tags or record.tags, platform=facts.platform or record.platform)
        if record.scanned_at is None and event.image.registry == self.own and self._is_inventory(event.image, facts):
            return (
                _image_report(event.image, event.time, record, ReportReason.INVENTORY)._replace(counts=counts)
                if counts
                else None
            )
        return _image_report(event.image, event.time, record, ReportReason.FINDINGS_NOT_READ)._replace(
            counts=counts, failure=scan.reason
        )

    def _report(
        self,
        image: ImageId,
        scanned_at: datetime,
        record: ImageRecord,
        reason: ReportReason,
        comparison: Comparison,
        baseline: _Baseline,
        overdue: Sequence[tuple[KnownFinding, DueDate]],
        *,
        first: bool,
    ) -> ImageReport:
        inventory = reason is ReportReason.INVENTORY
        number = _MAX_INVENTORY_FINDINGS if inventory else MAX_FINDINGS
        counted = self._counted(comparison)
        kept = keep_worst(counted.changes, number, reason)
        ignored = sorted(comparison.ignored, key=lambda known: finding_sort_key(known.finding))
        return _image_report(image, scanned_at, record, reason)._replace(
            first_scan=first,
            predecessor=baseline.predecessor,
            counts=open_counts(counted),
            open_before=counted.open_before,
            totals=totals(counted.changes),
            changes=kept,
            left_out={} if inventory else leave_out(counted.changes, kept),
            ignored=tuple(ignored[:number]),
            ignored_by=Counter(known.ignored_by.rule for known in ignored if known.ignored_by),
            overdue=tuple(overdue[:number]),
            overdue_counts=Counter(known.finding.severity for known, _ in overdue),
        )

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
        """Return the name by which memory knows a repository: with account and Region if it is in another registry."""
        return image.repository if image.registry == self.own else "/".join((*image.registry, image.repository))


def _moved(at: datetime, record: ImageRecord, tags: Sequence[str]) -> list[tuple[str, datetime]]:
    """Return the tracks that an image has joined since its last scan; its first scan adds those of its push."""
    joined = set(track_labels(tags)) - set(track_labels(record.tags)) if record.scanned_at else set()
    return [(label, at) for label in sorted(joined)]


def _standing(comparison: Comparison, deadlines: Deadlines) -> dict[str, Any]:
    """Return what the record of an image says about ignored and overdue findings."""
    return {
        "ignored": len(comparison.ignored),
        "due_at": deadlines.due_at,
        "overdue": deadlines.overdue,
        "earliest_deadlines": deadlines.earliest,
    }


def _image_report(image: ImageId, scanned_at: datetime, record: ImageRecord, reason: ReportReason) -> ImageReport:
    return ImageReport(
        reason,
        *image,
        tags=record.tags,
        platforms=(record.platform,) if record.platform else (),
        scanned_at=scanned_at,
    )
