"""The images scanner, configured for a fake of AWS, and the images of its tests."""

import itertools
import json
from collections import Counter
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import pytest
from ecr_scan_reporter import images_scanner
from ecr_scan_reporter.aws.dynamodb import Item
from ecr_scan_reporter.memory.images import FindingDeadline, ImageRecord, Ledger, Update, image_item
from ecr_scan_reporter.memory.items import ASKED, formatted, image_base, repository_key
from ecr_scan_reporter.memory.runs import RepositoryState, RunMemory
from ecr_scan_reporter.memory.summaries import RepositorySummary, repository_summary
from ecr_scan_reporter.messages.repository import RepositoryMessage
from fake_aws import (
    DOCKER_INDEX,
    FakeAws,
    FakeImage,
    FakeScan,
    digest_of,
    index_image,
)
from support.configuration import memory_table
from support.invocations import REGISTRY, Context, sqs_records
from support.virtual_time import TIME

NOW = TIME.now()
REPOSITORY = "team-a/app"
SUMMARY = "repository processed"
HELM = "application/vnd.cncf.helm.config.v1+json"


class Scanner:
    """The images scanner, configured for a fake of AWS."""

    def __init__(self, fake_aws: FakeAws) -> None:
        self.aws = fake_aws
        self.registry = fake_aws.registry

    def add(self, *images: FakeImage, scans: dict[str, FakeScan] | None = None) -> None:
        """Fill the repository."""
        repository = self.registry.add(REPOSITORY, images)
        repository.scans.update(scans or {})

    def handle(self, *bodies: str, seconds: float = 60) -> list[str]:
        """Invoke the function with these messages; return which failed."""
        answer = images_scanner.handler({"Records": sqs_records(*bodies)}, Context(seconds))
        return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]

    def scan(self, seconds: float = 60) -> list[str]:
        """Process the repository; return the digests that were started."""
        assert self.handle(RepositoryMessage(REGISTRY, REPOSITORY).to_json(), seconds=seconds) == []
        return [start.digest for start in self.aws.starts()]

    def run_to_completion(self, seconds: float) -> int:
        """Process the repository and all its continuations; return how many invocations it took."""
        messages = [RepositoryMessage(REGISTRY, REPOSITORY)]
        for invocations in itertools.count(1):
            assert self.handle(messages[-1].to_json(), seconds=seconds) == []
            if len(self.continuations()) < invocations:
                return invocations
            messages = self.continuations()
        raise AssertionError

    def continuations(self) -> list[RepositoryMessage]:
        """Return the continuations that the scanner queued."""
        bodies = [message.body for message in self.aws.messages()]
        return [RepositoryMessage.from_json(body) for body in bodies if "version" in json.loads(body)]


def scanned(days: float, status: str = "COMPLETE", description: str = "") -> FakeScan:
    return FakeScan(status, NOW - timedelta(days=days), description)


def image(name: str, *tags: str, **fields: Any) -> FakeImage:
    return FakeImage(digest_of(name), tags, **fields)


def summary_of(caplog: pytest.LogCaptureFixture) -> Any:
    """Return the summary line of the last repository."""
    return [record for record in caplog.records if record.message == SUMMARY][-1]


def counted(caplog: pytest.LogCaptureFixture) -> dict[str, int]:
    """Return the outcomes in the summary line of the last repository."""
    return dict(summary_of(caplog).outcomes)


def asked_key(digest: str) -> str:
    """Return the sort key of what was asked for an image."""
    return formatted(image_base(digest) + ASKED)


def asked_item(scanner: Scanner, digest: str) -> Item:
    """Return what is remembered of the scan that was asked for."""
    item = memory_table(scanner.aws).get(repository_key(REGISTRY, REPOSITORY), asked_key(digest))
    assert item
    return item


def put_indexes(scanner: Scanner, number: int) -> list[str]:
    """Fill the repository with image indexes, and an image without a tag; return the digests of the indexes."""
    children = {digest_of("amd64"): "linux/amd64"}
    indexes = [index_image(digest_of(f"x{n}"), children, (f"t{n}",)) for n in range(number)]
    scanner.add(*indexes, image("amd64"))
    return [entry.digest for entry in indexes]


def report_findings(scanner: Scanner, digests: Iterable[str]) -> None:
    """Remember one more of each digest's findings, as the reporter does: the number is that of the image."""
    pk = repository_key(REGISTRY, REPOSITORY)
    update = Update("openssl", ("3.0.1",), ("3.0.15",), Counter({"HIGH": 1}))
    memory_table(scanner.aws).put_many(
        image_item(
            pk,
            digest,
            ImageRecord(
                event_at=NOW,
                scanned_at=NOW - timedelta(days=1),
                counts={"HIGH": number},
                ledger=Ledger(new=number),
                updates=(update,),
                earliest_deadlines=(FindingDeadline(f"CVE-{number}", "openssl", "HIGH", NOW - timedelta(days=number)),),
                due_at=NOW - timedelta(days=number),
            ),
        )
        for number, digest in enumerate(digests, 1)
    )


def summary(scanner: Scanner) -> RepositorySummary:
    """Return the summary that the last run left."""
    found = repository_summary(memory_table(scanner.aws), REGISTRY, REPOSITORY, TIME.now())
    assert found
    return found


def state(scanner: Scanner) -> RepositoryState:
    """Return what is remembered of the repository after its last run."""
    [found] = RunMemory(memory_table(scanner.aws), REGISTRY).states()
    return found


def varied_images(count: int) -> tuple[list[FakeImage], dict[str, FakeScan]]:
    """Return images with every kind of last scan, and others that cannot be scanned."""
    kinds = [
        scanned(1),
        scanned(6),
        scanned(9),
        scanned(0.5, "FAILED"),
        FakeScan("FAILED", description="The scan failed."),
        FakeScan("FAILED", description="UnsupportedImageError: The operating system is not supported."),
        FakeScan("UNSUPPORTED_IMAGE"),
        scanned(30, "SCAN_ELIGIBILITY_EXPIRED"),
        scanned(2, "ACTIVE"),
        FakeScan("IN_PROGRESS"),
        FakeScan("IMAGE_ARCHIVED"),
        None,
    ]
    images, scans = [], {}
    for number in range(count):
        digest, kind = digest_of(f"image {number}"), kinds[number % len(kinds)]
        images.append(FakeImage(digest, (f"{'other' if number % 7 == 3 else 'v'}{number}",), archived=number % 11 == 5))
        if kind:
            scans[digest] = kind
    images += [
        image("index", "v-index", media_type=DOCKER_INDEX),
        image("chart", "v-chart", artifact_media_type=HELM),
        image("archived chart", "v-old-chart", artifact_media_type=HELM, archived=True),
        image("sbom", "v-sbom", subject=digest_of("image 0")),
    ]
    return images, scans
