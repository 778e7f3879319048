"""What ECR's basic scanning does with images, as its callers see it: limits, refusals, states, results, events.

Values in, values out: the repositories and the clock are the caller's.
"""

import json
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from local_aws.findings import COMPLETE, COMPLETE_DESCRIPTION, severity_counts

if TYPE_CHECKING:
    from mypy_boto3_events.type_defs import PutEventsRequestEntryTypeDef

BASIC = "BASIC"

# One scan per image and 24 hours, scans on push included:
# https://docs.aws.amazon.com/AmazonECR/latest/userguide/service-quotas.html
SCAN_INTERVAL = timedelta(hours=24)

INDEX_MEDIA_TYPES = frozenset(
    {
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
    }
)
# https://docs.aws.amazon.com/inspector/latest/user/scanning-ecr.html
SCANNABLE_ARTIFACTS = frozenset(
    {
        "application/vnd.oci.image.config.v1+json",
        "application/vnd.docker.container.image.v1+json",
    }
)


class EcrError(Exception):
    """An error that ECR answers a request with."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


@dataclass(frozen=True)
class Image:
    """What scanning needs to know of an image."""

    repository: str
    digest: str
    media_type: str
    artifact_media_type: str | None = None

    @property
    def key(self) -> tuple[str, str]:
        """Repository and digest: what identifies an image in a registry."""
        return self.repository, self.digest


@dataclass(frozen=True)
class Outcome:
    """How a scan ends."""

    status: str = COMPLETE
    description: str = COMPLETE_DESCRIPTION
    findings: Sequence[dict[str, Any]] = ()


@dataclass(frozen=True)
class Scan:
    """A scan that ECR accepted."""

    image: Image
    started_at: datetime
    completes_at: datetime
    outcome: Outcome


@dataclass(frozen=True)
class Request:
    """A StartImageScan request and, where it was refused, the error."""

    repository: str
    digest: str
    at: datetime
    code: str | None = None
    message: str | None = None


@dataclass
class Fault:
    """An error to answer with: the next `times` times, or always."""

    code: str
    message: str
    times: int | None = None

    def next_error(self) -> EcrError | None:
        """Return the error while there is one left."""
        if self.times is not None:
            if self.times <= 0:
                return None
            self.times -= 1
        return EcrError(self.code, self.message)


@dataclass
class BasicScanning:
    """Basic scanning of one registry (an account in a Region).

    Attributes:
        delay: how long a scan takes.
        requests: every StartImageScan request for an image that exists, oldest first.
    """

    delay: timedelta = timedelta(seconds=0.5)
    requests: list[Request] = field(default_factory=list)
    _outcomes: dict[tuple[str, str], Outcome] = field(default_factory=dict)
    _scans: dict[tuple[str, str], Scan] = field(default_factory=dict)
    _archived: set[tuple[str, str]] = field(default_factory=set)
    _start_faults: dict[tuple[str, str], Fault] = field(default_factory=dict)
    _operation_faults: dict[str, Fault] = field(default_factory=dict)
    _running: deque[Scan] = field(default_factory=deque)

    def plan(self, image: Image, outcome: Outcome, scanned_at: datetime | None = None) -> None:
        """Say how scans of an image end from now on.

        Args:
            image: the image.
            outcome: the end of every scan until the next plan.
            scanned_at: let the image have been scanned then, with this outcome.
        """
        self._outcomes[image.key] = outcome
        if scanned_at is not None:
            self._scans[image.key] = Scan(image, scanned_at, scanned_at, outcome)

    def fail_start(self, image: Image, fault: Fault) -> None:
        """Answer StartImageScan for an image with an error."""
        self._start_faults[image.key] = fault

    def fail_operation(self, operation: str, fault: Fault) -> None:
        """Answer an operation with an error, whatever it is about."""
        self._operation_faults[operation] = fault

    def check(self, operation: str) -> None:
        """Raise the error that an operation is to be answered with, if any."""
        if (fault := self._operation_faults.get(operation)) and (error := fault.next_error()):
            raise error

    def archive(self, image: Image) -> None:
        """Move an image to the archive, where it cannot be scanned."""
        self._archived.add(image.key)

    def is_archived(self, repository: str, digest: str) -> bool:
        """Tell whether an image is archived."""
        return (repository, digest) in self._archived

    def start(self, image: Image, now: datetime, scan_type: str = BASIC) -> Scan:
        """Start a scan.

        Args:
            image: the image, which exists.
            now: the time of the request.
            scan_type: that of the registry, BASIC or ENHANCED.

        Returns:
            The scan, in progress.

        Raises:
            EcrError: the request is refused, with ECR's own code and message.
        """
        try:
            self.check("StartImageScan")
            self._refuse(image, now, scan_type)
        except EcrError as error:
            self.requests.append(Request(*image.key, now, error.code, error.message))
            raise
        scan = Scan(image, now, now + self.delay, self._outcomes.get(image.key, Outcome()))
        self.requests.append(Request(*image.key, now))
        self._scans[image.key] = scan
        self._running.append(scan)
        return scan

    def _refuse(self, image: Image, now: datetime, scan_type: str) -> None:
        if scan_type != BASIC:
            raise EcrError("ValidationException", "This feature is disabled")
        if image.key in self._archived:
            raise EcrError("ImageArchivedException", f"The image '{image.digest}' is archived and cannot be scanned.")
        # That other artifacts are refused like an index is an assumption: AWS documents only that they are no images.
        kind = image.media_type if image.media_type in INDEX_MEDIA_TYPES else image.artifact_media_type
        if kind is not None and kind not in SCANNABLE_ARTIFACTS:
            raise EcrError(
                "UnsupportedImageTypeException",
                f"An artifact with media type '{kind}' cannot be scanned. "
                "For more information, see the Amazon ECR documentation.",
            )
        if (fault := self._start_faults.get(image.key)) and (error := fault.next_error()):
            raise error
        last = self._scans.get(image.key)
        if last and now - last.started_at < SCAN_INTERVAL:
            raise EcrError("LimitExceededException", "The scan quota per image has been exceeded. Wait and try again.")

    def describe(self, image: Image, now: datetime) -> Scan | None:
        """Return the last scan of an image, or None while it is in progress.

        Raises:
            EcrError: the image was never scanned.
        """
        scan = self._scans.get(image.key)
        if scan is None:
            raise EcrError(
                "ScanNotFoundException",
                f"Image scan does not exist for the image with '{{imageDigest:'{image.digest}', imageTag:'null'}}' "
                f"in the repository with name '{image.repository}'",
            )
        return scan if scan.completes_at <= now else None

    def take_finished(self, now: datetime) -> list[Scan]:
        """Return the scans that have ended since the last call: those to tell of."""
        finished = [scan for scan in self._running if scan.completes_at <= now]
        self._running = deque(scan for scan in self._running if scan.completes_at > now)
        return finished

    def next_completion(self) -> datetime | None:
        """Return when the next scan ends, if any is in progress."""
        return min((scan.completes_at for scan in self._running), default=None)

    def forget(self, repository: str, digests: Sequence[str]) -> None:
        """Drop what is known of images that were deleted."""
        keys = {(repository, digest) for digest in digests}
        for key in keys:
            self._outcomes.pop(key, None)
            self._scans.pop(key, None)
            self._start_faults.pop(key, None)
        self._archived -= keys
        self._running = deque(scan for scan in self._running if scan.image.key not in keys)


def event_entry(scan: Scan, repository_arn: str, tags: Sequence[str]) -> "PutEventsRequestEntryTypeDef":
    """Return the event of a scan that ended, as an entry for PutEvents.

    The shape is AWS's sample's: https://docs.aws.amazon.com/AmazonECR/latest/userguide/ecr-eventbridge.html. There is
    none for a scan that failed; that it is the same without counts is an assumption.
    """
    detail: dict[str, Any] = {"scan-status": scan.outcome.status, "repository-name": scan.image.repository}
    if scan.outcome.status == COMPLETE:
        detail["finding-severity-counts"] = severity_counts(scan.outcome.findings)
    detail |= {"image-digest": scan.image.digest, "image-tags": list(tags)}
    return {
        "Time": scan.completes_at,
        "Source": "aws.ecr",
        "DetailType": "ECR Image Scan",
        "Resources": [repository_arn],
        "Detail": json.dumps(detail),
    }


def scans_on_push(repository: str, configuration: dict[str, Any]) -> bool:
    """Tell whether a registry scanning configuration has images of a repository scanned on push.

    A filter without `*` matches every name that contains it:
    https://docs.aws.amazon.com/AmazonECR/latest/userguide/image-scanning-filters.html
    """
    return any(
        fnmatchcase(repository, text if "*" in (text := wildcard["filter"]) else f"*{text}*")
        for rule in configuration.get("rules", [])
        if rule["scanFrequency"] == "SCAN_ON_PUSH"
        for wildcard in rule["repositoryFilters"]
    )
