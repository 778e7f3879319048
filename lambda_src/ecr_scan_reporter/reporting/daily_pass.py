"""The daily pass over memory: queues the images in which something is due without an event, and those alone.

It walks over the records of all images, in parts. The record of an image tells whether something is due in it.
Only the changes of the catalog are matched with the checksums of its CVE ids.
"""

import logging
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from ecr_scan_reporter.aws.deadline import Deadline
from ecr_scan_reporter.aws.sqs import EARLY
from ecr_scan_reporter.errors import AwsError, DeadlineExceededError
from ecr_scan_reporter.memory.images import ImageMemory, ImageRecord
from ecr_scan_reporter.memory.runs import DailyPass
from ecr_scan_reporter.messages.reports_queue import DailyPassMessage, DueMessage, to_body
from ecr_scan_reporter.models.images import RegistryId
from ecr_scan_reporter.reporting.baseline import is_comparable
from ecr_scan_reporter.reporting.comparison.ignored import RuleMatcher
from ecr_scan_reporter.reporting.comparison.judged import identity
from ecr_scan_reporter.reporting.dependencies import ReporterDependencies

logger = logging.getLogger(__name__)

# Changes of the catalog that are this old are known to every invocation of a pass: a copy is kept for five minutes, and
# an invocation takes 15 at most. The next pass matches later changes.
_SETTLED = timedelta(minutes=30)
# The fields of a record that decide whether something is due in its image.
_FIELDS = ("scanned_at", "findings_format", "counts", "due_at", "ignored_until", "judged_by")
# How many images one part queues at most: scan events wait no longer than these take, and sending them takes seconds.
_MAX_DUE = 5000


class Due(StrEnum):
    """Why an image is to be judged again."""

    DEADLINE = "deadline"
    RULE_ENDED = "rule_ended"
    JUDGED_OTHERWISE = "judged_otherwise"
    CATALOG = "catalog"


def what_is_due(record: ImageRecord, judged_by: str, now: datetime, *, in_catalog: bool = False) -> Due | None:
    """Return why an image is to be judged again; None if nothing is due in it.

    Whoever judges an image notes when the next thing is due in it, so what a pass has missed is due in the next one.

    Args:
        record: of the image, with at least `_FIELDS`.
        judged_by: identifies the settings and rules that judge the images of its repository now.
        in_catalog: whether it seems to have a finding whose entry in the catalog of known exploits has changed.
    """
    if not is_comparable(record) or not any(record.counts.values()):
        return None
    if record.due_at and record.due_at <= now:
        return Due.DEADLINE
    if record.ignored_until and record.ignored_until <= now.astimezone(UTC).date():
        return Due.RULE_ENDED
    if record.judged_by != judged_by:
        return Due.JUDGED_OTHERWISE
    return Due.CATALOG if in_catalog else None


class _WalkedPart:
    """A part of a pass: the images that it found, and how far it came.

    Attributes:
        registry: of the images.
        position: where the next part goes on. Images up to there were looked at.
        images: how many were looked at.
        due: the messages about images in which something is due.
        reasons: how many there are by reason.
        interrupted: why other images are left; "" if none are.
    """

    def __init__(self, registry: RegistryId, position: DailyPassMessage) -> None:
        self.registry, self.position, self.images, self.interrupted = registry, position, 0, ""
        self.due: list[str] = []
        self.reasons: Counter[Due] = Counter()

    def add(self, position: DailyPassMessage, due: Due | None) -> None:
        self.position, self.images = position, self.images + 1
        if due:
            self.reasons[due] += 1
            self.due.append(to_body(DueMessage(self.registry.image(position.repository, position.after))))


def walk(
    message: DailyPassMessage, rules: RuleMatcher, deps: ReporterDependencies, deadline: Deadline, now: datetime
) -> None:
    """Look at images from where a message says, queue those in which something is due, and queue the next part.

    To run out of time is no failure. A part that was done before is not done again, and a pass ends where a later one
    begins. A function that dies repeats a part: that queues images again, in which nothing is due any longer.

    Args:
        deadline: of the invocation; half of the time is left for sending messages.

    Raises:
        AwsError: DynamoDB or SQS rejected a call; the part is repeated.
    """
    # A time in the future would let the passes until then look like earlier ones.
    at = min(message.at or now, now).replace(microsecond=0)
    known, start = deps.runs.daily_pass(), message._replace(registry=deps.ecr.id, at=at)
    if _is_done(at, start, known, now):
        done = {"at": f"{at}", "repository": start.repository, "after": start.after}
        logger.info("this part of the daily pass was done before", extra=done)
        return
    part = _look(deps.ecr.id, start, _images(start, known.matched_at, rules, deps, deadline.halfway(), now))
    deps.reports_queue.send(part.due)
    if part.interrupted:
        deps.reports_queue.send([to_body(part.position)])
    ended = not part.interrupted
    completed_at, matched_at = (now, at - _SETTLED) if ended else (known.completed_at, known.matched_at)
    position = part.position.repository, part.position.after
    deps.runs.remember_daily_pass(DailyPass(at, *position, ended, completed_at, matched_at), now)
    reasons = {reason.value: part.reasons[reason] for reason in Due}
    extra = {"images": part.images, "due": reasons, "interrupted": part.interrupted, "resume": [*position]}
    logger.info("daily pass", extra=extra)


def _is_done(at: datetime, start: DailyPassMessage, known: DailyPass, now: datetime) -> bool:
    if known.at is None or known.at > now + EARLY or known.at < at:
        return False
    return known.at > at or known.complete or (known.repository, known.after) > (start.repository, start.after)


def _look(
    registry: RegistryId, start: DailyPassMessage, images: Iterable[tuple[DailyPassMessage, Due | None]]
) -> _WalkedPart:
    part = _WalkedPart(registry, start)
    try:
        for position, due in images:
            part.add(position, due)
            if len(part.due) == _MAX_DUE:
                part.interrupted = "enough is due"
                break
    except DeadlineExceededError as error:
        part.interrupted = str(error)
    except AwsError as error:
        if part.position == start:
            raise
        logger.warning("the daily pass was interrupted; it goes on with the next part", extra={"reason": str(error)})
        part.interrupted = str(error)
    return part


def _images(
    start: DailyPassMessage,
    matched_at: datetime | None,
    rules: RuleMatcher,
    deps: ReporterDependencies,
    deadline: Deadline,
    now: datetime,
) -> Iterator[tuple[DailyPassMessage, Due | None]]:
    """Yield all images from a position on, each with why it is due.

    Raises:
        DeadlineExceededError: there is no time for the next one.
    """
    memory, registry, work = ImageMemory(deps.table, now), deps.ecr.id, "the daily pass"
    catalog = deps.catalog(now)
    changed = catalog.changed_since(matched_at)
    for repository in memory.repositories(registry, start.repository):
        deadline.check(work)
        if deps.settings.repositories.matches(repository):
            judged_by = identity(rules, repository, deps.settings, catalog)
            after = start.after if repository == start.repository else ""
            in_catalog = memory.with_cves(registry, repository, changed) if changed else frozenset()
            for digest, record in memory.records(registry, repository, after, _FIELDS):
                deadline.check(work)
                due = what_is_due(record, judged_by, now, in_catalog=digest in in_catalog)
                yield start._replace(repository=repository, after=digest), due
