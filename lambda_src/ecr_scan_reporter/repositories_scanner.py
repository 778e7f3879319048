"""The repositories scanner: queues one message per repository to scan, and measures the registry.

It decides the order of the repositories, when a run or its scans are overdue, and when an export first asks whether its
run has ended.

A pass is complete when all repositories that a run queued were processed. A heartbeat writes between two runs for how
long the next complete pass is overdue.
"""

import logging
import os
import random
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from functools import cache
from typing import Any, NamedTuple

from ecr_scan_reporter.aws.clients import create_client
from ecr_scan_reporter.aws.dynamodb import Table
from ecr_scan_reporter.aws.ecr import EcrRegistry
from ecr_scan_reporter.aws.metrics import embed
from ecr_scan_reporter.aws.sqs import SqsQueue
from ecr_scan_reporter.errors import AwsError, InputError, SettingError
from ecr_scan_reporter.memory.runs import OpenPass, RepositoryState, RunMemory, new_run
from ecr_scan_reporter.memory.summaries import summaries
from ecr_scan_reporter.messages.reports_queue import ExportMessage, to_body
from ecr_scan_reporter.messages.repository import RepositoryMessage
from ecr_scan_reporter.models.selection import RepositoryFilter
from ecr_scan_reporter.settings import RepositoriesScannerSettings, compile_regexp, parse_settings
from ecr_scan_reporter.shared import clock
from ecr_scan_reporter.shared.durations import LONG_AGO
from ecr_scan_reporter.shared.schedules import Schedule

logger = logging.getLogger(__name__)

# The metrics in seconds, and those of open findings by severity.
_METRICS_IN_SECONDS = frozenset({"OldestScanAge", "RunOverdue", "ScansOverdue"})
_METRIC_OF_OPEN = {"CRITICAL": "OpenCritical", "HIGH": "OpenHigh", "MEDIUM": "OpenMedium", "LOW": "OpenLow"}
# Seconds after which the reporter sees for the first time whether a run has ended, so that its export can begin.
_EXPORT_DELAY = 300
# The scans of a run start within this time.
_SCANS_START_WITHIN = timedelta(hours=1)
# heartbeat.tf has the rule.
_HEARTBEAT_INTERVAL = timedelta(hours=1)
# A run may take as long as the time to the next one, but no longer than this.
_LONGEST_RUN = timedelta(days=1)
# A longer gap between two heartbeats means that they were turned off deliberately, so the gap does not count as a
# delay. The alarm on silence becomes INSUFFICIENT_DATA after three hours without one, and CloudWatch may take some
# more to see it. So a pause is longer: a heartbeat that fails a few times resets no age before the alarm says so.
_HEARTBEAT_PAUSE = 6 * _HEARTBEAT_INTERVAL
# The fields of the event that EventBridge sends for a schedule.
_FIELDS_OF_SCHEDULE = frozenset(
    {"version", "id", "detail-type", "source", "account", "time", "region", "resources", "detail"}
)
_EXPECTED = '{}, {"repositoriesFilterRegexp": "^team-a/"}, {"firstRun": true} or {"heartbeat": true}'


class RunDependencies(NamedTuple):
    """The settings and clients of the repositories scanner. `export_queue`: to ask for an export after a run."""

    settings: RepositoriesScannerSettings
    ecr: EcrRegistry
    images_queue: SqsQueue
    table: Table
    runs: RunMemory
    export_queue: SqsQueue | None = None


def handler(event: Mapping[str, Any], context: object) -> dict[str, int]:
    """Start one run, or write a heartbeat.

    Args:
        event: the schedule's, or `{}`; or `{"repositoriesFilterRegexp": "^team-a/"}` to replace the configured filter;
            or `{"firstRun": true}` to start one only if there was none yet; or `{"heartbeat": true}` to start nothing
            and write for how long a complete run is overdue.

    Returns:
        How many repositories exist and how many messages were sent, such as `{"found": 120, "sent": 98}`; or, for a
        heartbeat, the seconds for which a complete run is overdue, such as `{"RunOverdue": 7200}`.

    Raises:
        SettingError: an environment variable is invalid.
        InputError: a value in the event is invalid.
        AwsError: ECR, SQS or DynamoDB rejected a call.
    """
    if not isinstance(event, Mapping):
        raise InputError(f"the input is {event!r:.200}; expected {_EXPECTED}")
    if "heartbeat" in event:
        if event != {"heartbeat": True}:
            raise InputError(f'the input of a heartbeat is {dict(event)!r}; expected {{"heartbeat": true}}')
        return write_heartbeat(dependencies(), clock.now())
    if event == {"firstRun": True}:
        return start_first_run(dependencies(), clock.now())
    # A run costs scans: a misspelled key must not start one.
    known = _FIELDS_OF_SCHEDULE if event.get("source") == "aws.events" else {"repositoriesFilterRegexp"}
    if unknown := sorted(event.keys() - known):
        raise InputError(f"the input has {', '.join(map(repr, unknown))}; expected {_EXPECTED}")
    return queue_repositories(event, dependencies(), clock.now())


@cache
def dependencies() -> RunDependencies:
    """Create settings and clients, once per cold start."""
    settings = parse_settings(RepositoriesScannerSettings, os.environ)
    sqs = create_client("sqs", threads=settings.threads)
    queue = SqsQueue(sqs, settings.images_queue_url, settings.threads)
    exports = SqsQueue(sqs, settings.export_queue_url) if settings.export_queue_url else None
    table = Table(create_client("dynamodb"), settings.memory_table)
    ecr = EcrRegistry(settings.account, create_client("ecr"))
    return RunDependencies(settings, ecr, queue, table, RunMemory(table, ecr.id), exports)


def queue_repositories(event: Mapping[str, Any], deps: RunDependencies, now: datetime) -> dict[str, int]:
    """Queue one message per matching repository; the one whose oldest scan is oldest comes first.

    Args:
        event: of the schedule; its `repositoriesFilterRegexp`, if any, replaces the configured filter.

    Returns:
        How many repositories exist (`found`) and how many messages were sent (`sent`).

    Raises:
        InputError: `repositoriesFilterRegexp` is invalid.
        AwsError: ECR or SQS rejected a call.
    """
    scheduled, repositories = deps.settings.repositories, _selection(event, deps)
    # A run of another selection, which someone starts manually, says nothing about the registry. The next run of
    # the schedule forgets what it remembers of repositories outside the configured filter.
    whole = "repositoriesFilterRegexp" not in event
    # With enhanced scanning, ECR starts all scans itself, and a run only sees what became of them.
    enhanced = not deps.ecr.supports_manual_scans()
    names = list(deps.ecr.repository_names())
    matching = [name for name in names if repositories.matches(name)]
    run, previous, metrics = _begin_run(matching, deps, now, whole=whole)
    messages = (
        RepositoryMessage(
            deps.ecr.id,
            name,
            run=run,
            enhanced=enhanced,
            unscheduled=not whole and not scheduled.matches(name),
            previous_run=previous.get(name, "") if enhanced else "",
        )
        for name in matching
    )
    # First: if it fails, nothing is queued yet, and Lambda repeats the run.
    if deps.export_queue:
        deps.export_queue.send([to_body(ExportMessage(run))], _EXPORT_DELAY)
    sent = deps.images_queue.send(message.to_json() for message in messages)
    counts = {"found": len(names), "sent": sent}
    extra = {"filter": repositories.include.pattern, "run": run, "enhanced": enhanced, **counts}
    if whole:
        metrics |= {"RepositoriesQueued": sent, **_open_findings(frozenset(matching), deps, now)}
        if enhanced:
            # Amazon Inspector scans again when a vulnerability becomes known, not after an age.
            for name in ("OldestScanAge", "ScansOverdue"):
                metrics.pop(name, None)
        extra |= embed(metrics, deps.settings.name, _METRICS_IN_SECONDS, detailed=deps.settings.detailed_metrics)
    logger.info("repositories queued", extra=extra)
    return counts


def _selection(event: Mapping[str, Any], deps: RunDependencies) -> RepositoryFilter:
    if "repositoriesFilterRegexp" not in event:
        return deps.settings.repositories
    try:
        regexp = compile_regexp("repositoriesFilterRegexp", event["repositoriesFilterRegexp"])
    except SettingError as error:
        raise InputError(str(error)) from error
    return deps.settings.repositories._replace(include=regexp)


def start_first_run(deps: RunDependencies, now: datetime) -> dict[str, int]:
    """Start a run if none of the schedule has begun yet; return the counts of `queue_repositories`, zeros if one has.

    Raises:
        AwsError: DynamoDB, ECR or SQS rejected a call.
    """
    open_pass = deps.runs.open_pass()
    # After a pause of the schedule, there is no pass either, but repositories that a run has queued.
    has_run = open_pass and (open_pass.run or deps.runs.states())
    return {"found": 0, "sent": 0} if has_run else queue_repositories({}, deps, now)


def _begin_run(
    repositories: list[str], deps: RunDependencies, now: datetime, *, whole: bool
) -> tuple[str, dict[str, str], dict[str, float]]:
    """Sort repositories, the oldest scan first, and remember how many there are.

    The daily quota of scans is spent where the promised age ends first. Unknown repositories, and all repositories if
    memory cannot be read, are in random order, so that the quota does not always run out before the same ones.

    Returns:
        The id of the run, by repository that of the run before, and the metrics that memory yields about earlier runs.
    """
    settings = deps.settings
    run = new_run(now)
    previous: dict[str, str] = {}
    metrics: dict[str, float] = {}
    memory = deps.runs
    random.shuffle(repositories)
    try:
        states = memory.states()
        oldest = {state.repository: state.oldest_scan for state in states}
        previous = {state.repository: state.run for state in states}
        repositories.sort(key=lambda name: oldest.get(name) or LONG_AGO)
        memory.begin(run, len(repositories), now)
        if whole:
            queued = frozenset(repositories)
            memory.expect_repositories(queued.difference(oldest), run, now)
            metrics |= scan_ages(states, queued, settings, now)
            if since := _continue_pass(memory, states, queued, run, now):
                metrics |= run_overdue(since, settings.schedule, now)
            memory.forget_repositories(state.repository for state in states if state.repository not in queued)
    except AwsError as error:
        # Until the order is known, it is random.
        logger.warning("memory is not available; the run goes on without it", extra={"reason": str(error)})
    return run, previous, metrics


def _open_findings(repositories: Collection[str], deps: RunDependencies, now: datetime) -> dict[str, float]:
    """Return how many findings are open, by metric; nothing until the images scanner has summed up a repository."""
    try:
        known = summaries(deps.table, deps.ecr.id, now)
        found = [Counter(summary.open) for summary in known if summary.repository in repositories]
    except AwsError as error:
        logger.warning("memory is not available; open findings are not counted", extra={"reason": str(error)})
        return {}
    total = sum(found, Counter[str]())
    return {name: total[severity] for severity, name in _METRIC_OF_OPEN.items()} if found else {}


def scan_ages(
    states: Iterable[RepositoryState], queued: Collection[str], settings: RepositoriesScannerSettings, now: datetime
) -> dict[str, float]:
    """Return the longest time that an image has waited since its last scan, or else its push, and how much is too long.

    Images without any date are left out. So are repositories that are not queued: ECR no longer lists them, or they are
    excluded. One in which no run ever ended has waited since it was first queued. An image that is not yet due in one
    run is scanned in the next.
    """
    waiting = (state for state in states if state.repository in queued and (state.images or not state.updated_at))
    dates = [state.waiting_since for state in waiting if state.waiting_since]
    if not dates:
        return {}
    overdue_before = settings.max_age.before(now - settings.schedule.longest_interval - _SCANS_START_WITHIN)
    return {
        "OldestScanAge": _seconds_since(min(dates), now),
        "ScansOverdue": _seconds_since(min(dates), overdue_before),
    }


def _continue_pass(
    memory: RunMemory, states: Collection[RepositoryState], queued: Collection[str], run: str, now: datetime
) -> datetime | None:
    """Begin a pass if the last one is complete; return when a pass was last complete, None if this is the first one.

    A run may take longer than the time to the next one, so a pass stays open until it is complete. A repository that is
    not queued any more does not hold it open. The first run after a pause of the schedule counts as one.
    """
    open_pass = memory.open_pass()
    if open_pass is None:
        memory.remember_open_pass(OpenPass(run, now), now)
        return None
    continued, after_pause = open_pass, _is_after_pause(memory.last_heartbeat(), now)
    if not open_pass.run:
        # There was a heartbeat before the first run.
        continued = open_pass._replace(run=run)
    elif completed_at := _completed_at(open_pass, states, now, queued):
        continued = OpenPass(run, completed_at)
    if after_pause:
        continued = continued._replace(since=now)
    if continued != open_pass:
        memory.remember_open_pass(continued, now)
    if after_pause:
        # Otherwise, every later run would be the first one after the pause if no heartbeat is scheduled any more.
        memory.forget_heartbeat(now)
    return continued.since


def run_overdue(since: datetime, schedule: Schedule, now: datetime) -> dict[str, float]:
    """Return for how many seconds the next complete pass is overdue; 0 if it is not.

    A run has at least the time between two heartbeats.

    Args:
        since: when a pass was last complete.
    """
    start, allowed = schedule.next_start(since), min(max(schedule.longest_interval, _HEARTBEAT_INTERVAL), _LONGEST_RUN)
    return {"RunOverdue": _seconds_since(start + allowed, now) if start else 0}


def _is_after_pause(last_heartbeat: datetime | None, now: datetime) -> bool:
    """Return whether the schedule was disabled for a while before `now`."""
    return last_heartbeat is not None and now - last_heartbeat > _HEARTBEAT_PAUSE


def _completed_at(
    open_pass: OpenPass, states: Iterable[RepositoryState], otherwise: datetime, queued: Collection[str] | None = None
) -> datetime | None:
    """Return when a pass was complete; None if it is not.

    It is complete when each repository that its run queued was processed by this run or a later one; one that a later
    run was the first to queue is no part of it, nor is one that only a run of another selection queued.

    Args:
        open_pass: the pass.
        states: of the repositories.
        otherwise: the answer for a pass without a repository.
        queued: the repositories that still exist and match; None if that is not known.
    """
    own = [state for state in states if not state.unscheduled and state.first_run <= open_pass.run]
    waiting = (state for state in own if state.run < open_pass.run and (queued is None or state.repository in queued))
    if not open_pass.run or any(waiting):
        return None
    times = (state.updated_at for state in own if state.updated_at and state.run >= open_pass.run)
    return max(times, default=otherwise)


def _seconds_since(moment: datetime, now: datetime) -> float:
    """Return the seconds from a moment until `now`; 0 if it is later."""
    return max((now - moment).total_seconds(), 0.0)


def write_heartbeat(deps: RunDependencies, now: datetime) -> dict[str, int]:
    """Write for how many seconds a complete run is overdue, and start none.

    An alarm cannot look back over the longest intervals between two runs; it can look at this number.

    Raises:
        AwsError: DynamoDB rejected a call.
    """
    since = _last_complete_pass(deps.runs, now)
    metrics = run_overdue(since, deps.settings.schedule, now)
    extra = embed(metrics, deps.settings.name, _METRICS_IN_SECONDS, detailed=deps.settings.detailed_metrics)
    logger.info("heartbeat", extra=extra)
    return {name: int(value) for name, value in metrics.items()}


def _last_complete_pass(memory: RunMemory, now: datetime) -> datetime:
    """Return when a pass was last complete, and remember the heartbeat.

    The first heartbeat counts as one, and so does the first one after a pause, in which the schedule was disabled.
    """
    open_pass, last = memory.open_pass(), memory.last_heartbeat()
    memory.remember_heartbeat(now)
    if open_pass is None:
        memory.remember_open_pass(OpenPass("", now), now)
        return now
    completed_at = _completed_at(open_pass, memory.states(), open_pass.since)
    if _is_after_pause(last, now):
        memory.remember_open_pass(OpenPass("", now) if completed_at else open_pass._replace(since=now), now)
        return now
    return completed_at or open_pass.since
