"""The overview adds up to what ECR lists: all handlers run, and a plain loop over ECR counts again."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from ecr_scan_reporter import images_scanner, reporter, repositories_scanner
from fake_aws import FakeImage, FakeRepository, FakeScan, digest_of, finding, index_image
from support.invocations import Context, ecr_event, inspector_event, scan_event, sqs_records
from support.reporter_harness import UNSUPPORTED, ReporterHarness, enhanced, mail
from support.virtual_time import TIME

NOW = TIME.now().replace(microsecond=0)
PUSHED = NOW - timedelta(days=30)
A = finding("CVE-2026-0001", "CRITICAL", "openssl", "3.0.1")
B = finding("CVE-2026-0002", "HIGH", "zlib", "1.2.13")
C = finding("CVE-2026-0003", "MEDIUM", "tar", "1.34")
D = finding("CVE-2026-0004", "HIGH", "curl", "8.5.0")
# What a test says of an image: its findings, or its last scan.
Kind = FakeScan | None


def scan(*findings: dict[str, Any], days: float = 2) -> FakeScan:
    return FakeScan("COMPLETE", NOW - timedelta(days=days), findings=findings)


def failed(description: str) -> FakeScan:
    # Within the last 24 hours, so that no run starts another one.
    return FakeScan("FAILED", started_at=NOW - timedelta(hours=3), description=description)


@pytest.fixture
def inbox(make_reporter: Callable[..., ReporterHarness]) -> ReporterHarness:
    return make_reporter(IMAGES_SELECTION='{"tag_regexp": "v"}')


def fill(inbox: ReporterHarness, name: str, images: dict[str, Kind]) -> FakeRepository:
    """Add a repository whose images go by their only tags."""
    repository = inbox.aws.registry.add(name)
    for tag, last in images.items():
        push(repository, tag, last, PUSHED)
    return repository


def push(repository: FakeRepository, tag: str, last: Kind, pushed_at: datetime) -> None:
    digest = digest_of(repository.name + tag)
    repository.put(FakeImage(digest, (tag,), pushed_at=pushed_at))
    if last:
        repository.scans[digest] = last


def report(inbox: ReporterHarness, repository: FakeRepository, digests: Iterable[str]) -> None:
    """Let the events of the last scans of images arrive."""
    events = []
    for digest in digests:
        image, last = repository.get(digest), repository.scans[digest]
        assert image
        ended = last.completed_at or NOW - timedelta(hours=3)
        detail = {
            "scan-status": last.status,
            "repository-name": repository.name,
            "image-digest": digest,
            "image-tags": list(image.tags),
        }
        counts = {} if last.status == "FAILED" else {"finding-severity-counts": dict(last.counts())}
        events.append(ecr_event(detail | counts, ended))
    assert inbox.report(*events) == []


def run(inbox: ReporterHarness) -> None:
    """Let a run of the schedule visit every repository that it queues, and report the scans that it starts."""
    before = len(inbox.aws.messages())
    repositories_scanner.handler({}, None)
    queued = [message for message in inbox.aws.messages()[before:] if message.queue == "images"]
    for message in queued:
        assert images_scanner.handler({"Records": sqs_records(message.body)}, Context()) == {"batchItemFailures": []}
    entries = inbox.aws.registry.take_events()
    events = [ecr_event(json.loads(entry["Detail"]), entry["Time"] + timedelta(seconds=1)) for entry in entries]
    assert inbox.report(*events) == []


def switch(inbox: ReporterHarness, repository: FakeRepository, scan_type: str, days: float, *found: Any) -> Any:
    """Let another scanner scan the only image of a repository; return what an overview says of the changes then."""
    TIME.sleep(days * 86_400)
    [image], now = repository.images, TIME.now()
    inbox.aws.registry.scan_type = scan_type
    basic, listed = FakeScan("COMPLETE", now, findings=found), FakeScan("ACTIVE", now, enhanced_findings=found)
    repository.scans[image.digest] = basic if scan_type == "BASIC" else listed
    counts = dict(repository.scans[image.digest].counts())
    event = scan_event(image.digest, now, counts, image.tags, repository=repository.name)
    if scan_type == "ENHANCED":
        event = inspector_event(event)
    assert inbox.report(event) == []
    TIME.sleep(60)
    run(inbox)
    changes = overview(publish=False)["changes"]
    overview(publish=True)
    words = mail(inbox.reports()[-1])
    assert ("not looked for by the scanner that is used now" in words) is bool(changes["not_looked_for"])
    assert all(word not in words for word in ("fixed", "withdrawn", "deleted"))
    # What is published from now on are reports.
    inbox.aws.reset()
    return {name: number for name, number in changes.items() if number}


@pytest.mark.slow
def test_switch_of_the_scanner_says_of_nothing_that_it_is_fixed_withdrawn_or_deleted(inbox: ReporterHarness) -> None:
    repository = fill(inbox, "team-a/app", {"v1": scan(A, B, C)})
    report(inbox, repository, [image.digest for image in repository.images])
    run(inbox)
    overview(publish=True)
    inbox.aws.reset()
    openssl, jar = enhanced("CVE-2026-0001", "CRITICAL", "openssl"), enhanced("CVE-2026-0009", "CRITICAL", "log4j-core")
    assert switch(inbox, repository, "ENHANCED", 2, openssl, jar) == {
        "open_before": 3,
        "carried": 1,
        "not_looked_for": 2,
        "open_now": 2,
    }
    assert switch(inbox, repository, "ENHANCED", 2, openssl, jar) == {"open_before": 2, "open_now": 2}
    # And back.
    assert switch(inbox, repository, "BASIC", 2, A, B) == {
        "open_before": 2,
        "carried": 1,
        "not_looked_for": 1,
        "open_now": 2,
    }
    for days in (2, 2):
        assert switch(inbox, repository, "BASIC", days, A, B) == {"open_before": 2, "open_now": 2}


def overview(*, publish: bool) -> Any:
    """Make the overview; return its document if it is not published."""
    answer = reporter.handler({"overview": True, "publish": publish}, Context())
    return None if publish else answer["overviews"][0]["document"]


def images_of(repository: FakeRepository) -> Iterator[tuple[FakeImage, tuple[str, ...]]]:
    """Yield the images that ECR lists and can scan, each with its tags and those of its indexes."""
    tags: dict[str, tuple[str, ...]] = {}
    attestations = set()
    for image in repository.images:
        for child in json.loads(image.manifest or "{}").get("manifests", ()):
            tags[child["digest"]] = tags.get(child["digest"], ()) + image.tags
            if child["platform"]["os"] == "unknown":
                attestations.add(child["digest"])
    for image in repository.images:
        if not (image.archived or image.unscannable_type or image.subject or image.digest in attestations):
            yield image, image.tags + tags.get(image.digest, ())


def reason(last: FakeScan | None, tags: tuple[str, ...]) -> str:
    if not any(tag.startswith("v") for tag in tags):
        return "not_selected"
    if last is None:
        return "never_scanned"
    if last.status == "FAILED":
        return "unsupported" if last.description == UNSUPPORTED else "failed"
    assert last.completed_at
    return "in_time" if last.completed_at > NOW - timedelta(days=7) else "too_old"


def listed(inbox: ReporterHarness) -> dict[str, tuple[Counter[str], Counter[str]]]:
    """Count, by repository, the images by reason and the findings of their last scans by severity."""
    found = {}
    for repository in inbox.aws.registry.repositories:
        if repository.name.startswith("sandbox/"):
            continue
        reasons, severities = Counter[str](), Counter[str]()
        for image, tags in images_of(repository):
            last = repository.scans.get(image.digest)
            reasons[reason(last, tags)] += 1
            # Two versions of a package with one vulnerability are one finding.
            distinct = {}
            for entry in last.findings if last else ():
                attributes: Any = entry["attributes"]
                package = next(pair["value"] for pair in attributes if pair["key"] == "package_name")
                distinct[entry["name"], package] = str(entry["severity"])
            severities.update(distinct.values())
        found[repository.name] = reasons, severities
    return found


def check(document: dict[str, Any], expected: dict[str, tuple[Counter[str], Counter[str]]]) -> None:
    """Compare an overview and each of its repositories with what ECR lists."""
    reasons: Counter[str] = sum((pair[0] for pair in expected.values()), Counter())
    promise = document["promise"]
    assert promise["images"] == reasons.total() - reasons["not_selected"]
    assert promise["in_time"] == reasons["in_time"]
    assert promise["not_selected"] == reasons["not_selected"]
    assert promise["late"] == {
        name: number for name, number in reasons.items() if name not in ("in_time", "not_selected")
    }
    assert document["open"] == sum((pair[1] for pair in expected.values()), Counter())
    rows = {row["repository"]: row for row in document["repositories"]}
    assert rows.keys() == expected.keys()
    for name, (images, findings) in expected.items():
        coverage = {"images": images.total(), **images} if images else {}
        assert (rows[name]["coverage"], rows[name]["open"]) == (coverage, findings), name


@pytest.mark.slow
def test_overview_adds_up_to_what_ecr_lists(inbox: ReporterHarness) -> None:
    app = fill(inbox, "team-a/app", {"v1.0.0": scan(A, B), "other": scan(C, C), "v-none": None})
    api = fill(
        inbox,
        "team-b/api",
        {
            "v-gone": scan(A, B, C),
            "v-twice": scan(B, {**B, "attributes": finding("", "", "zlib", "1.2.12")["attributes"]}),
            "v-old": scan(B, D, days=9),
            "v-clean": scan(),
            "v-failed": failed("No space."),
            "v-scratch": failed(UNSUPPORTED),
        },
    )
    index = fill(inbox, "team-c/index", {})
    platforms = {"amd64": "linux/amd64", "arm64": "linux/arm64", "sbom": "unknown/unknown"}
    for name in platforms:
        index.put(FakeImage(digest_of(name), pushed_at=PUSHED))
    index.scans |= {digest_of(name): scan(A, D) for name in ("amd64", "arm64")}
    children = {digest_of(name): platform for name, platform in platforms.items()}
    index.put(index_image(digest_of("index"), children, ("v2.0.0",)))
    index.put(FakeImage(digest_of("archived"), ("v1.9.0",), archived=True))
    fill(inbox, "team-d/empty", {})
    fill(inbox, "sandbox/app", {"v1": scan(A)})
    for repository in (app, api, index):
        report(inbox, repository, list(repository.scans))

    # Twice: the run looks at what is there, and the scans that it starts are there at the next one.
    for _ in range(2):
        expected = listed(inbox)
        run(inbox)
        check(overview(publish=False), expected)
    assert sum(pair[0]["too_old"] + pair[0]["never_scanned"] for pair in expected.values()) == 0
    overview(publish=True)
    # The inbox would take the overview for a report.
    inbox.aws.reset()
    before = expected

    # One finding is fixed in a rebuild, one is added, and an image is deleted.
    push(app, "v1.0.1", scan(B, days=0.1), TIME.now())
    added = digest_of("team-b/apiv-clean")
    api.scans[added] = scan(D, days=0.1)
    api.remove(digest_of("team-b/apiv-gone"))
    report(inbox, app, [digest_of("team-a/appv1.0.1")])
    report(inbox, api, [added])
    after = listed(inbox)
    run(inbox)
    document = overview(publish=False)
    check(document, after)
    opened = [sum(pair[1].total() for pair in counted.values()) for counted in (before, after)]
    changes = document["changes"]
    assert [changes[name] for name in ("open_before", "open_now")] == opened
    assert {name: changes[name] for name in ("new", "back", "fixed", "withdrawn")} == {
        "new": 1,
        "back": 0,
        "fixed": 1,
        "withdrawn": 0,
    }
    # The rebuild took over the two findings of the image before it, which ECR still lists.
    assert (changes["carried"], changes["left"]) == (2, 3)
    assert opened[1] == opened[0] + 2 + 1 - 1 - 3
    assert (changes["new_critical"], changes["new_high"]) == (0, 1)


def test_image_that_is_replaced_is_not_overdue(make_reporter: Callable[..., ReporterHarness]) -> None:
    inbox = make_reporter(FIX_WITHIN='{"CRITICAL": 7}')
    app = fill(inbox, "team-a/app", {})
    run(inbox)

    def overdue_after(days: float, tag: str, *findings: dict[str, Any]) -> int:
        TIME.sleep(days * 86_400)
        if tag:
            push(app, tag, FakeScan("COMPLETE", TIME.now(), findings=findings), TIME.now())
            report(inbox, app, [digest_of(app.name + tag)])
        run(inbox)
        return int(overview(publish=False)["overdue"]["findings"])

    assert overdue_after(1, "v1.0.0", A) == 0
    assert overdue_after(8, "") == 1
    assert overdue_after(1, "v1.0.1") == 0
    # A successor that is gone replaces nothing.
    app.remove(digest_of(app.name + "v1.0.1"))
    assert overdue_after(1, "") == 1


@pytest.mark.slow
def test_overview_reads_summaries_and_no_image(inbox: ReporterHarness) -> None:
    images: dict[str, Kind] = {f"v-{number}": scan(A, B) for number in range(40)}
    for name in ("team-a/app", "team-b/app"):
        repository = fill(inbox, name, images)
        report(inbox, repository, list(repository.scans))
    run(inbox)
    calls = []
    for _ in range(2):
        inbox.aws.reset()
        assert overview(publish=False)["open"] == {"CRITICAL": 80, "HIGH": 80}
        calls.append(inbox.aws.calls())
        overview(publish=True)
    # The last overview, the summaries, the states and the lost events; then the snapshot of the last overview as well.
    # The rules were read before.
    first = {"GetItem": 1, "Query": 3, "ListSubscriptionsByTopic": 1}
    assert calls == [first, first | {"BatchGetItem": 1}]
