"""Recognizes that the account has used its daily quota of scans."""

import threading


class QuotaDetector:
    """Distinguishes the account's daily quota of scans from a limit that concerns one image.

    ECR returns LimitExceededException for both, and AWS documents only the message of the limit per image. The quota
    is assumed once this many images in a row were rejected, in whichever repositories. Each execution environment has
    one detector: with one due image per repository, no repository alone would ever have this many.
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
