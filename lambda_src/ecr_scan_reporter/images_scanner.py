"""Handler: starts the scans that are due in one repository after another."""

import os
import time
from concurrent.futures import Executor, ThreadPoolExecutor
from datetime import UTC, datetime
from functools import cache
from typing import Protocol

from .batches import BatchResponse, SqsEvent, handle_each
from .messages import RepositoryMessage
from .pace import Pace
from .queues import ImagesQueue, sqs_client
from .registry import Registry, ecr_client, scan_client
from .repository_scan import RepositoryScan
from .settings import ImagesScannerSettings

# Seconds that a continuation waits: ECR's buckets fill again meanwhile.
_CONTINUATION_DELAY = 30
# Of the time that is left, this share (at most so many seconds) is kept for calls under way and the continuation.
_MARGIN_SHARE = 0.1
_LONGEST_MARGIN = 20.0


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
    settings, registry, queue, pool = _environment()
    left = context.get_remaining_time_in_millis() / 1000
    deadline = time.monotonic() + left - min(left * _MARGIN_SHARE, _LONGEST_MARGIN)

    def see_to(body: str) -> None:
        message = RepositoryMessage.from_json(body)
        scan = RepositoryScan(registry, settings, pool, datetime.now(UTC), deadline, Pace(deadline))
        rest = scan.run(message)
        if rest:
            queue.send([rest], delay=_CONTINUATION_DELAY)

    return handle_each(event, see_to)


@cache
def _environment() -> tuple[ImagesScannerSettings, Registry, ImagesQueue, Executor]:
    """Settings, clients and threads, made once per cold start."""
    settings = ImagesScannerSettings.read(os.environ)
    registry = Registry(ecr_client(settings.threads), scan_client(settings.threads))
    queue = ImagesQueue(sqs_client(), settings.images_queue_url)
    return settings, registry, queue, ThreadPoolExecutor(settings.threads)
