"""A dry run says what the images scanner would do with each image, and does nothing of it."""

import json
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from ecr_scan_reporter import images_scanner
from ecr_scan_reporter.errors import InputError, RepositoryNotFoundError
from ecr_scan_reporter.memory.scans import ScanMemory
from ecr_scan_reporter.messages.repository import RepositoryMessage
from ecr_scan_reporter.models.scans import Scan
from fake_aws import DOCKER_INDEX, FakeAws, FakeScan, digest_of, plain_images
from support.configuration import memory_table
from support.images_scanner import REPOSITORY, image, scanned
from support.invocations import REGISTRY, Context, sqs_records
from support.virtual_time import TIME

NOW = TIME.now().replace(microsecond=0)
CONTEXT = Context()
ASK = {"repository": REPOSITORY, "dryRun": True}


@pytest.fixture
def aws(aws: FakeAws, configure: Callable[..., None]) -> FakeAws:
    configure(IMAGES_SELECTION='{"tag_regexp": "v"}')
    return aws


def test_each_image_has_a_decision_a_reason_and_its_last_scan(aws: FakeAws) -> None:
    images = [
        image("old", "v-old"),
        image("never", "v-never"),
        image("remembered", "v-remembered"),
        image("archived", "v-archived"),
        image("other", "other"),
        image("index", "v-index", media_type=DOCKER_INDEX),
    ]
    found = aws.registry.add(REPOSITORY, images)
    found.scans.update({digest_of("old"): scanned(9), digest_of("remembered"): scanned(1)})
    found.scans[digest_of("archived")] = FakeScan("IMAGE_ARCHIVED")
    memory = ScanMemory(memory_table(aws), REGISTRY)
    scan = Scan("COMPLETE", NOW - timedelta(days=1))
    memory.remember(REPOSITORY, {digest_of("remembered"): scan}, (), "run-1", NOW)
    aws.reset()
    answer: Any = json.loads(json.dumps(images_scanner.handler(ASK, CONTEXT)))
    assert (answer["repository"], answer["dryRun"], answer["omitted"]) == (REPOSITORY, True, 0)
    rows = {
        entry["tag"]: (entry["decision"], entry["reason"], entry["last_scan"], entry["known_from"])
        for entry in answer["images"]
    }
    day, nine_days = (f"{NOW - timedelta(days=days):%Y-%m-%dT%H:%M:%SZ}" for days in (1, 9))
    assert rows == {
        "v-old": ("scan", "scan_too_old", {"status": "COMPLETE", "time": nine_days}, "ECR"),
        "v-never": ("scan", "never_scanned", None, "ECR"),
        "v-remembered": ("skip", "scanned_recently", {"status": "COMPLETE", "time": day}, "memory"),
        "v-archived": ("skip", "archived", {"status": "IMAGE_ARCHIVED", "time": None}, "ECR"),
        "other": ("skip", "not_selected", None, "DescribeImages"),
        "v-index": ("skip", "index", None, "DescribeImages"),
    }
    assert {entry["digest"] for entry in answer["images"]} == {entry.digest for entry in images}
    # It starts nothing, remembers nothing and queues nothing.
    assert aws.calls().keys() == {
        "DescribeImages",
        "DescribeImageScanFindings",
        "GetRegistryScanningConfiguration",
        "Query",
    }


def test_nothing_is_due_with_enhanced_scanning(aws: FakeAws) -> None:
    images = [image("old", "v-old"), image("never", "v-never"), image("recent", "v-recent")]
    found = aws.registry.add(REPOSITORY, images)
    found.scans.update({digest_of("old"): scanned(9, "ACTIVE"), digest_of("recent"): scanned(1, "ACTIVE")})
    aws.registry.scan_type = "ENHANCED"
    answer: Any = images_scanner.handler(ASK, CONTEXT)
    assert {entry["tag"]: (entry["decision"], entry["reason"]) for entry in answer["images"]} == {
        "v-old": ("skip", "enhanced_scanning"),
        "v-never": ("skip", "enhanced_scanning"),
        "v-recent": ("skip", "scanned_recently"),
    }


def test_decisions_are_those_of_the_run_that_follows(aws: FakeAws) -> None:
    images = [image(f"image {n}", f"v{n}") for n in range(60)]
    kinds = [scanned(1), scanned(9), FakeScan("FAILED"), scanned(0.5, "FAILED"), FakeScan("IN_PROGRESS"), None]
    found = aws.registry.add(REPOSITORY, images)
    found.scans.update({entry.digest: kind for n, entry in enumerate(images) if (kind := kinds[n % len(kinds)])})
    answer: Any = images_scanner.handler(ASK, CONTEXT)
    body = RepositoryMessage(REGISTRY, REPOSITORY).to_json()
    assert images_scanner.handler({"Records": sqs_records(body)}, CONTEXT) == {"batchItemFailures": []}
    expected = {entry["digest"] for entry in answer["images"] if entry["decision"] == "scan"}
    assert {start.digest for start in aws.starts()} == expected
    assert Counter(entry["decision"] for entry in answer["images"])["skip"] > 0


def test_answer_has_as_many_images_as_fit(aws: FakeAws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images_scanner, "_MAX_ANSWER", 5_000)
    aws.registry.add(REPOSITORY, plain_images(100))
    answer: Any = images_scanner.handler(ASK, CONTEXT)
    assert 4_000 < len(json.dumps(answer["images"])) <= 5_000
    assert answer["omitted"] == 100 - len(answer["images"])


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"repository": REPOSITORY},
        {"repository": REPOSITORY, "dryRun": False},
        {"repository": REPOSITORY, "dryRun": 1},
        {"repository": "", "dryRun": True},
        {"repository": 7, "dryRun": True},
        {"repository": REPOSITORY, "dryRun": True, "tag": "1.0"},
    ],
)
def test_input_that_is_neither_is_rejected(aws: FakeAws, event: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=r'the input .*; expected a batch .*"dryRun": true'):
        images_scanner.handler(event, CONTEXT)


def test_repository_that_does_not_exist_is_an_error(aws: FakeAws) -> None:
    with pytest.raises(RepositoryNotFoundError, match=REPOSITORY):
        images_scanner.handler(ASK, CONTEXT)
