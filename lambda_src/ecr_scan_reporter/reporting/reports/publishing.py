"""Publishes the windows of the outbox that are due, and plans the next check for the others."""

import logging
from collections.abc import Collection
from datetime import datetime, timedelta
from math import ceil

from ecr_scan_reporter.aws.deadline import Deadline
from ecr_scan_reporter.aws.sns import publications
from ecr_scan_reporter.aws.sqs import EARLY, MAX_DELAY, SqsQueue
from ecr_scan_reporter.errors import QueueError
from ecr_scan_reporter.memory.outbox import INVENTORY, PUSH, Outbox, PublisherState, Window
from ecr_scan_reporter.memory.runs import RunMemory
from ecr_scan_reporter.memory.states import StateMemory
from ecr_scan_reporter.messages.publication import CHECK, RETRY, encode_publication
from ecr_scan_reporter.reporting.dependencies import ReporterDependencies

logger = logging.getLogger(__name__)

# The results of a run are complete if nothing has come for this long, ...
_QUIET = timedelta(minutes=10)
# ... or for this long, if a later run has visited its repositories, ...
_OVERTAKEN_QUIET = timedelta(minutes=1)
# ... and the report of a run waits no longer than this.
_LONGEST_RUN = timedelta(hours=1)
# An inventory waits for the run that found it, but no longer than a day. One inventory mail a day is enough.
_DAY = timedelta(days=1)
# How often to check whether a run is complete.
_RUN_CHECK = timedelta(seconds=30)


def publish_what_is_due(deps: ReporterDependencies, now: datetime, deadline: Deadline) -> int:
    """Publish the windows that are due, and plan the next check for the others; return how many pages were published.

    Nothing is published while another invocation is publishing.

    Args:
        deps: the settings and clients.
        now: aware.
        deadline: of the invocation.

    Raises:
        AwsError: DynamoDB or SQS rejected a call.
    """
    outbox = Outbox(deps.table)
    windows, state = outbox.windows()
    due, checks = _due_windows(windows, state, deps, now)
    pages, complete, inventory_at = 0, not due, None
    if due and outbox.lease(now, now + timedelta(seconds=deadline.seconds + 60)):
        try:
            pages, complete, inventory = _publish(due, outbox, deps, deadline)
            inventory_at = now if inventory else None
            if complete:
                outbox.close(due)
        finally:
            outbox.release(inventory_at)
    if not complete:
        checks.append(now + timedelta(seconds=RETRY))
    if checks:
        plan_check(min(checks), state, deps.reports_queue, outbox, now)
    return pages


def _due_windows(
    windows: Collection[Window], state: PublisherState, deps: ReporterDependencies, now: datetime
) -> tuple[list[Window], list[datetime]]:
    """Return the windows that are due, and when to check the others again."""
    runs, states = RunMemory(deps.table, deps.ecr.id), StateMemory(deps.table, deps.ecr.id)
    with_results = sorted({window.run for window in windows if window.run})
    ends = {run: end_of_run(run, runs, states, now) for run in with_results}
    due, checks = [], []
    for window in windows:
        due_at = due_time(window, ends.get(window.run), deps.settings.report_window, state.inventory_at)
        if due_at <= now:
            due.append(window)
        else:
            checks.append(check_time(window, due_at, now))
    return due, checks


def _publish(
    windows: Collection[Window], outbox: Outbox, deps: ReporterDependencies, deadline: Deadline
) -> tuple[int, bool, bool]:
    """Publish all changes of windows, one group after the other.

    Returns:
        How many pages were published, whether no group waits any more, and whether a whole inventory was published.
    """
    # Not at the top: a batch of scan events only plans a check, and these would be a third of what it imports.
    from ecr_scan_reporter.reporting.reports.groups import gather, make_group
    from ecr_scan_reporter.reporting.reports.pages import build_message, build_pages

    settings = deps.settings
    waiting = gather(windows, outbox, settings.group_by)
    inventories = {key for key, group in waiting.items() if group.inventory.repositories}
    pages = 0
    for key, group in sorted(waiting.items()):
        if deadline.remaining <= 0:
            break
        for page in build_pages(make_group(key, group.images, group.inventory), settings):
            wanted = publications(build_message(page, settings))
            rejected = deps.publisher.publish(wanted, deadline)
            if page.part == 1 and rejected == wanted:
                # Nothing of the report is out, so it can wait in the outbox.
                break
            try:
                # The rest of the report is out, and must not be published again.
                deps.reports_queue.send(map(encode_publication, rejected), delay=RETRY)
            except QueueError:
                logger.exception("report not queued")
                break
            pages += 1
        else:
            outbox.delete(group.keys)
            del waiting[key]
    return pages, not waiting, bool(inventories) and not inventories & waiting.keys()


def due_time(
    window: Window, run_end: datetime | None, report_window: timedelta, inventory_at: datetime | None
) -> datetime:
    """Return when a window is due. All times are aware.

    Args:
        window: one of the outbox.
        run_end: when the results of its run are complete; None if it has no run.
        report_window: for how long pushes are collected.
        inventory_at: when the last inventory was published; None if none was.
    """
    if window.name == PUSH:
        return window.opened_at + report_window
    end = run_end or window.last_at + _QUIET
    if window.name == INVENTORY:
        earliest = inventory_at + _DAY if inventory_at else window.opened_at
        return max(min(end, window.opened_at + _DAY), earliest)
    return min(end, window.opened_at + _LONGEST_RUN)


def end_of_run(run: str, runs: RunMemory, states: StateMemory, now: datetime) -> datetime:
    """Return when the results of a run are, or were, complete (aware).

    Raises:
        AwsError: DynamoDB rejected a call.
    """
    state = runs.run(run)
    quiet = (state.last_result_at or now) + _QUIET
    if state.results < state.expected:
        # Every batch of results causes a check, and the states of a large registry's repositories are several MB.
        return quiet
    # The id of a run begins with its time. A later run in a repository replaces what this run asked for there.
    done = [repository for repository in states.states() if repository.run >= run]
    asked = sum(repository.asked for repository in done if repository.run == run)
    if state.results < asked:
        runs.expect(run, asked, now)
    elif state.repositories and len(done) >= state.repositories:
        overtaken = any(repository.run > run for repository in done)
        return (state.last_result_at or now) + _OVERTAKEN_QUIET if overtaken else now
    return quiet


def check_time(window: Window, due_at: datetime, now: datetime) -> datetime:
    """Return when to check a window again: a run may be complete before its time is up."""
    return min(due_at, now + _RUN_CHECK) if window.run and due_at <= now + _LONGEST_RUN else due_at


def plan_check(at: datetime, state: PublisherState, queue: SqsQueue, outbox: Outbox, now: datetime) -> None:
    """Let the reports queue cause a check at a time, unless an earlier check is still to come.

    Args:
        at: the time of the check (aware); a check that is too far ahead takes place as late as SQS allows.
        state: of the publisher, with the check that was planned before.
        queue: the reports queue.
        outbox: remembers the check.
        now: aware.

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
