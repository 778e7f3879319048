"""Handler: starts the scans that are due in one repository after another."""

import logging
import os
import random
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from typing import Protocol

from .batches import BatchResponse, SqsEvent, handle_each
from .due import Decision, decide
from .errors import ImageGone, RepositoryGone, Throttled
from .messages import RepositoryMessage
from .models import Image, StartOutcome
from .registry import Registry, ecr_client, scan_client
from .settings import ImagesScannerSettings

logger = logging.getLogger(__name__)

# Seconds: the first pause after a throttled call, and the longest.
_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 20.0


class Context(Protocol):
    """What is used of Lambda's context object."""

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until Lambda stops this invocation."""
        ...


def handler(event: SqsEvent, context: Context) -> BatchResponse:
    """Handle a batch of messages from the images queue.

    Raises:
        SettingError: a setting is not accepted.
    """
    settings, registry = _environment()
    deadline = time.monotonic() + context.get_remaining_time_in_millis() / 1000

    def pause(seconds: float) -> None:
        if time.monotonic() + seconds >= deadline:
            raise Throttled("ECR asks for a slower pace, and this invocation has no time left")
        time.sleep(seconds)

    return handle_each(
        event,
        lambda body: scan_repository(
            RepositoryMessage.from_json(body).repository, settings, registry, datetime.now(UTC), pause
        ),
    )


@cache
def _environment() -> tuple[ImagesScannerSettings, Registry]:
    """Settings and clients, made once per cold start."""
    return ImagesScannerSettings.read(os.environ), Registry(ecr_client(), scan_client())


def scan_repository(
    repository: str,
    settings: ImagesScannerSettings,
    registry: Registry,
    now: datetime,
    pause: Callable[[float], None],
) -> None:
    """Start the scans that are due in `repository` at `now`; `pause` waits some seconds, or raises if it may not.

    Raises:
        RegistryError: ECR refused in a way that concerns more than one image.
    """
    counts: Counter[str] = Counter()
    try:
        for image in registry.images(repository):
            counts[_scan_if_due(image, settings, registry, now, pause)] += 1
    except RepositoryGone:
        counts["repository_gone"] += 1
    logger.info("repository scanned", extra={"repository": repository, "images": counts})


def _scan_if_due(
    image: Image,
    settings: ImagesScannerSettings,
    registry: Registry,
    now: datetime,
    pause: Callable[[float], None],
) -> Decision | StartOutcome:
    try:
        decision = decide(registry.last_scan(image), settings.duration, now)
    except ImageGone:
        return StartOutcome.IMAGE_GONE
    if not decision.due:
        return decision
    outcome = _start(image, registry, pause)
    logger.info(
        "scan asked for",
        extra={
            "repository": image.repository,
            "digest": image.digest,
            "tags": image.tags,
            "decision": decision,
            "outcome": outcome,
        },
    )
    return outcome


def _start(image: Image, registry: Registry, pause: Callable[[float], None]) -> StartOutcome:
    """Start a scan; while ECR throttles, pause (exponential back-off, full jitter) and ask again."""
    longest = _FIRST_PAUSE
    while True:
        try:
            return registry.start_scan(image)
        except Throttled:
            pause(random.uniform(0, longest))
            longest = min(2 * longest, _LONGEST_PAUSE)
