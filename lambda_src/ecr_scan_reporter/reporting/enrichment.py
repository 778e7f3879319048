"""Reads from ECR what an event does not say: the findings, and whether a failed scan still stands."""

import logging
from dataclasses import dataclass, replace

from ecr_scan_reporter.aws.ecr import EcrRegistry
from ecr_scan_reporter.errors import AwsError, ImageNotFoundError, RepositoryNotFoundError
from ecr_scan_reporter.models import ScanResult
from ecr_scan_reporter.reporting.findings import summarize
from ecr_scan_reporter.reporting.triage import ImageResult
from ecr_scan_reporter.settings import ReporterSettings

logger = logging.getLogger(__name__)

# From this receive on, an image whose findings cannot be read is reported without them.
_LAST_READ = 3
_WITH_FINDINGS = frozenset({"COMPLETE", "ACTIVE", "SCAN_ELIGIBILITY_EXPIRED"})
_IN_PROGRESS = frozenset({"IN_PROGRESS", "PENDING"})
# Findings that are kept in memory for one batch, about a kilobyte each.
_MAX_KEPT = 60_000
_MIN_KEPT_PER_IMAGE, MAX_KEPT_PER_IMAGE = 8, 200


class FindingsNotReadError(Exception):
    """The findings cannot be read yet; the message is to be delivered again."""


@dataclass(frozen=True, slots=True)
class Enricher:
    """Completes results with what ECR knows.

    Args:
        ecr: the registry.
        settings: of the reporter.
        max_findings: to keep per image.
    """

    ecr: EcrRegistry
    settings: ReporterSettings
    max_findings: int

    @staticmethod
    def max_findings_for(images: int) -> int:
        """Return how many findings to keep per image, so that a batch of any size fits into memory."""
        return max(_MIN_KEPT_PER_IMAGE, min(MAX_KEPT_PER_IMAGE, _MAX_KEPT // max(images, 1)))

    def enrich(self, result: ImageResult) -> ImageResult | None:
        """Return the result with its findings or its failure's reason, None if there is nothing to report.

        Raises:
            FindingsNotReadError: the findings are not there yet, or a call failed; the message should be retried.
        """
        event = result.event
        if (event.account, event.region) != (self.settings.account, self.settings.region):
            # This function reads its own registry; an equally named repository there is another one.
            return replace(result, unread_reason=f"the image is in account {event.account}, {event.region}")
        try:
            scan = self.ecr.scan_result(event.repository, event.digest)
            if result.failed and scan.status not in _WITH_FINDINGS and self._is_artifact(result):
                return None
        except (ImageNotFoundError, RepositoryNotFoundError):
            return replace(result, unread_reason="the image was deleted")
        except AwsError as error:
            return self._unread(result, str(error))
        if result.failed:
            return self._failed(result, scan)
        return self._complete(result, scan)

    def _is_artifact(self, result: ImageResult) -> bool:
        return self.ecr.image(result.event.repository, result.event.digest).is_artifact

    def _failed(self, result: ImageResult, scan: ScanResult) -> ImageResult:
        if scan.status in _WITH_FINDINGS:
            # The image was scanned again in the meantime.
            return self._complete(replace(result, failed=False, event=replace(result.event, counts=None)), scan)
        return replace(result, failure_reason=scan.description)

    def _complete(self, result: ImageResult, scan: ScanResult) -> ImageResult:
        if scan.status in _IN_PROGRESS:
            return self._unread(result, "the image is being scanned again")
        if scan.status not in _WITH_FINDINGS:
            reason = f"the last scan ended with {scan.status}" + (f": {scan.description}" if scan.description else "")
            return replace(result, unread_reason=reason)
        if not scan.findings and any((result.event.counts or {}).values()):
            # COMPLETE can precede the findings by seconds.
            return self._unread(result, "ECR returns no findings yet")
        fixable_only = self.settings.fixable_only
        return replace(
            result, findings=summarize(scan.findings, fixable_only=fixable_only, max_findings=self.max_findings)
        )

    @staticmethod
    def _unread(result: ImageResult, reason: str) -> ImageResult:
        if result.receives < _LAST_READ:
            raise FindingsNotReadError(reason)
        extra = {"repository": result.event.repository, "digest": result.event.digest, "reason": reason}
        logger.warning("could not read findings; using event counts", extra=extra)
        return replace(result, unread_reason=reason)
