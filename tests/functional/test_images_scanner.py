"""The images scanner over HTTP starts exactly the due scans, and loses nothing."""

import itertools
import json
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from botocore.client import BaseClient
from botocore.exceptions import ConnectionClosedError, ReadTimeoutError
from ecr_scan_reporter import images_scanner
from ecr_scan_reporter.aws import deadline
from ecr_scan_reporter.aws.deadline import Deadline
from ecr_scan_reporter.aws.dynamodb import Item, Table
from ecr_scan_reporter.aws.ecr import EcrRegistry, single_attempt_client
from ecr_scan_reporter.memory.coverage import Coverage, CoverageReason
from ecr_scan_reporter.memory.images import FindingDeadline, ImageMemory, ImageRecord, Ledger, Update, image_item
from ecr_scan_reporter.memory.items import image_key, repository_key, to_seconds
from ecr_scan_reporter.memory.scans import RememberedScan, ScanMemory, asked_key
from ecr_scan_reporter.memory.states import RepositoryState, StateMemory
from ecr_scan_reporter.memory.summaries import RepositorySummary, repository_summary
from ecr_scan_reporter.messages.overdue import OverdueMessage
from ecr_scan_reporter.messages.repository import RepositoryMessage
from ecr_scan_reporter.models.scans import StartOutcome
from ecr_scan_reporter.scanning import calls, known_scans, rate_limiter, repository
from ecr_scan_reporter.scanning.decisions import _has_turn
from fake_aws import (
    DOCKER_INDEX,
    FakeAws,
    FakeImage,
    FakeRepository,
    FakeScan,
    Fault,
    Rate,
    digest_of,
    index_image,
    plain_images,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from support.fixtures import embedded_metrics, virtual_aws
from support.random_tests import examples
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
        records: Any = [{"messageId": str(index), "body": body} for index, body in enumerate(bodies)]
        context: Any = type("Context", (), {"get_remaining_time_in_millis": lambda _: int(seconds * 1000)})()
        answer = images_scanner.handler({"Records": records}, context)
        return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]

    def scan(self, seconds: float = 60) -> list[str]:
        """Process the repository; return the digests that were started."""
        assert self.handle(RepositoryMessage(REPOSITORY).to_json(), seconds=seconds) == []
        return [start.digest for start in self.aws.starts()]

    def run_to_completion(self, seconds: float) -> int:
        """Process the repository and all its continuations; return how many invocations it took."""
        messages = [RepositoryMessage(REPOSITORY)]
        for invocations in itertools.count(1):
            assert self.handle(messages[-1].to_json(), seconds=seconds) == []
            if len(self.continuations()) < invocations:
                return invocations
            messages = self.continuations()
        raise AssertionError

    def continuations(self) -> list[RepositoryMessage]:
        """Return the continuations that the scanner queued."""
        return [RepositoryMessage.from_json(body) for body in self._sent() if "overdue" not in json.loads(body)]

    def overdue(self) -> list[OverdueMessage]:
        """Return the messages about deadlines that the scanner queued."""
        bodies = map(json.loads, self._sent())
        return [OverdueMessage.parse(body["overdue"]) for body in bodies if "overdue" in body]

    def _sent(self) -> list[str]:
        return [message.body for message in self.aws.messages()]


@pytest.fixture
def make_scanner(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Scanner]]:
    """Make a scanner with these settings."""
    with virtual_aws() as fake_aws:
        table = fake_aws.create_memory_table()
        fake_aws.reset()

        def make(**settings: str) -> Scanner:
            defaults = {
                "ECR_IMAGES_DURATION_DELTA": "7d",
                "IMAGES_QUEUE_URL": fake_aws.queue_url(),
                "REPORTS_QUEUE_URL": fake_aws.queue_url("reports"),
                "MEMORY_TABLE_NAME": table,
                "REPORTER_NAME": "platform",
                "THREADS": "8",
            }
            for name, value in {**fake_aws.environment(), **defaults, **settings}.items():
                monkeypatch.setenv(name, value)
            images_scanner.dependencies.cache_clear()
            return Scanner(fake_aws)

        yield make
    images_scanner.dependencies.cache_clear()


@pytest.fixture
def scanner(make_scanner: Callable[..., Scanner]) -> Scanner:
    return make_scanner()


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


def not_its_turn(name: str, period: timedelta, run_interval: timedelta = timedelta(days=1)) -> str:
    """Return the name of an image without a scan date that is not due now; each is, once per period."""
    names = (f"{name} {number}" for number in itertools.count())
    return next(each for each in names if not _has_turn(digest_of(each), run_interval, period, NOW))


def test_due_images_are_started_the_most_urgent_first(
    make_scanner: Callable[..., Scanner], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    scanner = make_scanner(THREADS="1")
    scans = {
        "ten days": scanned(10),
        "twenty days": scanned(20),
        "yesterday": scanned(1),
        not_its_turn("running", timedelta(hours=23), timedelta(hours=1)): FakeScan("IN_PROGRESS"),
        "failed": FakeScan("FAILED", description="The scan failed."),
        "failed today": scanned(0.5, "FAILED"),
        not_its_turn("no such system", timedelta(days=7)): FakeScan(
            "FAILED", description="UnsupportedImageError: The operating system is not supported."
        ),
        not_its_turn("enhanced once", timedelta(days=7)): FakeScan("UNSUPPORTED_IMAGE"),
    }
    scanner.add(
        *(image(name, "t" + str(n)) for n, name in enumerate([*scans, "never"])),
        scans={digest_of(name): scan for name, scan in scans.items()},
    )
    started = scanner.scan()
    assert set(started[:2]) == {digest_of("never"), digest_of("failed")}
    assert started[2:] == [digest_of("twenty days"), digest_of("ten days")]
    assert counted(caplog) == {
        "never_scanned": 1,
        "scan_too_old": 2,
        "last_scan_failed": 1,
        "scanned_recently": 1,
        "scan_in_progress": 1,
        "failed_within_24_hours": 1,
        "unsupported": 2,
        "started": 4,
    }


def test_image_with_many_tags_is_scanned_once(scanner: Scanner) -> None:
    scanner.add(*(image(f"i{n}", f"{n}", f"v{n}", f"latest-{n}") for n in range(100)))
    assert len(scanner.scan()) == 100
    assert scanner.aws.calls()["StartImageScan"] == 100


def test_unscannable_images_are_skipped(scanner: Scanner, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    scanner.add(
        image("index", "1.0", media_type=DOCKER_INDEX),
        image("chart", "chart", artifact_media_type=HELM),
        image("sbom", subject=digest_of("app")),
        image("signature", f"sha256-{'1' * 64}.sig"),
        image("archived", "old", archived=True),
        image("app", "app"),
        image("docker", f"sha256-{'2' * 64}.sig", "real-tag"),
    )
    assert set(scanner.scan()) == {digest_of("app"), digest_of("docker")}
    assert scanner.aws.calls()["DescribeImageScanFindings"] == 2
    assert counted(caplog) == {"index": 1, "artifact": 3, "never_scanned": 2, "started": 2}


def test_children_of_an_index_are_scanned_except_attestations(
    scanner: Scanner, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    children = {
        digest_of("amd64"): "linux/amd64",
        digest_of("arm64"): "linux/arm64",
        digest_of("sbom"): "unknown/unknown",
    }
    scanner.add(index_image(digest_of("index"), children, ("1.0",)), *map(FakeImage, children))
    assert set(scanner.scan()) == {digest_of("amd64"), digest_of("arm64")}
    assert counted(caplog)["attestation"] == 1
    assert scanner.aws.calls()["BatchGetImage"] == 1


def test_indexes_are_read_100_per_call_and_only_for_untagged_images(scanner: Scanner) -> None:
    indexes = [index_image(digest_of(f"x{n}"), {digest_of(f"c{n}"): "linux/amd64"}, (f"t{n}",)) for n in range(250)]
    scanner.add(*indexes, image("plain", "plain"))
    scanner.scan()
    assert "BatchGetImage" not in scanner.aws.calls()
    scanner.registry.repository(REPOSITORY).put(image("untagged"))
    scanner.scan()
    assert scanner.aws.calls()["BatchGetImage"] == 3


@pytest.mark.parametrize(
    "manifest", ["", "no JSON", "[]", '{"manifests": 7}', '{"manifests": [{}]}', '{"manifests": ["x"]}']
)
def test_malformed_index_is_ignored(scanner: Scanner, manifest: str) -> None:
    scanner.add(replace(image("index", "1.0", media_type=DOCKER_INDEX), manifest=manifest), image("untagged"))
    assert scanner.scan() == [digest_of("untagged")]


def selected(make_scanner: Callable[..., Scanner], **selection: Any) -> set[str]:
    """Return the names of the images that are started with this selection."""
    scanner = make_scanner(IMAGES_SELECTION=json.dumps(selection))
    old, pulled = NOW - timedelta(days=60), NOW - timedelta(days=2)
    images = {
        "release": image("release", "1.0", pushed_at=old, last_pull=pulled),
        "build": image("build", "build-7", pushed_at=NOW - timedelta(days=3)),
        "untagged": image("untagged", pushed_at=NOW - timedelta(days=1)),
        "child": image("child", pushed_at=old + timedelta(days=1)),
        "index": index_image(digest_of("index"), {digest_of("child"): "linux/amd64"}, ("2.0",)),
    }
    scanner.add(*images.values())
    started = scanner.scan()
    return {name for name in images if digest_of(name) in started}


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        ({}, {"release", "build", "untagged", "child"}),
        ({"tagged_only": True}, {"release", "build", "child"}),
        ({"tag_regexp": "[0-9]"}, {"release", "child"}),
        ({"tag_regexp": "7"}, set()),
        ({"newest": 2}, {"build", "untagged"}),
        ({"newest": 2, "tagged_only": True}, {"build", "child"}),
        ({"newest": 9}, {"release", "build", "untagged", "child"}),
        ({"pushed_within": "1m"}, {"build", "untagged"}),
        ({"pulled_within": "7d"}, {"release", "build", "untagged"}),  # never pulled: the push counts
        ({"pushed_within": "1m", "tagged_only": True}, {"build"}),
    ],
)
def test_selection_limits_what_is_scanned(
    make_scanner: Callable[..., Scanner], selection: dict[str, Any], expected: set[str]
) -> None:
    assert selected(make_scanner, **selection) == expected


def test_scan_summary_in_describe_images_saves_the_look_up(scanner: Scanner) -> None:
    scanner.registry.summaries = True
    images = list(plain_images(20))
    scanner.add(*images, scans={image.digest: scanned(1) for image in images[:15]} | {images[15].digest: scanned(9)})
    assert set(scanner.scan()) == {image.digest for image in images[15:]}
    assert scanner.aws.calls()["DescribeImageScanFindings"] == 4


def test_unknown_status_is_logged_and_the_date_decides(scanner: Scanner, caplog: pytest.LogCaptureFixture) -> None:
    scans = {digest_of("old"): scanned(9, "RETIRED"), digest_of("new"): scanned(1, "RETIRED")}
    scanner.add(image("old"), image("new"), scans=scans)
    assert scanner.scan() == [digest_of("old")]
    warnings: list[Any] = [record for record in caplog.records if record.levelname == "WARNING"]
    assert {record.status for record in warnings} == {"RETIRED"}


def test_recently_scanned_images_cost_no_start_and_only_the_time_of_their_look_ups(
    make_scanner: Callable[..., Scanner],
) -> None:
    scanner = make_scanner(ECR_IMAGES_DURATION_DELTA="1d")
    images = list(plain_images(50))
    scanner.add(*images, scans={image.digest: scanned(0.25) for image in images})
    assert scanner.scan() == []
    assert TIME.monotonic() <= len(images) / calls.FIRST_LOOK_UP_RATE


def test_limit_per_image_is_skipped_immediately(scanner: Scanner, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    per_image = "The scan quota per image has been exceeded. Wait and try again."
    scanner.add(*plain_images(10))
    scanner.aws.behavior.faults.append(Fault("StartImageScan", "LimitExceededException", per_image, times=4))
    assert len(scanner.scan(seconds=10)) == 6
    assert counted(caplog)["scanned_within_24_hours"] == 4


# The third rejection in a row is believed. With eight threads, each may have one more in flight, and each of the seven
# that were sent before the first rejection may be answered after two of them.
@pytest.mark.parametrize(("threads", "rejections"), [(1, 3), (8, 3 + 8 + 2 * 7)])
def test_daily_quota_ends_the_run_without_a_failure(
    make_scanner: Callable[..., Scanner], caplog: pytest.LogCaptureFixture, threads: int, rejections: int
) -> None:
    caplog.set_level(logging.INFO)
    scanner = make_scanner(THREADS=str(threads))
    scanner.registry.account_scan_quota = 30
    scanner.add(*plain_images(500))
    assert len(scanner.scan()) == 30
    assert 3 <= scanner.aws.refused()["StartImageScan"]["LimitExceededException"] <= rejections
    assert counted(caplog)["quota_exceeded"] == 1
    assert embedded_metrics(caplog, SUMMARY)["QuotaReached"] == 1
    assert "daily quota of scans exceeded" in caplog.messages
    assert scanner.continuations() == []


def test_enhanced_scanning_looks_up_and_starts_nothing(scanner: Scanner, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    kinds = {
        "active": scanned(60, "ACTIVE"),
        "recent": scanned(1, "ACTIVE"),
        "lapsed": scanned(60, "SCAN_ELIGIBILITY_EXPIRED"),
        "never": None,
    }
    scanner.add(
        *(image(name, name, pushed_at=NOW - timedelta(days=20)) for name in kinds),
        scans={digest_of(name): scan for name, scan in kinds.items() if scan},
    )
    report_findings(scanner, [digest_of("active")])
    for _ in range(2):
        assert scanner.handle(RepositoryMessage(REPOSITORY, enhanced=True).to_json()) == []
        found = summary(scanner)
        assert found.coverage == {"images": 4, "in_time": 2, "expired": 1, "never_scanned": 1}
        assert found.examples == {"expired": ["lapsed"], "never_scanned": ["never"]}
        assert found.open == {"HIGH": 1}
    assert scanner.aws.starts() == []
    assert "StartImageScan" not in scanner.aws.refused()
    assert to_seconds(state(scanner).waiting_since) == to_seconds(NOW - timedelta(days=60))


def test_state_says_since_when_an_image_waits_for_its_next_scan(
    scanner: Scanner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repository, "CHUNK_SIZE", 4)
    images = [image(f"image {n}", f"v{n}", pushed_at=NOW - timedelta(days=n + 1)) for n in range(12)]
    # The first ones were scanned, failed or are unsupported; the others never were.
    scans = [scanned(1), scanned(9), scanned(0.5, "FAILED"), FakeScan("UNSUPPORTED_IMAGE")]
    scanner.add(*images, scans={entry.digest: scan for entry, scan in zip(images, scans, strict=False)})
    scanner.registry.account_scan_quota = 0
    scanner.scan()
    # The quota ended the run before the others were looked up.
    looked_up = sorted(images, key=lambda entry: entry.digest)[:4]
    dates = [
        scans[n].completed_at if n < 4 else entry.pushed_at for n, entry in enumerate(images) if entry in looked_up
    ]
    assert to_seconds(state(scanner).waiting_since) == min(map(to_seconds, filter(None, dates)))
    scanner.registry.account_scan_quota = None
    scanner.scan()
    # All others are scanned now.
    assert to_seconds(state(scanner).waiting_since) == to_seconds(scans[0].completed_at)


def test_image_without_a_date_does_not_hide_the_age_of_the_others(scanner: Scanner) -> None:
    undated = [FakeScan("FAILED"), FakeScan("IN_PROGRESS"), FakeScan("UNSUPPORTED_IMAGE")]
    images = [image(f"image {n}", f"v{n}", pushed_at=NOW - timedelta(days=90)) for n in range(9)]
    new = image("new", "new", pushed_at=NOW)
    scans = [*undated, *[scanned(60)] * 6]
    scanner.add(new, *images, scans={entry.digest: scan for entry, scan in zip(images, scans, strict=True)})
    scanner.registry.account_scan_quota = 0
    scanner.scan()
    assert to_seconds(state(scanner).waiting_since) == to_seconds(NOW - timedelta(days=60))
    # The next run begins here.
    assert state(scanner).oldest_scan is None


def test_unsupported_image_does_not_put_its_repository_first(scanner: Scanner) -> None:
    scanner.add(image("app", "1.0"), image("other", "2.0"), scans={digest_of("app"): FakeScan("UNSUPPORTED_IMAGE")})
    scanner.registry.repository(REPOSITORY).scans[digest_of("other")] = scanned(2)
    scanner.scan()
    assert to_seconds(state(scanner).oldest_scan) == to_seconds(NOW - timedelta(days=2))


def test_image_of_a_type_that_ecr_rejects_is_asked_for_once_and_counts_as_unsupported(
    scanner: Scanner, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    old = NOW - timedelta(days=90)
    scanner.add(image("odd", "odd", pushed_at=old), image("app", "1.0", pushed_at=old))
    scanner.registry.repository(REPOSITORY).scans[digest_of("app")] = scanned(2)
    message = "An artifact ... cannot be scanned."
    scanner.aws.behavior.faults.append(Fault("StartImageScan", "UnsupportedImageTypeException", message))
    for _ in range(3):
        assert scanner.scan() == []
        assert summary(scanner).coverage == {"images": 2, "in_time": 1, "unsupported": 1}
        assert to_seconds(state(scanner).waiting_since) == to_seconds(NOW - timedelta(days=2))
        assert embedded_metrics(caplog, SUMMARY)["SkippedUnsupported"] == 1
    assert scanner.aws.calls()["StartImageScan"] == 1
    # It is asked for again when a scan would be too old.
    item = asked_item(scanner, digest_of("odd"))
    memory_table(scanner).put({**item, "asked_at": to_seconds(NOW - timedelta(days=8))})
    scanner.scan()
    assert scanner.aws.calls()["StartImageScan"] == 2


def test_unsupported_type_is_remembered_if_the_quota_leaves_no_request_for_it(scanner: Scanner) -> None:
    scanner.add(image("odd", "odd", pushed_at=NOW - timedelta(days=90)), image("app", "1.0"))
    scanner.registry.repository(REPOSITORY).scans[digest_of("app")] = scanned(2)
    fault = Fault("StartImageScan", "UnsupportedImageTypeException")
    scanner.aws.behavior.faults.append(fault)
    scanner.scan()
    item = asked_item(scanner, digest_of("odd"))
    memory_table(scanner).put({**item, "asked_at": to_seconds(NOW - timedelta(days=8))})
    scanner.aws.behavior.faults.clear()
    scanner.registry.account_scan_quota = 0
    scanner.scan()
    assert asked_item(scanner, digest_of("odd"))["status"] == "UNSUPPORTED_IMAGE"
    assert to_seconds(state(scanner).waiting_since) == to_seconds(NOW - timedelta(days=2))


def asked_item(scanner: Scanner, digest: str) -> Item:
    """Return what is remembered of the scan that was asked for."""
    item = memory_table(scanner).get(repository_key(REPOSITORY), asked_key(digest))
    assert item
    return item


def test_quota_is_recognized_across_repositories(scanner: Scanner, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    names = [f"team-a/app-{number}" for number in range(10)]
    for name in names:
        scanner.registry.add(name, [image(name, "1.0")])
    bodies = [RepositoryMessage(name).to_json() for name in names]
    scanner.registry.account_scan_quota = 0
    assert scanner.handle(*bodies) == []
    reached = [record.__dict__["QuotaReached"] for record in caplog.records if record.message == SUMMARY]
    assert reached == [0, 0] + [1] * 8
    scanner.registry.account_scan_quota = 1
    caplog.clear()
    assert scanner.handle(*bodies) == []
    # The scan that was started ended the count; the first two rejections are those of their images again.
    reached = [record.__dict__["QuotaReached"] for record in caplog.records if record.message == SUMMARY]
    assert reached == [0, 0, 0] + [1] * 7


def test_switch_to_enhanced_scanning_ends_the_run_cleanly(scanner: Scanner, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    scanner.registry.enhanced_after_starts = 10
    scanner.add(*plain_images(200))
    assert len(scanner.scan()) == 10
    assert counted(caplog)["manual_scanning_disabled"] == 1


def test_throttled_starts_are_repeated_until_all_are_started(
    scanner: Scanner, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    scanner.aws.behavior.rates["StartImageScan"] = Rate(100, 5)
    scanner.add(*plain_images(60))
    started = scanner.scan()
    assert len(started) == len(set(started)) == 60
    throttled = scanner.aws.refused()["StartImageScan"]["ThrottlingException"]
    assert throttled > 0
    assert embedded_metrics(caplog, SUMMARY)["Throttled"] == throttled


def test_access_denied_names_the_action_and_returns_the_message(
    scanner: Scanner, caplog: pytest.LogCaptureFixture
) -> None:
    scanner.add(*plain_images(300))
    scanner.aws.behavior.faults.append(Fault("StartImageScan", "AccessDeniedException"))
    assert scanner.handle(RepositoryMessage(REPOSITORY).to_json()) == ["0"]
    assert scanner.aws.calls()["StartImageScan"] <= 8  # one per thread
    errors: list[Any] = [record for record in caplog.records if record.levelname == "ERROR"]
    assert "the function's role lacks ecr:StartImageScan" in errors[0].reason


def test_deleted_image_or_repository_is_only_counted(scanner: Scanner, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    scanner.add(*plain_images(3))
    scanner.aws.behavior.faults += [
        Fault("DescribeImageScanFindings", "ImageNotFoundException", times=1),
        Fault("StartImageScan", "ImageNotFoundException", times=1),
    ]
    assert len(scanner.scan()) == 1
    assert counted(caplog)["image_not_found"] == 2
    assert summary(scanner).coverage == {"images": 1, "never_scanned": 1}
    assert scanner.handle(RepositoryMessage("team-a/deleted").to_json()) == []
    assert counted(caplog) == {"repository_not_found": 1}


def test_invalid_message_is_returned_and_others_are_processed(scanner: Scanner) -> None:
    scanner.add(image("app"))
    good = RepositoryMessage(REPOSITORY).to_json()
    assert scanner.handle("invalid", good, '{"version":9}', '{"version":1}') == ["0", "2", "3"]
    assert len(scanner.aws.starts()) == 1


def test_message_delivered_twice_starts_no_scan_twice(scanner: Scanner) -> None:
    scanner.add(*plain_images(50))
    assert len(scanner.scan()) == 50
    assert len(scanner.scan()) == 50
    # ECR gives no date for a scan in progress, so each hour one in 23 is requested again; ECR rejects that request.
    assert scanner.aws.calls()["StartImageScan"] <= 60


def test_continuations_start_every_image_once(scanner: Scanner) -> None:
    """At 40 starts per second and two seconds per invocation, 200 images take several invocations."""
    scanner.aws.behavior.rates["StartImageScan"] = Rate(40, 5)
    scanner.add(*plain_images(200))
    assert scanner.run_to_completion(seconds=2) > 1
    started = [start.digest for start in scanner.aws.starts()]
    assert len(started) == len(set(started)) == 200
    assert all(message.delay >= 30 for message in scanner.aws.messages())


def test_every_chunk_is_processed_with_one_listing(scanner: Scanner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repository, "CHUNK_SIZE", 100)
    scanner.add(*plain_images(350), image("index", "x", media_type=DOCKER_INDEX))
    started = scanner.scan()
    assert len(started) == len(set(started)) == 350
    assert scanner.aws.calls()["DescribeImageScanFindings"] == 350
    assert scanner.aws.calls()["DescribeImages"] == 1


@pytest.mark.parametrize("deleted", [False, True])
def test_continuation_resumes_after_its_digest(scanner: Scanner, deleted: bool) -> None:
    images = sorted(plain_images(30), key=lambda image: image.digest)
    scanner.add(*(images[:9] + images[10:] if deleted else images))
    assert scanner.handle(RepositoryMessage(REPOSITORY, after=images[9].digest).to_json()) == []
    assert {start.digest for start in scanner.aws.starts()} == {image.digest for image in images[10:]}


def test_continuation_resumes_after_the_last_look_up(scanner: Scanner) -> None:
    images = sorted(plain_images(1000), key=lambda image: image.digest)
    scanner.add(*images, scans={image.digest: scanned(1) for image in images})
    scanner.aws.behavior.latency = {"DescribeImageScanFindings": 0.02}
    assert scanner.scan(seconds=1) == []
    [continuation] = scanner.continuations()
    looked_up = [image.digest for image in images].index(continuation.after) + 1
    calls = scanner.aws.calls()["DescribeImageScanFindings"]
    assert 0 < looked_up < 1000
    assert calls - 8 <= looked_up <= calls  # all that was read in order, less than one call per thread is repeated


def test_calls_are_concurrent(scanner: Scanner) -> None:
    scanner.aws.behavior.together = {"DescribeImageScanFindings": 8, "StartImageScan": 8}
    scanner.add(*plain_images(64))
    scanner.scan()
    assert scanner.aws.max_in_flight() == 8


@pytest.mark.parametrize("per_second", [20, 100])
def test_throttled_look_ups_settle_at_the_permitted_rate(scanner: Scanner, per_second: int) -> None:
    scanner.aws.behavior.rates["DescribeImageScanFindings"] = Rate(per_second, per_second)
    # Down from the first rate, a few calls are refused whatever the number of images: here over ten seconds.
    images = list(plain_images(per_second * 10))
    scanner.add(*images, scans={image.digest: scanned(9) for image in images})
    started = TIME.monotonic()
    assert set(scanner.scan(seconds=120)) == {image.digest for image in images}
    assert scanner.continuations() == []
    # At the permitted rate the look-ups take nine seconds, and the starts at most ten.
    assert TIME.monotonic() - started < 2 * (9 + per_second / 10)
    assert refused_share(scanner, "DescribeImageScanFindings") < 0.3


def test_invocations_that_are_throttled_together_all_end_at_the_permitted_rate(
    make_scanner: Callable[..., Scanner], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    names = [f"team-a/app-{number}" for number in range(5)]
    invocations = []
    for name in names:
        # Each has clients, limiters and threads of its own.
        scanner = make_scanner()
        images = list(plain_images(100, name))
        scanner.registry.add(name, images).scans.update({image.digest: scanned(9) for image in images})
        body = RepositoryMessage(name).to_json()
        invocations.append(partial(repository.process_message, body, images_scanner.dependencies(), Deadline(120), NOW))
    scanner.aws.behavior.rates["DescribeImageScanFindings"] = Rate(100, 100)
    started = TIME.monotonic()
    with ThreadPoolExecutor(len(names)) as pool:
        for ended in [pool.submit(invocation) for invocation in invocations]:
            ended.result()
    assert len({start.digest for start in scanner.aws.starts()}) == len(scanner.aws.starts()) == 500
    assert scanner.continuations() == []
    assert [record.__dict__["failures"] for record in caplog.records if record.message == SUMMARY] == 5 * [{}]
    # At the permitted rate the look-ups take four seconds.
    assert TIME.monotonic() - started < 5 * 4
    assert refused_share(scanner, "DescribeImageScanFindings") < 0.3


@pytest.mark.parametrize("operation", ["DescribeImageScanFindings", "StartImageScan"])
def test_one_throttled_image_does_not_slow_down_the_others(
    scanner: Scanner, monkeypatch: pytest.MonkeyPatch, operation: str
) -> None:
    images = list(plain_images(200))
    scanner.add(*images)
    throttled = images[7].digest
    scanner.aws.behavior.faults.append(Fault(operation, "ThrottlingException", containing=throttled))
    started = TIME.monotonic()
    calls: list[tuple[float, str]] = []
    call = getattr(EcrRegistry, {"StartImageScan": "start_scan"}.get(operation, "last_scan"))

    def spy(ecr: EcrRegistry, name: str, digest: str) -> Any:
        calls.append((TIME.monotonic() - started, digest))
        return call(ecr, name, digest)

    monkeypatch.setattr(EcrRegistry, call.__name__, spy)
    assert set(scanner.scan()) == {image.digest for image in images} - {throttled}
    # All others are called once, before the throttled one is repeated with longer and longer pauses.
    others = [at for at, digest in calls if digest != throttled]
    repeated = [at for at, digest in calls if digest == throttled]
    assert len(others) == 199
    assert 2 < len(repeated) <= 8
    assert max(others) < repeated[1]
    # Starts begin at 100 per second, look-ups at more.
    assert max(others) - min(others) < 2 * 5


def refused_share(scanner: Scanner, operation: str) -> float:
    """Return which share of the calls was throttled."""
    return scanner.aws.refused()[operation]["ThrottlingException"] / scanner.aws.calls()[operation]


def test_look_ups_read_in_time_are_started(scanner: Scanner) -> None:
    scanner.aws.behavior.rates["DescribeImageScanFindings"] = Rate(10, 10)
    scanner.add(*plain_images(300))
    started = scanner.scan(seconds=3)
    assert 10 <= len(started) < 300
    assert len(scanner.continuations()) == 1


SERVER_ERROR = {"code": "ServerException", "status": 500}
THROTTLED = {"code": "ThrottlingException"}


@pytest.mark.parametrize("operation", ["DescribeImageScanFindings", "StartImageScan"])
@pytest.mark.parametrize(
    "fault",
    [SERVER_ERROR, THROTTLED, {"code": "NewException"}, {"code": "LimitExceededException", "message": "?"}],
    ids=lambda fault: fault["code"],
)
def test_failing_image_is_named_and_all_others_are_scanned(
    scanner: Scanner, caplog: pytest.LogCaptureFixture, operation: str, fault: dict[str, Any]
) -> None:
    caplog.set_level(logging.INFO)
    images = list(plain_images(200))
    failing = images[7].digest
    scanner.add(*images)
    scanner.aws.behavior.faults.append(Fault(operation, containing=failing, **fault))
    assert set(scanner.scan(seconds=60)) == {image.digest for image in images} - {failing}
    assert scanner.continuations() == []
    summary = summary_of(caplog)
    assert summary.levelname == "WARNING"
    assert summary.failures == {fault["code"]: {"count": 1, "digests": [failing]}}


def test_summary_has_the_metrics_of_its_images(scanner: Scanner, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    helm = image("chart", "c", artifact_media_type=HELM)
    due, recent, failing = list(plain_images(5)), image("recent", "r"), image("failing", "f")
    scanner.add(*due, recent, helm, failing, scans={recent.digest: scanned(1)})
    scanner.aws.behavior.faults.append(Fault("StartImageScan", "NewException", containing=failing.digest))
    assert len(scanner.scan()) == 5
    assert embedded_metrics(caplog, SUMMARY) == {
        "ImagesSeen": 8,
        "ScansStarted": 5,
        "SkippedScannedRecently": 1,
        "SkippedNotSelected": 0,
        "SkippedUnsupported": 0,
        "SkippedArchived": 0,
        "SkippedOther": 1,
        "ImagesFailed": 1,
        "Throttled": 0,
        "QuotaReached": 0,
        "MemoryUnavailable": 0,
    }
    assert summary_of(caplog).Instance == "platform"


def test_skipped_images_add_up(make_scanner: Callable[..., Scanner], caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    scanner = make_scanner(IMAGES_SELECTION='{"tag_regexp": "v"}')
    images, scans = varied_images(150)
    scanner.add(*images, scans=scans)
    names = ["ImageArchivedException", "UnsupportedImageTypeException", "ImageNotFoundException"]
    faults = [Fault("StartImageScan", name, times=2) for name in names]
    per_image = "The scan quota per image has been exceeded. Wait and try again."
    scanner.aws.behavior.faults += [*faults, Fault("StartImageScan", "LimitExceededException", per_image, times=2)]
    scanner.scan()
    metrics = embedded_metrics(caplog, SUMMARY)
    skipped = {name: number for name, number in metrics.items() if name.startswith("Skipped")}
    assert all(skipped.values())
    listed = [entry for entry in images if not entry.archived]
    assert metrics["ImagesSeen"] == len(listed) == metrics["ScansStarted"] + sum(skipped.values())


@pytest.mark.parametrize("archived", [False, True])
def test_images_are_seen_once_however_many_invocations_it_takes(
    scanner: Scanner, caplog: pytest.LogCaptureFixture, archived: bool
) -> None:
    caplog.set_level(logging.INFO)
    images = list(plain_images(150))
    scanner.aws.behavior.rates["StartImageScan"] = Rate(40, 5)
    if archived:  # between the listing and the start
        scanner.aws.behavior.faults.append(
            Fault("StartImageScan", "ImageArchivedException", containing=images[7].digest)
        )
    scanner.add(*images, image("index", "x", media_type=DOCKER_INDEX))
    assert scanner.run_to_completion(seconds=2) > 1
    records = [record.__dict__ for record in caplog.records if record.message == SUMMARY]
    assert sum(record["ImagesSeen"] for record in records) == 151
    assert sum(record["ScansStarted"] for record in records) == 150 - archived
    assert sum(record["SkippedArchived"] for record in records) == archived
    assert summary(scanner).coverage.get("archived", 0) == archived


def test_single_failed_calls_are_repeated(scanner: Scanner, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    for operation in ("DescribeImageScanFindings", "StartImageScan"):
        scanner.aws.behavior.faults.append(Fault(operation, "InternalFailure", status=500, times=3))
    scanner.add(*plain_images(30))
    assert len(scanner.scan()) == 30
    assert summary_of(caplog).failures == {}


@pytest.mark.parametrize("operation", ["DescribeImageScanFindings", "StartImageScan"])
@pytest.mark.parametrize("error", [ReadTimeoutError, ConnectionClosedError])
@pytest.mark.parametrize("always", [False, True])
def test_call_without_an_answer_is_made_again_and_then_is_that_images_failure(
    make_scanner: Callable[..., Scanner],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    operation: str,
    error: type[ReadTimeoutError | ConnectionClosedError],
    always: bool,
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(calls, "RETRY_PAUSE", 0.001)
    images = list(plain_images(20))
    failing, failed = images[7].digest, list[str]()

    def fail(request: Any, **_: Any) -> None:
        if failing.encode() in request.body and (always or not failed):
            failed.append(failing)
            raise error(endpoint_url=request.url)

    def client(threads: int) -> Any:
        created = single_attempt_client(threads)
        created.meta.events.register(f"before-send.ecr.{operation}", fail)
        return created

    monkeypatch.setattr(images_scanner, "single_attempt_client", client)
    scanner = make_scanner()
    scanner.add(*images)
    assert set(scanner.scan()) == {entry.digest for entry in images} - ({failing} if always else set())
    expected = {error.__name__: {"count": 1, "digests": [failing]}} if always else {}
    assert summary_of(caplog).failures == expected
    assert len(failed) > 1 if always else len(failed) == 1
    assert scanner.continuations() == []


def test_failed_images_that_an_invocation_had_no_time_for_are_started_by_the_next(scanner: Scanner) -> None:
    scanner.aws.behavior.rates["StartImageScan"] = Rate(40, 5)
    images = list(plain_images(150))
    scanner.add(*images, scans={entry.digest: FakeScan("FAILED") for entry in images})
    assert scanner.run_to_completion(seconds=2) > 1
    assert len(scanner.aws.starts()) == 150


def test_scan_that_was_not_started_is_not_remembered_as_asked_for(scanner: Scanner) -> None:
    scanner.registry.account_scan_quota = 10
    images = list(plain_images(60))
    scanner.add(*images, scans={entry.digest: scanned(9) for entry in images[:30]})
    assert scanner.handle(RepositoryMessage(REPOSITORY, run="run-1").to_json()) == []
    started = {start.digest for start in scanner.aws.starts()}
    assert len(started) == 10
    for entry in images:
        item = asked_item(scanner, entry.digest)
        assert (item.get("run"), "asked_at" in item) == (("run-1", True) if entry.digest in started else (None, False))


def test_start_whose_answer_was_lost_is_remembered_as_asked_for(scanner: Scanner) -> None:
    scanner.add(image("app", "1.0"))
    scanner.aws.behavior.faults.append(Fault("StartImageScan", "ServerException", status=500, times=1, lost=True))
    assert scanner.handle(RepositoryMessage(REPOSITORY, run="run-1").to_json()) == []
    assert scanner.aws.calls()["StartImageScan"] == 2
    assert asked_item(scanner, digest_of("app"))["run"] == "run-1"


def test_message_delivered_twice_keeps_the_time_at_which_its_run_asked(scanner: Scanner) -> None:
    scanner.add(image("app", "1.0"))
    asked_at = NOW - timedelta(minutes=20)
    memory = ScanMemory(memory_table(scanner))
    memory.remember(REPOSITORY, {digest_of("app"): None}, [digest_of("app")], "run-1", asked_at)
    per_image = "The scan quota per image has been exceeded. Wait and try again."
    scanner.aws.behavior.faults.append(Fault("StartImageScan", "LimitExceededException", per_image))
    assert scanner.handle(RepositoryMessage(REPOSITORY, run="run-1").to_json()) == []
    item = asked_item(scanner, digest_of("app"))
    assert (item["run"], item["asked_at"]) == ("run-1", to_seconds(asked_at))


def test_look_up_keeps_the_run_that_asked_for_the_scan(scanner: Scanner) -> None:
    scanner.add(image("app", "1.0"), scans={digest_of("app"): scanned(0.001)})
    asked_at = NOW - timedelta(minutes=10)
    memory = ScanMemory(memory_table(scanner))
    memory.remember(REPOSITORY, {digest_of("app"): None}, [digest_of("app")], "run-1", asked_at)
    assert scanner.handle(RepositoryMessage(REPOSITORY, run="run-1").to_json()) == []
    # The event of the scan is still in the queue of the reporter.
    item = asked_item(scanner, digest_of("app"))
    assert (item["status"], item["run"], item["asked_at"]) == ("COMPLETE", "run-1", to_seconds(asked_at))


def test_scan_in_progress_that_someone_else_started_is_stuck_after_a_day(
    scanner: Scanner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ecr_scan_reporter.scanning.decisions._has_turn", lambda *_: False)
    scanner.add(image("app", "1.0"), scans={digest_of("app"): FakeScan("IN_PROGRESS")})
    body = RepositoryMessage(REPOSITORY, run="run-1").to_json()
    assert scanner.handle(body) == []
    item = asked_item(scanner, digest_of("app"))
    assert "run" not in item
    for hours, starts in ((23, 0), (25, 1)):
        memory_table(scanner).put({**item, "asked_at": to_seconds(NOW - timedelta(hours=hours))})
        assert scanner.handle(body) == []
        assert len(scanner.aws.starts()) == starts


def test_scan_in_progress_has_not_the_date_of_a_request_that_was_answered(
    scanner: Scanner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ecr_scan_reporter.scanning.decisions._has_turn", lambda *_: False)
    digest = digest_of("app")
    scanner.add(image("app", "1.0"), scans={digest: FakeScan("IN_PROGRESS")})
    asked_at, memory = NOW - timedelta(days=8), ScanMemory(memory_table(scanner))
    memory.remember(REPOSITORY, {digest: None}, [digest], "run-1", asked_at)
    answer = ImageRecord(scanned_at=asked_at + timedelta(minutes=1))
    memory_table(scanner).put(image_item(repository_key(REPOSITORY), digest, answer))
    # Someone else has just started another one.
    assert scanner.scan() == []
    [(_, remembered, _)] = memory.scans(REPOSITORY, "", "")
    assert remembered.asked_at
    assert to_seconds(remembered.asked_at) >= to_seconds(NOW)


def test_state_says_that_runs_of_the_schedule_leave_the_repository_out(scanner: Scanner) -> None:
    scanner.aws.behavior.rates["StartImageScan"] = Rate(40, 5)
    scanner.add(*plain_images(100))
    message = RepositoryMessage(REPOSITORY, run="run-1", unscheduled=True)
    assert scanner.handle(message.to_json(), seconds=2) == []
    [continuation] = scanner.continuations()
    scanner.aws.behavior.rates.clear()
    assert scanner.handle(continuation.to_json()) == []
    assert state(scanner).unscheduled
    assert scanner.scan()
    assert not state(scanner).unscheduled


def test_quota_does_not_let_the_other_images_outlast_the_invocation(
    scanner: Scanner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repository, "CHUNK_SIZE", 10)
    scanner.add(*plain_images(100))
    scanner.registry.account_scan_quota = 0
    scanner.aws.behavior.latency = {"Query": 0.3}
    assert scanner.run_to_completion(seconds=1.5) > 1
    assert state(scanner).images == 100
    assert summary(scanner).coverage["images"] == 100


def put_indexes(scanner: Scanner, number: int) -> list[str]:
    """Fill the repository with image indexes, and an image without a tag; return the digests of the indexes."""
    children = {digest_of("amd64"): "linux/amd64"}
    indexes = [index_image(digest_of(f"x{n}"), children, (f"t{n}",)) for n in range(number)]
    scanner.add(*indexes, image("amd64"))
    return [entry.digest for entry in indexes]


def test_indexes_that_were_read_before_a_failure_are_not_read_again(scanner: Scanner) -> None:
    indexes = put_indexes(scanner, 250)
    fault = Fault("BatchGetImage", "InvalidParameterException", containing=indexes[-1])
    scanner.aws.behavior.faults.append(fault)
    assert scanner.handle(RepositoryMessage(REPOSITORY).to_json()) == ["0"]
    scanner.aws.reset()
    scanner.aws.behavior.faults.clear()
    assert scanner.scan() == [digest_of("amd64")]
    assert scanner.aws.calls()["BatchGetImage"] == 1


def test_indexes_that_take_too_long_continue_in_the_next_invocation(scanner: Scanner) -> None:
    put_indexes(scanner, 450)
    scanner.aws.behavior.latency = {"BatchGetImage": 0.4}
    assert scanner.handle(RepositoryMessage(REPOSITORY).to_json(), seconds=1) == []
    assert 1 <= scanner.aws.calls()["BatchGetImage"] < 5
    scanner.aws.behavior.latency = {}
    assert scanner.handle(*(message.to_json() for message in scanner.continuations())) == []
    assert scanner.aws.calls()["BatchGetImage"] == 5
    assert len(scanner.aws.starts()) == 1


def test_index_that_is_too_large_for_an_item_is_not_remembered(
    scanner: Scanner, caplog: pytest.LogCaptureFixture
) -> None:
    large = index_image(digest_of("large"), {digest_of(f"c{n}"): "linux/amd64" for n in range(5000)}, ("1.0",))
    small = index_image(digest_of("small"), {digest_of("amd64"): "linux/amd64"}, ("2.0",))
    scanner.add(large, small, image("amd64"))
    scanner.scan()
    pk, table = repository_key(REPOSITORY), memory_table(scanner)
    assert [bool(table.get(pk, f"INDEX#{entry.digest}")) for entry in (large, small)] == [False, True]
    [warning] = [record.__dict__ for record in caplog.records if "too large" in record.message]
    assert (warning["digest"], warning["manifests"]) == (large.digest, 5000)


def test_items_of_a_later_release_are_as_if_they_were_not_there(
    scanner: Scanner, caplog: pytest.LogCaptureFixture
) -> None:
    images = [image(f"image {number}", str(number)) for number in range(5)]
    indexes = put_indexes(scanner, 2)
    for entry in images:
        scanner.registry.repository(REPOSITORY).put(entry)
        scanner.registry.repository(REPOSITORY).scans[entry.digest] = scanned(1)
    scanner.scan()
    report_findings(scanner, [entry.digest for entry in images])
    pk, table = repository_key(REPOSITORY), memory_table(scanner)
    changed: dict[str, Item] = {
        image_key(images[0].digest): {"ledger": "[1,2,3,4,5,6,7,8]"},
        image_key(images[1].digest): {"updates": '[["openssl"]]'},
        asked_key(images[2].digest): {"asked_at": 10**20, "status": "COMPLETE"},
        f"INDEX#{indexes[0]}": {"children": "[[1]]"},
    }
    for sk, values in changed.items():
        table.put({**(table.get(pk, sk) or {"pk": pk, "sk": sk}), **values})
    scanner.aws.reset()
    assert scanner.handle(RepositoryMessage(REPOSITORY).to_json()) == []
    assert scanner.aws.starts() == []
    assert scanner.aws.calls()["BatchGetImage"] == 1
    assert summary(scanner).coverage == {"images": 6, "in_time": 6}
    # The findings of the others count.
    assert summary(scanner).open == {"HIGH": 4 + 5}
    assert len([record for record in caplog.records if "cannot be read" in record.message]) == 4
    known = [digest for digest, _ in ImageMemory(table).records(REPOSITORY)]
    assert sorted(known) == sorted(entry.digest for entry in images[2:])


def test_slow_pages_end_in_continuations_and_then_in_the_dlq(
    scanner: Scanner, caplog: pytest.LogCaptureFixture
) -> None:
    """A listing that never fits into an invocation must not be repeated for ever, and not end in silence."""
    scanner.aws.behavior.latency = {"DescribeImages": 0.3}
    scanner.add(*plain_images(3000))
    message, delays = RepositoryMessage(REPOSITORY), []
    for _ in range(2):
        assert scanner.handle(message.to_json(), seconds=0.5) == []
        message = scanner.continuations()[-1]
        delays.append(scanner.aws.messages()[-1].delay)
    assert (message.stalled, delays) == (2, [120, 480])
    assert scanner.handle(message.to_json(), seconds=0.5) == ["0"]
    assert "team-a/app made no progress in 3 invocations" in caplog.text


def test_slow_pages_do_not_outlast_the_invocation(scanner: Scanner) -> None:
    scanner.aws.behavior.latency = {"DescribeImages": 0.2}
    scanner.add(*plain_images(5000))
    assert scanner.handle(RepositoryMessage(REPOSITORY).to_json(), seconds=0.6) == []
    assert scanner.aws.calls()["DescribeImages"] <= 3
    assert len(scanner.continuations()) == 1


def test_progress_resets_the_count_of_stalled_invocations(scanner: Scanner) -> None:
    scanner.aws.behavior.rates["StartImageScan"] = Rate(20, 5)
    scanner.add(*plain_images(200))
    assert scanner.handle(RepositoryMessage(REPOSITORY, stalled=2).to_json(), seconds=2) == []
    assert [message.stalled for message in scanner.continuations()] == [0]


@given(
    faults=st.dictionaries(
        st.integers(0, 59),
        st.tuples(
            st.sampled_from(["DescribeImageScanFindings", "StartImageScan"]),
            st.sampled_from([SERVER_ERROR, THROTTLED, {"code": "NewException"}, {"code": "InvalidParameterException"}]),
        ),
        min_size=1,
        max_size=5,
    )
)
@settings(max_examples=examples(200))
def test_random_failing_images_never_stop_the_others(
    make_scanner: Callable[..., Scanner],
    monkeypatch: pytest.MonkeyPatch,
    faults: dict[int, tuple[str, dict[str, Any]]],
) -> None:
    monkeypatch.setattr(calls, "RETRY_PAUSE", 0.001)
    monkeypatch.setattr(rate_limiter, "_FIRST_PAUSE", 0.001)
    scanner = make_scanner()
    scanner.aws.reset()
    if REPOSITORY in {repository.name for repository in scanner.registry.repositories}:
        scanner.registry.remove(REPOSITORY)
    images = list(plain_images(60))
    scanner.add(*images)
    scanner.aws.behavior.faults[:] = [
        Fault(operation, containing=images[number].digest, **fault) for number, (operation, fault) in faults.items()
    ]
    assert set(scanner.scan()) == {image.digest for number, image in enumerate(images) if number not in faults}


def test_second_run_looks_up_no_image_except_spot_checks(scanner: Scanner, monkeypatch: pytest.MonkeyPatch) -> None:
    images = [image(f"image {number}", str(number)) for number in range(20)]
    scanner.add(*images, scans={entry.digest: scanned(1) for entry in images})
    assert scanner.handle(RepositoryMessage(REPOSITORY).to_json()) == []
    assert scanner.aws.calls()["DescribeImageScanFindings"] == 20
    for most in (0, 2):
        monkeypatch.setattr(known_scans, "_SPOT_CHECK", 1)
        monkeypatch.setattr(known_scans, "_MAX_SPOT_CHECKS", most)
        scanner.aws.reset()
        assert scanner.handle(RepositoryMessage(REPOSITORY).to_json()) == []
        assert scanner.aws.calls().get("DescribeImageScanFindings", 0) == most
        assert scanner.aws.starts() == []


def test_without_the_table_every_image_is_looked_up(scanner: Scanner, caplog: pytest.LogCaptureFixture) -> None:
    images = [image(f"image {number}", str(number)) for number in range(5)]
    scanner.add(*images, scans={entry.digest: scanned(9) for entry in images})
    scanner.aws.client("dynamodb").delete_table(TableName="memory")
    assert scanner.handle(RepositoryMessage(REPOSITORY).to_json()) == []
    assert len(scanner.aws.starts()) == 5
    assert any("memory is not available" in record.message for record in caplog.records)


def test_metric_says_that_memory_is_not_available(scanner: Scanner, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    scanner.add(image("app"))
    scanner.aws.client("dynamodb").delete_table(TableName="memory")
    scanner.scan()
    assert embedded_metrics(caplog, SUMMARY)["MemoryUnavailable"] == 1


@pytest.mark.parametrize("operation", ["BatchGetItem", "BatchWriteItem"])
def test_metric_says_that_the_memory_of_indexes_is_not_available(
    scanner: Scanner, caplog: pytest.LogCaptureFixture, operation: str
) -> None:
    caplog.set_level(logging.INFO)
    put_indexes(scanner, 1)
    index = digest_of("x0")
    scanner.aws.behavior.faults.append(Fault(operation, "AccessDeniedException", containing=f"INDEX#{index}"))
    scanner.scan()
    assert embedded_metrics(caplog, SUMMARY)["MemoryUnavailable"] == 1
    scanner.aws.behavior.faults.clear()
    scanner.scan()
    assert embedded_metrics(caplog, SUMMARY)["MemoryUnavailable"] == 0


@pytest.mark.usefixtures("scanner")
@pytest.mark.usefixtures("product_timeouts")
def test_calls_to_ecr_and_sqs_that_hang_fit_into_the_margin_of_an_invocation() -> None:
    deps = images_scanner.dependencies()
    clients: list[Any] = [deps.ecr._ecr, deps.ecr._single_attempt_ecr, deps.images_queue._sqs, deps.reports_queue._sqs]
    for client in clients:
        config = client.meta.config
        attempts = config.retries["total_max_attempts"]
        assert attempts * (config.connect_timeout + config.read_timeout) <= deadline._MAX_MARGIN


class Killed(BaseException):
    """The function was killed."""


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_scanner_killed_at_any_write_starts_every_scan_once(
    make_scanner: Callable[..., Scanner], monkeypatch: pytest.MonkeyPatch, after: bool
) -> None:
    """It remembers what it asks for, and then asks: what it did not come to ask for is still due."""
    scans = {"never": None, "old": scanned(9), "failed": scanned(2, "FAILED"), "recent": scanned(1)}
    due = sorted(digest_of(name) for name in ("never", "old", "failed"))
    call = BaseClient._make_api_call  # type: ignore[attr-defined]
    writes: list[str] = []
    kill_at: int | None = None

    def count_writes(self: Any, operation: str, parameters: Any) -> Any:
        if operation not in ("BatchWriteItem", "PutItem", "StartImageScan"):
            return call(self, operation, parameters)
        writes.append(operation)
        if kill_at is not None and (len(writes) > kill_at or (len(writes) == kill_at and not after)):
            raise Killed
        answer = call(self, operation, parameters)
        if len(writes) == kill_at:
            raise Killed
        return answer

    monkeypatch.setattr(BaseClient, "_make_api_call", count_writes)
    for number in itertools.count(1):
        scanner = make_scanner(THREADS="1")
        scanner.aws.reset()
        scanner.aws.create_memory_table()
        if number > 1:
            scanner.registry.remove(REPOSITORY)
        scanner.add(*map(image, scans), scans={digest_of(name): scan for name, scan in scans.items() if scan})
        writes, kill_at = [], number
        with suppress(Killed):
            scanner.handle(RepositoryMessage(REPOSITORY).to_json())
        killed_at, kill_at = writes[number - 1 : number], None
        assert scanner.handle(RepositoryMessage(REPOSITORY).to_json()) == []
        assert sorted(start.digest for start in scanner.aws.starts()) == due, f"killed at {killed_at}, write {number}"
        if not killed_at:
            break
    assert number == 7  # what is asked for, the recent scan, three scans, the state of the repository, and none


def memory_table(scanner: Scanner) -> Table:
    return Table(scanner.aws.client("dynamodb"), "memory")


def report_findings(scanner: Scanner, digests: Iterable[str]) -> None:
    """Remember one more of each digest's findings, as the reporter does: the number is that of the image."""
    pk = repository_key(REPOSITORY)
    update = Update("openssl", ("3.0.1",), ("3.0.15",), Counter({"HIGH": 1}))
    memory_table(scanner).put_many(
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
    found = repository_summary(memory_table(scanner), REPOSITORY)
    assert found
    return found


def test_summary_counts_the_findings_of_listed_images_and_the_changes_of_all(
    make_scanner: Callable[..., Scanner], monkeypatch: pytest.MonkeyPatch
) -> None:
    scanner = make_scanner(IMAGES_SELECTION='{"tag_regexp": "v"}')
    images = sorted(plain_images(100), key=lambda image: image.digest)
    tagged = [replace(entry, tags=(f"{'other' if n % 9 == 0 else 'v'}{n}",)) for n, entry in enumerate(images)]
    scanner.add(*tagged, scans={entry.digest: scanned(1) for entry in tagged})
    # Before the first listed image, between two of them, and after the last one.
    unlisted = ["sha256:" + "0" * 64, images[50].digest[:-2] + "zz", "sha256:" + "f" * 64]
    report_findings(scanner, [*(entry.digest for entry in images), *unlisted])
    numbers = range(1, 101)
    for size in (2000, 30, 7):
        monkeypatch.setattr(repository, "CHUNK_SIZE", size)
        scanner.scan()
        found = summary(scanner)
        assert found.open == {"HIGH": sum(numbers)}
        assert found.images_by_worst == {"HIGH": 100}
        assert found.ledger == Ledger(new=sum(numbers) + 101 + 102 + 103)
        assert [(update.package, update.counts["HIGH"], update.images) for update in found.updates] == [
            ("openssl", 100, 100)
        ]
        assert found.overdue == 100
        assert [overdue.image for overdue in found.overdue_worst] == ["other99", "v98", "v97"]


def test_findings_count_once_however_many_invocations_it_takes(
    scanner: Scanner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repository, "CHUNK_SIZE", 60)
    images = sorted(plain_images(300), key=lambda image: image.digest)
    scanner.add(*images, scans={entry.digest: scanned(1) for entry in images})
    report_findings(scanner, [*(entry.digest for entry in images[::3]), "sha256:" + "f" * 64])
    scanner.aws.behavior.latency = {"DescribeImageScanFindings": 0.1}
    assert scanner.run_to_completion(seconds=2) > 1
    found = summary(scanner)
    assert found.open == {"HIGH": sum(range(1, 101))}
    assert found.ledger == Ledger(new=sum(range(1, 102)))
    assert found.coverage == {"images": 300, "in_time": 300}


def test_each_image_with_a_deadline_that_has_passed_is_queued_for_the_reporter(
    make_scanner: Callable[..., Scanner], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repository, "CHUNK_SIZE", 20)
    scanner = make_scanner(IMAGES_SELECTION='{"tag_regexp": "v"}')
    images = [image(f"image {n}", f"{'other' if n == 3 else 'v'}{n}") for n in range(50)]
    scanner.add(*images, scans={entry.digest: scanned(1) for entry in images})
    pk = repository_key(REPOSITORY)
    dates = {0: None, 1: NOW + timedelta(days=1)}
    memory_table(scanner).put_many(
        image_item(pk, entry.digest, ImageRecord(scanned_at=NOW, due_at=dates.get(n, NOW)))
        for n, entry in enumerate([*images, image("gone")])
    )
    assert scanner.handle(RepositoryMessage(REPOSITORY, run="run-1").to_json()) == []
    due = [entry.digest for n, entry in enumerate(images) if n not in (0, 1, 3)]
    assert sorted(scanner.overdue(), key=lambda message: message.digest) == [
        OverdueMessage(REPOSITORY, digest, "run-1") for digest in sorted(due)
    ]
    # Ten a call, for each chunk.
    assert scanner.aws.calls()["SendMessageBatch"] <= 7


def test_deadlines_are_queued_before_the_state_is_remembered(scanner: Scanner) -> None:
    scanner.add(image("app", "1.0"), scans={digest_of("app"): scanned(1)})
    report_findings(scanner, [digest_of("app")])
    scanner.aws.reset()
    scanner.aws.behavior.faults.append(Fault("SendMessageBatch", "AccessDeniedException"))
    assert scanner.handle(RepositoryMessage(REPOSITORY).to_json()) == ["0"]
    assert StateMemory(memory_table(scanner)).states() == []


def test_repository_without_images_keeps_its_changes(scanner: Scanner) -> None:
    scanner.add()
    report_findings(scanner, [digest_of("gone")])
    scanner.scan()
    assert (summary(scanner).coverage, summary(scanner).open, summary(scanner).ledger.new) == ({"images": 0}, {}, 1)


def test_continuation_sums_up_the_findings_of_the_images_before_it(scanner: Scanner) -> None:
    images = sorted(plain_images(30), key=lambda image: image.digest)
    scanner.add(*images, scans={entry.digest: scanned(1) for entry in images})
    report_findings(scanner, ["sha256:" + "0" * 64, *(entry.digest for entry in images)])
    scanner.aws.reset()
    assert scanner.handle(RepositoryMessage(REPOSITORY, after=images[9].digest).to_json()) == []
    assert state(scanner).images == 30
    assert summary(scanner).open == {"HIGH": sum(range(2, 32))}
    assert summary(scanner).ledger == Ledger(new=sum(range(1, 32)))
    # The invocation before queued the overdue images before.
    assert {message.digest for message in scanner.overdue()} == {entry.digest for entry in images[10:]}


def test_summary_that_there_is_no_time_for_is_made_by_the_next_invocation(scanner: Scanner) -> None:
    images = sorted(plain_images(30), key=lambda image: image.digest)
    scanner.add(*images, scans={entry.digest: scanned(1) for entry in images})
    report_findings(scanner, [entry.digest for entry in images])
    scanner.aws.reset()
    scanner.aws.behavior.latency = {"Query": 0.4}
    # Nothing is left to be looked up, and the second query takes too long.
    done = Coverage({CoverageReason.IN_TIME: 30})
    message = RepositoryMessage(REPOSITORY, after=images[-1].digest, oldest=7, coverage=done, waiting_since=7)
    assert scanner.handle(message.to_json(), seconds=0.8) == []
    assert scanner.continuations() == [message._replace(stalled=1)]
    scanner.aws.behavior.latency = {}
    assert scanner.handle(scanner.continuations()[0].to_json()) == []
    assert summary(scanner).coverage == {"images": 30, "in_time": 30}
    assert summary(scanner).open == {"HIGH": sum(range(1, 31))}
    # The invocations before queued the overdue images.
    assert scanner.overdue() == []


def state(scanner: Scanner) -> RepositoryState:
    """Return what is remembered of the repository after its last run."""
    [found] = StateMemory(memory_table(scanner)).states()
    return found


def test_chunks_read_every_image_from_memory_once(scanner: Scanner, monkeypatch: pytest.MonkeyPatch) -> None:
    images = sorted(plain_images(250), key=lambda image: image.digest)
    scanner.add(*images, scans={image.digest: scanned(1) for image in images})
    scanner.scan()
    # What memory knows of images that are not there any more is left out.
    scanner.registry.repository(REPOSITORY).remove(images[17].digest)
    monkeypatch.setattr(repository, "CHUNK_SIZE", 100)
    read: list[list[str]] = []
    scans = ScanMemory.scans

    def spy(memory: ScanMemory, name: str, after: str, until: str) -> Iterator[tuple[str, RememberedScan, Item]]:
        read.append([])
        for found in scans(memory, name, after, until):
            read[-1].append(found[0])
            yield found

    monkeypatch.setattr(ScanMemory, "scans", spy)
    scanner.aws.reset()
    scanner.scan()
    digests = [image.digest for image in images]
    # The one that was deleted is still known, and its changes count.
    assert read == [digests[:101], digests[101:201], digests[201:]]
    assert scanner.aws.calls()["Query"] == 3
    read.clear()
    monkeypatch.setattr(known_scans, "_IMAGES_PER_RANGE", 100)
    assert scanner.handle(RepositoryMessage(REPOSITORY, after=digests[150]).to_json()) == []
    assert read == [digests[151:], digests[:101], digests[101:151]]
    read.clear()
    # All images after this one were deleted.
    for image in images[150:]:
        scanner.registry.repository(REPOSITORY).remove(image.digest)
    assert scanner.handle(RepositoryMessage(REPOSITORY, after=digests[200]).to_json()) == []
    assert read == [digests[201:], digests[:101], digests[101:201]]


def test_what_is_asked_for_is_remembered_before_the_scan_is_started(
    scanner: Scanner, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = list(plain_images(200))
    scanner.add(*images, scans={image.digest: scanned(9 if n < 120 else 1) for n, image in enumerate(images)})
    scanner.aws.behavior.latency = {"BatchWriteItem": 0.1}
    table = Table(scanner.aws.client("dynamodb"), "memory")
    pk = repository_key(REPOSITORY)
    start_scan = EcrRegistry.start_scan
    unknown: list[str] = []

    def spy(ecr: EcrRegistry, name: str, digest: str) -> StartOutcome:
        if not table.get(pk, asked_key(digest)):
            unknown.append(digest)
        return start_scan(ecr, name, digest)

    monkeypatch.setattr(EcrRegistry, "start_scan", spy)
    body = RepositoryMessage(REPOSITORY, run="run-1").to_json()
    assert scanner.handle(body) == []
    assert len(scanner.aws.starts()) == 120
    assert unknown == []
    items = table.get_many((pk, asked_key(image.digest)) for image in images)
    assert {item.get("run") for item in items.values()} == {"run-1", None}
    assert len(items) == 200


def test_scan_that_the_next_run_looks_up_anyway_is_not_remembered(make_scanner: Callable[..., Scanner]) -> None:
    scanner = make_scanner(ECR_IMAGES_DURATION_DELTA="1d")
    images = list(plain_images(50))
    scanner.add(*images, scans={image.digest: scanned(0.25) for image in images})
    scanner.scan()
    # That of the state of the repository.
    assert scanner.aws.calls()["BatchWriteItem"] == 1


def test_memory_that_fails_in_the_second_chunk_is_given_up(
    scanner: Scanner, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    images = sorted(plain_images(60), key=lambda image: image.digest)
    scanner.add(*images, scans={image.digest: scanned(1) for image in images} | {images[30].digest: scanned(9)})
    scanner.scan()
    scanner.registry.repository(REPOSITORY).scans[images[50].digest] = scanned(9)
    monkeypatch.setattr(repository, "CHUNK_SIZE", 20)
    scanner.aws.reset()
    scanner.aws.behavior.faults.append(Fault("Query", "AccessDeniedException", containing=images[39].digest))
    assert scanner.scan() == [images[50].digest]
    calls = scanner.aws.calls()
    # All images of the second and the third chunk; and in the first one, spot checks.
    assert 40 <= calls["DescribeImageScanFindings"] <= 45
    assert calls["Query"] == 2
    assert "PutItem" not in calls
    assert "BatchWriteItem" not in calls
    assert [record.message for record in caplog.records if "memory" in record.message] == [
        "memory is not available; this invocation goes on without it"
    ]


def test_spot_checks_are_limited_for_all_chunks_together(scanner: Scanner, monkeypatch: pytest.MonkeyPatch) -> None:
    images = list(plain_images(90))
    scanner.add(*images, scans={image.digest: scanned(1) for image in images})
    scanner.scan()
    scanner.aws.reset()
    monkeypatch.setattr(known_scans, "_SPOT_CHECK", 1)
    monkeypatch.setattr(known_scans, "_MAX_SPOT_CHECKS", 35)
    monkeypatch.setattr(repository, "CHUNK_SIZE", 30)
    scanner.scan()
    assert scanner.aws.calls()["DescribeImageScanFindings"] == 35


def listed_coverage(repository: FakeRepository, tags: str) -> dict[str, int]:
    """Return the images that DescribeImages lists by reason, with a promised age of seven days and these tags only."""

    def reason(image: FakeImage) -> str:
        scan = repository.scans.get(image.digest)
        if not any(tag.startswith(tags) for tag in image.tags):
            return "not_selected"
        if scan is None or scan.status == "IN_PROGRESS":
            return "never_scanned"
        if scan.status in ("COMPLETE", "ACTIVE") and scan.completed_at and scan.completed_at > NOW - timedelta(days=7):
            return "in_time"
        if "Unsupported" in scan.description or scan.status == "UNSUPPORTED_IMAGE":
            return "unsupported"
        by_status = {"FAILED": "failed", "SCAN_ELIGIBILITY_EXPIRED": "expired", "IMAGE_ARCHIVED": "archived"}
        return by_status.get(scan.status, "too_old")

    listed = [image for image in repository.images if not image.archived]
    scannable = [image for image in listed if not image.unscannable_type and image.subject is None]
    return dict(Counter(map(reason, scannable)))


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


def test_coverage_counts_every_image_that_ecr_can_scan_once(
    make_scanner: Callable[..., Scanner], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(repository, "CHUNK_SIZE", 25)
    scanner = make_scanner(IMAGES_SELECTION='{"tag_regexp": "v"}')
    images, scans = varied_images(150)
    scanner.add(*images, scans=scans)
    found = scanner.registry.repository(REPOSITORY)
    for _ in range(3):  # the first time from ECR, then from memory and what the scans came to
        expected = listed_coverage(found, "v")
        scanner.scan()
        coverage = Coverage.from_json(summary_of(caplog).coverage)
        assert coverage.counts == expected
        remembered = repository_summary(memory_table(scanner), REPOSITORY)
        assert remembered
        assert remembered.coverage == {"images": sum(expected.values()), **expected}
        assert remembered.examples == {reason: list(names) for reason, names in coverage.names.items()}
        tags = {tag for image in images for tag in image.tags}
        assert {reason: len(names) for reason, names in coverage.names.items()} == {
            reason: min(number, 3) for reason, number in coverage.counts.items() if reason is not CoverageReason.IN_TIME
        }
        assert all(name in tags for names in coverage.names.values() for name in names)


def test_continuations_carry_what_the_images_before_summed_up(
    scanner: Scanner, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(repository, "CHUNK_SIZE", 40)
    images = sorted(plain_images(300), key=lambda image: image.digest)
    oldest = scanned(6.5)
    # Both are in the first chunk, and not due.
    scans = {image.digest: scanned(1) for image in images} | {
        images[3].digest: oldest,
        images[5].digest: scanned(3, "FAILED", "UnsupportedImageError: no"),
    }
    scanner.add(*images, scans=scans)
    scanner.aws.behavior.latency = {"DescribeImageScanFindings": 0.1}
    assert scanner.run_to_completion(seconds=2) > 1
    remembered = state(scanner)
    assert remembered.images == 300
    assert oldest.completed_at
    assert to_seconds(remembered.oldest_scan) == to_seconds(oldest.completed_at)
    coverage = Coverage.from_json(summary_of(caplog).coverage)
    assert coverage.counts == {CoverageReason.IN_TIME: 299, CoverageReason.UNSUPPORTED: 1}
    assert coverage.names == {CoverageReason.UNSUPPORTED: images[5].tags}


def test_image_without_a_scan_before_a_continuation_is_remembered(scanner: Scanner) -> None:
    images = sorted(plain_images(30), key=lambda image: image.digest)
    scanner.add(*images, scans={image.digest: scanned(1) for image in images})
    body = RepositoryMessage(REPOSITORY, after=images[9].digest, oldest=0).to_json()
    assert scanner.handle(body) == []
    assert state(scanner).oldest_scan is None


def test_quota_leaves_the_rest_to_what_memory_knows(
    scanner: Scanner, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    images = sorted(plain_images(60), key=lambda image: image.digest)
    scanner.add(*images, scans={image.digest: scanned(1) for image in images})
    scanner.scan()
    for entry in images[:20]:
        scanner.registry.repository(REPOSITORY).scans.pop(entry.digest)
    keys = [(repository_key(REPOSITORY), asked_key(entry.digest)) for entry in [*images[:20], images[50]]]
    Table(scanner.aws.client("dynamodb"), "memory").delete_many(keys)
    monkeypatch.setattr(repository, "CHUNK_SIZE", 20)
    scanner.registry.account_scan_quota = 0
    scanner.aws.reset()
    assert scanner.scan() == []
    assert scanner.aws.calls()["DescribeImageScanFindings"] == 20
    coverage = Coverage.from_json(summary_of(caplog).coverage)
    assert coverage.counts == {CoverageReason.QUOTA: 20, CoverageReason.IN_TIME: 39, CoverageReason.UNKNOWN: 1}
    assert coverage.names[CoverageReason.UNKNOWN] == images[50].tags
    assert state(scanner).oldest_scan is None


def test_quota_leaves_images_that_there_was_no_time_to_look_up_to_what_memory_knows(
    scanner: Scanner, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    scanner.aws.behavior.rates["DescribeImageScanFindings"] = Rate(10, 10)
    scanner.registry.account_scan_quota = 0
    scanner.add(*plain_images(300))
    assert scanner.scan(seconds=3) == []
    assert scanner.continuations() == []
    assert state(scanner).images == 300
    coverage = Coverage.from_json(summary_of(caplog).coverage)
    assert coverage.images == 300
    looked_up = coverage.counts[CoverageReason.QUOTA]
    assert 10 <= looked_up < 300
    assert coverage.counts == {CoverageReason.QUOTA: looked_up, CoverageReason.UNKNOWN: 300 - looked_up}
    assert embedded_metrics(caplog, SUMMARY)["ImagesSeen"] <= looked_up


def test_image_whose_look_up_fails_is_not_taken_for_never_scanned(
    scanner: Scanner, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    images = list(plain_images(20))
    scanner.add(*images, scans={image.digest: scanned(1) for image in images})
    scanner.aws.behavior.faults += [
        Fault("DescribeImageScanFindings", "InvalidParameterException", containing=images[4].digest),
        Fault("DescribeImageScanFindings", "ImageNotFoundException", containing=images[5].digest),
    ]
    scanner.scan()
    coverage = Coverage.from_json(summary_of(caplog).coverage)
    assert coverage.counts == {CoverageReason.IN_TIME: 18, CoverageReason.UNKNOWN: 1}
    assert state(scanner).oldest_scan is None
