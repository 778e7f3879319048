"""Starts a run: queues the repositories whose images are to be scanned, and measures the registry."""

import logging
import random
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import uuid4

from ecr_scan_reporter.aws.dynamodb import Table
from ecr_scan_reporter.aws.ecr import EcrRegistry
from ecr_scan_reporter.aws.metrics import embed
from ecr_scan_reporter.aws.sqs import SqsQueue
from ecr_scan_reporter.errors import AwsError, InputError, SettingError
from ecr_scan_reporter.memory.runs import RunMemory
from ecr_scan_reporter.memory.states import RepositoryState, StateMemory
from ecr_scan_reporter.memory.summaries import open_findings
from ecr_scan_reporter.messages.repository import RepositoryMessage
from ecr_scan_reporter.models.images import RegistryId
from ecr_scan_reporter.scanning.passes import SECONDS, continue_pass, run_overdue, seconds_since
from ecr_scan_reporter.settings import RepositoriesScannerSettings, compile_regexp
from ecr_scan_reporter.shared.durations import LONG_AGO

logger = logging.getLogger(__name__)

# Between the start of a run and the scans.
_SCANS_TAKE = timedelta(hours=1)


class RunDependencies(NamedTuple):
    """What the repositories scanner works with."""

    settings: RepositoriesScannerSettings
    ecr: EcrRegistry
    images_queue: SqsQueue
    table: Table


def queue_repositories(event: Mapping[str, Any], deps: RunDependencies, now: datetime) -> dict[str, int]:
    """Queue one message per matching repository; the one whose oldest scan is oldest comes first.

    Args:
        event: of the schedule; its `repositoriesFilterRegexp`, if any, replaces the configured filter.
        deps: the settings and clients.
        now: aware.

    Returns:
        How many repositories exist (`found`) and how many messages were sent (`sent`).

    Raises:
        InputError: `repositoriesFilterRegexp` is invalid.
        AwsError: ECR or SQS rejected a call.
    """
    repositories = scheduled = deps.settings.repositories
    # A run of another selection, which someone starts manually, says nothing about the registry. What it remembers of
    # repositories outside the configured filter is forgotten by the next run of the schedule.
    whole = "repositoriesFilterRegexp" not in event
    if not whole:
        try:
            regexp = compile_regexp("repositoriesFilterRegexp", event["repositoriesFilterRegexp"])
        except SettingError as error:
            raise InputError(str(error)) from error
        repositories = repositories._replace(include=regexp)
    # With enhanced scanning, ECR starts all scans itself, and a run only sees what became of them.
    enhanced = not deps.ecr.supports_manual_scans()
    names = list(deps.ecr.repository_names())
    matching = [name for name in names if repositories.matches(name)]
    run, metrics = _begin_run(matching, deps, now, whole=whole)
    messages = (
        RepositoryMessage(name, run=run, enhanced=enhanced, unscheduled=not scheduled.matches(name))
        for name in matching
    )
    sent = deps.images_queue.send(message.to_json() for message in messages)
    counts = {"found": len(names), "sent": sent}
    extra = {"filter": repositories.include.pattern, "run": run, "enhanced": enhanced, **counts}
    if whole:
        metrics |= {"RepositoriesQueued": sent, **_open_findings(matching, deps)}
        if enhanced:
            # Amazon Inspector scans again when a vulnerability becomes known, not after an age.
            for name in ("OldestScanAge", "ScansOverdue"):
                metrics.pop(name, None)
        extra |= embed(metrics, deps.settings.name, SECONDS)
    logger.info("repositories queued", extra=extra)
    return counts


def _begin_run(
    repositories: list[str], deps: RunDependencies, now: datetime, *, whole: bool
) -> tuple[str, dict[str, float]]:
    """Sort repositories, the oldest scan first, and remember how many there are.

    The daily quota of scans is spent where the promised age ends first. Unknown repositories, and all repositories if
    memory cannot be read, are in random order, so that the quota does not always run out before the same ones.

    Returns:
        The id of the run, and the metrics that memory yields about the runs before.
    """
    settings = deps.settings
    run = f"{now:%Y-%m-%dT%H:%M:%SZ}-{uuid4().hex[:8]}"
    metrics: dict[str, float] = {}
    known, runs = StateMemory(deps.table, deps.ecr.id), RunMemory(deps.table, deps.ecr.id)
    random.shuffle(repositories)
    try:
        states = known.states()
        oldest = {state.repository: state.oldest_scan for state in states}
        repositories.sort(key=lambda name: oldest.get(name) or LONG_AGO)
        runs.begin(run, len(repositories), now)
        if whole:
            queued = frozenset(repositories)
            metrics |= scan_ages(states, queued, settings, now)
            if since := continue_pass(runs, states, queued, run, now):
                metrics |= run_overdue(since, settings.schedule, now)
            known.forget(state.repository for state in states if state.repository not in queued)
    except AwsError as error:
        # Until the order is known, it is random.
        logger.warning("memory is not available; the run goes on without it", extra={"reason": str(error)})
    return run, metrics


def _open_findings(repositories: Collection[str], deps: RunDependencies) -> dict[str, float]:
    try:
        return open_by_severity(deps.table, deps.ecr.id, frozenset(repositories))
    except AwsError as error:
        logger.warning("memory is not available; open findings are not counted", extra={"reason": str(error)})
        return {}


_OPEN = {"CRITICAL": "OpenCritical", "HIGH": "OpenHigh", "MEDIUM": "OpenMedium", "LOW": "OpenLow"}


def scan_ages(
    states: Iterable[RepositoryState], queued: Collection[str], settings: RepositoriesScannerSettings, now: datetime
) -> dict[str, float]:
    """Return the longest time that an image has waited since its last scan, or else its push, and how much is too long.

    Images without any date are left out. So are repositories that are not queued: ECR no longer lists them, or they are
    excluded. An image that is not yet due in one run is scanned in the next.
    """
    dates = [
        state.waiting_since for state in states if state.images and state.waiting_since and state.repository in queued
    ]
    if not dates:
        return {}
    overdue_before = settings.max_age.before(now - settings.schedule.longest_interval - _SCANS_TAKE)
    return {"OldestScanAge": seconds_since(min(dates), now), "ScansOverdue": seconds_since(min(dates), overdue_before)}


def open_by_severity(table: Table, registry: RegistryId, queued: Collection[str]) -> dict[str, float]:
    """Return how many findings are open, by metric; nothing until the images scanner has summed up a repository.

    Raises:
        AwsError: DynamoDB rejected a call.
    """
    found = open_findings(table, registry, queued)
    return {} if found is None else {name: found[severity] for severity, name in _OPEN.items()}
