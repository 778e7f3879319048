"""Decides when windows of the outbox are due: after the report window, a run or a day, or when quiet hours end."""

import logging
from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from math import ceil

from ecr_scan_reporter.aws.sns import ReportPublisher
from ecr_scan_reporter.aws.sqs import EARLY, MAX_DELAY, SqsQueue
from ecr_scan_reporter.errors import AwsError
from ecr_scan_reporter.memory.outbox import EXPLOITED, INVENTORY, PUSH, Outbox, PublisherState, Window
from ecr_scan_reporter.memory.runs import RunMemory
from ecr_scan_reporter.messages.rejected_publication import FIRST_RETRY
from ecr_scan_reporter.messages.reports_queue import CHECK
from ecr_scan_reporter.reporting.comparison.changes import NEWS, Change
from ecr_scan_reporter.reporting.comparison.judged import Judged
from ecr_scan_reporter.reporting.dependencies import ReporterDependencies
from ecr_scan_reporter.reporting.reports.reasons import any_of, open_counts, over_thresholds
from ecr_scan_reporter.settings import ReporterSettings

logger = logging.getLogger(__name__)

# The results of a run are complete if nothing has come for this long, ...
_RUN_ENDS_WITHOUT_RESULT_FOR = timedelta(minutes=10)
# ... or for this long, if a later run has visited its repositories, ...
_OVERTAKEN_RUN_ENDS_AFTER = timedelta(minutes=1)
# ... and the report of a run waits no longer than this.
_RUN_REPORT_WAITS_AT_MOST = timedelta(hours=1)
# No group gets two inventories on one day, and an inventory waits for its run no longer than a day.
INVENTORY_INTERVAL, _INVENTORY_WAITS_AT_MOST = timedelta(days=1), timedelta(days=1)
# How often to check whether a run is complete, and whether somebody has confirmed an address.
_RUN_CHECK, _CONFIRMATION_CHECK = timedelta(seconds=30), timedelta(minutes=1)
# What has waited for so long, because it cannot be published, is tried again less often.
_RETRIED_SLOWLY_AFTER, _SLOW_RETRY = timedelta(hours=2), timedelta(minutes=15)
# The link that confirms an address is valid for so long. https://docs.aws.amazon.com/sns/latest/api/API_Subscribe.html
_CONFIRMED_WITHIN = timedelta(days=2)


def is_newly_exploited(judged: Judged, settings: ReporterSettings) -> bool:
    """Return whether news is about a finding that is known to be exploited, or, if it counts, with a known exploit."""
    if judged.newly_exploited:
        return True
    over = over_thresholds(open_counts(judged.counted), settings.thresholds)
    news = judged.counted.of(*(change for change in NEWS if change is not Change.FIX_AVAILABLE))
    return any_of((known for known in news if known.exploit_known), over)


def due_windows(
    windows: Collection[Window], state: PublisherState, deps: ReporterDependencies, now: datetime
) -> tuple[dict[Window, datetime], list[datetime]]:
    """Return the windows that are due, each with the time since when it is, and when to check the others again.

    Raises:
        AwsError: DynamoDB rejected a call.
    """
    quiet = deps.settings.quiet_hours
    last = {window.run: window.last_at for window in sorted(windows, key=lambda window: window.last_at) if window.run}
    is_quiet = quiet is not None and quiet.until(now) is not None
    runs = [] if is_quiet else sorted(last)
    ends = {run: end_of_run(run, deps.runs, now, last[run]) for run in runs}
    due, checks = dict[Window, datetime](), list[datetime]()
    for window in windows:
        due_at = due_time(window, ends.get(window.run), deps.settings.report_window, state)
        if quiet and window.name != EXPLOITED:
            due_at = quiet.due(due_at, now, MAX_DELAY)
        if due_at <= now and _waits_for_reader(window, state, deps.publisher, now):
            checks.append(now + _CONFIRMATION_CHECK)
        elif due_at <= now:
            due[window] = due_at
        else:
            checks.append(due_at if is_quiet else check_time(window, due_at, now))
    return due, checks


def _waits_for_reader(window: Window, state: PublisherState, publisher: ReportPublisher, now: datetime) -> bool:
    """Return whether the first inventory would be mailed to nobody: AWS does not keep it until an address confirms."""
    if window.name != INVENTORY or state.inventory_at or now >= window.opened_at + _CONFIRMED_WITHIN:
        return False
    try:
        waits = publisher.waits_for_confirmation()
    except AwsError as error:
        logger.warning("the inventory waits for no address", extra={"reason": str(error)})
        return False
    if waits:
        logger.info("the first inventory waits until an address has confirmed its subscription")
    return waits


def due_time(window: Window, run_end: datetime | None, report_window: timedelta, state: PublisherState) -> datetime:
    """Return when a window is due.

    Args:
        window: one of the outbox.
        run_end: when the results of its run are complete; None if it has no run.
        report_window: for how long pushes are collected.
        state: of the publisher, with the last inventory.
    """
    if window.name in (PUSH, EXPLOITED):
        return window.opened_at + report_window
    end = run_end or window.last_at + _RUN_ENDS_WITHOUT_RESULT_FOR
    if window.name == INVENTORY:
        due = min(end, window.opened_at + _INVENTORY_WAITS_AT_MOST)
        if not state.inventory_at:
            return due
        return min(due, state.inventory_at) if state.unfinished else max(due, state.inventory_at + INVENTORY_INTERVAL)
    return min(end, window.opened_at + _RUN_REPORT_WAITS_AT_MOST)


def end_of_run(run: str, runs: RunMemory, now: datetime, last_at: datetime) -> datetime:
    """Return when the results of a run are, or were, complete.

    Args:
        runs: what is remembered of runs; a run may be forgotten before its last result comes.
        last_at: when the last change of the run came.

    Raises:
        AwsError: DynamoDB rejected a call.
    """
    state = runs.run(run)
    last_at = state.last_result_at or last_at
    quiet = last_at + _RUN_ENDS_WITHOUT_RESULT_FOR
    if state.results < state.expected:
        # Every batch of results causes a check, and the states of a large registry's repositories are several MB.
        return quiet
    done, asked = runs.since(run)
    if state.results < asked:
        runs.expect(run, asked, now)
    elif state.repositories and len(done) >= state.repositories:
        overtaken = any(repository.run > run for repository in done)
        return last_at + _OVERTAKEN_RUN_ENDS_AFTER if overtaken else now
    return quiet


def check_time(window: Window, due_at: datetime, now: datetime) -> datetime:
    """Return when to check a window again: a run may be complete before its time is up."""
    return min(due_at, now + _RUN_CHECK) if window.run and due_at <= now + _RUN_REPORT_WAITS_AT_MOST else due_at


def _retry_after(waiting: timedelta) -> timedelta:
    """Return after how long to publish again what could not be published, and has waited for some time since."""
    return _SLOW_RETRY if waiting > _RETRIED_SLOWLY_AFTER else timedelta(seconds=FIRST_RETRY)


def next_check(
    windows: Iterable[datetime], waiting: timedelta, now: datetime, *, is_complete: bool, goes_on: bool
) -> datetime | None:
    """Return when to check next whether something is to be published; None if nothing waits.

    Args:
        windows: when to check those that were not due, or that stay open.
        waiting: for how long something has waited that was due before.
        now: the time of this check.
        is_complete: whether all that was due is published.
        goes_on: whether there was too much for one invocation, which published some of it: the next one follows at
            once. Otherwise, what could not be published waits, in order not to fail again and again.
    """
    if goes_on:
        return min((*windows, now))
    return min(windows, default=None) if is_complete else min((*windows, now + _retry_after(waiting)))


def plan_check(at: datetime, state: PublisherState, queue: SqsQueue, outbox: Outbox, now: datetime) -> None:
    """Let the reports queue cause a check at a time, unless an earlier check is still to come.

    Args:
        at: the time of the check; a check that is too far ahead takes place as late as SQS allows.
        state: of the publisher, with the check that was planned before.
        outbox: remembers the check.

    Raises:
        AwsError: DynamoDB or SQS rejected a call.
    """
    at = max(min(at, now + MAX_DELAY), now + timedelta(seconds=1))
    # A check that may arrive right now does not count as one that is still to come.
    if state.next_check and now + EARLY < state.next_check <= at:
        return
    # Rounded up: a check that arrives too early finds nothing due.
    queue.send([CHECK], delay=ceil((at - now).total_seconds()))
    outbox.plan_check(at)
