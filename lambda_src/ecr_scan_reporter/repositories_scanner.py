"""Handler: finds the repositories that match the filter, and queues one message for each."""

import logging
import os
from collections.abc import Mapping
from functools import cache
from typing import Any

from .messages import RepositoryMessage
from .queues import ImagesQueue, sqs_client
from .registry import Registry, ecr_client
from .settings import RepositoriesScannerSettings, expression

logger = logging.getLogger(__name__)


def handler(event: Mapping[str, Any], context: object) -> dict[str, int]:
    """Run once: on schedule, or by hand with `{"repositoriesFilterRegexp": "^team-a/"}` in place of the usual filter.

    Returns:
        How many repositories there are (`found`), and how many messages were sent (`sent`).

    Raises:
        SettingError: a setting, or the expression in the event, is not accepted.
        RegistryError: ECR refused to list the repositories.
        QueueError: SQS did not take every message.
    """
    settings, registry, queue = _environment()
    return queue_repositories(event, settings, registry, queue)


@cache
def _environment() -> tuple[RepositoriesScannerSettings, Registry, ImagesQueue]:
    """Settings and clients, made once per cold start."""
    settings = RepositoriesScannerSettings.read(os.environ)
    return settings, Registry(ecr_client()), ImagesQueue(sqs_client(), settings.images_queue_url)


def queue_repositories(
    event: Mapping[str, Any], settings: RepositoriesScannerSettings, registry: Registry, queue: ImagesQueue
) -> dict[str, int]:
    """What the handler does, with what it works on as arguments."""
    repositories_filter = settings.repositories_filter
    if "repositoriesFilterRegexp" in event:
        repositories_filter = expression("repositoriesFilterRegexp", event["repositoriesFilterRegexp"])
    found = list(registry.repository_names())
    matching = [name for name in found if repositories_filter.match(name)]
    counts = {"found": len(found), "sent": queue.send(RepositoryMessage(name) for name in matching)}
    logger.info("repositories queued", extra={"filter": repositories_filter.pattern, **counts})
    return counts
