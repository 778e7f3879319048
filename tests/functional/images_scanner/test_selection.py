"""The images scanner selects the images that are due, and no others."""

import itertools
import json
import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from ecr_scan_reporter.scanning import rate_limiter
from ecr_scan_reporter.scanning.decisions import _has_turn
from fake_aws import (
    DOCKER_INDEX,
    FakeScan,
    digest_of,
    index_image,
    plain_images,
)
from support.images_scanner import HELM, NOW, Scanner, counted, image, scanned
from support.virtual_time import TIME


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
    assert TIME.monotonic() <= len(images) / rate_limiter.FIRST_LOOK_UP_RATE
