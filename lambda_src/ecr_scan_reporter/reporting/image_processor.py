"""Processes the scan of one image: reads it, compares it with memory, and remembers the outcome in one transaction.

It decides in which order that happens, which images wait for an index that they may be part of, what is remembered of
a scan that failed or cannot be read, which image has replaced another, and in which window of the outbox an image
waits.
"""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from itertools import islice
from typing import NamedTuple

from ecr_scan_reporter.errors import AwsError, FindingsNotReadError
from ecr_scan_reporter.memory.exploited import Catalog, checksums
from ecr_scan_reporter.memory.images import ImageMemory, ImageRecord, Remembered
from ecr_scan_reporter.memory.outbox import EXPLOITED, INVENTORY, PUSH, Outbox, outbox_item, run_window
from ecr_scan_reporter.memory.pushes import PushedImage, PushedImages
from ecr_scan_reporter.models.findings import cves_of
from ecr_scan_reporter.models.images import ImageId
from ecr_scan_reporter.models.scans import ENHANCED
from ecr_scan_reporter.reporting.baseline import Baseline, encode_findings, is_comparable, is_inventory, known_findings
from ecr_scan_reporter.reporting.comparison.changes import (
    GONE,
    NEWS,
    Absence,
    Comparison,
    Identities,
    KnownFinding,
    compare,
    merge,
    unchanged,
)
from ecr_scan_reporter.reporting.comparison.ignored import RuleMatcher
from ecr_scan_reporter.reporting.comparison.judged import Judged, add_to_ledger, best_updates, count_new, judge
from ecr_scan_reporter.reporting.dependencies import ReporterDependencies
from ecr_scan_reporter.reporting.intake.events import ScanEvent
from ecr_scan_reporter.reporting.intake.image_details import BatchDetails, ImageDetails
from ecr_scan_reporter.reporting.intake.scan_results import CompleteScan, FailedScan, UnreadScan, read_scan
from ecr_scan_reporter.reporting.reports.image_report import ImageReport, encode_report, findings_report, image_report
from ecr_scan_reporter.reporting.reports.reasons import (
    ReportReason,
    open_counts,
    over_thresholds,
    reason_of_failed_scan,
    reason_of_scan,
    reason_without_scan,
)
from ecr_scan_reporter.settings import ReporterSettings

logger = logging.getLogger(__name__)

# An image without a tag that was pushed within this time before its scan waits for an index, until the last attempt.
_WAITS_IF_PUSHED_WITHIN = timedelta(minutes=15)
# The clocks of two invocations differ by less.
_FUTURE_TOLERATED = timedelta(minutes=2)
# Characters of the reason of a failed scan that tell it from others.
_MAX_FAILURE_REASON = 200
# How many successors of an image, and of those that are gone, are considered.
_MAX_SUCCESSORS = 20


class Outcome(NamedTuple):
    """The outcome of one event.

    Args:
        windows: in which the image waits to be reported.
        run: the run that asked for the scan; "" if none did, or if the event was processed before.
        added: whether this event put the image into a window.
        repeated: whether the event, or a later one, was processed before.
        new: the new findings by severity, without those that a rule ignores.
        differs: whether a scan of an image that memory knew, or could have known, found something else.
        lost: whether no event came of a scan.
        again: the message with which the image is read again, and when; None if that is not to be planned.
    """

    windows: tuple[str, ...] = ()
    run: str = ""
    added: bool = False
    repeated: bool = False
    new: Mapping[str, int] = {}
    differs: bool = False
    lost: bool = False
    again: tuple[str, datetime] | None = None


class Written(NamedTuple):
    """The parts of an image to write besides its record and its report; None for one that stays as it is.

    Args:
        findings: encoded.
        cves: the checksums that the changes of the catalog of known exploited vulnerabilities are matched with.
        pushed: the image among those of its repository.
        replaced: the images that it replaces.
    """

    findings: bytes | None = None
    cves: bytes | None = None
    pushed: PushedImage | None = None
    replaced: tuple[PushedImage, ...] = ()


_NOTHING = Written()


class ImageProcessor:
    """Processes scan events of one batch."""

    def __init__(
        self, deps: ReporterDependencies, images: Sequence[ImageId], rules: RuleMatcher, catalog: Catalog, now: datetime
    ) -> None:
        self.settings, self.ecr, self.table = deps.settings, deps.ecr, deps.table
        self.rules, self.catalog, self.now, self.own = rules, catalog, now, deps.ecr.id
        self.memory, self.outbox = ImageMemory(self.table, now), Outbox(self.table)
        self.pushes, self.details = PushedImages(self.table, images), BatchDetails(self.ecr, self.table, images, now)
        quiet = self.settings.quiet_hours
        self._lets_exploited_through = bool(quiet and quiet.exploited)

    def judge_again(self, image: ImageId) -> Outcome:
        """Judge the remembered findings of an image by the rules, settings and date of now, and report the changes.

        These are findings whose deadline has passed, or that no rule ignores any longer. ECR is asked only whether an
        image that is to be reported still exists.

        Raises:
            ConditionError: another invocation has written this image in the meantime; this is to be repeated.
            AwsError: ECR or DynamoDB rejected a call.
        """
        remembered = self.memory.read(image)
        before, found = remembered.record, known_findings(remembered)
        if found is None:
            return Outcome(repeated=True)
        judged = judge(unchanged(found), self.rules, image.repository, self.settings, self.now, self.catalog)
        judged = self._superseded(judged, image, before)
        record, reason, report = judged.update(before), reason_without_scan(judged, self.settings), None
        changed = self._changed(judged, remembered)
        if reason and not self.details.exists(image):
            # Should it be pushed again, it has something to report.
            changed, reason = changed._replace(findings=None), None
        if reason:
            record = record._replace(reported_at=self.now)
            scanned_at = record.scanned_at if record.failed else record.event_at
            report = findings_report(image, scanned_at or self.now, record, reason, judged)
        elif record == before and changed.findings in (None, remembered.findings):
            return Outcome(repeated=True)
        return self._remember(image, self.now, record, "", changed, report, judged)

    def waiting(self, image: ImageId) -> Outcome:
        """Return the windows in which an image waits: an earlier invocation may have ended before it opened them.

        Raises:
            AwsError: DynamoDB rejected a call.
        """
        remembered = self.memory.read(image)
        windows = {PUSH, INVENTORY, remembered.record.window, EXPLOITED if self._lets_exploited_through else ""}
        windows.add(run_window(remembered.asked.run) if remembered.asked.run else "")
        waiting = (window for window in sorted(windows - {""}) if self.outbox.holds(window, image))
        return Outcome(tuple(waiting))

    def process(self, event: ScanEvent, receives: int) -> Outcome:
        """Compare a scan with memory, and remember it.

        Args:
            receives: how often SQS has delivered its message.

        Raises:
            FindingsNotReadError: the findings are not there yet; the message should be retried.
            ConditionError: another invocation has written this image in the meantime; this is to be repeated.
            AwsError: ECR or DynamoDB rejected a call.
        """
        remembered = self.memory.read(event.image)
        record = remembered.record.with_events(event.ids, self.now)
        if event.ids and record is remembered.record:
            return Outcome(repeated=True)
        last = self.past(record.event_at)
        run = remembered.asked.run_of_scan(event.time, last)
        # A late event changes nothing of what later events said, and its counts are not those of the last scan.
        is_late = last is not None and event.time.replace(microsecond=0) < last
        scan = read_scan(event._replace(counts=None) if is_late else event, receives, self.ecr)
        at = last if last and is_late else event.time
        record = record._replace(event_at=at)
        if not isinstance(scan, CompleteScan):
            return self._incomplete(event, record, scan, run, is_late=is_late)
        if self._is_known(scan, record, is_late=is_late) and not event.is_look:
            return self._known(event, record, scan, run, is_late=is_late)
        return self.complete(event._replace(time=at), remembered._replace(record=record), scan, run)

    def _incomplete(
        self, event: ScanEvent, record: ImageRecord, scan: FailedScan | UnreadScan, run: str, *, is_late: bool
    ) -> Outcome:
        """Remember a scan without a result, unless a later event has said more."""
        if is_late and not (isinstance(scan, UnreadScan) and record.failed):
            return self._remember(event.image, event.time, record, run)
        if isinstance(scan, FailedScan):
            return self.failed(event, record, scan, run)
        return self._unread(event, record, scan, run, is_late=is_late)

    def past(self, at: datetime | None) -> datetime | None:
        """Return a time that is remembered; None if it is in the future: it was wrong, and tells nothing."""
        return at if at and at <= self.now + _FUTURE_TOLERATED else None

    def _is_known(self, scan: CompleteScan, record: ImageRecord, *, is_late: bool) -> bool:
        """Return whether the result of a scan was compared before, or is older than one that was."""
        if scan.content and scan.content == record.content:
            return True
        known_at = self.past(record.scanned_at)
        is_earlier = known_at is not None and scan.completed_at.replace(microsecond=0) <= known_at
        return is_earlier and (is_late or scan.is_older)

    def _known(self, event: ScanEvent, record: ImageRecord, scan: CompleteScan, run: str, *, is_late: bool) -> Outcome:
        """Remember an event whose scan brings no other result, unless its counts say that there is one."""
        if is_late:
            return self._remember(event.image, event.time, record, run)
        if not scan.agrees_with(event):
            reason = scan.shorter or "ECR lists what is known already, and the event counts something else"
            if not scan.last_read:
                raise FindingsNotReadError(reason)
            return self._unread(event, record, UnreadScan(reason), run)
        record = record._replace(failed=False, failure="", unsupported=False)
        return self._remember(event.image, event.time, record, run)

    def complete(self, event: ScanEvent, remembered: Remembered, scan: CompleteScan, run: str) -> Outcome:
        """Remember the changes of a scan, and report them if there is a reason.

        Args:
            event: of the scan, or of a look.
            remembered: the memory of the image.
            run: the id of the run that asked for the scan; "" if none did.

        Raises:
            FindingsNotReadError: the image may become part of an index; the message should be retried.
            ConditionError: another invocation has written this image in the meantime; this is to be repeated.
            AwsError: ECR or DynamoDB rejected a call.
        """
        before, image = remembered.record, event.image
        scan = scan._replace(completed_at=min(scan.completed_at, self.now))
        # The baseline of the scan, and the judged comparison with it.
        record = self._described(event, before, scan)
        baseline = self._baseline(event, remembered, record, scan)
        record = record._replace(successors=record.successors | baseline.successors)
        judged = self._judged(event, record, baseline, scan)

        # The report, if there is a reason.
        counts = unexplained_counts(event, scan)
        report, record = self._report(event, record, baseline, judged, scan, counts)

        # The memory of it.
        reported_at = self.now if report else baseline.record.reported_at
        record = _updated(record, judged, baseline, scan)._replace(reported_at=reported_at, told=counts)
        changed = self._changed(judged, remembered)
        if event.is_look and event.scanner == ENHANCED and changed.findings is None and not report:
            return Outcome()
        if baseline.first or is_found_otherwise(before, record, changed=changed.findings is not None):
            pushed = _pushed(image, record, event.time, judged.comparison.open())
            changed = changed._replace(pushed=pushed, replaced=baseline.replaced)
        outcome = self._remember(image, event.time, record, run, changed, report, judged)
        if baseline.inventory:
            return outcome
        differs = scan.listed != before.listed or any(judged.comparison.of(*NEWS, *GONE))
        was_known = not baseline.first or self.was_known(image, record.pushed_at)
        return outcome._replace(new=count_new(judged.counted), differs=differs and was_known)

    def _judged(self, event: ScanEvent, record: ImageRecord, baseline: Baseline, scan: CompleteScan) -> Judged:
        """Compare a complete scan, and judge its changes."""
        absence = Absence.UNKNOWN if scan.shorter else baseline.absence
        known, alike, thresholds = baseline.findings or (), baseline.known_here, self.settings.thresholds
        comparison = compare(scan.findings, known, event.time, thresholds, absence, alike)
        # An inventory is not overdue on its first day, even if its event is old.
        now = event.time if baseline.inventory else self.now
        judged = judge(comparison, self.rules, event.image.repository, self.settings, now, self.catalog)
        return self._superseded(judged, event.image, record, inventory=baseline.inventory)

    def _report(
        self,
        event: ScanEvent,
        record: ImageRecord,
        baseline: Baseline,
        judged: Judged,
        scan: CompleteScan,
        counts: Mapping[str, int],
    ) -> tuple[ImageReport | None, ImageRecord]:
        """Return the report of a complete scan, if there is one, and the record of the image with the tags of today."""
        reason, record = self._reason(event, record, baseline, judged)
        if reason:
            report = findings_report(event.image, event.time, record, reason, judged)
            return report._replace(first_scan=baseline.first, predecessor=baseline.name, shorter=scan.shorter), record
        return self._unread_report(event, record, UnreadScan(scan.shorter), counts) if counts else None, record

    def _reason(
        self, event: ScanEvent, record: ImageRecord, baseline: Baseline, judged: Judged
    ) -> tuple[ReportReason | None, ImageRecord]:
        """Return why a complete scan is reported, if it is, and the record of the image with the tags of today."""
        reported_at, replaced = baseline.record.reported_at, bool(record.successors)
        reason = reason_of_scan(judged, reported_at, self.settings, inventory=baseline.inventory, replaced=replaced)
        if reason and not baseline.first and not event.tags:
            # The tags of an index may have moved since.
            record = _with_details(record, self.details.read(event.image, event.tags))
        return reason, record

    def _changed(self, judged: Judged, remembered: Remembered) -> Written:
        """Return the parts of an image to write for its findings."""
        encoded = encode_findings(judged.to_remember)
        changed = encoded != remembered.findings or remembered.is_ageing(self.now)
        is_matched = self.settings.known_exploited and (changed or judged.judged_by != remembered.record.judged_by)
        cves = (cve for known in judged.comparison.open() for cve in cves_of(known.finding))
        return Written(encoded if changed else None, checksums(cves) if is_matched else None)

    def _described(self, event: ScanEvent, before: ImageRecord, scan: CompleteScan) -> ImageRecord:
        """Return the record of an image with what is known of it besides its findings."""
        record = before._replace(
            event_at=event.time,
            failed=False,
            failure="",
            unsupported=False,
            looked_at=self.now if scan.scanner == ENHANCED else None,
            operating_system=scan.operating_system or before.operating_system,
        )
        record = record.with_tags((*event.all_tags, *before.tags)).with_tags(event.tags or before.tags)
        if is_comparable(before):
            return record
        return _with_details(record, self.details.read(event.image, event.tags))

    def _baseline(self, event: ScanEvent, remembered: Remembered, record: ImageRecord, scan: CompleteScan) -> Baseline:
        """Return the baseline of a scan."""
        before = remembered.record
        if (found := known_findings(remembered)) is not None:
            return for_scanner(scan, Baseline(found, Absence.OF_SAME_IMAGE, first=False, record=before))
        if before.scanned_at or self._is_inventory(event.image, record.pushed_at):
            # It existed before memory did, or the memory of it cannot be read, or was written by a release that
            # identified findings in another way.
            return Baseline(inventory=True)
        just_pushed = record.pushed_at and event.time - record.pushed_at < _WAITS_IF_PUSHED_WITHIN
        if just_pushed and not record.all_tags and not scan.last_read:
            # A later job may make the index.
            raise FindingsNotReadError("the image has no tag, and is part of no index yet")
        merged = merge(scan.findings, Identities(scan.findings, (), ()))
        pushed = _pushed(event.image, record, event.time).with_findings(merged.values())
        link = self._find_link(event.image, pushed)
        if link.findings is None:
            return link._replace(inventory=True)
        return for_scanner(scan, link) if link.predecessor else link

    def _find_link(self, image: ImageId, pushed: PushedImage) -> Baseline:
        # Not at the top: only first scans need it.
        from ecr_scan_reporter.reporting.predecessor_search import find_link

        return find_link(image, pushed, self.memory, self.pushes, self.ecr)

    def _is_inventory(self, image: ImageId, pushed_at: datetime | None) -> bool:
        """Return whether an image is older than what memory could know."""
        return is_inventory(pushed_at, *self.memory.known_since(image, self.now), self.settings)

    def was_known(self, image: ImageId, at: datetime | None) -> bool:
        """Return whether the repository of an image was known at a time."""
        return at is not None and at > self.memory.known_since(image, self.now)[1]

    def _superseded(self, judged: Judged, image: ImageId, record: ImageRecord, *, inventory: bool = False) -> Judged:
        """Note which image has replaced this one, if this one is overdue, or known to be exploited.

        An inventory names all images.
        """
        if judged.newly_overdue or (judged.newly_exploited and not inventory):
            return judged._replace(successor=self._successor(image, record, judged.comparison))
        return judged

    def _successor(self, image: ImageId, record: ImageRecord, comparison: Comparison) -> str:
        if not record.pushed_at:
            return ""
        # The successors of a successor that is gone have replaced this image as well: the list grows while it is read.
        successors = sorted(record.successors)
        for digest in islice(successors, _MAX_SUCCESSORS):
            successor = image._replace(digest=digest)
            if self.details.exists(successor):
                return digest
            successors += sorted(self.memory.read(successor).record.successors - set(successors))
        from ecr_scan_reporter.reporting.comparison.predecessors import replaced_by

        # An image that was scanned after its successor is not linked.
        pushed = _pushed(image, record, self.now, comparison.open())
        others = replaced_by(pushed, self.pushes.others(image))
        return next((digest for digest in others if self.details.exists(image._replace(digest=digest))), "")

    def failed(self, event: ScanEvent, before: ImageRecord, scan: FailedScan, run: str) -> Outcome:
        """Remember that a scan failed, and report it if that is wanted, and not known.

        Raises:
            ConditionError: another invocation has written this image in the meantime; this is to be repeated.
            AwsError: ECR or DynamoDB rejected a call.
        """
        image, known, failure = event.image, before.revision > 0, scan.reason[:_MAX_FAILURE_REASON]
        record = with_tags_of(event, before)
        record = record._replace(event_at=event.time, failed=True, failure=failure, unsupported=scan.unsupported)
        if before.failed and before.failure == failure:
            return self._remember(image, event.time, record, run, Written(pushed=pushed_again(image, before, record)))
        details = self._details_of_failed(event, before)
        if details.no_image:
            return Outcome(run=run)
        if not before.scanned_at:
            record = record.with_tags(details.tags)
        record = record._replace(platform=details.platform, pushed_at=details.pushed_at or before.pushed_at)
        pushed, report = _pushed(image, record, event.time), None
        inventory = image.registry == self.own and not known and self._is_inventory(image, details.pushed_at)
        told = not inventory and self._was_told(image, before, failure, pushed)
        if reason := reason_of_failed_scan(self.settings, inventory=inventory, told=told):
            report = image_report(image, event.time, record, reason)._replace(
                tags=details.tags, failure=scan.reason or "ECR gives no reason.", unsupported=scan.unsupported
            )
        first = pushed if not known else pushed_again(image, before, record)
        return self._remember(image, event.time, record, run, Written(pushed=first), report)

    def _details_of_failed(self, event: ScanEvent, before: ImageRecord) -> ImageDetails:
        """Return the details of an image whose scan failed; ECR is asked if they are not known, in this registry."""
        if event.image.registry == self.own and not (before.pushed_at and event.tags):
            return self.details.read(event.image, event.tags)
        return ImageDetails(event.tags or before.tags, before.platform)

    def _was_told(self, image: ImageId, before: ImageRecord, failure: str, pushed: PushedImage) -> bool:
        """Return whether the first scan of an image failed as that of its predecessor did, which was told then."""
        if image.registry != self.own or before.scanned_at or before.failed:
            return False
        last = self._find_link(image, pushed).record
        return last.failed and last.failure == failure

    def _unread(
        self, event: ScanEvent, before: ImageRecord, scan: UnreadScan, run: str, *, is_late: bool = False
    ) -> Outcome:
        """Remember a scan whose findings cannot be read, and which therefore says nothing about any of them."""
        image = event.image
        extra = {"repository": image.repository, "digest": image.digest, "reason": scan.reason}
        logger.warning("could not read findings; using event counts", extra=extra)
        if before.revision == 0:
            self.memory.known_since(image, self.now)
        counts = event.counts or {}
        record, report = with_tags_of(event, before)._replace(told=counts), None
        if not (scan.expired or is_late):
            # The scan did not fail.
            record = record._replace(failed=False, failure="", unsupported=False)
        if not scan.expired and (event.counts is None or counts != before.listed):
            report = self._unread_report(event, record._replace(told=before.told), scan, counts)
        if before.scanned_at is None:
            record = record._replace(counts=counts, listed=counts)
        pushed = pushed_again(image, before, record)
        return self._remember(image, event.time, record, run, Written(pushed=pushed), report)

    def _unread_report(
        self, event: ScanEvent, record: ImageRecord, scan: UnreadScan, counts: Mapping[str, int]
    ) -> ImageReport | None:
        """Return the report of findings that were not read; None if nothing is to be said, or nothing new.

        Nothing is known of an image of the inventory whose counts are unknown, too.
        """
        if not is_worth_telling(event.counts, record.told, self.settings):
            return None
        image, details, inventory = event.image, ImageDetails(), False
        if record.scanned_at is None and image.registry == self.own:
            # The problem that keeps ECR from giving the findings may keep it from giving these as well.
            with suppress(AwsError):
                details = self.details.read(image, event.tags)
            inventory = self._is_inventory(image, details.pushed_at)
        record = record._replace(
            tags=details.tags or event.tags or record.tags, platform=details.platform or record.platform
        )
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
        written: Written = _NOTHING,
        report: ImageReport | None = None,
        judged: Judged | None = None,
    ) -> Outcome:
        window, item = "", None
        if report:
            window = run_window(run) if run else PUSH
            if report.reason is ReportReason.INVENTORY:
                window = INVENTORY
            elif judged and self._lets_exploited_through and _is_urgent(judged, self.settings):
                window = EXPLOITED
            item = outbox_item(window, image, at, encode_report(report), self.now, record.revision)
            record = record._replace(window=window)
        self.memory.write(image, record, self.now, outbox=item, **written._asdict())
        self.pushes.add(image, written.pushed, written.replaced)
        return Outcome((window,) if window else (), run, added=bool(window))


# A step of the work on an image.
Step = Callable[[ImageProcessor], Outcome]


def _is_urgent(judged: Judged, settings: ReporterSettings) -> bool:
    # Not at the top: only with quiet hours.
    from ecr_scan_reporter.reporting.reports.when_due import is_newly_exploited

    return is_newly_exploited(judged, settings)


def for_scanner(scan: CompleteScan, known: Baseline) -> Baseline:
    """Return a baseline as it counts for the scanner of a scan: findings it does not look for are not gone."""
    if scan.is_other_scanner(known.record.scanner):
        return known._replace(inventory=True, absence=Absence.OF_OTHER_SCANNER)
    return known


def unexplained_counts(event: ScanEvent, scan: CompleteScan) -> Mapping[str, int]:
    """Return the counts of an event that an incomplete list of findings does not explain; none if it does."""
    return {} if scan.agrees_with(event) or not scan.shorter else event.counts or {}


def is_worth_telling(counts: Mapping[str, int] | None, told: Mapping[str, int], settings: ReporterSettings) -> bool:
    """Return whether the counts of an event are unknown, or reach a threshold and were not told before."""
    return counts is None or (counts != told and bool(over_thresholds(counts, settings.thresholds)))


def _pushed(
    image: ImageId, record: ImageRecord, at: datetime, found: Iterable[KnownFinding] | None = None
) -> PushedImage:
    """Return an image among those of its repository, with all tags that it is known to have had."""
    pushed_at = (record.pushed_at or at).replace(microsecond=0)
    pushed = PushedImage(image.digest, pushed_at, record.all_tags, record.platform, successors=record.successors)
    return pushed if found is None else pushed.with_findings(known.finding for known in found)


def is_found_otherwise(before: ImageRecord, record: ImageRecord, *, changed: bool) -> bool:
    """Return whether an image has other findings, or a tag more, so that others are compared with it otherwise."""
    # Without the time of its push, there would be another item each time.
    return record.pushed_at is not None and (changed or bool(set(record.tags) - set(before.tags)))


def pushed_again(image: ImageId, before: ImageRecord, record: ImageRecord) -> PushedImage | None:
    """Return an image among those of its repository if no scan was complete; None if another scan adds nothing."""
    return _pushed(image, record, record.pushed_at) if record.pushed_at and not before.scanned_at else None


def with_tags_of(event: ScanEvent, before: ImageRecord) -> ImageRecord:
    """Return the record of an image with the tags of a scan that is not complete.

    If an earlier one was, the next one tells which tags are new.
    """
    return before.with_tags(event.tags) if event.tags and not before.scanned_at else before


def _with_details(record: ImageRecord, details: ImageDetails) -> ImageRecord:
    pushed_at = details.pushed_at or record.pushed_at
    return record.with_tags(details.tags)._replace(platform=details.platform, pushed_at=pushed_at)


def _updated(record: ImageRecord, judged: Judged, baseline: Baseline, scan: CompleteScan) -> ImageRecord:
    """Return the record of an image with what is known of its findings after a complete scan."""
    comparison = judged.comparison
    return judged.update(record)._replace(
        scanned_at=scan.completed_at,
        scanner=scan.scanner,
        predecessor=baseline.predecessor.digest if baseline.predecessor else record.predecessor,
        counts=open_counts(comparison),
        listed=scan.listed,
        content=scan.content,
        ledger=add_to_ledger(
            record.ledger,
            comparison,
            first=baseline.first,
            inventory=baseline.inventory,
            other_scanner=baseline.absence is Absence.OF_OTHER_SCANNER,
        ),
        updates=best_updates(comparison.without_ignored()),
    )
