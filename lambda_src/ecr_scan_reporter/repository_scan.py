"""Sees to one repository: lists it, looks up what was scanned when, and starts what is due.

A large repository is taken in windows, in the order of the digests, so that memory stays small and a run that has no
time left can say where the next one goes on, whatever was pushed or deleted meanwhile.
"""

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from datetime import datetime
from heapq import nsmallest
from operator import attrgetter
from typing import TypeVar

from .due import KNOWN_STATUSES, Decision, decide, not_scannable, select, urgency
from .errors import ImageGone, OutOfTime, RepositoryGone, ScanningDisabled, ScanQuotaReached, Throttled
from .messages import RepositoryMessage
from .models import Image, IndexChild, Scan, StartOutcome
from .pace import Pace
from .registry import INDEXES_A_CALL, Registry
from .settings import ImagesScannerSettings
from .side_by_side import batches, side_by_side

logger = logging.getLogger(__name__)

Item = TypeVar("Item")
Result = TypeVar("Result")

# Images: how many are in memory at a time. Within them, the most urgent scans are started first.
WINDOW = 5000
# Look-ups per thread between two looks at the clock.
_LOOK_UPS_PER_THREAD = 16


class RepositoryScan:
    """One repository, seen to in one invocation.

    Args:
        registry: where the repository is.
        settings: which images are wanted, and how old a scan may be.
        pool: runs calls side by side.
        now: aware; what the age of a scan is measured from.
        deadline: the time of `clock`, in seconds, by which the work must have stopped.
    """

    def __init__(
        self,
        registry: Registry,
        settings: ImagesScannerSettings,
        pool: Executor,
        now: datetime,
        deadline: float,
        pace: Pace,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._registry, self._settings, self._pool = registry, settings, pool
        self._now, self._deadline, self._pace, self._clock = now, deadline, pace, clock
        self._counts: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._after = ""

    def run(self, message: RepositoryMessage) -> RepositoryMessage | None:
        """See to the repository.

        Returns:
            The message with which to go on, where there was not time enough; None if this repository is done.

        Raises:
            OutOfTime: there was not even time to begin.
            RegistryError: ECR refused in a way that a person has to see to.
        """
        rest: RepositoryMessage | None = None
        try:
            rest = self._windows(message)
        except RepositoryGone:
            self._count("repository_gone")
        except Throttled as error:
            rest = RepositoryMessage(message.repository, self._after)
            logger.warning("ECR throttles", extra={"repository": message.repository, "why": str(error)})
        except ScanQuotaReached as error:
            self._count("quota_reached")
            logger.warning("daily quota of scans reached", extra={"repository": message.repository, "why": str(error)})
        except ScanningDisabled as error:
            self._count("scanning_disabled")
            logger.warning("registry takes no scans", extra={"repository": message.repository, "why": str(error)})
        extra = {"repository": message.repository, "images": self._counts, "continues_after": rest and rest.after}
        logger.info("repository scanned", extra=extra)
        return rest

    def _windows(self, message: RepositoryMessage) -> RepositoryMessage | None:
        self._after = message.after
        while True:
            window, end = self._window(message.repository)
            looked_up, due = self._look_up(window)
            try:
                self._start([image for image, _ in sorted(due, key=lambda entry: urgency(entry[1]))])
            except OutOfTime:
                if not self._counts[StartOutcome.STARTED] and self._after == message.after:
                    raise
                # The same window again: what was started is in progress by then, and not due.
                return RepositoryMessage(message.repository, self._after)
            if looked_up < len(window):
                if not looked_up and self._after == message.after:
                    raise OutOfTime(f"this invocation has no time left to look at {message.repository}")
                last = window[looked_up - 1].digest if looked_up else self._after
                return RepositoryMessage(message.repository, last)
            if end is None:
                return None
            self._after = end

    def _window(self, repository: str) -> tuple[list[Image], str | None]:
        """The next images that are wanted, in the order of their digests.

        Returns:
            The images, and the digest that the window ends with, None where it is the last one.
        """
        indexes: list[Image] = []
        newest = self._settings.selection.newest is not None
        found = self._scannable(repository, indexes)
        by_digest = attrgetter("digest")
        # The newest can only be told from all of them together.
        scannable = sorted(found, key=by_digest) if newest else nsmallest(WINDOW + 1, found, key=by_digest)
        end = None
        if not newest and len(scannable) > WINDOW:
            scannable.pop()
            end = scannable[-1].digest
        # A page may repeat what a push moved from the one before.
        images = list({image.digest: image for image in scannable}.values())
        tags = {index.digest: index.tags for index in indexes}
        wanted, others = select(images, self._children(indexes, images), tags, self._settings.selection, self._now)
        self._count(*others)
        return [image for image in wanted if image.digest > self._after], end

    def _scannable(self, repository: str, indexes: list[Image]) -> Iterator[Image]:
        """Images that ECR could scan; collects the indexes on the way."""
        first, newest = not self._after, self._settings.selection.newest is not None
        for image in self._registry.images(repository):
            obstacle = not_scannable(image)
            if obstacle is Decision.INDEX:
                indexes.append(image)
            if obstacle is None:
                if newest or image.digest > self._after:
                    yield image
            elif first:
                self._count(obstacle)

    def _children(self, indexes: Sequence[Image], images: Sequence[Image]) -> dict[str, IndexChild]:
        """What the indexes say of these images; asks only where an image has no tag of its own."""
        untagged = {image.digest for image in images if not image.tags}
        if not untagged:
            return {}
        children = (
            child for batch in batches(indexes, INDEXES_A_CALL) for child in self._registry.index_children(batch)
        )
        return {child.digest: child for child in children if child.digest in untagged}

    def _look_up(self, window: Sequence[Image]) -> tuple[int, list[tuple[Image, Scan | None]]]:
        """Which images of the window are due, with their last scans.

        Takes at most half of the time that is left, so that what is found is started. Returns how many images, from
        the beginning of the window, were looked at.
        """
        due: list[tuple[Image, Scan | None]] = []
        until = self._clock() + (self._deadline - self._clock()) / 2
        looked_up = 0
        for batch in batches(window, self._settings.threads * _LOOK_UPS_PER_THREAD):
            if self._clock() >= until:
                break
            try:
                scans = side_by_side(self._pool, self._last_scan, batch)
            except Throttled:
                if not looked_up:
                    raise
                break
            for image, scan in zip(batch, scans, strict=True):
                if isinstance(scan, StartOutcome):
                    self._count(scan)
                    continue
                decision = decide(scan, self._settings.duration, self._now)
                self._count(decision)
                if decision.due:
                    due.append((image, scan))
            looked_up += len(batch)
        return looked_up, due

    def _last_scan(self, image: Image) -> Scan | StartOutcome | None:
        try:
            scan = image.summary or self._registry.last_scan(image)
        except ImageGone:
            return StartOutcome.IMAGE_GONE
        if scan and scan.status not in KNOWN_STATUSES:
            extra = {"repository": image.repository, "digest": image.digest, "status": scan.status}
            logger.warning("unknown scan status: the date decides", extra=extra)
        return scan

    def _count(self, *reasons: str) -> None:
        with self._lock:
            self._counts.update(reasons)

    def _start(self, images: Sequence[Image]) -> None:
        side_by_side(self._pool, self._start_one, images)

    def _start_one(self, image: Image) -> None:
        outcome = self._pace.call(lambda: self._registry.start_scan(image))
        self._count(outcome)
        extra = {"repository": image.repository, "digest": image.digest, "tags": image.tags, "outcome": outcome}
        logger.info("scan asked for", extra=extra)
