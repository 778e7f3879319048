"""All handlers, with a repository that fails in each run: no other repository hides it."""

from collections.abc import Callable
from datetime import timedelta

import hypothesis
import pytest
from ecr_scan_reporter import repositories_scanner
from fake_aws import FakeAws, Fault
from hypothesis import given
from hypothesis import strategies as st
from support import schemas
from support.fixtures import embedded_metrics
from support.installed import Installed
from support.random_tests import examples
from support.virtual_time import TIME

DAY = timedelta(days=1)
BAD = "team-a/bad"


@pytest.fixture
def installed(aws: FakeAws, configure: Callable[..., None]) -> Installed:
    configure(SCHEDULE_EXPRESSION="rate(1 day)")
    aws.behavior.faults.append(Fault("DescribeImages", "AccessDeniedException", containing=BAD))
    return Installed(aws, DAY)


def add(installed: Installed, *names: str) -> None:
    """Add repositories, which need no images for this."""
    for name in names:
        installed.aws.registry.add(name)


def heartbeat(caplog: pytest.LogCaptureFixture) -> float:
    """Return for how long a run is overdue."""
    repositories_scanner.handler({"heartbeat": True}, None)
    return embedded_metrics(caplog, "heartbeat")["RunOverdue"]


def test_repository_in_which_no_run_ever_ended_needs_you(installed: Installed) -> None:
    add(installed, BAD, "team-a/app")
    # It may still be waiting in the queue.
    installed.run_for(timedelta(hours=40))
    assert installed.overview()["promise"]["never_run_repositories"] == 0
    installed.run_for(5 * DAY)
    overview = installed.overview()
    schemas.OVERVIEW.validate({name: value for name, value in overview.items() if name != "text"})
    assert overview["promise"]["never_run_examples"] == [BAD]
    assert f"  No run of 1 repository has ever ended: {BAD}\n" in overview["text"]
    assert "1 notice" in overview["text"]
    # It is deleted, or excluded.
    installed.aws.registry.remove(BAD)
    installed.run_for(DAY)
    assert installed.overview()["promise"]["never_run_repositories"] == 0


def test_repository_that_fails_alone_is_no_registry_without_images(installed: Installed) -> None:
    add(installed, BAD)
    installed.run_for(3 * DAY)
    assert "No images" not in installed.overview()["text"]
    assert "  The first run has not ended.\n" in installed.overview()["text"]


def test_new_repositories_do_not_hide_one_that_always_fails(
    installed: Installed, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "ecr_scan_reporter")
    add(installed, BAD, "team-a/app")
    for number in range(10):
        installed.run_for(DAY)
        add(installed, f"team-b/new-{number}")
    installed.run_for(timedelta(hours=1))
    # Since the first run: a day to the next one, and a day that it may take.
    assert heartbeat(caplog) == pytest.approx(8 * 86400 + 3600, abs=60)
    measured = embedded_metrics(caplog, "repositories queued")
    assert measured["OldestScanAge"] == pytest.approx(10 * 86400, abs=600)
    assert measured["ScansOverdue"] > 0


@pytest.mark.slow
@given(st.lists(st.tuples(st.integers(0, 2), st.booleans()), min_size=1, max_size=5))
@hypothesis.settings(max_examples=examples(200))
def test_pass_waits_for_each_repository_that_it_began_with(
    installed: Installed, caplog: pytest.LogCaptureFixture, days: list[tuple[int, bool]]
) -> None:
    """Repositories come and go; one fails in each run until it is repaired."""
    caplog.set_level("INFO", "ecr_scan_reporter")
    aws = installed.aws
    TIME.reset()
    aws.start_over()
    aws.behavior.faults[:] = [Fault("DescribeImages", "AccessDeniedException", containing=BAD)]
    installed = Installed(aws, DAY)
    add(installed, BAD, "team-a/app")
    for number, (added, deleted) in enumerate(days):
        installed.run_for(DAY)
        add(installed, *(f"team-b/new-{number}-{n}" for n in range(added)))
        newest = aws.registry.repositories[-1].name
        if deleted and newest != BAD:
            aws.registry.remove(newest)
    installed.run_for(timedelta(hours=1))
    assert heartbeat(caplog) == pytest.approx(max(len(days) - 2, 0) * 86400 + 3600 * (len(days) > 1), abs=60)
    aws.behavior.faults.clear()
    installed.run_for(DAY + timedelta(hours=1))
    assert heartbeat(caplog) == 0
