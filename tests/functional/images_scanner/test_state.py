"""The images scanner says how each repository stands: ages, findings, deadlines, coverage."""

import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from ecr_scan_reporter import images_scanner
from ecr_scan_reporter.memory.coverage import Coverage, CoverageReason
from ecr_scan_reporter.memory.images import Ledger
from ecr_scan_reporter.memory.items import to_seconds
from ecr_scan_reporter.memory.summaries import repository_summary
from ecr_scan_reporter.messages.repository import RepositoryMessage
from fake_aws import FakeImage, FakeRepository, FakeScan, Rate, digest_of, plain_images
from support.configuration import memory_table
from support.images_scanner import (
    NOW,
    REPOSITORY,
    Scanner,
    image,
    report_findings,
    scanned,
    state,
    summary,
    summary_of,
    varied_images,
)
from support.invocations import REGISTRY
from support.virtual_time import TIME


def test_state_says_since_when_an_image_waits_for_its_next_scan(
    scanner: Scanner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(images_scanner, "CHUNK_SIZE", 4)
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


def test_state_says_that_runs_of_the_schedule_leave_the_repository_out(scanner: Scanner) -> None:
    scanner.aws.behavior.rates["StartImageScan"] = Rate(40, 5)
    scanner.add(*plain_images(100))
    message = RepositoryMessage(REGISTRY, REPOSITORY, run="run-1", unscheduled=True)
    assert scanner.handle(message.to_json(), seconds=2) == []
    [continuation] = scanner.continuations()
    scanner.aws.behavior.rates.clear()
    assert scanner.handle(continuation.to_json()) == []
    assert state(scanner).unscheduled
    assert scanner.scan()
    assert not state(scanner).unscheduled


@pytest.mark.slow
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
        monkeypatch.setattr(images_scanner, "CHUNK_SIZE", size)
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


@pytest.mark.slow
def test_findings_count_once_however_many_invocations_it_takes(
    scanner: Scanner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(images_scanner, "CHUNK_SIZE", 60)
    images = sorted(plain_images(300), key=lambda image: image.digest)
    scanner.add(*images, scans={entry.digest: scanned(1) for entry in images})
    report_findings(scanner, [*(entry.digest for entry in images[::3]), "sha256:" + "f" * 64])
    scanner.aws.behavior.latency = {"DescribeImageScanFindings": 0.1}
    assert scanner.run_to_completion(seconds=2) > 1
    found = summary(scanner)
    assert found.open == {"HIGH": sum(range(1, 101))}
    assert found.ledger == Ledger(new=sum(range(1, 102)))
    # The reporter knows a third of the results.
    assert found.coverage.counts == {"in_time": 100, "not_read": 200}


def test_repository_without_images_keeps_its_changes(scanner: Scanner) -> None:
    scanner.add()
    report_findings(scanner, [digest_of("gone")])
    scanner.scan()
    assert (summary(scanner).coverage, summary(scanner).open, summary(scanner).ledger.new) == (Coverage(), {}, 1)


def test_continuation_sums_up_the_findings_of_the_images_before_it(scanner: Scanner) -> None:
    images = sorted(plain_images(30), key=lambda image: image.digest)
    scanner.add(*images, scans={entry.digest: scanned(1) for entry in images})
    report_findings(scanner, ["sha256:" + "0" * 64, *(entry.digest for entry in images)])
    scanner.aws.reset()
    assert scanner.handle(RepositoryMessage(REGISTRY, REPOSITORY, after=images[9].digest).to_json()) == []
    assert state(scanner).images == 30
    assert summary(scanner).open == {"HIGH": sum(range(2, 32))}
    assert summary(scanner).ledger == Ledger(new=sum(range(1, 32)))


def test_summary_that_there_is_no_time_for_is_made_by_the_next_invocation(scanner: Scanner) -> None:
    images = sorted(plain_images(30), key=lambda image: image.digest)
    scanner.add(*images, scans={entry.digest: scanned(1) for entry in images})
    report_findings(scanner, [entry.digest for entry in images])
    scanner.aws.reset()
    scanner.aws.behavior.latency = {"Query": 0.4}
    # Nothing is left to be looked up, and the second query takes too long.
    done = Coverage({CoverageReason.IN_TIME: 30})
    message = RepositoryMessage(REGISTRY, REPOSITORY, after=images[-1].digest, oldest=7, coverage=done, waiting_since=7)
    assert scanner.handle(message.to_json(), seconds=0.8) == []
    assert scanner.continuations() == [message._replace(stalled=1)]
    scanner.aws.behavior.latency = {}
    assert scanner.handle(scanner.continuations()[0].to_json()) == []
    assert summary(scanner).coverage == Coverage({"in_time": 30})
    assert summary(scanner).open == {"HIGH": sum(range(1, 31))}


def listed_coverage(repository: FakeRepository, tags: str) -> dict[str, int]:
    """Return the images that DescribeImages lists by reason, with a promised age of seven days and these tags only."""

    def reason(image: FakeImage) -> str:
        scan = repository.scans.get(image.digest)
        if not any(tag.startswith(tags) for tag in image.tags):
            return "not_selected"
        if scan is None or scan.status == "IN_PROGRESS":
            return "never_scanned"
        if scan.status in ("COMPLETE", "ACTIVE") and scan.completed_at and scan.completed_at > NOW - timedelta(days=7):
            # The reporter has not run. Basic scanning has no ACTIVE, and an event may be on its way for an hour.
            on_its_way = scan.status == "ACTIVE" or scan.completed_at > NOW - timedelta(hours=1)
            return "in_time" if on_its_way else "not_read"
        if "Unsupported" in scan.description or scan.status == "UNSUPPORTED_IMAGE":
            return "unsupported"
        by_status = {"FAILED": "failed", "SCAN_ELIGIBILITY_EXPIRED": "expired", "IMAGE_ARCHIVED": "archived"}
        return by_status.get(scan.status, "too_old")

    listed = [image for image in repository.images if not image.archived]
    scannable = [image for image in listed if not image.unscannable_type and image.subject is None]
    return dict(Counter(map(reason, scannable)))


def test_coverage_counts_every_image_that_ecr_can_scan_once(
    make_scanner: Callable[..., Scanner], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(images_scanner, "CHUNK_SIZE", 25)
    scanner = make_scanner(IMAGES_SELECTION='{"tag_regexp": "v"}')
    images, scans = varied_images(150)
    scanner.add(*images, scans=scans)
    found = scanner.registry.repository(REPOSITORY)
    for _ in range(3):  # the first time from ECR, then from memory and what the scans came to
        expected = listed_coverage(found, "v")
        scanner.scan()
        coverage = Coverage.from_json(summary_of(caplog).coverage)
        assert coverage.counts == expected
        remembered = repository_summary(memory_table(scanner.aws), REGISTRY, REPOSITORY, TIME.now())
        assert remembered
        assert remembered.coverage == coverage
        tags = {tag for image in images for tag in image.tags}
        assert {reason: len(names) for reason, names in coverage.names.items()} == {
            reason: min(number, 3) for reason, number in coverage.counts.items() if reason is not CoverageReason.IN_TIME
        }
        assert all(name in tags for names in coverage.names.values() for name in names)


@pytest.mark.slow
def test_continuations_carry_what_the_images_before_summed_up(
    scanner: Scanner, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(images_scanner, "CHUNK_SIZE", 40)
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
    assert coverage.counts == {CoverageReason.NOT_READ: 299, CoverageReason.UNSUPPORTED: 1}
    assert coverage.names[CoverageReason.UNSUPPORTED] == images[5].tags
