"""Recognizes that the account's daily quota of scans is used up."""

import threading
from collections import Counter

from ecr_scan_reporter.models.images import RegistryId


class QuotaDetector:
    """Distinguishes an account's daily quota of scans from a limit that concerns one image.

    ECR returns LimitExceededException for both, and AWS documents only the message of the limit per image. The quota
    is assumed once this many images of a registry in a row were rejected, in whichever repositories. The detector is
    shared by all messages of an execution environment, because a repository may have only one due image.
    """

    _REJECTIONS = 3

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._in_a_row: Counter[RegistryId] = Counter()

    def accepted(self, registry: RegistryId) -> None:
        """Record a scan that was started."""
        with self._lock:
            self._in_a_row[registry] = 0

    def rejected(self, registry: RegistryId) -> bool:
        """Record a rejected scan; return whether the quota is the reason."""
        with self._lock:
            self._in_a_row[registry] += 1
            return self._in_a_row[registry] >= self._REJECTIONS
