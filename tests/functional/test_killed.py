"""Nothing is lost: functions are killed before and after each of their writes, and answers of AWS are lost.

`tests/unit/reporting/test_nothing_lost.py` does it with reports in memory, `images_scanner` with scans.
"""

import itertools
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

import pytest
from ecr_scan_reporter import reporter, repositories_scanner
from ecr_scan_reporter.aws.deadline import Deadline
from ecr_scan_reporter.errors import AwsError
from ecr_scan_reporter.memory.runs import RepositoryState, RunMemory
from ecr_scan_reporter.memory.summaries import RepositorySummary, summaries, summary_item
from ecr_scan_reporter.messages.repository import RepositoryMessage
from ecr_scan_reporter.reporting.overviews.publishing import OverviewRequest, make_overviews
from ecr_scan_reporter.repositories_scanner import queue_repositories
from fake_aws import FakeAws, Fault
from support.configuration import memory_table
from support.fixtures import embedded_metrics
from support.invocations import REGISTRY
from support.killer import Killer
from support.reporter_harness import CHAT, ReporterHarness, document, found
from support.sample_summaries import NOW, WEEK, remember_summaries, sample_summaries
from support.schedules import due_at_once
from support.virtual_time import TIME

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


REPOSITORIES = [f"team-a/app-{number:02}" for number in range(25)]


def run(now: datetime) -> None:
    """Let the repositories scanner run."""
    queue_repositories({}, due_at_once(repositories_scanner.dependencies()), now)


def queued(aws: FakeAws) -> list[RepositoryMessage]:
    return [RepositoryMessage.from_json(message.body) for message in aws.messages()]


def visit(aws: FakeAws, names: list[str], now: datetime) -> None:
    """Do what the images scanner does at the end of a repository, in the last run."""
    table, last = memory_table(aws), queued(aws)[-1].run
    for name in names:
        RunMemory(table, REGISTRY).remember_state(RepositoryState(name, now, 1, 0, last), now)
        table.put(summary_item(REGISTRY, RepositorySummary(name, now), now))


@pytest.mark.slow
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_repositories_scanner_killed_at_any_write_queues_every_repository(
    aws: FakeAws, configure: Callable[..., None], killer: Killer, caplog: pytest.LogCaptureFixture, after: bool
) -> None:
    caplog.set_level("INFO")
    # With one thread, its writes have an order.
    configure(THREADS="1", REPOSITORIES_FILTER_REGEXP="team-a")
    for name in REPOSITORIES:
        aws.registry.add(name)
    for number in itertools.count():
        aws.create_memory_table()
        aws.reset()
        now = TIME.now().replace(microsecond=0)
        run(now)
        visit(aws, [*REPOSITORIES, "team-a/deleted"], now + HOUR)
        aws.reset()
        with killer.at(number, after=after):
            run(now + 24 * HOUR)
        written = list(killer.writes)
        if len(written) <= number:
            break
        before = len(queued(aws))
        # Lambda repeats it.
        repeated = now + 24 * HOUR + MINUTE
        run(repeated)
        where = f"killed at write {number} of {written}"
        messages = queued(aws)
        assert sorted(message.repository for message in messages[before:]) == REPOSITORIES, where
        assert max(Counter(message.repository for message in messages).values()) <= 2, where
        table = memory_table(aws)
        assert [state.repository for state in RunMemory(table, REGISTRY).states()] == REPOSITORIES, where
        assert [summary.repository for summary in summaries(table, REGISTRY, TIME.now())] == REPOSITORIES, where
        # The reporter knows how many repositories the run has.
        assert RunMemory(table, REGISTRY).run(messages[-1].run).repositories == len(REPOSITORIES), where
        assert since_last_pass(caplog) == 23 * 3600 + 60, where
        visit(aws, REPOSITORIES, repeated + HOUR)
        run(repeated + 24 * HOUR)
        assert since_last_pass(caplog) == 23 * 3600, where
    # The run, the open pass, the deleted repository, and three batches of messages.
    assert written == ["PutItem", "PutItem", "BatchWriteItem", *3 * ["SendMessageBatch"]]


def since_last_pass(caplog: pytest.LogCaptureFixture) -> float:
    return embedded_metrics(caplog, "repositories queued")["RunOverdue"]


# When Lambda repeats an asynchronous invocation that fails.
# https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
REPEATED_AFTER = (MINUTE, 3 * MINUTE)
TIMEOUT = 270


def make_overview(now: datetime) -> None:
    """Make the overview of the schedule's event of NOW."""
    make_overviews(OverviewRequest(scheduled_at=NOW), reporter.dependencies(), Deadline(TIMEOUT), now)


def documents(inbox: ReporterHarness) -> list[dict[str, Any]]:
    return [document(publication) for publication in inbox.reports()]


@pytest.mark.slow
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_overview_killed_at_any_write_is_published(
    make_reporter: Callable[..., ReporterHarness], killer: Killer, after: bool
) -> None:
    inbox = make_reporter(GROUP_BY="^(team-[ae])", CHAT_TOPIC_ARN=CHAT)
    groups = ["team-a", "team-e", None]
    for number in itertools.count():
        inbox.aws.create_memory_table()
        remember_summaries(inbox.aws, sample_summaries(16, 2, earlier=True))
        make_overviews(OverviewRequest(), reporter.dependencies(), Deadline(TIMEOUT), NOW - WEEK)
        remember_summaries(inbox.aws, sample_summaries(16, 2))
        inbox.aws.reset()
        with killer.at(number, after=after):
            make_overview(NOW)
        written, published = list(killer.writes), Counter(document["group"] for document in documents(inbox))
        if len(written) <= number:
            break
        where = f"killed at write {number} of {written}"
        for later in REPEATED_AFTER:
            with suppress(AwsError):
                make_overview(NOW + later)
                break
        else:
            # Lambda put the event into the DLQ, whose alarm rings, and someone asks for the overview again.
            make_overview(NOW + 10 * MINUTE)
        counts = Counter(document["group"] for document in documents(inbox))
        # Twice only the message that had gone out without a note of it.
        assert all(1 <= counts[group] <= 1 + published[group] for group in groups), where
        assert sum(counts.values()) <= len(groups) + 1, where
        assert len({(document["group"], document["id"]) for document in documents(inbox)}) == len(groups), where
        last = {document["group"]: document for document in documents(inbox)}
        changes = [document["changes"] for document in last.values()]
        assert sum(change["new"] for change in changes) == 6, where
        # The next one goes on where this one ended.
        make_overviews(OverviewRequest(), reporter.dependencies(), Deadline(TIMEOUT), NOW + WEEK)
        assert [document["changes"]["new"] for document in documents(inbox)[-3:]] == [0, 0, 0], where
    # The lease, three groups to two topics, each with a note, the snapshot, the overview, and the snapshot before.
    messages = 6 * ["Publish", "UpdateItem"]
    assert written == ["UpdateItem", *messages, "BatchWriteItem", "UpdateItem", "BatchWriteItem"]


def test_event_that_comes_twice_at_once_fails_until_the_overview_is_published(
    make_reporter: Callable[..., ReporterHarness], killer: Killer
) -> None:
    inbox = make_reporter()
    with killer.at(0, after=True):
        make_overview(NOW)
    with pytest.raises(AwsError, match="has begun this overview, and has not published it"):
        make_overview(NOW + MINUTE)
    # Who asks for an overview is told so.
    asked = make_overviews(OverviewRequest(), reporter.dependencies(), Deadline(TIMEOUT), NOW + MINUTE)
    assert asked["published"] == 0
    make_overview(NOW + 10 * MINUTE)
    make_overview(NOW + 11 * MINUTE)
    assert len(inbox.reports()) == 1


def test_scan_is_reported_once_if_the_answer_to_its_transaction_is_lost(
    inbox: ReporterHarness, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    event = inbox.image("app", "1.0", scan=found("HIGH"))
    fault = Fault("TransactWriteItems", "InternalServerError", status=500, times=1, lost=True)
    inbox.aws.behavior.faults.append(fault)
    assert inbox.report(event) == []
    # The client repeats the transaction, whose condition does not hold any more.
    assert inbox.aws.calls()["TransactWriteItems"] == 2
    assert [document["totals"]["new"] for document in documents(inbox)] == [1]
    [record] = [record for record in caplog.records if record.message == "batch processed"]
    assert (record.__dict__["changed"], record.__dict__["ReportsPublished"]) == (1, 1)
    assert inbox.report(event) == []
    assert len(inbox.reports()) == 1
