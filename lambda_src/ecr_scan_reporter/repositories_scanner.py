"""Handler: finds the repositories that match the filter, and queues one message for each."""

import logging
import os
import random
from collections.abc import Mapping
from dataclasses import replace
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
    queue = ImagesQueue(sqs_client(settings.threads), settings.images_queue_url, settings.threads)
    return settings, Registry(ecr_client()), queue


def queue_repositories(
    event: Mapping[str, Any], settings: RepositoriesScannerSettings, registry: Registry, queue: ImagesQueue
) -> dict[str, int]:
    """What the handler does, with what it works on as arguments."""
    wanted = settings.repositories
    if "repositoriesFilterRegexp" in event:
        given = expression("repositoriesFilterRegexp", event["repositoriesFilterRegexp"])
        wanted = replace(wanted, include=given)
    if not registry.scans_by_hand():
        logger.warning("enhanced scanning is on: ECR scans by itself and takes no scans by hand; nothing is queued")
        return {"found": 0, "sent": 0}
    found = list(registry.repository_names())
    matching = [name for name in found if wanted.matches(name)]
    # The order changes with every run, so that a daily quota of scans does not always end before the same ones.
    random.shuffle(matching)
    counts = {"found": len(found), "sent": queue.send(RepositoryMessage(name) for name in matching)}
    logger.info("repositories queued", extra={"filter": wanted.include.pattern, **counts})
    return counts
