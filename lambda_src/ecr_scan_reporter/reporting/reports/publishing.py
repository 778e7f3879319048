"""Decides when what waits in the outbox is published, and publishes it."""

import logging
import zlib
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from math import ceil
from typing import NamedTuple

from ecr_scan_reporter.aws.deadline import Deadline
from ecr_scan_reporter.aws.dynamodb import Key
from ecr_scan_reporter.aws.sns import ReportMessage, ReportPublisher
from ecr_scan_reporter.aws.sqs import SqsQueue
from ecr_scan_reporter.errors import QueueError
from ecr_scan_reporter.memory.items import UNREADABLE
from ecr_scan_reporter.memory.outbox import INVENTORY, PUSH, Outbox, PublisherState, Window
from ecr_scan_reporter.memory.scans import ScanMemory
from ecr_scan_reporter.messages.publication import CHECK
from ecr_scan_reporter.reporting.delivery import RETRY, deliver, publish_later
from ecr_scan_reporter.reporting.reports.encoding import decode_report
from ecr_scan_reporter.reporting.reports.image_report import MAX_FINDINGS, ImageReport, keep_worst
from ecr_scan_reporter.settings import ReporterSettings

logger = logging.getLogger(__name__)

# The results of a run are complete if nothing has come for this long, ...
_QUIET = timedelta(minutes=10)
# ... or for this long, if a later run has visited its repositories, ...
_OVERTAKEN_QUIET = timedelta(minutes=1)
# ... and the report of a run waits no longer than this.
_LONGEST_RUN = timedelta(hours=1)
# An inventory waits for the run that found it, but no longer than a day. One inventory mail a day is enough.
_DAY = timedelta(days=1)
# How often to check whether a run is complete, and how far ahead a check can be: SQS delays a message by at most
# 900 seconds. https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
_RUN_CHECK, _LONGEST_DELAY = timedelta(seconds=30), timedelta(seconds=900)
# Clocks differ: a check may arrive this early. Such a check does not count as one that is still to come.
_EARLY = timedelta(seconds=5)
# How long to wait with what SNS rejected, or what another invocation is publishing.
_RETRY = timedelta(seconds=RETRY)
# Findings that are kept in memory for one report, about a kilobyte each.
_MAX_KEPT = 60_000
_MIN_KEPT_PER_IMAGE = 8


class PublishingDependencies(NamedTuple):
    """The settings and clients that publishing needs."""

    settings: ReporterSettings
    publisher: ReportPublisher
    reports_queue: SqsQueue
    outbox: Outbox
    scans: ScanMemory


def publish_what_is_due(deps: PublishingDependencies, now: datetime, deadline: Deadline) -> int:
    """Publish the windows that are due, and plan the next check for the others; return how many pages were published.

    Args:
        deps: the settings and clients.
        now: aware.
        deadline: of the invocation.

    Raises:
        AwsError: DynamoDB or SQS rejected a call.
    """
    windows, publisher = deps.outbox.windows()
    if not windows:
        return 0
    due_at = _due_times(windows, publisher, deps, now)
    due = [window for window in windows if due_at[window.name] <= now]
    pages = 0
    checks = [_check_time(window, due_at[window.name], now) for window in windows if window not in due]
    if due and deps.outbox.lease(now, now + timedelta(seconds=deadline.seconds + 60)):
        inventory_at = None
        try:
            pages, complete, with_inventory = _publish(due, deps, deadline)
            inventory_at = now if with_inventory else None
            if complete:
                deps.outbox.close(due)
            else:
                checks.append(now + _RETRY)
        finally:
            deps.outbox.release(inventory_at)
    elif due:
        checks.append(now + _RETRY)
    if checks:
        _plan_check(min(checks), publisher, deps, now)
    return pages


def _due_times(
    windows: Sequence[Window], publisher: PublisherState, deps: PublishingDependencies, now: datetime
) -> dict[str, datetime]:
    """Return when each window is due."""
    ends = {run: _end_of_run(run, deps, now) for run in sorted({window.run for window in windows if window.run})}
    due: dict[str, datetime] = {}
    for window in windows:
        end = ends.get(window.run, window.last_at + _QUIET)
        if window.name == PUSH:
            due[window.name] = window.opened_at + deps.settings.report_window
        elif window.name == INVENTORY:
            earliest = publisher.inventory_at + _DAY if publisher.inventory_at else window.opened_at
            due[window.name] = max(min(end, window.opened_at + _DAY), earliest)
        else:
            due[window.name] = min(end, window.opened_at + _LONGEST_RUN)
    return due


def _end_of_run(run: str, deps: PublishingDependencies, now: datetime) -> datetime:
    """Return when the results of a run are, or were, complete."""
    state = deps.outbox.run(run)
    quiet = (state.last_result_at or now) + _QUIET
    if state.results < state.expected:
        # Every batch of results causes a check, and the states of a large registry's repositories are several MB.
        return quiet
    # The id of a run begins with its time. A later run in a repository replaces what this run asked for there.
    done = [repository for repository in deps.scans.states() if repository.run >= run]
    asked = sum(repository.asked for repository in done if repository.run == run)
    if state.results < asked:
        deps.outbox.expect(run, asked, now)
    elif state.repositories and len(done) >= state.repositories:
        overtaken = any(repository.run > run for repository in done)
        return (state.last_result_at or now) + _OVERTAKEN_QUIET if overtaken else now
    return quiet


def _check_time(window: Window, due_at: datetime, now: datetime) -> datetime:
    """Return when to check a window again: a run may be complete before its time is up."""
    return min(due_at, now + _RUN_CHECK) if window.run and due_at <= now + _LONGEST_RUN else due_at


def _plan_check(at: datetime, publisher: PublisherState, deps: PublishingDependencies, now: datetime) -> None:
    at = max(min(at, now + _LONGEST_DELAY), now + timedelta(seconds=1))
    if publisher.next_check and now + _EARLY < publisher.next_check <= at:
        return
    # Rounded up: a check that arrives too early finds nothing due.
    deps.reports_queue.send([CHECK], delay=ceil((at - now).total_seconds()))
    deps.outbox.plan_check(at)


def _publish(windows: Sequence[Window], deps: PublishingDependencies, deadline: Deadline) -> tuple[int, bool, bool]:
    """Publish all changes of windows.

    A group whose first page SNS rejects stays in the outbox, and the others are published. A later page that SNS
    rejects goes to the reports queue: the pages before it are out, and must not be published again.

    Returns:
        How many pages were published, whether no group waits, and whether the inventory was among them, completely.
    """
    # Not at the top: a batch of scan events only plans a check, and these would be a third of what it imports.
    from ecr_scan_reporter.reporting.formatting import Context
    from ecr_scan_reporter.reporting.reports.grouping import Inventory, group_key, make_group, merge_scans
    from ecr_scan_reporter.reporting.reports.pages import build_message, build_pages

    settings = deps.settings
    images: dict[tuple[str, str, bool, str], list[ImageReport]] = {}
    inventories: dict[tuple[str, str, bool, str], Inventory] = {}
    keys: dict[tuple[str, str, bool, str], list[Key]] = {}
    entries = [entry for window in windows if window.name != INVENTORY for entry in deps.outbox.entries(window.name)]
    kept = max(_MIN_KEPT_PER_IMAGE, min(MAX_FINDINGS, _MAX_KEPT // max(len(entries), 1)))
    for found in _by_image(sorted(entries, key=_sort_key)):
        readable = _readable(found)
        for image in merge_scans(image for _, image in readable):
            group = group_key(image, settings.group_by)
            image = image._replace(
                changes=keep_worst(image.changes, kept, image.reason),
                left_out={},
                ignored=image.ignored[:kept],
                overdue=image.overdue[:kept],
            )
            images.setdefault(group, []).append(image)
        if readable:
            keys.setdefault(group, []).extend(key for key, _ in readable)
    if any(window.name == INVENTORY for window in windows):
        for found in _by_image(deps.outbox.entries(INVENTORY)):
            # A failed scan may have been repeated since: the last one counts.
            if not (readable := _readable(found)):
                continue
            image = readable[-1][1]
            group = group_key(image, settings.group_by)
            inventories.setdefault(group, Inventory()).add(image)
            keys.setdefault(group, []).extend(key for key, _ in readable)
    context = Context(settings.name, settings.partition, settings.thresholds, bool(settings.chat_topic_arn))
    published, complete = 0, True
    waiting = set(inventories)
    for group in sorted(keys):
        if deadline.remaining <= 0:
            complete = False
            break
        report = make_group(group, images.get(group, ()), inventories.get(group))
        for page in build_pages(report, context):
            if not _publish_page(build_message(page, context), deps, deadline, first=page.part == 1):
                complete = False
                break
            published += 1
        else:
            deps.outbox.delete(keys[group])
            waiting.discard(group)
    return published, complete, bool(inventories) and not waiting


def _sort_key(entry: tuple[Key, bytes]) -> str:
    return entry[0][1]


def _by_image(entries: Iterable[tuple[Key, bytes]]) -> Iterator[list[tuple[Key, bytes]]]:
    """Group entries by image, the earliest one first; they are in the order of their sort keys."""
    return (list(group) for _, group in groupby(entries, key=lambda entry: _sort_key(entry).rpartition("#")[0]))


def _readable(entries: Iterable[tuple[Key, bytes]]) -> list[tuple[Key, ImageReport]]:
    """Decode the entries of an image. What this release cannot read stays in the outbox, for one that can."""
    readable = []
    for key, data in entries:
        try:
            readable.append((key, decode_report(data)))
        except (*UNREADABLE, zlib.error) as error:
            logger.error("could not read a report that waits", extra={"entry": key[1], "reason": repr(error)})
    return readable


def _publish_page(message: ReportMessage, deps: PublishingDependencies, deadline: Deadline, *, first: bool) -> bool:
    """Publish one page; return whether it was published or queued on every topic.

    A first page that fails on all topics is not queued: nothing of its report is out, so the report can wait in the
    outbox. Otherwise what fails goes to the reports queue, so that the page is not published twice on the other topic.
    """
    accepted, rejected = deliver(message, deps.publisher, deadline)
    if first and not accepted:
        return False
    try:
        publish_later(rejected, deps.reports_queue)
    except QueueError:
        logger.exception("report not queued")
        return False
    return True
