"""Publishes what is due of what waits in the outbox, and plans the next check for the rest."""

import logging
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import NamedTuple

from ecr_scan_reporter.aws.deadline import Deadline
from ecr_scan_reporter.aws.sns import ReportMessage, ReportPublisher
from ecr_scan_reporter.aws.sqs import SqsQueue
from ecr_scan_reporter.errors import QueueError
from ecr_scan_reporter.memory.outbox import Outbox, Window
from ecr_scan_reporter.memory.runs import RunMemory
from ecr_scan_reporter.memory.states import StateMemory
from ecr_scan_reporter.reporting.delivery import RETRY, deliver, publish_later
from ecr_scan_reporter.reporting.formatting import Context
from ecr_scan_reporter.reporting.reports.windows import check_time, due_time, end_of_run, plan_check
from ecr_scan_reporter.settings import ReporterSettings

logger = logging.getLogger(__name__)


class PublishingDependencies(NamedTuple):
    """The settings and clients that publishing needs."""

    settings: ReporterSettings
    publisher: ReportPublisher
    reports_queue: SqsQueue
    outbox: Outbox
    runs: RunMemory
    states: StateMemory


class Published(NamedTuple):
    """What was published.

    Args:
        pages: how many.
        complete: whether no group waits any more.
        inventory: whether an inventory was among them, completely.
    """

    pages: int = 0
    complete: bool = False
    inventory: bool = False


def publish_what_is_due(deps: PublishingDependencies, now: datetime, deadline: Deadline) -> int:
    """Publish the windows that are due, and plan the next check for the others; return how many pages were published.

    Args:
        deps: the settings and clients.
        now: aware.
        deadline: of the invocation.

    Raises:
        AwsError: DynamoDB or SQS rejected a call.
    """
    windows, state = deps.outbox.windows()
    ends = {
        run: end_of_run(run, deps.runs, deps.states, now)
        for run in sorted({window.run for window in windows if window.run})
    }
    due, checks = [], []
    for window in windows:
        due_at = due_time(window, ends.get(window.run), deps.settings.report_window, state.inventory_at)
        if due_at <= now:
            due.append(window)
        else:
            checks.append(check_time(window, due_at, now))
    published = _publish_alone(due, deps, deadline, now) if due else Published(complete=True)
    if not published.complete:
        checks.append(now + timedelta(seconds=RETRY))
    if checks:
        plan_check(min(checks), state, deps.reports_queue, deps.outbox, now)
    return published.pages


def _publish_alone(
    windows: Collection[Window], deps: PublishingDependencies, deadline: Deadline, now: datetime
) -> Published:
    """Publish windows, and close them; do nothing if another invocation is publishing."""
    if not deps.outbox.lease(now, now + timedelta(seconds=deadline.seconds + 60)):
        return Published()
    published = Published()
    try:
        published = _publish(windows, deps, deadline)
        if published.complete:
            deps.outbox.close(windows)
    finally:
        deps.outbox.release(now if published.inventory else None)
    return published


def _publish(windows: Collection[Window], deps: PublishingDependencies, deadline: Deadline) -> Published:
    """Publish all changes of windows.

    A group whose first page SNS rejects stays in the outbox, and the others are published. A later page that SNS
    rejects goes to the reports queue: the pages before it are out, and must not be published again.
    """
    # Not at the top: a batch of scan events only plans a check, and these would be a third of what it imports.
    from ecr_scan_reporter.reporting.reports.grouping import make_group
    from ecr_scan_reporter.reporting.reports.pages import build_message, build_pages
    from ecr_scan_reporter.reporting.reports.waiting import gather

    settings = deps.settings
    context = Context(settings.name, settings.partition, settings.thresholds, bool(settings.chat_topic_arn))
    waiting = gather(windows, deps.outbox, settings.group_by)
    inventories = {key for key, group in waiting.items() if group.inventory.repositories}
    pages = 0
    for key, group in sorted(waiting.items()):
        if deadline.remaining <= 0:
            break
        report = make_group(key, group.images, group.inventory if key in inventories else None)
        for page in build_pages(report, context):
            if not _publish_page(build_message(page, context), deps, deadline, first=page.part == 1):
                break
            pages += 1
        else:
            deps.outbox.delete(group.keys)
            del waiting[key]
    return Published(pages, not waiting, bool(inventories) and not inventories & waiting.keys())


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
