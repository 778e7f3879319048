"""Calls ECR for many images concurrently, at the rate that ECR allows, and recognizes the daily quota of scans."""

import logging
import threading
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Executor
from contextlib import suppress
from functools import partial
from typing import NamedTuple

from ecr_scan_reporter.aws.deadline import Deadline
from ecr_scan_reporter.aws.ecr import EcrRegistry
from ecr_scan_reporter.errors import (
    DeadlineExceededError,
    ImageNotFoundError,
    ImageRejectedError,
    ScanQuotaExceededError,
    ThrottledError,
    TransientError,
)
from ecr_scan_reporter.models.scans import Scan, StartOutcome
from ecr_scan_reporter.scanning.rate_limiter import AdaptiveRateLimiter
from ecr_scan_reporter.scanning.tally import Tally
from ecr_scan_reporter.shared.concurrency import concurrent_map

logger = logging.getLogger(__name__)

# Calls per second to begin with. The limiters find the rates that ECR allows.
FIRST_LOOK_UP_RATE, _FIRST_START_RATE = 800.0, 100.0
# A call that fails is repeated after all others were made. After this many rounds in which no call succeeded, the
# failures are those of the images. Before each of these rounds there is a pause; seconds, doubled each time.
_ROUNDS_WITHOUT_SUCCESS = 5
RETRY_PAUSE = 0.2
# If at most this share of the calls in a round failed, ECR is healthy, and the failures concern these images alone.
_FEW = 0.1


class QuotaDetector:
    """Distinguishes the account's daily quota of scans from a limit that concerns one image.

    ECR returns LimitExceededException for both, and AWS documents only the message of the limit per image. The quota
    is assumed once this many images in a row were rejected, in whichever repositories. The detector is shared by all
    messages of an execution environment, because a repository may have only one due image.
    """

    _REJECTIONS = 3

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._in_a_row = 0

    def accepted(self) -> None:
        """Record a scan that was started."""
        with self._lock:
            self._in_a_row = 0

    def rejected(self) -> bool:
        """Record a rejected scan; return whether the quota is the reason."""
        with self._lock:
            self._in_a_row += 1
            return self._in_a_row >= self._REJECTIONS


class LookUps(NamedTuple):
    """The results of looking up the last scans of images.

    Args:
        scans: the last scan (None: never scanned) by digest of every image that was read in time.
        gone: the digests of images that were deleted in the meantime.
        failed: the digests of images whose look-up failed for good.
    """

    scans: dict[str, Scan | None]
    gone: set[str]
    failed: set[str]


class ImageCalls:
    """The calls to ECR for the images of one repository in one invocation.

    Args:
        ecr: the registry.
        pool: threads for the calls.
        quota: recognizes the daily quota of scans.
        deadline: of the calls.
        tally: names the repository, and counts outcomes and failures.
    """

    def __init__(
        self, ecr: EcrRegistry, pool: Executor, quota: QuotaDetector, deadline: Deadline, tally: Tally
    ) -> None:
        self._ecr, self._pool, self._quota, self._deadline, self._tally = ecr, pool, quota, deadline, tally
        self._look_ups = AdaptiveRateLimiter(FIRST_LOOK_UP_RATE, deadline.clock)
        self._starts = AdaptiveRateLimiter(_FIRST_START_RATE, deadline.clock)

    def look_up(self, digests: Sequence[str]) -> LookUps:
        """Look up the last scans of images; this ends when half of the remaining time is over.

        Raises:
            AwsError: ECR rejected a call for a reason that concerns the whole repository.
        """
        found = LookUps({}, set(), set())

        def look_up(digest: str) -> None:
            try:
                found.scans[digest] = self._ecr.last_scan(self._tally.repository, digest)
            except ImageNotFoundError:
                self._tally.count(StartOutcome.IMAGE_NOT_FOUND)
                found.gone.add(digest)
            except ImageRejectedError as error:
                self._tally.fail(digest, error.code, str(error))
                found.failed.add(digest)

        with suppress(DeadlineExceededError):  # go on with what was read in time
            found.failed.update(self._run(look_up, digests, self._look_ups, self._deadline.halfway()))
        return found

    def start(self, digests: Sequence[str]) -> None:
        """Start the scans of images.

        Raises:
            DeadlineExceededError: the time was too short; calls in flight have ended.
            ScanQuotaExceededError: the account has no scans left today.
            ManualScanningDisabledError: the registry uses enhanced scanning.
            AwsError: ECR rejected a call for a reason that concerns the whole repository.
        """
        self._run(self._start, digests, self._starts, self._deadline)

    def _start(self, digest: str) -> None:
        repository = self._tally.repository
        try:
            outcome = self._ecr.start_scan(repository, digest)
        except ImageRejectedError as error:
            self._tally.fail(digest, error.code, str(error))
            return
        except ScanQuotaExceededError as error:
            if self._quota.rejected():
                raise
            self._tally.fail(digest, error.code, str(error))
            return
        if outcome is StartOutcome.STARTED:
            self._quota.accepted()
        self._tally.count_start(digest, outcome)
        logger.info("scan requested", extra={"repository": repository, "digest": digest, "outcome": outcome})

    def _run(
        self, call: Callable[[str], None], digests: Sequence[str], limiter: AdaptiveRateLimiter, deadline: Deadline
    ) -> Collection[str]:
        """Call `call` for each digest; repeat the calls that fail, after all others were made.

        Returns:
            The digests whose calls failed again and again; they are in the tally as failures.

        Raises:
            DeadlineExceededError: the time was too short; calls in flight have ended.
            Exception: what `call` raised, except `TransientError`; of several, the one for the earliest digest.
        """

        def attempt(digest: str, adapt: bool) -> TransientError | None:
            try:
                limiter.call(partial(call, digest), deadline, adapt=adapt)
            except TransientError as error:
                if isinstance(error, ThrottledError):
                    self._tally.throttle()
                return error
            return None

        pending, failures, rounds_without_success, adapt = digests, dict[str, TransientError](), 0, True
        while pending and rounds_without_success < _ROUNDS_WITHOUT_SUCCESS:
            errors = concurrent_map(self._pool, partial(attempt, adapt=adapt), pending)
            failures = {digest: error for digest, error in zip(pending, errors, strict=True) if error}
            adapt = adapt and len(failures) > _FEW * len(pending)
            if len(failures) == len(pending):
                limiter.pause(RETRY_PAUSE * 2**rounds_without_success)
                rounds_without_success += 1
            else:
                rounds_without_success = 0
            pending = list(failures)
        for digest in pending:
            self._tally.fail(digest, failures[digest].code, str(failures[digest]))
        return pending
