"""All handlers, with a registry that Inspector monitors: ECR is asked for what the events did not say."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from ecr_scan_reporter import images_scanner, reporter, repositories_scanner
from ecr_scan_reporter.aws.ecr import EcrRegistry
from ecr_scan_reporter.models.scans import Scan
from fake_aws import FakeAws, FakeImage, FakeScan, Fault, digest_of, finding
from support.invocations import Context, inspector_event, scan_event, sqs_records
from support.reporter_harness import document, enhanced
from support.virtual_time import TIME

DAY = timedelta(days=1)
ARN = "arn:aws:ecr:eu-west-1:123456789012:repository"
REPOSITORIES, IMAGES = ("team-a/app", "team-b/app"), 10
LATER = enhanced("CVE-2026-0002", "CRITICAL", "zlib")
Configure = Callable[..., None]


def own(repository: str, number: int) -> dict[str, Any]:
    """Return a finding that no other image has: what two images of a repository share is no news of the second."""
    return enhanced(f"CVE-2026-{1000 + number}", "HIGH", repository.replace("/", "-"))


class Monitored:
    """A registry, and the functions, which run when the schedule or a queue starts them."""

    def __init__(self, aws: FakeAws, monkeypatch: pytest.MonkeyPatch) -> None:
        self.aws = aws
        self.asked: list[tuple[float, str]] = []
        self._start, self._read, last_scan = TIME.now(), 0, EcrRegistry.last_scan

        def record(registry: EcrRegistry, repository: str, digest: str) -> Scan | None:
            self.asked.append((self.day, digest))
            return last_scan(registry, repository, digest)

        monkeypatch.setattr(EcrRegistry, "last_scan", record)
        aws.registry.scan_type = "ENHANCED"

    @property
    def day(self) -> float:
        return (TIME.now() - self._start) / DAY

    def wait_until(self, day: float) -> None:
        TIME.sleep(max((day - self.day) * 86_400, 0))

    def push(self, *, told: int = IMAGES) -> list[str]:
        """Fill the repositories; let the reporter read the events of the first scans of so many images of each."""
        events = []
        for repository in REPOSITORIES:
            self.aws.registry.add(repository)
            for number in range(IMAGES):
                name = f"{repository} {number}"
                image = FakeImage(digest_of(name), (f"service-{chr(97 + number)}",), pushed_at=TIME.now())
                self.aws.registry.repository(repository).put(image)
                self.lists(name, own(repository, number), at=TIME.now())
                events += [self._first_scan(repository, image)] if number < told else []
        TIME.sleep(60)
        self.report(*events)
        return [f"{repository} {number}" for repository in REPOSITORIES for number in range(IMAGES)]

    def lists(self, name: str, *findings: dict[str, Any], at: datetime) -> None:
        repository = self.aws.registry.repository(name.partition(" ")[0])
        repository.scans[digest_of(name)] = FakeScan("ACTIVE", at, enhanced_findings=list(findings))

    def _first_scan(self, repository: str, image: FakeImage) -> dict[str, Any]:
        return inspector_event(scan_event(image.digest, TIME.now(), {"HIGH": 1}, image.tags, repository=repository))

    def report(self, *bodies: object, receives: int = 1) -> None:
        answer = reporter.handler({"Records": sqs_records(*bodies, receives=receives)}, Context(300))
        failed = {int(failure["itemIdentifier"]) for failure in answer["batchItemFailures"]}
        if failed:
            TIME.sleep(60)
            self.report(*(body for number, body in enumerate(bodies) if number in failed), receives=receives + 1)

    def run(self) -> None:
        """Start a run of the schedule, and let the functions read their queues until these are empty."""
        repositories_scanner.handler({}, None)
        while messages := self.aws.messages()[self._read :]:
            self._read += len(messages)
            bodies = [message.body for message in messages]
            of_scanner = [body for body in bodies if "version" in json.loads(body)]
            if of_scanner:
                answer = images_scanner.handler({"Records": sqs_records(*of_scanner)}, Context(300))
                assert answer == {"batchItemFailures": []}
            if others := [body for body in bodies if body not in of_scanner]:
                TIME.sleep(120)
                self.report(*others)

    def runs(self, days: Iterable[float]) -> None:
        for day in days:
            self.wait_until(day)
            self.run()

    def new(self, id_: str) -> list[str]:
        """Return the digests of images in which a finding was reported as new."""
        images = [image for report in self.aws.publications() for image in document(report)["images"]]
        return [image["digest"] for image in images if any(entry["id"] == id_ for entry in image["changes"]["new"])]

    def looks(self) -> int:
        return sum("missed" in json.loads(message.body) for message in self.aws.messages())


@pytest.fixture
def make(aws: FakeAws, configure: Configure, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Monitored]:
    def make_monitored(schedule: str = "rate(1 day)", **settings: str) -> Monitored:
        configure(SCHEDULE_EXPRESSION=schedule, THREADS="8", **settings)
        return Monitored(aws, monkeypatch)

    return make_monitored


def weekdays(start: datetime, days: int) -> list[float]:
    return [day for day in range(1, days) if (start + day * DAY).weekday() < 5]


def schedule(name: str, days: int) -> Sequence[float]:
    """Return the days on which a schedule starts a run."""
    every = {"rate(1 day)": 1, "rate(2 days)": 2, "rate(7 days)": 7, "rate(12 hours)": 0.5}
    if name not in every:
        return weekdays(TIME.now(), days)
    return [every[name] * n for n in range(1, int(days / every[name]))]


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["rate(1 day)", "rate(12 hours)", "rate(2 days)", "rate(7 days)", "cron(30 10 ? * MON-FRI *)"]
)
def test_lost_event_of_a_finding_is_made_good_within_the_promised_age(
    make: Callable[..., Monitored], name: str
) -> None:
    monitored = make(name)
    images = monitored.push()
    days = schedule(name, 36)
    for day in (day for day in days if day < 14):
        monitored.wait_until(day)
        monitored.run()
    monitored.wait_until(14)
    # Nothing but the list of findings says so: no event comes, and ECR's date stays that of the first scan.
    for number, image in enumerate(images):
        repository = image.partition(" ")[0]
        monitored.lists(image, own(repository, number % IMAGES), LATER, at=TIME.now() - 14 * DAY)
    monitored.runs(day for day in days if 14 <= day <= 21)
    assert Counter(monitored.new("CVE-2026-0002")) == Counter(map(digest_of, images))


@pytest.mark.slow
@pytest.mark.parametrize(("name", "period"), [("rate(1 day)", 7), ("rate(12 hours)", 7), ("rate(7 days)", 7)])
def test_quiet_registry_costs_one_call_per_image_and_promised_age(
    make: Callable[..., Monitored], name: str, period: int
) -> None:
    monitored = make(name)
    images = monitored.push()
    monitored.runs(schedule(name, 36))
    # The first days have turns as every other: memory knows all images.
    for digest in map(digest_of, images):
        asked = [day for day, one in monitored.asked if one == digest]
        first, *gaps = [after - before for before, after in pairwise(asked)]
        assert all(abs(gap - period) < 0.1 for gap in gaps), gaps
        # The first run may be a later one of its day than those that follow.
        assert period - 1 < first < period + 0.1
        assert asked[0] <= period + 0.1
    assert monitored.looks() == 0
    if name != "rate(7 days)":
        # They are spread over the days.
        assert max(Counter(round(day) for day, _ in monitored.asked).values()) < len(images) / 2


def test_message_that_is_delivered_twice_asks_about_nothing_that_the_next_run_asks_about(
    make: Callable[..., Monitored],
) -> None:
    monitored = make()
    monitored.push()
    monitored.runs([1, 1.004, 1.008])
    days = Counter(round(day, 3) for day, _ in monitored.asked)
    assert days.keys() == {1.0}


@pytest.mark.slow
def test_later_scan_with_the_same_counts_is_read(make: Callable[..., Monitored]) -> None:
    monitored = make("rate(7 days)")
    images = monitored.push()
    monitored.runs([7])
    other = enhanced("CVE-2026-0003", "HIGH", "curl")
    monitored.wait_until(10)
    monitored.lists(images[0], other, at=TIME.now())
    monitored.runs([14])
    assert monitored.new("CVE-2026-0003") == [digest_of(images[0])]
    looks = monitored.looks()
    # It was read after that date, so that it is not read again.
    monitored.runs([21, 28])
    assert monitored.looks() == looks


@pytest.mark.slow
def test_lost_events_of_first_scans_are_made_good_by_the_next_run(make: Callable[..., Monitored]) -> None:
    monitored = make()
    images = monitored.push(told=1)
    monitored.runs([1])
    reported = [image["digest"] for report in monitored.aws.publications() for image in document(report)["images"]]
    assert Counter(reported) == Counter(map(digest_of, images))
    asked = Counter(digest for _, digest in monitored.asked)
    assert set(map(digest_of, images)) - asked.keys() <= {digest_of(f"{repository} 0") for repository in REPOSITORIES}
    monitored.runs(range(2, 9))
    assert max(Counter(digest for _, digest in monitored.asked).values()) == 2


def test_images_that_inspector_does_not_scan_are_asked_about_in_turn(make: Callable[..., Monitored]) -> None:
    monitored = make()
    images = monitored.push(told=0)
    scans = [None, FakeScan("FAILED"), FakeScan("UNSUPPORTED_IMAGE"), FakeScan("SCAN_ELIGIBILITY_EXPIRED", TIME.now())]
    for number, name in enumerate(images):
        known = monitored.aws.registry.repository(name.partition(" ")[0]).scans
        del known[digest_of(name)]
        if scan := scans[number % len(scans)]:
            known[digest_of(name)] = scan
    monitored.runs(range(1, 9))
    assert Counter(Counter(digest for _, digest in monitored.asked).values()) == {2: len(images)}
    assert monitored.looks() == 0


def test_image_whose_scan_is_in_progress_is_asked_about_until_it_ends(make: Callable[..., Monitored]) -> None:
    monitored = make()
    monitored.push()
    monitored.aws.registry.repository(REPOSITORIES[0]).put(FakeImage(digest_of("new"), ("new",), pushed_at=TIME.now()))
    scans = monitored.aws.registry.repository(REPOSITORIES[0]).scans
    scans[digest_of("new")] = FakeScan("PENDING")
    monitored.runs([1, 2])
    scans[digest_of("new")] = FakeScan("ACTIVE", TIME.now(), enhanced_findings=[LATER])
    monitored.runs([3])
    assert monitored.new("CVE-2026-0002") == [digest_of("new")]
    assert Counter(digest for _, digest in monitored.asked)[digest_of("new")] == 3


def test_nothing_is_read_again_because_memory_is_not_available(make: Callable[..., Monitored]) -> None:
    monitored = make()
    images = monitored.push()
    monitored.aws.behavior.faults.append(Fault("Query", "AccessDeniedException"))
    monitored.runs([1])
    assert len(monitored.asked) == len(images)
    assert monitored.looks() == 0


@pytest.mark.slow
def test_basic_scanning_has_no_turns(make: Callable[..., Monitored]) -> None:
    monitored = make()
    images = monitored.push()
    monitored.aws.registry.scan_type = "BASIC"
    for name in images:
        scan = FakeScan("COMPLETE", TIME.now() + timedelta(hours=1), findings=[finding("CVE-2026-0009", "CRITICAL")])
        monitored.aws.registry.repository(name.partition(" ")[0]).scans[digest_of(name)] = scan
    monitored.runs(range(1, 6))
    # At most a few spot checks, which find that no event came.
    assert len(monitored.asked) < len(images) / 4
    assert monitored.looks() == len({digest for _, digest in monitored.asked})
