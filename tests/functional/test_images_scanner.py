"""The images scanner against a registry over HTTP: what is started, what is not, and that nothing is lost."""

import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from ecr_scan_reporter import images_scanner, repository_scan
from ecr_scan_reporter.messages import RepositoryMessage
from fake_aws import (
    DOCKER_INDEX,
    FakeAws,
    FakeImage,
    FakeRegistry,
    FakeScan,
    Fault,
    Rate,
    digest_of,
    index_image,
    plain_images,
)

NOW = datetime.now(UTC)
REPOSITORY = "team-a/app"
HELM = "application/vnd.cncf.helm.config.v1+json"


class Scanner:
    """The images scanner, set up for a fake."""

    def __init__(self, fake_aws: FakeAws) -> None:
        self.aws = fake_aws
        self.registry = fake_aws.registry

    def add(self, *images: FakeImage, scans: dict[str, FakeScan] | None = None) -> None:
        """Fill the repository."""
        repository = self.registry.add(REPOSITORY, images)
        repository.scans.update(scans or {})

    def handle(self, *bodies: str, seconds: float = 60) -> list[str]:
        """Invoke the function with these messages; returns which failed."""
        records: Any = [{"messageId": str(index), "body": body} for index, body in enumerate(bodies)]
        context: Any = type("Context", (), {"get_remaining_time_in_millis": lambda _: int(seconds * 1000)})()
        answer = images_scanner.handler({"Records": records}, context)
        return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]

    def scan(self, seconds: float = 60) -> list[str]:
        """See to the repository; returns the digests that were started."""
        assert self.handle(RepositoryMessage(REPOSITORY).to_json(), seconds=seconds) == []
        return [start.digest for start in self.aws.starts()]

    def continuations(self) -> list[RepositoryMessage]:
        """The messages that the scanner sent itself."""
        return [RepositoryMessage.from_json(message.body) for message in self.aws.messages()]


@pytest.fixture
def set_up(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Scanner]]:
    """Makes a scanner with these settings."""
    with FakeAws(FakeRegistry()) as fake_aws:

        def make(**settings: str) -> Scanner:
            defaults = {"ECR_IMAGES_DURATION_DELTA": "7d", "IMAGES_QUEUE_URL": fake_aws.queue_url(), "THREADS": "8"}
            for name, value in {**fake_aws.environment(), **defaults, **settings}.items():
                monkeypatch.setenv(name, value)
            images_scanner._environment.cache_clear()
            return Scanner(fake_aws)

        yield make
    images_scanner._environment.cache_clear()


@pytest.fixture
def scanner(set_up: Callable[..., Scanner]) -> Scanner:
    return set_up()


def scanned(days: float, status: str = "COMPLETE", description: str = "") -> FakeScan:
    return FakeScan(status, NOW - timedelta(days=days), description)


def image(name: str, *tags: str, **fields: Any) -> FakeImage:
    return FakeImage(digest_of(name), tags, **fields)


def counted(caplog: pytest.LogCaptureFixture) -> dict[str, int]:
    """What the last repository came to, as the log tells it."""
    record: Any = [record for record in caplog.records if record.message == "repository scanned"][-1]
    return dict(record.images)


def test_exactly_the_due_images_are_started_the_most_urgent_first(
    set_up: Callable[..., Scanner], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    scanner = set_up(THREADS="1")
    scans = {
        "ten days": scanned(10),
        "twenty days": scanned(20),
        "yesterday": scanned(1),
        "running": FakeScan("IN_PROGRESS"),
        "failed": FakeScan("FAILED", description="The scan failed."),
        "failed today": scanned(0.5, "FAILED"),
        "no such system": FakeScan(
            "FAILED", description="UnsupportedImageError: The operating system is not supported."
        ),
        "enhanced once": FakeScan("UNSUPPORTED_IMAGE"),
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
        "failed_today": 1,
        "unsupported": 2,
        "started": 4,
    }


def test_many_tags_on_one_image_are_one_scan(scanner: Scanner) -> None:
    scanner.add(*(image(f"i{n}", f"{n}", f"v{n}", f"latest-{n}") for n in range(100)))
    assert len(scanner.scan()) == 100
    assert scanner.aws.calls()["StartImageScan"] == 100


def test_what_ecr_cannot_scan_is_not_asked_for(scanner: Scanner, caplog: pytest.LogCaptureFixture) -> None:
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


def test_the_children_of_an_index_are_scanned_but_not_its_attestations(
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


def test_indexes_are_looked_up_100_a_call_and_only_for_untagged_images(scanner: Scanner) -> None:
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
def test_an_index_that_is_none_inside_is_no_obstacle(scanner: Scanner, manifest: str) -> None:
    scanner.add(replace(image("index", "1.0", media_type=DOCKER_INDEX), manifest=manifest), image("untagged"))
    assert scanner.scan() == [digest_of("untagged")]


def selected(set_up: Callable[..., Scanner], **selection: Any) -> set[str]:
    """The names of the images that are started with this selection."""
    scanner = set_up(IMAGES_SELECTION=json.dumps(selection))
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
        ({"pulled_within": "7d"}, {"release"}),
        ({"pushed_within": "1m", "tagged_only": True}, {"build"}),
    ],
)
def test_a_selection_narrows_what_is_scanned(
    set_up: Callable[..., Scanner], selection: dict[str, Any], expected: set[str]
) -> None:
    assert selected(set_up, **selection) == expected


def test_a_summary_in_describe_images_saves_the_call(scanner: Scanner) -> None:
    scanner.registry.summaries = True
    images = list(plain_images(20))
    scanner.add(*images, scans={image.digest: scanned(1) for image in images[:15]} | {images[15].digest: scanned(9)})
    assert set(scanner.scan()) == {image.digest for image in images[15:]}
    assert scanner.aws.calls()["DescribeImageScanFindings"] == 4


def test_a_status_that_ecr_adds_tomorrow_is_logged_and_the_date_decides(
    scanner: Scanner, caplog: pytest.LogCaptureFixture
) -> None:
    scans = {digest_of("old"): scanned(9, "RETIRED"), digest_of("new"): scanned(1, "RETIRED")}
    scanner.add(image("old"), image("new"), scans=scans)
    assert scanner.scan() == [digest_of("old")]
    warnings: list[Any] = [record for record in caplog.records if record.levelname == "WARNING"]
    assert {record.status for record in warnings} == {"RETIRED"}


def test_images_scanned_six_hours_ago_cost_no_start_and_no_sleep(
    set_up: Callable[..., Scanner], monkeypatch: pytest.MonkeyPatch
) -> None:
    scanner = set_up(ECR_IMAGES_DURATION_DELTA="1d")
    images = list(plain_images(50))
    scanner.add(*images, scans={image.digest: scanned(0.25) for image in images})
    monkeypatch.setattr("ecr_scan_reporter.pace.time.sleep", lambda seconds: pytest.fail("slept"))
    assert scanner.scan() == []


def test_the_limit_per_image_is_a_skip_at_once(scanner: Scanner, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    per_image = "The scan quota per image has been exceeded. Wait and try again."
    scanner.add(*plain_images(10))
    scanner.aws.behavior.faults.append(Fault("StartImageScan", "LimitExceededException", per_image, times=4))
    assert len(scanner.scan(seconds=10)) == 6
    assert counted(caplog)["scanned_within_24_hours"] == 4


def test_the_daily_quota_of_the_account_ends_the_run_and_is_no_failure(
    scanner: Scanner, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    scanner.registry.account_scan_quota = 30
    scanner.add(*plain_images(500))
    assert len(scanner.scan()) == 30
    assert scanner.aws.refused()["StartImageScan"]["LimitExceededException"] <= 8  # one per thread
    assert counted(caplog)["quota_reached"] == 1
    assert "daily quota of scans reached" in caplog.messages
    assert scanner.continuations() == []


def test_a_registry_that_turns_to_enhanced_scanning_ends_the_run_cleanly(
    scanner: Scanner, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    scanner.registry.enhanced_after_starts = 10
    scanner.add(*plain_images(200))
    assert len(scanner.scan()) == 10
    assert counted(caplog)["scanning_disabled"] == 1


def test_throttled_starts_are_asked_for_again_until_all_are_started(scanner: Scanner) -> None:
    scanner.aws.behavior.rates["StartImageScan"] = Rate(100, 5)
    scanner.add(*plain_images(60))
    started = scanner.scan()
    assert len(started) == len(set(started)) == 60
    assert scanner.aws.refused()["StartImageScan"]["ThrottlingException"] > 0


def test_access_denied_names_the_action_and_the_message_comes_back(
    scanner: Scanner, caplog: pytest.LogCaptureFixture
) -> None:
    scanner.add(*plain_images(300))
    scanner.aws.behavior.faults.append(Fault("StartImageScan", "AccessDeniedException"))
    assert scanner.handle(RepositoryMessage(REPOSITORY).to_json()) == ["0"]
    assert scanner.aws.calls()["StartImageScan"] <= 8  # one per thread
    errors: list[Any] = [record for record in caplog.records if record.levelname == "ERROR"]
    assert "the function's role lacks ecr:StartImageScan" in errors[0].reason


def test_an_image_or_a_repository_deleted_meanwhile_is_a_log_line(
    scanner: Scanner, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    scanner.add(*plain_images(3))
    scanner.aws.behavior.faults += [
        Fault("DescribeImageScanFindings", "ImageNotFoundException", times=1),
        Fault("StartImageScan", "ImageNotFoundException", times=1),
    ]
    assert len(scanner.scan()) == 1
    assert counted(caplog)["image_gone"] == 2
    assert scanner.handle(RepositoryMessage("team-a/deleted").to_json()) == []
    assert counted(caplog) == {"repository_gone": 1}


def test_a_bad_message_comes_back_and_its_neighbours_are_done(scanner: Scanner) -> None:
    scanner.add(image("app"))
    good = RepositoryMessage(REPOSITORY).to_json()
    assert scanner.handle("poison", good, '{"version":9}', '{"version":1}') == ["0", "2", "3"]
    assert len(scanner.aws.starts()) == 1


def test_a_message_handled_twice_starts_no_scan_twice(scanner: Scanner) -> None:
    scanner.add(*plain_images(50))
    assert len(scanner.scan()) == 50
    assert len(scanner.scan()) == 50
    assert scanner.aws.calls()["StartImageScan"] == 50


def test_a_repository_that_does_not_fit_goes_on_until_every_image_is_started_once(scanner: Scanner) -> None:
    """At 40 starts a second and two seconds an invocation, 200 images take several of them."""
    scanner.aws.behavior.rates["StartImageScan"] = Rate(40, 5)
    scanner.add(*plain_images(200))
    messages, invocations = [RepositoryMessage(REPOSITORY)], 0
    while messages:
        assert scanner.handle(messages.pop().to_json(), seconds=2) == []
        invocations += 1
        messages = scanner.continuations()[len(scanner.continuations()) - 1 :] if scanner.aws.messages() else []
        assert all(message.delay > 0 for message in scanner.aws.messages())
        started = [start.digest for start in scanner.aws.starts()]
        if len(scanner.continuations()) < invocations:
            break
    assert invocations > 1
    assert len(started) == len(set(started)) == 200


def test_windows_see_to_every_image_once(scanner: Scanner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repository_scan, "WINDOW", 100)
    scanner.add(*plain_images(350), image("index", "x", media_type=DOCKER_INDEX))
    started = scanner.scan()
    assert len(started) == len(set(started)) == 350
    assert scanner.aws.calls()["DescribeImageScanFindings"] == 350


def test_a_continuation_goes_on_after_its_digest(scanner: Scanner) -> None:
    images = sorted(plain_images(30), key=lambda image: image.digest)
    scanner.add(*images)
    assert scanner.handle(RepositoryMessage(REPOSITORY, after=images[9].digest).to_json()) == []
    assert {start.digest for start in scanner.aws.starts()} == {image.digest for image in images[10:]}


def test_a_continuation_whose_digest_is_gone_goes_on_after_where_it_was(scanner: Scanner) -> None:
    images = sorted(plain_images(30), key=lambda image: image.digest)
    scanner.add(*images[:9], *images[10:])
    assert scanner.handle(RepositoryMessage(REPOSITORY, after=images[9].digest).to_json()) == []
    assert {start.digest for start in scanner.aws.starts()} == {image.digest for image in images[10:]}


def test_throttled_look_ups_go_on_in_a_continuation(scanner: Scanner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda seconds: None)  # botocore's own back-off
    scanner.add(*plain_images(5))
    scanner.aws.behavior.rates["DescribeImageScanFindings"] = Rate(0.001, 0)
    assert scanner.scan() == []
    assert scanner.continuations() == [RepositoryMessage(REPOSITORY)]


@pytest.mark.parametrize("seconds", [0.0, 0.001])
def test_without_time_to_begin_the_message_comes_back(scanner: Scanner, seconds: float) -> None:
    scanner.add(*plain_images(5))
    assert scanner.handle(RepositoryMessage(REPOSITORY).to_json(), seconds=seconds) == ["0"]
    assert scanner.continuations() == []


def test_calls_run_side_by_side(scanner: Scanner) -> None:
    scanner.aws.behavior.latency = 0.02
    scanner.add(*plain_images(64))
    scanner.scan()
    assert scanner.aws.max_in_flight() == 8


def test_a_run_without_time_for_the_next_window_goes_on_there(
    scanner: Scanner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repository_scan, "WINDOW", 20)
    images = sorted(plain_images(60), key=lambda image: image.digest)
    scanner.add(*images, scans={image.digest: scanned(1) for image in images})
    scanner.aws.behavior.latency = {"DescribeImages": 0.35}
    assert scanner.scan(seconds=1) == []
    [rest] = scanner.continuations()
    assert rest.after in {image.digest for image in images[:40]}


def test_time_that_ends_between_look_ups_goes_on_after_the_last_of_them(scanner: Scanner) -> None:
    images = sorted(plain_images(400), key=lambda image: image.digest)
    scanner.add(*images, scans={image.digest: scanned(1) for image in images})
    scanner.aws.behavior.latency = {"DescribeImageScanFindings": 0.02}
    assert scanner.scan(seconds=0.8) == []
    [rest] = scanner.continuations()
    looked_up = [image.digest for image in images].index(rest.after) + 1
    assert 0 < looked_up < 400
    assert looked_up == scanner.aws.calls()["DescribeImageScanFindings"]


def test_look_ups_that_are_throttled_after_a_while_go_on_where_they_were(
    scanner: Scanner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.sleep", lambda seconds: None)  # botocore's own back-off
    images = sorted(plain_images(300), key=lambda image: image.digest)
    scanner.add(*images, scans={image.digest: scanned(1) for image in images})
    scanner.aws.behavior.rates["DescribeImageScanFindings"] = Rate(0.001, 130)  # a batch is 8 threads times 16
    assert scanner.scan() == []
    assert scanner.continuations() == [RepositoryMessage(REPOSITORY, after=images[127].digest)]
