"""Queues the repositories whose images are to be scanned."""

import logging
import random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ecr_scan_reporter.aws.ecr import EcrRegistry
from ecr_scan_reporter.aws.sqs import SqsQueue
from ecr_scan_reporter.scanning.messages import RepositoryMessage
from ecr_scan_reporter.settings import RepositoriesScannerSettings, compile_regexp

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Dependencies:
    """What the repositories scanner works with."""

    settings: RepositoriesScannerSettings
    ecr: EcrRegistry
    images_queue: SqsQueue


def queue_repositories(event: Mapping[str, Any], deps: Dependencies) -> dict[str, int]:
    """Queue one message per repository that matches.

    Args:
        event: of the schedule; its `repositoriesFilterRegexp`, if it has one, replaces the configured filter.
        deps: the settings and clients.

    Returns:
        How many repositories exist (`found`) and how many messages were sent (`sent`).

    Raises:
        SettingError: `repositoriesFilterRegexp` is invalid.
        AwsError: ECR or SQS rejected a call.
    """
    repositories = deps.settings.repositories
    if "repositoriesFilterRegexp" in event:
        regexp = compile_regexp("repositoriesFilterRegexp", event["repositoriesFilterRegexp"])
        repositories = replace(repositories, include=regexp)
    if not deps.ecr.supports_manual_scans():
        logger.warning("enhanced scanning is on: ECR starts all scans itself and accepts no manual ones")
        return {"found": 0, "sent": 0}
    names = list(deps.ecr.repository_names())
    matching = [name for name in names if repositories.matches(name)]
    # A random order in every run, so that the daily quota of scans does not always end before the same repositories.
    random.shuffle(matching)
    sent = deps.images_queue.send(RepositoryMessage(name).to_json() for name in matching)
    counts = {"found": len(names), "sent": sent}
    logger.info("repositories queued", extra={"filter": repositories.include.pattern, **counts})
    return counts
