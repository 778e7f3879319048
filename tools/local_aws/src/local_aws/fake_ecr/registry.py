"""The state of an ECR registry, and the rules by which ECR starts and rejects scans."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from local_aws.fake_ecr.errors import AwsError, invalid_parameter
from local_aws.fake_ecr.events import event_entry, finding_entry, initial_scan_entry
from local_aws.fake_ecr.faults import Fault
from local_aws.fake_ecr.findings import ACTIVE, COMPLETE, FAILED, severity_counts
from local_aws.fake_ecr.images import FakeImage, FakeScan, digest_of, plain_images
from local_aws.fake_ecr.listing import Listing

# https://docs.aws.amazon.com/AmazonECR/latest/userguide/service-quotas.html: an image can be scanned once in 24 hours,
# scans on push included. The account's quota has the same period.
_QUOTA_PERIOD = timedelta(hours=24)


class ScanRequest(NamedTuple):
    """A request to start a scan, and the error if it was rejected."""

    repository: str
    digest: str
    time: datetime
    code: str | None = None
    message: str | None = None


class FakeRepository:
    """A repository: its images in the order of their first push, and their scans by digest.

    Attributes:
        scan_on_push: the repository's own setting.
        scans: last scan of each digest.
        scan_results: result of all scans that start from now on, by digest. Without one a scan is COMPLETE and has the
            findings of the scan before.
    """

    def __init__(self, name: str, images: Iterable[FakeImage] = ()) -> None:
        self.name = name
        self.created_at = datetime(2024, 1, 1, tzinfo=UTC)
        self.scan_on_push = False
        self.scans: dict[str, FakeScan] = {}
        self.scan_results: dict[str, FakeScan] = {}
        self.listing: Listing[FakeImage] = Listing()
        self._digests: dict[str, str] = {}
        for image in images:
            self.put(image)

    def __len__(self) -> int:
        return len(self.listing)

    @property
    def images(self) -> list[FakeImage]:
        """All images, as a copy."""
        return list(self.listing)

    def get(self, digest: str) -> FakeImage | None:
        """Return the image with a digest; None if there is none."""
        return self.listing.get(digest)

    def tagged(self, tag: str) -> FakeImage | None:
        """Return the image with a tag; None if there is none."""
        return self.get(self._digests.get(tag, ""))

    def put(self, image: FakeImage) -> None:
        """Add an image, or replace the image with the same digest. Its tags move from the images that had them."""
        for tag in image.tags:
            owner = self.tagged(tag)
            if owner and owner.digest != image.digest:
                others = tuple(other for other in owner.tags if other != tag)
                self.listing.put(owner.digest, replace(owner, tags=others))
        before = self.get(image.digest)
        for tag in before.tags if before else ():
            self._digests.pop(tag, None)
        self._digests |= dict.fromkeys(image.tags, image.digest)
        self.listing.put(image.digest, image)

    def remove(self, digest: str) -> None:
        """Delete an image and its scans.

        Raises:
            KeyError: there is no image with this digest.
        """
        for tag in self.listing.remove(digest).tags:
            self._digests.pop(tag, None)
        self.scans.pop(digest, None)
        self.scan_results.pop(digest, None)


@dataclass(eq=False)
class FakeRegistry:
    """The registry of one account and Region.

    Attributes:
        account: account id.
        region: Region.
        scan_type: BASIC or ENHANCED.
        scan_rules: rules of GetRegistryScanningConfiguration in ECR's shape.
        scan_seconds: duration of a scan; None for scans that stay IN_PROGRESS.
        account_scan_quota: number of scans that may start within 24 hours; None for no limit.
        enhanced_after_starts: number of started scans after which `scan_type` becomes ENHANCED; None for never.
        summaries: whether DescribeImages returns the status and the summary of scans. AWS-native scanning does not.
        token_lifetime: seconds for which a nextToken is valid; None for no end.
        clock: returns the current time in UTC.
        faults: errors on demand.
        scan_requests: every request to start a scan, oldest first.
        calls: number of requests by operation.
        look_ups: number of DescribeImageScanFindings by digest.
    """

    account: str = "123456789012"
    region: str = "eu-west-1"
    scan_type: str = "BASIC"
    scan_rules: list[Mapping[str, Any]] = field(default_factory=list)
    scan_seconds: float | None = 0.0
    account_scan_quota: int | None = None
    enhanced_after_starts: int | None = None
    summaries: bool = False
    token_lifetime: float | None = None
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    faults: list[Fault] = field(default_factory=list)
    scan_requests: list[ScanRequest] = field(default_factory=list, init=False)
    calls: Counter[str] = field(default_factory=Counter, init=False)
    look_ups: Counter[str] = field(default_factory=Counter, init=False)
    listing: Listing[FakeRepository] = field(default_factory=Listing, init=False)
    _starts: list[datetime] = field(default_factory=list, init=False)
    _running: list[tuple[datetime, str, str]] = field(default_factory=list, init=False)
    _finding_events: list[dict[str, Any]] = field(default_factory=list, init=False)

    @property
    def repositories(self) -> list[FakeRepository]:
        """All repositories, as a copy."""
        return list(self.listing)

    def add(self, name: str, images: Iterable[FakeImage] = ()) -> FakeRepository:
        """Create a repository.

        Raises:
            AwsError: there is a repository of this name.
        """
        if self.listing.get(name) is not None:
            message = f"The repository with name '{name}' already exists in the registry with id '{self.account}'"
            raise AwsError("RepositoryAlreadyExistsException", message)
        repository = FakeRepository(name, images)
        self.listing.put(name, repository)
        return repository

    def remove(self, name: str) -> None:
        """Delete a repository and its images.

        Raises:
            KeyError: there is no repository of this name.
        """
        self.listing.remove(name)

    def arn(self, name: str) -> str:
        """Return the ARN of a repository."""
        return f"arn:aws:ecr:{self.region}:{self.account}:repository/{name}"

    def repository(self, name: str) -> FakeRepository:
        """Return a repository.

        Raises:
            AwsError: there is no repository of this name.
        """
        repository = self.listing.get(name)
        if repository is None:
            message = f"The repository with name '{name}' does not exist in the registry with id '{self.account}'"
            raise AwsError("RepositoryNotFoundException", message)
        return repository

    def image(self, repository: FakeRepository, image_id: Mapping[str, str]) -> FakeImage:
        """Return the image with ECR's imageId: a digest, a tag or both.

        Raises:
            AwsError: there is no such image.
        """
        digest, tag = image_id.get("imageDigest"), image_id.get("imageTag")
        if digest is None and tag is None:
            raise invalid_parameter("imageId", "imageDigest and imageTag cannot both be empty")
        image = repository.get(digest) if digest else repository.tagged(tag or "")
        if image is None or (tag is not None and tag not in image.tags):
            message = f"The image with imageId {_format_id(image_id)} does not exist within {self._where(repository)}"
            raise AwsError("ImageNotFoundException", message)
        return image

    def scan(self, repository: FakeRepository, image_id: Mapping[str, str]) -> FakeScan:
        """Return the last scan of an image as ECR shows it now.

        Raises:
            AwsError: there is no such image, or it was never scanned.
        """
        scan = self.known_scan(repository, self.image(repository, image_id).digest)
        if scan is None:
            image_id_text = _format_id(image_id)
            message = f"Image scan does not exist for the image with '{image_id_text}' in {self._where(repository)}"
            raise AwsError("ScanNotFoundException", message)
        return scan

    def known_scan(self, repository: FakeRepository, digest: str) -> FakeScan | None:
        """Return the last scan of a digest as ECR shows it now; None if it was never scanned."""
        scan = repository.scans.get(digest)
        return scan and scan.at(self.clock())

    def start_scan(self, repository: FakeRepository, image: FakeImage) -> None:
        """Start a scan, and record the request.

        Raises:
            AwsError: ECR rejects the request.
        """
        now = self.clock()
        try:
            self._check_start(repository, image, now)
        except AwsError as error:
            self.scan_requests.append(ScanRequest(repository.name, image.digest, now, error.code, error.message))
            raise
        self.scan_requests.append(ScanRequest(repository.name, image.digest, now))
        self._starts.append(now)
        if len(self._starts) == self.enhanced_after_starts:
            self.scan_type = "ENHANCED"
        before = replace(repository.scans.get(image.digest, FakeScan()), status=COMPLETE, description="")
        self._begin_scan(repository, image, repository.scan_results.get(image.digest, before), now)

    def inspect(self, repository: FakeRepository, image: FakeImage, findings: Iterable[Mapping[str, Any]]) -> None:
        """Set what Inspector finds in an image.

        The first time, Inspector's scan of the image starts. It ends with an event for each finding and one for the
        scan: in AWS's samples, the event of a finding is older than that of the scan. Later, each finding that is new
        or different has an event at once, and so has one that is missing: it is CLOSED.

        Args:
            repository: repository of the image.
            image: the image.
            findings: all its findings, as EnhancedFinding.to_api returns them.

        Raises:
            AwsError: the registry has basic scanning.
        """
        if self.scan_type != "ENHANCED":
            raise AwsError("ValidationException", "the registry has basic scanning, so Inspector scans no image")
        now, last = self.clock(), repository.scans.get(image.digest)
        known = {found["findingArn"]: found for found in last.enhanced_findings} if last else {}
        found: dict[str, dict[str, Any]] = {}
        changed = []
        for finding in findings:
            arn = self._finding_arn(repository, image, finding)
            before = known.get(arn, {})
            updated = any(before.get(name) != value for name, value in finding.items())
            found[arn] = {
                **finding,
                "findingArn": arn,
                "awsAccountId": self.account,
                "firstObservedAt": before.get("firstObservedAt", now),
                "lastObservedAt": now,
                "updatedAt": now if updated else before["updatedAt"],
                "resources": [self._finding_resource(repository, image)],
            }
            changed += [found[arn]] if updated else []
        counts = severity_counts(finding for finding in found.values() if finding["status"] != "CLOSED")
        scan = FakeScan(ACTIVE, enhanced_findings=list(found.values()), severity_counts=counts)
        if last is None or last.status != ACTIVE:
            self._begin_scan(repository, image, scan, now)
            return
        repository.scans[image.digest] = finished_scan(scan, now, now)
        changed += [{**known[arn], "status": "CLOSED", "updatedAt": now} for arn in known if arn not in found]
        self._finding_events += [finding_entry(self.account, finding, now) for finding in changed]

    def _finding_arn(self, repository: FakeRepository, image: FakeImage, finding: Mapping[str, Any]) -> str:
        key = digest_of(f"{repository.name} {image.digest} {finding['title']}").removeprefix("sha256:")[:32]
        return f"arn:aws:inspector2:{self.region}:{self.account}:finding/{key}"

    def _finding_resource(self, repository: FakeRepository, image: FakeImage) -> dict[str, Any]:
        details = {
            "architecture": "amd64",
            "imageHash": image.digest,
            "imageTags": list(image.tags),
            "platform": "DEBIAN_11",
            "pushedAt": image.pushed_at,
            "registry": self.account,
            "repositoryName": repository.name,
        }
        return {
            "details": {"awsEcrContainerImage": details},
            "id": f"{self.arn(repository.name)}/{image.digest}",
            "type": "AWS_ECR_CONTAINER_IMAGE",
        }

    def scans_on_push(self, repository: FakeRepository) -> bool:
        """Return whether ECR scans the images of a repository when they are pushed.

        A filter without `*` matches every name that contains it:
        https://docs.aws.amazon.com/AmazonECR/latest/userguide/image-scanning-filters.html
        """
        if self.scan_type != "BASIC":
            return False
        return repository.scan_on_push or any(
            fnmatchcase(repository.name, text if "*" in (text := wildcard["filter"]) else f"*{text}*")
            for rule in self.scan_rules
            if rule["scanFrequency"] == "SCAN_ON_PUSH"
            for wildcard in rule["repositoryFilters"]
        )

    def next_completion(self) -> datetime | None:
        """Return the end of the scan that ends first; None if no scan is in progress."""
        return min((ends_at for ends_at, _, _ in self._running), default=None)

    def take_events(self) -> list[dict[str, Any]]:
        """Return the events of the scans that have ended, and of the findings that have changed, since the last call.

        They are entries for PutEvents.
        """
        now = self.clock()
        ended = [scan for scan in self._running if scan[0] <= now]
        self._running = [scan for scan in self._running if scan[0] > now]
        events, self._finding_events = self._finding_events, []
        for ends_at, name, digest in ended:
            repository = self.listing.get(name)
            if repository is None:
                continue
            image, scan = repository.get(digest), repository.scans.get(digest)
            # A deleted image has no event.
            if image and scan and scan.status == ACTIVE:
                events += [finding_entry(self.account, finding, ends_at) for finding in scan.enhanced_findings]
                events.append(initial_scan_entry(self.arn(name), digest, image.tags, scan, ends_at))
            elif image and scan:
                events.append(event_entry(self.arn(name), name, digest, image.tags, scan, ends_at))
        return events

    def _begin_scan(self, repository: FakeRepository, image: FakeImage, result: FakeScan, now: datetime) -> None:
        if self.scan_seconds is None:
            repository.scans[image.digest] = FakeScan("IN_PROGRESS", started_at=now)
            return
        ends_at = now + timedelta(seconds=self.scan_seconds)
        repository.scans[image.digest] = finished_scan(result, now, ends_at)
        self._running.append((ends_at, repository.name, image.digest))

    def _check_start(self, repository: FakeRepository, image: FakeImage, now: datetime) -> None:
        if self.scan_type == "ENHANCED":
            raise AwsError("ValidationException", "This feature is disabled")
        if image.archived:
            message = f"The image with digest '{image.digest}' in {self._where(repository)} is archived"
            raise AwsError("ImageArchivedException", f"{message} and cannot be scanned")
        if image.unscannable_type:
            message = f"An artifact with media type '{image.unscannable_type}' cannot be scanned."
            more = "For more information, see the Amazon ECR documentation."
            raise AwsError("UnsupportedImageTypeException", f"{message} {more}")
        last = repository.scans.get(image.digest)
        last_start = (last.started_at or last.completed_at) if last else None
        if last_start and now - last_start < _QUOTA_PERIOD:
            message = "The scan quota per image has been exceeded. Wait and try again."
            raise AwsError("LimitExceededException", message)
        if self.account_scan_quota is not None:
            started = sum(now - start < _QUOTA_PERIOD for start in self._starts)
            if started >= self.account_scan_quota:
                # AWS documents the code of this error but not its message.
                raise AwsError("LimitExceededException", "The scan quota of this account has been exceeded.")

    def _where(self, repository: FakeRepository) -> str:
        return f"the repository with name '{repository.name}' in the registry with id '{self.account}'"


def finished_scan(result: FakeScan, started_at: datetime, ends_at: datetime) -> FakeScan:
    """Return a result as a scan with times. A FAILED scan has no imageScanCompletedAt."""
    completed_at = None if result.status == FAILED else ends_at
    return replace(result, completed_at=completed_at, started_at=started_at, ends_at=ends_at)


def fake_registry_of(images: Mapping[str, int]) -> FakeRegistry:
    """Return a registry with a number of plain images per repository. Any process can import this factory.

    The Nth image of repository "app" has `digest_of("app/N")`.
    """
    registry = FakeRegistry()
    for name, count in images.items():
        registry.add(name, plain_images(count, name))
    return registry


def _format_id(image_id: Mapping[str, str]) -> str:
    digest, tag = image_id.get("imageDigest", "null"), image_id.get("imageTag", "null")
    return f"{{imageDigest:'{digest}', imageTag:'{tag}'}}"
