"""All handlers, while events are lost, doubled or late: what ECR knows is reported, and what was lost is counted."""

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from datetime import datetime, timedelta
from typing import Any

import hypothesis
import pytest
from ecr_scan_reporter.memory.lost_events import LostEvent, lost_events
from ecr_scan_reporter.shared.durations import Duration
from fake_aws import FakeAws, FakeScan, finding
from hypothesis import given
from hypothesis import strategies as st
from local_aws.fake_ecr import EnhancedFinding
from support import schemas
from support.configuration import memory_table
from support.installed import Installed
from support.invocations import REGISTRY
from support.random_tests import examples
from support.reporter_harness import document
from support.virtual_time import TIME

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
REPOSITORY = "team-a/app"
AT_ONCE, NEVER = (5,), ()
Make = Callable[..., Installed]


@pytest.fixture
def make(aws: FakeAws, configure: Callable[..., None]) -> Make:
    def make_installed(days: int = 1, **settings: str) -> Installed:
        configure(SCHEDULE_EXPRESSION=f"rate({days} {'day' if days == 1 else 'days'})", **settings)
        aws.registry.scan_seconds = 60
        aws.registry.add(REPOSITORY)
        return Installed(aws, days * DAY)

    return make_installed


def known(installed: Installed) -> None:
    """Let the reporter begin to know the repository, so that what is pushed from now on is news."""
    installed.push(REPOSITORY, "seed")
    installed.run_for(HOUR)


def push(installed: Installed, name: str, *ids: str) -> str:
    """Push an image of an application of its own, and return its digest."""
    digest = installed.push(REPOSITORY, name).digest
    lists(installed, digest, *ids)
    return digest


def lists(installed: Installed, digest: str, *ids: str) -> None:
    """Let the scans of an image find these from now on, in packages that no other image has."""
    found = [finding(id_, "HIGH", digest[7:17]) for id_ in ids]
    installed.aws.registry.repository(REPOSITORY).scan_results[digest] = FakeScan(findings=found)


def inspect(installed: Installed, digest: str, *ids: str) -> None:
    """Let Inspector find these in an image."""
    repository = installed.aws.registry.repository(REPOSITORY)
    image = repository.get(digest)
    assert image
    installed.aws.registry.inspect(
        repository, image, [EnhancedFinding(id_, "HIGH", digest[7:17]).to_api() for id_ in ids]
    )


def lost(aws: FakeAws) -> list[LostEvent]:
    return lost_events(memory_table(aws), REGISTRY, Duration.parse("999d"), DAY, TIME.now(), 1000)


def health(overview: Mapping[str, Any]) -> tuple[bool, bool]:
    """Return whether nothing is open, and whether all images count as scanned in time."""
    promise = overview["promise"]
    return not overview["open"], promise["in_time"] == promise["images"] > 0


def in_inventory(aws: FakeAws) -> int:
    return sum((document(report)["inventory"] or {}).get("images", 0) for report in aws.publications())


@pytest.mark.parametrize("days", [1, 7])
def test_rule_that_is_disabled_hides_nothing_with_basic_scanning(aws: FakeAws, make: Make, days: int) -> None:
    installed = make(days)
    known(installed)
    installed.delivery = lambda _: NEVER
    digests = [push(installed, f"app-{chr(97 + n)}", f"CVE-2026-{n:04}") for n in range(4)]
    for _ in range(2):
        installed.run_for(days * DAY)
        overview = installed.overview()
        assert health(overview) != (True, True)
    # The scan of the first run, a run later. With the weekly one, each image is by then being scanned again.
    installed.run_for(HOUR)
    assert Counter(installed.reported()) == Counter((digest, f"CVE-2026-{n:04}") for n, digest in enumerate(digests))
    overview = installed.overview()
    assert overview["notices"]["lost_events"] >= 4
    assert f"No event came of {overview['notices']['lost_events']} scans (is the rule disabled?): " in overview["text"]
    schemas.OVERVIEW.validate({name: value for name, value in overview.items() if name != "text"})
    assert {event.digest for event in lost(aws)} >= set(digests)
    assert installed.dlq == []


def test_rule_that_was_never_enabled_hides_nothing_with_basic_scanning(aws: FakeAws, make: Make) -> None:
    installed = make()
    installed.delivery = lambda _: NEVER
    for n in range(4):
        push(installed, f"app-{chr(97 + n)}", f"CVE-2026-{n:04}")
    for _ in range(3):
        installed.run_for(DAY)
        assert health(installed.overview()) != (True, True)
    assert installed.overview()["open"] == {"HIGH": 4}
    assert len(lost(aws)) == 4
    # Memory did not know their repository yet.
    assert len(installed.reported()) == 4 or in_inventory(aws) == 4


@pytest.mark.slow
def test_rule_that_is_disabled_hides_nothing_with_enhanced_scanning(aws: FakeAws, make: Make) -> None:
    installed = make()
    installed.delivery = lambda _: NEVER
    aws.registry.scan_type = "ENHANCED"
    digests = [installed.push(REPOSITORY, f"app-{chr(97 + n)}").digest for n in range(4)]
    for n, digest in enumerate(digests):
        inspect(installed, digest, f"CVE-2026-{n:04}")
    for _ in range(3):
        installed.run_for(DAY)
        assert health(installed.overview()) != (True, True)
    # What was there before memory knew the repository is no lost event.
    assert lost(aws) == []
    for n, digest in enumerate(digests):
        inspect(installed, digest, f"CVE-2026-{n:04}", "CVE-2026-0100")
    installed.run_for(8 * DAY)
    assert Counter(found for found in installed.reported() if found[1] == "CVE-2026-0100") == Counter(
        (digest, "CVE-2026-0100") for digest in digests
    )
    assert {event.digest for event in lost(aws)} == set(digests)
    assert len(lost(aws)) == 4


@pytest.mark.slow
def test_one_lost_event_is_no_reason_to_act_and_the_second_is(
    aws: FakeAws, make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "ecr_scan_reporter")
    installed = make()
    known(installed)
    installed.delivery = lambda event: NEVER if event["detail"]["image-tags"] == ["app-a"] else AT_ONCE
    push(installed, "app-a", "CVE-2026-0001")
    push(installed, "app-b", "CVE-2026-0002")
    measured = []
    for _ in range(10):
        caplog.clear()
        installed.run_for(DAY)
        measured += [vars(record)["LostEvents"] for record in caplog.records if "LostEvents" in vars(record)]
        assert installed.overview()["notices"]["lost_events"] == (len(lost(aws)) if len(lost(aws)) > 1 else 0)
    # The first scan of the image, and the one a week later.
    assert measured == [1, 2]


def test_failed_scan_whose_event_is_lost_is_reported(aws: FakeAws, make: Make) -> None:
    installed = make()
    known(installed)
    installed.delivery = lambda _: NEVER
    digest = push(installed, "app-a")
    repository = aws.registry.repository(REPOSITORY)
    repository.scan_results[digest] = FakeScan("FAILED", description="UnsupportedImageError: no")
    installed.run_for(3 * DAY)
    failed = [image for report in aws.publications() for image in document(report)["failed_scans"]]
    assert [image["digest"] for image in failed] == [digest]
    assert digest in {event.digest for event in lost(aws)}


def test_result_that_found_the_same_is_counted_once(aws: FakeAws, make: Make) -> None:
    installed = make(ECR_IMAGES_DURATION_DELTA="2d")
    known(installed)
    digest = push(installed, "app-a", "CVE-2026-0001")
    installed.run_for(2 * DAY)
    installed.delivery = lambda _: NEVER
    # It is scanned twice more.
    installed.run_for(7 * DAY)
    assert len([event for event in lost(aws) if event.digest == digest]) == 2
    assert installed.reported() == [(digest, "CVE-2026-0001")]


def test_events_that_come_are_not_lost(aws: FakeAws, make: Make) -> None:
    installed = make()
    installed.delivery = lambda _: (1800, 1860)
    push(installed, "app-a", "CVE-2026-0001")
    installed.run_for(9 * DAY)
    assert lost(aws) == []
    assert not any("missed" in message.body for message in aws.messages())


# After how many seconds an event arrives: after 30 hours, a daily run has found the result before it.
FATES = st.sampled_from([NEVER, AT_ONCE, (5, 9), (5, 40 * 3600), (1800,), (30 * 3600,)])


@pytest.mark.slow
@given(st.sampled_from([1, 2, 7]), st.lists(FATES, min_size=4, max_size=4))
@hypothesis.settings(max_examples=examples(200))
def test_each_finding_is_reported_and_each_lost_event_is_counted(
    aws: FakeAws, make: Make, quiet: None, days: int, fates: list[tuple[float, ...]]
) -> None:
    TIME.reset()
    aws.start_over()
    installed = make(days)
    known(installed)
    sent: dict[tuple[str, int], datetime] = {}
    numbers = Counter[str]()

    def deliver(event: Mapping[str, Any]) -> Collection[float]:
        digest = event["detail"]["image-digest"]
        if digest not in digests:
            return AT_ONCE
        number = numbers[digest]
        numbers[digest] += 1
        # The images are scanned twice in the time that matters.
        fate = fates[2 * digests.index(digest) + number] if number < 2 else AT_ONCE
        if not fate or (fate[0] >= 30 * 3600 and days == 1):
            sent[digest, number] = TIME.now()
        return fate

    digests = [push(installed, name, f"CVE-2026-000{n}") for n, name in enumerate(("app-a", "app-b"))]
    installed.delivery = deliver
    installed.run_for(days * DAY)
    for n, digest in enumerate(digests):
        lists(installed, digest, f"CVE-2026-000{n}", f"CVE-2026-010{n}")
    # An image that is a little younger than a week is scanned by the next run, and another one finds what was lost.
    installed.run_for((7 + 2 * days) * DAY + 2 * HOUR)
    expected = {(digest, id_) for n, digest in enumerate(digests) for id_ in (f"CVE-2026-000{n}", f"CVE-2026-010{n}")}
    assert Counter(installed.reported()) == Counter(expected)
    assert Counter(event.digest for event in lost(aws)) == Counter(digest for digest, _ in sent)
    assert installed.dlq == []
