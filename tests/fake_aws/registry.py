"""An ECR registry in memory: what it holds and what it refuses, without HTTP."""

import base64
import binascii
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from .errors import AwsError
from .images import FakeImage, FakeScan, plain_images

Item = TypeVar("Item")

# https://docs.aws.amazon.com/AmazonECR/latest/userguide/service-quotas.html: one basic scan per image in 24 hours.
_SCAN_EVERY = timedelta(hours=24)


class FakeRepository:
    """The images of one repository in the order of their first push, and their scans by digest."""

    def __init__(self, name: str, images: Iterable[FakeImage] = ()) -> None:
        self.name = name
        self.created_at = datetime(2024, 1, 1, tzinfo=UTC)
        self.scans: dict[str, FakeScan] = {}
        self.started: dict[str, datetime] = {}
        # Counts the changes of images, so that an encoded page can be told to be out of date.
        self.version = 0
        # A removed image leaves a hole, so that positions stay true while someone pages.
        self._slots: list[FakeImage | None] = []
        self._positions: dict[str, int] = {}
        self._tags: dict[str, str] = {}
        for image in images:
            self.put(image)

    def __len__(self) -> int:
        return len(self._positions)

    @property
    def images(self) -> list[FakeImage]:
        """All images, a copy."""
        return [image for image in self._slots if image]

    @property
    def slots(self) -> Sequence[FakeImage | None]:
        """The images by position, with holes."""
        return self._slots

    def get(self, digest: str) -> FakeImage | None:
        """The image with this digest."""
        position = self._positions.get(digest)
        return None if position is None else self._slots[position]

    def tagged(self, tag: str) -> FakeImage | None:
        """The image that carries this tag."""
        return self.get(self._tags.get(tag, ""))

    def put(self, image: FakeImage) -> None:
        """Add an image, or replace the one of this digest. A tag moves here from the image that had it."""
        self._strip(image)
        for tag in image.tags:
            self._tags[tag] = image.digest
        position = self._positions.setdefault(image.digest, len(self._slots))
        if position == len(self._slots):
            self._slots.append(image)
        else:
            self._slots[position] = image
        self.version += 1

    def remove(self, digest: str) -> None:
        """Delete an image, and what is known of its scans. Raises KeyError if there is none."""
        position = self._positions.pop(digest)
        image, self._slots[position] = self._slots[position], None
        for tag in image.tags if image else ():
            self._tags.pop(tag, None)
        self.scans.pop(digest, None)
        self.started.pop(digest, None)
        self.version += 1

    def _strip(self, image: FakeImage) -> None:
        """Take tags away that move, and those that the replaced image had."""
        for tag in image.tags:
            owner = self.tagged(tag)
            if owner and owner.digest != image.digest:
                rest = tuple(other for other in owner.tags if other != tag)
                self._slots[self._positions[owner.digest]] = replace(owner, tags=rest)
        before = self.get(image.digest)
        for tag in before.tags if before else ():
            self._tags.pop(tag, None)


@dataclass(eq=False)
class FakeRegistry:
    """The registry of one account and Region.

    Args:
        scan_type: BASIC or ENHANCED; may be changed at any time.
        scan_rules: of GetRegistryScanningConfiguration, in ECR's shape.
        scan_seconds: how long a started scan is IN_PROGRESS; None for always.
        account_scan_quota: how many starts are accepted before the account's quota is reached; None for no end.
        enhanced_after_starts: after so many accepted starts the registry turns to ENHANCED; None for never.
        summaries: whether DescribeImages tells of scans, which it does not with AWS-native basic scanning.
        token_lifetime: seconds for which a nextToken is good, 0 for none at all; None for ever.
        clock: the present, UTC.
    """

    account: str = "123456789012"
    region: str = "eu-west-1"
    scan_type: str = "BASIC"
    scan_rules: list[Mapping[str, object]] = field(default_factory=list)
    scan_seconds: float | None = 0.0
    account_scan_quota: int | None = None
    enhanced_after_starts: int | None = None
    summaries: bool = False
    token_lifetime: float | None = None
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    scans_started: int = field(default=0, init=False)
    _slots: list[FakeRepository | None] = field(default_factory=list, init=False)
    _positions: dict[str, int] = field(default_factory=dict, init=False)

    @property
    def repositories(self) -> list[FakeRepository]:
        """All repositories, a copy."""
        return [repository for repository in self._slots if repository]

    @property
    def slots(self) -> Sequence[FakeRepository | None]:
        """The repositories by position, with holes."""
        return self._slots

    def add(self, name: str, images: Iterable[FakeImage] = ()) -> FakeRepository:
        """Create a repository. Raises ValueError if there is one of this name."""
        if name in self._positions:
            raise ValueError(f"there is a repository {name!r} already")
        repository = FakeRepository(name, images)
        self._slots.append(repository)
        self._positions[name] = len(self._slots) - 1
        return repository

    def remove(self, name: str) -> None:
        """Delete a repository and its images. Raises KeyError if there is none."""
        self._slots[self._positions.pop(name)] = None

    def arn(self, name: str) -> str:
        """A repository's ARN."""
        return f"arn:aws:ecr:{self.region}:{self.account}:repository/{name}"

    def repository(self, name: str) -> FakeRepository:
        """A repository. Raises AwsError as ECR does if there is none."""
        position = self._positions.get(name)
        repository = None if position is None else self._slots[position]
        if repository is None:
            words = f"The repository with name '{name}' does not exist in the registry with id '{self.account}'"
            raise AwsError("RepositoryNotFoundException", words)
        return repository

    def image(self, repository: FakeRepository, image_id: Mapping[str, str]) -> FakeImage:
        """An image by ECR's imageId, digest or tag. Raises AwsError as ECR does if there is none."""
        digest, tag = image_id.get("imageDigest"), image_id.get("imageTag")
        if digest is None and tag is None:
            raise invalid("imageId", "imageDigest and imageTag cannot both be empty")
        image = repository.get(digest) if digest else repository.tagged(tag or "")
        if image is None or (tag is not None and tag not in image.tags):
            words = f"The image with imageId {_words(image_id)} does not exist within {self._where(repository)}"
            raise AwsError("ImageNotFoundException", words)
        return image

    def scan(self, repository: FakeRepository, image_id: Mapping[str, str]) -> FakeScan:
        """An image's last scan as it stands now. Raises AwsError as ECR does if it was never scanned."""
        scan = self.known_scan(repository, self.image(repository, image_id).digest)
        if scan is None:
            words = f"Image scan does not exist for the image with '{_words(image_id)}' in {self._where(repository)}"
            raise AwsError("ScanNotFoundException", words)
        return scan

    def known_scan(self, repository: FakeRepository, digest: str) -> FakeScan | None:
        """A digest's last scan as it stands now; None if it was never scanned."""
        scan = repository.scans.get(digest)
        if scan and scan.completed_at and scan.completed_at > self.clock():
            return FakeScan("IN_PROGRESS")
        return scan

    def start_scan(self, repository: FakeRepository, image_id: Mapping[str, str]) -> FakeImage:
        """Scan an image; what was found before is found again. Raises AwsError where ECR refuses."""
        image = self.image(repository, image_id)
        self._refuse_start(repository, image)
        now = self.clock()
        repository.started[image.digest] = now
        repository.scans[image.digest] = self._result(repository.scans.get(image.digest), now)
        self.scans_started += 1
        if self.scans_started == self.enhanced_after_starts:
            self.scan_type = "ENHANCED"
        return image

    def token(self, scope: str, position: int) -> str:
        """An opaque nextToken for a listing, good for this scope alone."""
        issued_at = self.clock().timestamp()
        return base64.urlsafe_b64encode(f"{position}|{issued_at}|{scope}".encode()).decode()

    def position(self, scope: str, token: str | None) -> int:
        """Where a nextToken goes on; 0 without one. Raises AwsError if it is unknown or has expired."""
        if token is None:
            return 0
        try:
            position, issued_at, its_scope = base64.urlsafe_b64decode(token).decode().split("|", 2)
            age = self.clock().timestamp() - float(issued_at)
            start = int(position)
        except (binascii.Error, ValueError):
            raise invalid("nextToken", "Invalid token") from None
        if its_scope != scope:
            raise invalid("nextToken", "Invalid token")
        if self.token_lifetime is not None and age >= self.token_lifetime:
            raise invalid("nextToken", "The token has expired")
        return start

    def _refuse_start(self, repository: FakeRepository, image: FakeImage) -> None:
        if self.scan_type == "ENHANCED":
            raise AwsError("ValidationException", "This feature is disabled")
        if image.archived:
            words = f"The image with digest '{image.digest}' in {self._where(repository)} is archived"
            raise AwsError("ImageArchivedException", f"{words} and cannot be scanned")
        if image.unscannable_type:
            words = f"An artifact with media type '{image.unscannable_type}' cannot be scanned."
            more = "For more information, see the Amazon ECR documentation."
            raise AwsError("UnsupportedImageTypeException", f"{words} {more}")
        if self._scanned_lately(repository, image.digest):
            words = "The scan quota per image has been exceeded. Wait and try again."
            raise AwsError("LimitExceededException", words)
        if self.account_scan_quota is not None and self.scans_started >= self.account_scan_quota:
            # AWS publishes no words for this one; only the code is known.
            raise AwsError("LimitExceededException", "The scan quota of this account has been exceeded.")

    def _scanned_lately(self, repository: FakeRepository, digest: str) -> bool:
        scan = repository.scans.get(digest)
        moments = (repository.started.get(digest), scan.completed_at if scan else None)
        now = self.clock()
        return any(moment and now - moment < _SCAN_EVERY for moment in moments)

    def _result(self, before: FakeScan | None, now: datetime) -> FakeScan:
        if self.scan_seconds is None:
            return FakeScan("IN_PROGRESS")
        done = now + timedelta(seconds=self.scan_seconds)
        return replace(before or FakeScan(), status="COMPLETE", description="", completed_at=done)

    def _where(self, repository: FakeRepository) -> str:
        return f"the repository with name '{repository.name}' in the registry with id '{self.account}'"


def fake_registry_of(images: Mapping[str, int]) -> FakeRegistry:
    """A registry with so many plain images by repository; a registry_factory that any process can import.

    The Nth image of repository "app" has `digest_of("app/N")`.
    """
    registry = FakeRegistry()
    for name, count in images.items():
        registry.add(name, plain_images(count, name))
    return registry


def page(
    slots: Sequence[Item | None], start: int, size: int, keep: Callable[[Item], bool]
) -> tuple[list[Item], int | None]:
    """Up to `size` items from a position on, and the position of the next page; None if this is the last.

    The cost is that of the page, not of all that there is.
    """
    found: list[Item] = []
    for position in range(start, len(slots)):
        item = slots[position]
        if item is None or not keep(item):
            continue
        if len(found) == size:
            return found, position
        found.append(item)
    return found, None


def invalid(parameter: str, reason: str) -> AwsError:
    """ECR's InvalidParameterException."""
    words = f"Invalid parameter at '{parameter}' failed to satisfy constraint: '{reason}'"
    return AwsError("InvalidParameterException", words)


def _words(image_id: Mapping[str, str]) -> str:
    digest, tag = image_id.get("imageDigest", "null"), image_id.get("imageTag", "null")
    return f"{{imageDigest:'{digest}', imageTag:'{tag}'}}"
