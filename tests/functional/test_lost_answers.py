"""Each call takes effect once, although its answer is lost: the client repeats one that has taken effect, or fails."""

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import hypothesis
import pytest
from ecr_scan_reporter import reporter
from ecr_scan_reporter.aws.dynamodb import Table
from ecr_scan_reporter.memory.outbox import PUSH, Outbox
from ecr_scan_reporter.memory.runs import RepositoryState, RunMemory
from ecr_scan_reporter.memory.scans import ScanMemory
from fake_aws import FakeAws, Fault, digest_of
from hypothesis import given
from hypothesis import strategies as st
from support.configuration import memory_table
from support.invocations import REGISTRY
from support.random_tests import examples
from support.reporter_harness import CHAT, TOPIC, ReporterHarness, document, found
from support.virtual_time import TIME

WRITES = ("PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem", "TransactWriteItems", "SendMessageBatch")
TEAMS = ("a", "b")


def lost(operation: str, passed: int = 0, times: int = 1) -> Fault:
    return Fault(operation, "InternalError", status=500, times=times, lost=True, passed=passed)


def begin(inbox: ReporterHarness) -> str:
    """Begin a history anew: a run has asked for a scan in each repository. Return its id."""
    inbox.aws.start_over()
    table, now = memory_table(inbox.aws), TIME.now()
    run = f"{now:%Y-%m-%dT%H:%M:%S}"
    RunMemory(table, REGISTRY).begin(run, len(TEAMS), now)
    for team in TEAMS:
        name = f"team-{team}/app"
        ScanMemory(table, REGISTRY).remember(name, {digest_of(name): None}, [digest_of(name)], run, now)
        RunMemory(table, REGISTRY).remember_state(RepositoryState(name, now, 1, 1, run), now)
    return run


def scans(inbox: ReporterHarness, *severities: str) -> list[dict[str, Any]]:
    names = [f"team-{team}/app" for team in TEAMS]
    return [inbox.image(name, "1", name=name, scan=found(*severities), at=TIME.now()) for name in names]


def deliver(inbox: ReporterHarness, *bodies: Any) -> None:
    """Deliver messages until they are done, and then those that the reporter sends itself, each as often as it is."""
    read = len(inbox.aws.messages())
    waiting = [(body, 1) for body in bodies]
    for _ in range(40):
        left = []
        for body, receives in waiting:
            if inbox.report(body, receives=receives, seconds=250):
                assert receives < 5, "the message ends in the DLQ"
                left.append((body, receives + 1))
        sent = inbox.aws.messages()[read:]
        read += len(sent)
        waiting = [*left, *((message.body, 1) for message in sent)]
        if not waiting:
            return
        TIME.sleep(max([message.delay for message in sent] + [60]))
    raise AssertionError("messages remain in the queue")


def play(inbox: ReporterHarness, *faults: Fault) -> None:
    """Two repositories are scanned for a run, and a day later again, while SNS rejects a chat message at first."""
    run = begin(inbox)
    inbox.aws.behavior.faults += [*faults, Fault("Publish", "Throttled", status=403, containing=CHAT, times=3)]
    deliver(inbox, *scans(inbox, "HIGH"))
    assert RunMemory(memory_table(inbox.aws), REGISTRY).run(run).results == len(TEAMS)
    TIME.sleep(86_400)
    deliver(inbox, *scans(inbox, "HIGH", "CRITICAL"))
    inbox.aws.behavior.faults.clear()
    # An outage may have ended after what was planned.
    TIME.sleep(3600)
    inbox.check(TIME.now())
    check(inbox, run)


def check(inbox: ReporterHarness, run: str) -> None:
    """Check that each finding is told once, and that nothing is left."""
    told = Counter(
        (image["repository"], known["id"])
        for id_, values in {values["id"]: values for values in map(document, inbox.reports())}.items()
        for image in values["images"]
        for known in image["changes"]["new"]
        if id_
    )
    ids = [f"CVE-2026-{number:04}" for number in (1, 2)]
    assert told == {(f"team-{team}/app", id_): 1 for team in TEAMS for id_ in ids}
    table = reporter.dependencies().table
    assert list(Outbox(table).entries(PUSH)) == list(Outbox(table).entries(f"RUN#{run}")) == []
    assert Outbox(table).windows(TIME.now()).notes == []


def repeated(aws: FakeAws) -> int:
    """Return how many messages a topic has accepted more than once."""
    messages = Counter((publication.topic, publication.message) for publication in aws.publications())
    assert {topic for topic, _ in messages} == {TOPIC, CHAT}
    return sum(number - 1 for number in messages.values())


@pytest.fixture
def teams(make_reporter: Callable[..., ReporterHarness]) -> ReporterHarness:
    return make_reporter(GROUP_BY="^([^/]+)/", CHAT_TOPIC_ARN=CHAT)


@pytest.mark.parametrize("times", [1, 4])
def test_answers_to_the_first_writes_are_lost(teams: ReporterHarness, times: int) -> None:
    play(teams, *(lost(operation, times=times) for operation in WRITES))
    assert repeated(teams.aws) == 0


@pytest.mark.slow
def test_message_whose_answer_is_lost_has_the_same_id_twice(teams: ReporterHarness) -> None:
    play(teams, lost("Publish"))
    assert repeated(teams.aws) == 1


def test_lease_whose_answer_is_lost_delays_nothing(inbox: ReporterHarness) -> None:
    begin(inbox)
    inbox.aws.behavior.faults += [lost("UpdateItem", passed=number) for number in range(4)]
    inbox.report(inbox.image("app", "1", scan=found("HIGH")))
    assert len(inbox.reports()) == 1


def test_lease_that_was_returned_twice_is_not_that_of_another(inbox: ReporterHarness) -> None:
    """The answer to the return of a lease is lost, and another invocation takes it before the client asks again."""
    outbox, now = Outbox(Table(inbox.aws.client("dynamodb"), "memory")), TIME.now()
    until = now + timedelta(minutes=5)
    first = outbox.lease(now, until)
    outbox.release(first)
    second = outbox.lease(now, until)
    outbox.release(first)
    assert outbox.lease(now, until) == ""
    outbox.release(second)
    assert outbox.lease(now, until)


def test_copies_of_a_message_that_waits_are_published_once(teams: ReporterHarness) -> None:
    begin(teams)
    teams.aws.behavior.faults.append(Fault("Publish", "Throttled", status=403, containing=CHAT, times=2))
    teams.report(*scans(teams, "HIGH"))
    bodies = [message.body for message in teams.aws.messages() if "publish" in message.body]
    assert len(bodies) == len(TEAMS)
    assert teams.report(*bodies, *bodies) == []
    assert teams.report(*bodies, receives=2) == []
    assert len(teams.chats()) == len(TEAMS)


@pytest.mark.slow
@hypothesis.settings(max_examples=examples(200))
@given(st.lists(st.tuples(st.sampled_from(WRITES), st.integers(0, 12), st.integers(1, 7)), min_size=1, max_size=4))
def test_random_answers_are_lost(teams: ReporterHarness, faults: list[tuple[str, int, int]]) -> None:
    play(teams, *(lost(*fault) for fault in faults))
    assert repeated(teams.aws) == 0
