"""Reads findings for reasons other than the event of a scan, and decides how often: at most twice per window.

Amazon Inspector has created, updated or closed one of them; or ECR has the result of a scan of which no event came.
"""

from datetime import UTC, datetime, timedelta
from math import ceil

from ecr_scan_reporter.aws.sqs import MAX_DELAY
from ecr_scan_reporter.errors import FindingsNotReadError
from ecr_scan_reporter.memory.images import Remembered
from ecr_scan_reporter.messages.reports_queue import LookMessage, MissedMessage, to_body
from ecr_scan_reporter.models.images import ImageId
from ecr_scan_reporter.models.scans import BASIC
from ecr_scan_reporter.reporting.baseline import is_comparable
from ecr_scan_reporter.reporting.image_processor import ImageProcessor, Outcome
from ecr_scan_reporter.reporting.intake.events import ScanEvent
from ecr_scan_reporter.reporting.intake.scan_results import (
    DATES_DIFFER,
    LAST_READ,
    CompleteScan,
    FailedScan,
    UnreadScan,
    read_scan,
)

# The least time in which the findings of an image are read at most twice because of single findings, and how long ECR
# may take to list one that an event announces.
_LEAST_WINDOW, _LISTED_WITHIN = timedelta(seconds=60), timedelta(minutes=2)
# A scan that has not ended after so long is started again.
_SCAN_ENDS_WITHIN = timedelta(days=1)


def look(processor: ImageProcessor, event: ScanEvent, receives: int) -> Outcome:
    """Read the findings of an image that Inspector monitors, at most twice per report window.

    There may be an event for each of its findings. The first one has them read at once, and once more at the end of
    the window, for those that come until then and for those that ECR does not list yet.

    Args:
        event: that asks for the look.
        receives: how often SQS has delivered its message.

    Raises:
        FindingsNotReadError: the findings are not there yet; the message should be retried.
        ConditionError: another invocation has written this image in the meantime; this is to be repeated.
        AwsError: ECR or DynamoDB rejected a call.
    """
    image, now = event.image, processor.now
    if image.registry != processor.own:
        return Outcome()
    remembered = processor.memory.read(image)
    record = remembered.record
    if not is_comparable(record):
        if receives < LAST_READ:
            raise FindingsNotReadError("the first scan of the image is not known yet")
        return processor.process(event, receives)
    at = min(event.time, now)
    # An event that is delivered again may have been lost after this was noted.
    if receives == 1 and record.looked_at and at <= record.looked_at:
        return Outcome()
    window = max(processor.settings.report_window, _LEAST_WINDOW)
    if record.looked_at and now < record.looked_at + window:
        later = record.looked_at + window
        if receives == 1 and record.look_at and now < record.look_at + _LISTED_WITHIN:
            return Outcome()
        processor.memory.note_look(image, record._replace(look_at=later))
        return Outcome(again=(_body(image, later), later))
    return _read(processor, event, receives, remembered, now + window)


def _read(
    processor: ImageProcessor, event: ScanEvent, receives: int, remembered: Remembered, later: datetime
) -> Outcome:
    """Read the findings now, and again later if the list may be older than the event."""
    image, now, at = event.image, processor.now, min(event.time, processor.now)
    again = later if event.is_finding and now - at < _LISTED_WITHIN else None
    record = processor.memory.note_look(image, remembered.record._replace(looked_at=now, look_at=again))
    scan, outcome = read_scan(event, receives, processor.ecr), Outcome()
    if isinstance(scan, CompleteScan):
        at = max(at, processor.past(record.event_at) or at)
        outcome = processor.complete(event._replace(time=at), remembered._replace(record=record), scan, "")
    return outcome._replace(again=(_body(image, again), again) if again else None)


def _body(image: ImageId, at: datetime) -> str:
    return to_body(LookMessage(image, ceil(at.timestamp())))


def read_missed(processor: ImageProcessor, missed: MissedMessage, receives: int) -> Outcome:
    """Read a result of which no event came, and note that, unless one came in the meantime.

    Args:
        missed: the message of the images scanner, about an image of this registry.
        receives: how often SQS has delivered it.

    Raises:
        FindingsNotReadError: the findings are not there yet; the message should be retried.
        ConditionError: another invocation has written this image in the meantime; this is to be repeated.
        AwsError: ECR or DynamoDB rejected a call.
    """
    event = ScanEvent.of_look(missed.image, processor.now, missed.scanner)
    if missed.scanner == BASIC:
        return _read_missed(processor, event, missed, receives)
    outcome = look(processor, event, max(receives, LAST_READ))
    if outcome.differs:
        _note_lost(processor, missed.image)
    return outcome._replace(lost=outcome.differs)


def _read_missed(processor: ImageProcessor, event: ScanEvent, missed: MissedMessage, receives: int) -> Outcome:
    """Read the result of a basic scan of which no event came."""
    image, remembered, outcome = event.image, processor.memory.read(event.image), Outcome()
    record, asked = remembered.record, remembered.asked
    ended_at = datetime.fromtimestamp(missed.ended_at, UTC)
    came = any(at and at >= ended_at - DATES_DIFFER for at in (record.event_at, record.scanned_at))
    is_lost = missed.is_lost or processor.was_known(image, ended_at)
    if lost := is_lost and not came and not missed.counted:
        _note_lost(processor, image)
    scan = read_scan(event, receives, processor.ecr)
    match scan:
        case CompleteScan(at) if processor.now - at < _LISTED_WITHIN:
            scan = UnreadScan("the findings may not be there yet", in_progress=True)
        case CompleteScan(at) if not record.scanned_at or at.replace(microsecond=0) > record.scanned_at:
            outcome = processor.complete(event, remembered, scan, asked.run_of_scan(at, record.event_at))
        case FailedScan() if not came:
            outcome = processor.failed(event, record, scan, asked.run_of_scan(ended_at, record.event_at))
    # Otherwise, the next run finds what became of it.
    may_end = asked.asked_at is not None and processor.now < asked.asked_at + _SCAN_ENDS_WITHIN
    if isinstance(scan, UnreadScan) and scan.in_progress and may_end:
        outcome = outcome._replace(again=(to_body(missed._replace(counted=True)), processor.now + MAX_DELAY))
    return outcome._replace(lost=lost)


def _note_lost(processor: ImageProcessor, image: ImageId) -> None:
    # Not at the top: events are lost rarely.
    from ecr_scan_reporter.memory.lost_events import note_lost_event

    note_lost_event(processor.table, image, processor.now)
