"""Decides from memory which images ECR has to be asked about, so that the calls follow what is due."""

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from zlib import crc32

from ecr_scan_reporter.errors import AwsError
from ecr_scan_reporter.memory.items import to_seconds
from ecr_scan_reporter.memory.scans import RememberedScan, RepositoryState, ScanMemory
from ecr_scan_reporter.models import Scan
from ecr_scan_reporter.scanning.due import decide
from ecr_scan_reporter.scanning.selection import Candidate
from ecr_scan_reporter.settings import ImagesScannerSettings

logger = logging.getLogger(__name__)

# One in so many images is looked up in spite of memory each day, in case that memory is wrong; at most so many of a
# repository in one invocation. What memory says also ends by itself when the scan is older than promised.
_SPOT_CHECK, _MAX_SPOT_CHECKS = 100, 25


class ScanPlan:
    """What is known of the scans of a repository's images.

    Without the memory table, every image is looked up in ECR.

    Args:
        repository: its name.
        run: the id of the run.
        memory: of scans.
        settings: of the images scanner.
        now: aware.
    """

    def __init__(
        self, repository: str, run: str, memory: ScanMemory, settings: ImagesScannerSettings, now: datetime
    ) -> None:
        self._repository, self._run, self._memory, self._settings, self._now = repository, run, memory, settings, now
        self._available = True
        self._remembered: dict[str, RememberedScan] = {}
        self._dates: dict[str, datetime | None] = {}
        self._spot_checks = 0
        try:
            self._remembered = memory.scans(repository)
        except AwsError as error:
            self._give_up(error)

    def known(self, candidates: Iterable[Candidate]) -> dict[str, Scan]:
        """Return the last scans that need no look-up: DescribeImages named them, or memory shows that none is due."""
        known: dict[str, Scan] = {}
        for candidate in candidates:
            if candidate.last_scan:
                known[candidate.digest] = candidate.last_scan
                continue
            remembered = self._remembered.get(candidate.digest)
            if remembered and remembered.scan and not self._decide_due(candidate.digest, remembered.scan):
                known[candidate.digest] = remembered.scan
        checked = [digest for digest in known if self._is_spot_check(digest)]
        for digest in checked[: _MAX_SPOT_CHECKS - self._spot_checks]:
            if self._remembered.get(digest):
                del known[digest]
                self._spot_checks += 1
        return known

    def dated(self, scans: Mapping[str, Scan | None]) -> dict[str, Scan | None]:
        """Give scans without a date the one that is remembered: ECR gives most failed scans none."""
        return {digest: self._dated(digest, scan) for digest, scan in scans.items()}

    def remember(self, looked_up: Mapping[str, Scan | None], due: Collection[str]) -> None:
        """Remember what ECR said, and which scans are asked for next; to be called before they are started."""
        changed = {
            digest: scan
            for digest, scan in looked_up.items()
            if digest in due or (scan and scan.completed_at and not self._agrees(digest, scan))
        }
        changed |= dict.fromkeys(digest for digest in due if digest not in changed)
        self._dates |= {digest: scan.completed_at if scan else None for digest, scan in looked_up.items()}
        if not self._available or not changed:
            return
        try:
            self._memory.remember(self._repository, changed, due, self._run, self._now)
        except AwsError as error:
            self._give_up(error)

    def finish(self, candidates: Sequence[Candidate], started: Collection[str], asked: int) -> None:
        """Remember the repository after the run.

        Args:
            candidates: all images that are to be scanned.
            started: the digests of those whose scan was started by this invocation.
            asked: how many scans the run asked for in this repository.
        """
        if not self._available:
            return
        dates = [self._now if c.digest in started else self._date(c) for c in candidates]
        oldest = None if None in dates else min((date for date in dates if date), default=self._now)
        state = RepositoryState(self._repository, oldest, len(candidates), asked, self._run)
        try:
            self._memory.remember_state(state, self._now)
        except AwsError as error:
            self._give_up(error)

    def _date(self, candidate: Candidate) -> datetime | None:
        if candidate.digest in self._dates:
            return self._dates[candidate.digest]
        scan = candidate.last_scan or self._scan(candidate.digest)
        return scan.completed_at if scan else None

    def _scan(self, digest: str) -> Scan | None:
        remembered = self._remembered.get(digest)
        return remembered.scan if remembered else None

    def _agrees(self, digest: str, scan: Scan) -> bool:
        known = self._scan(digest)
        return known is not None and to_seconds(known.completed_at) == to_seconds(scan.completed_at)

    def _dated(self, digest: str, scan: Scan | None) -> Scan | None:
        remembered = self._remembered.get(digest)
        if scan is None or scan.completed_at or remembered is None:
            return scan
        if remembered.scan and remembered.scan.status == scan.status:
            return replace(scan, completed_at=remembered.scan.completed_at)
        return replace(scan, completed_at=remembered.asked_at)

    def _decide_due(self, digest: str, scan: Scan) -> bool:
        return decide(digest, scan, self._settings.max_age, self._settings.run_interval, self._now).due

    def _is_spot_check(self, digest: str) -> bool:
        return crc32(f"{digest}{self._now:%Y-%m-%d}".encode()) % _SPOT_CHECK == 0

    def _give_up(self, error: AwsError) -> None:
        self._available = False
        extra = {"repository": self._repository, "reason": str(error)}
        logger.warning("memory is not available; ECR is asked about every image", extra=extra)
