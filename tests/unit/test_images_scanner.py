"""The images scanner: which scans are started in a repository, and what a refusal does."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from ecr_scan_reporter import images_scanner
from ecr_scan_reporter.durations import Duration
from ecr_scan_reporter.errors import ImageGone, RepositoryGone, Throttled
from ecr_scan_reporter.messages import RepositoryMessage
from ecr_scan_reporter.models import Image, Scan, StartOutcome
from ecr_scan_reporter.settings import ImagesScannerSettings
from moto import mock_aws

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
SETTINGS = ImagesScannerSettings(Duration.parse("7d"))
NEVER, OLD, FRESH = None, Scan("COMPLETE", NOW - timedelta(days=8)), Scan("COMPLETE", NOW - timedelta(days=1))


class FakeRegistry:
    """A repository whose images have the scans given, and that answers a start as told."""

    def __init__(self, *scans: Scan | Exception | None, starts: list[Any] | None = None) -> None:
        self.scans = {f"sha256:{index}": scan for index, scan in enumerate(scans)}
        self.starts = starts or []
        self.started: list[str] = []

    def images(self, repository: str) -> Iterator[Image]:
        if repository == "gone":
            raise RepositoryGone("gone")
        return (Image(repository, digest) for digest in self.scans)

    def last_scan(self, image: Image) -> Scan | None:
        scan = self.scans[image.digest]
        if isinstance(scan, Exception):
            raise scan
        return scan

    def start_scan(self, image: Image) -> StartOutcome:
        answer = self.starts.pop(0) if self.starts else StartOutcome.STARTED
        if isinstance(answer, Exception):
            raise answer
        if answer is StartOutcome.STARTED:
            self.started.append(image.digest)
        return answer


def scan(registry: FakeRegistry, repository: str = "team-a/app") -> list[float]:
    """Scan the repository; returns the pauses that were made."""
    pauses: list[float] = []
    images_scanner.scan_repository(repository, SETTINGS, registry, NOW, pauses.append)  # type: ignore[arg-type]
    return pauses


def test_exactly_the_due_images_are_started() -> None:
    registry = FakeRegistry(NEVER, OLD, FRESH, Scan("IN_PROGRESS"), Scan("FAILED"))
    assert scan(registry) == []
    assert registry.started == ["sha256:0", "sha256:1", "sha256:4"]


def test_the_limit_per_image_is_a_skip_without_a_pause() -> None:
    registry = FakeRegistry(NEVER, NEVER, starts=[StartOutcome.SCANNED_WITHIN_24_HOURS])
    assert scan(registry) == []
    assert registry.started == ["sha256:1"]


def test_throttling_pauses_and_asks_again() -> None:
    registry = FakeRegistry(NEVER, NEVER, starts=[Throttled("slower")] * 8)
    pauses = scan(registry)
    assert registry.started == ["sha256:0", "sha256:1"]
    assert len(pauses) == 8
    assert all(0 <= pause <= min(0.5 * 2**number, 20) for number, pause in enumerate(pauses))


def test_what_was_deleted_meanwhile_is_left() -> None:
    registry = FakeRegistry(ImageGone("gone"), NEVER)
    scan(registry)
    assert registry.started == ["sha256:1"]
    scan(registry, "gone")


class FakeContext:
    """Has `seconds` left."""

    def __init__(self, seconds: float = 60) -> None:
        self.seconds = seconds

    def get_remaining_time_in_millis(self) -> int:
        return int(self.seconds * 1000)


@pytest.fixture
def _aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("ECR_IMAGES_DURATION_DELTA", "7d")
    images_scanner._environment.cache_clear()
    with mock_aws():
        yield
    images_scanner._environment.cache_clear()


def handle(*bodies: str, seconds: float = 60) -> list[str]:
    records: Any = [{"messageId": f"message-{index}", "body": body} for index, body in enumerate(bodies)]
    answer = images_scanner.handler({"Records": records}, FakeContext(seconds))
    return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]


@pytest.mark.usefixtures("_aws")
def test_a_message_is_one_repository_and_a_bad_one_comes_back_alone() -> None:
    ecr = boto3.client("ecr")
    ecr.create_repository(repositoryName="team-a/app")
    manifest = (
        '{"schemaVersion":2,"mediaType":"application/vnd.docker.distribution.manifest.v2+json","config":{},"layers":[]}'
    )
    digest = ecr.put_image(repositoryName="team-a/app", imageManifest=manifest, imageTag="1")["image"]["imageId"]
    good = RepositoryMessage("team-a/app").to_json()
    deleted = RepositoryMessage("team-a/deleted").to_json()
    assert handle("poison", good, deleted, '{"version":9}') == ["message-0", "message-3"]
    found = ecr.describe_image_scan_findings(
        repositoryName="team-a/app", imageId={"imageDigest": digest["imageDigest"]}
    )
    assert found["imageScanStatus"]["status"] == "COMPLETE"


@pytest.mark.parametrize("seconds", [0.0, 60.0])
def test_a_pause_never_goes_past_the_end_of_the_invocation(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    answers = [Throttled("slower"), StartOutcome.STARTED]
    registry = FakeRegistry(NEVER, starts=answers)
    slept: list[float] = []
    monkeypatch.setattr(images_scanner, "_environment", lambda: (SETTINGS, registry))
    monkeypatch.setattr("time.sleep", slept.append)
    failed = handle(RepositoryMessage("team-a/app").to_json(), seconds=seconds)
    assert failed == ([] if seconds else ["message-0"])
    assert len(slept) == (1 if seconds else 0)
