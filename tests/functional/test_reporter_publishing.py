"""The reporter: when what waits in memory is published, and what it costs to find out."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from ecr_scan_reporter import reporter
from ecr_scan_reporter.aws.deadline import Deadline
from ecr_scan_reporter.aws.dynamodb import Table
from ecr_scan_reporter.aws.sns import REPORTS, Publication, Rejection
from ecr_scan_reporter.memory import items
from ecr_scan_reporter.memory.outbox import INVENTORY, PUSH, Outbox, outbox_item
from ecr_scan_reporter.memory.runs import RepositoryState, RunMemory
from ecr_scan_reporter.memory.scans import ScanMemory
from ecr_scan_reporter.messages.rejected_publication import encode_rejection
from ecr_scan_reporter.reporter import report_batch
from fake_aws import MEMORY_TABLE, FakeScan, Fault, digest_of, finding
from support.configuration import TOPIC
from support.invocations import REGISTRY
from support.killer import Killer
from support.reporter_harness import ReporterHarness, document, found
from support.virtual_time import TIME

NOW = TIME.now().replace(microsecond=0)
RUN = "run-1"


def ask_for(table: Table, repository: str, *names: str) -> None:
    """Remember that a run asked for scans in a repository, and that it is done there."""
    digests = [digest_of(name) for name in names]
    ScanMemory(table, REGISTRY).remember(repository, dict.fromkeys(digests), digests, RUN, NOW)
    RunMemory(table, REGISTRY).remember_state(RepositoryState(repository, NOW, len(names), len(names), RUN), NOW)


def report(inbox: ReporterHarness, repository: str, name: str) -> None:
    """Report a scan of an image that was just pushed, with a finding that no other image has."""
    scan = FakeScan("COMPLETE", NOW, findings=[finding(f"CVE-2026-{name}", "HIGH", name)])
    event = inbox.image(repository, name, name=name, scan=scan, pushed_at=NOW - timedelta(hours=1))
    assert inbox.report(event | {"time": f"{NOW:%Y-%m-%dT%H:%M:%SZ}"}) == []


def test_repositories_are_not_read_again_before_as_many_results_came_as_the_run_asked_for(
    inbox: ReporterHarness,
) -> None:
    table = Table(inbox.aws.client("dynamodb"), MEMORY_TABLE)
    RunMemory(table, REGISTRY).begin(RUN, 1, NOW)
    ask_for(table, "app", "first", "second", "third")
    queries = []
    for name in ("first", "second", "third"):
        inbox.aws.reset()
        report(inbox, "app", name)
        queries.append(inbox.aws.calls()["Query"])
    # The first batch and the last one read what the run did in each repository; the first one also reads the rules for
    # ignored findings, and the last one what waits to be reported.
    assert queries == [queries[1] + 2, queries[1], queries[1] + 2], queries
    [published] = inbox.reports()
    assert json.loads(json.loads(published.message)["default"])["totals"]["new"] == 3


def test_run_that_asks_for_more_than_was_expected_is_not_complete(inbox: ReporterHarness) -> None:
    table = Table(inbox.aws.client("dynamodb"), MEMORY_TABLE)
    RunMemory(table, REGISTRY).begin(RUN, 2, NOW)
    ask_for(table, "app", "first", "second")
    report(inbox, "app", "first")
    ask_for(table, "other", "third", "fourth")
    for repository, name in (("app", "second"), ("other", "third")):
        report(inbox, repository, name)
        assert inbox.reports() == []
    report(inbox, "other", "fourth")
    assert len(inbox.reports()) == 1


def test_run_that_a_later_one_overtook_is_reported_after_a_minute(inbox: ReporterHarness) -> None:
    table = Table(inbox.aws.client("dynamodb"), MEMORY_TABLE)
    RunMemory(table, REGISTRY).begin(RUN, 1, NOW)
    ask_for(table, "app", "first")
    RunMemory(table, REGISTRY).remember_state(RepositoryState("app", NOW, 1, 0, "run-2"), NOW)
    report(inbox, "app", "first")
    assert inbox.reports() == []
    inbox.check(TIME.now() + timedelta(seconds=61))
    assert len(inbox.reports()) == 1


def test_check_does_not_arrive_before_it_was_planned(inbox: ReporterHarness) -> None:
    outbox = Outbox(Table(inbox.aws.client("dynamodb"), MEMORY_TABLE))
    outbox.touch(INVENTORY, "", NOW)
    almost = NOW + timedelta(minutes=9, seconds=50, milliseconds=950)
    inbox.check(almost)
    [check] = inbox.aws.messages()
    assert almost + timedelta(seconds=check.delay) >= NOW + timedelta(minutes=10)


def test_time_of_an_inventory_survives_a_later_publication(inbox: ReporterHarness) -> None:
    outbox = Outbox(Table(inbox.aws.client("dynamodb"), MEMORY_TABLE))
    lease = outbox.lease(NOW, NOW + timedelta(minutes=1))
    assert lease
    outbox.begin_inventory(NOW)
    outbox.release(lease)
    assert outbox.windows(NOW)[1].inventory_at == NOW


def test_report_of_a_newer_release_waits_and_others_go_out(
    inbox: ReporterHarness, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = Table(inbox.aws.client("dynamodb"), MEMORY_TABLE)
    monkeypatch.setattr(items, "FORMAT", 2)
    for window in (PUSH, INVENTORY):
        entry = outbox_item(window, REGISTRY.image("later", digest_of("later")), NOW, b"of a later release", NOW)
        table.put_many([entry])
        Outbox(table).touch(window, "", NOW)
    monkeypatch.setattr(items, "FORMAT", 1)
    report(inbox, "app", "first")
    inbox.check(NOW + timedelta(hours=2))
    [published] = inbox.reports()
    assert "app" in str(published.subject)
    assert "a report of another release waits for it" in caplog.text
    assert [len(list(Outbox(table).entries(window))) for window in (PUSH, INVENTORY)] == [1, 1]


def test_inventory_is_noted_although_the_report_of_another_group_waits(
    make_reporter: Callable[..., ReporterHarness],
) -> None:
    inbox = make_reporter(GROUP_BY="^([^/]+)/")
    outbox = Outbox(Table(inbox.aws.client("dynamodb"), MEMORY_TABLE))
    old = NOW - timedelta(days=30)
    inventory = inbox.image("team-a/app", "1", scan=found("HIGH"), pushed_at=old)
    inbox.aws.behavior.faults = [Fault("Publish", "InternalError", status=500, containing="team-b")]
    assert inbox.report(inventory, inbox.image("team-b/app", "1", scan=found("CRITICAL"))) == []
    later = NOW + timedelta(hours=2)
    inbox.check(later)
    assert [document(report)["group"] for report in inbox.reports()] == ["team-a"]
    state = outbox.windows(later).state
    assert (state.inventory_at, state.unfinished) == (later, False)


def subscribe(inbox: ReporterHarness, *addresses: str) -> None:
    """Subscribe addresses to the reports topic, which have not confirmed, and a queue."""
    sns = inbox.aws.client("sns")
    sns.subscribe(TopicArn=TOPIC, Protocol="sqs", Endpoint="arn:aws:sqs:eu-west-1:123456789012:reports")
    for address in addresses:
        sns.subscribe(TopicArn=TOPIC, Protocol="email", Endpoint=address)


def confirm(inbox: ReporterHarness, address: str) -> None:
    inbox.aws.client("sns").confirm_subscription(TopicArn=TOPIC, Token=address)


def test_first_inventory_waits_until_somebody_has_confirmed_an_address(inbox: ReporterHarness) -> None:
    subscribe(inbox, "team@example.com", "other@example.com")
    inventory(inbox, "app", "1")
    assert inbox.reports() == []
    # News does not wait, and the next check comes within a minute.
    report(inbox, "other", "first")
    inbox.check(TIME.now())
    [news] = inbox.reports()
    assert document(news)["inventory"] is None
    assert 60 in {message.delay for message in inbox.aws.messages()}
    TIME.sleep(4 * 3600)
    confirm(inbox, "team@example.com")
    inbox.check(TIME.now())
    [_, first] = inbox.reports()
    assert document(first)["inventory"]["images"] == 1


def test_inventory_waits_for_no_address_longer_than_its_link_is_valid(inbox: ReporterHarness) -> None:
    subscribe(inbox, "team@example.com")
    inventory(inbox, "app", "1")
    TIME.sleep(2 * 86_400)
    inbox.check(TIME.now())
    assert len(inbox.reports()) == 1
    # A later one waits for nobody.
    inventory(inbox, "app", "2")
    TIME.sleep(86_400)
    inbox.check(TIME.now())
    assert len(inbox.reports()) == 2


@pytest.mark.slow
@pytest.mark.parametrize("addresses", [(), ("team@example.com",)])
def test_inventory_waits_for_no_address_if_there_is_none_or_sns_does_not_say(
    inbox: ReporterHarness, addresses: tuple[str, ...], caplog: pytest.LogCaptureFixture
) -> None:
    subscribe(inbox, *addresses)
    if addresses:
        inbox.aws.behavior.faults = [Fault("ListSubscriptionsByTopic", "AuthorizationError", status=403)]
    inventory(inbox, "app", "1")
    assert len(inbox.reports()) == 1
    assert ("the inventory waits for no address" in caplog.text) == bool(addresses)


def groups_told(inbox: ReporterHarness) -> list[str]:
    """Return the group of each report, which has an inventory of so many images."""
    documents = map(document, inbox.reports())
    return [f"{told['group']}: {told['inventory']['images']}" for told in documents if told["inventory"]]


def inventory(inbox: ReporterHarness, repository: str, *tags: str) -> None:
    """Report scans of images that were there before, and let what is due afterwards be published."""
    old = TIME.now() - timedelta(days=30)
    events = [inbox.image(repository, tag, scan=found("HIGH"), pushed_at=old, at=TIME.now()) for tag in tags]
    assert inbox.report(*events) == []
    TIME.sleep(700)
    inbox.check(TIME.now())


def test_inventory_with_nothing_more_to_say_is_not_asked_about_again(inbox: ReporterHarness) -> None:
    inventory(inbox, "team-a/app", "1.0", "1.1")
    [report] = inbox.reports()
    assert document(report)["inventory"]["images"] == 2
    # What was asked for before the inventory was published is all.
    sent = len(inbox.aws.messages())
    inbox.check(TIME.now() + timedelta(minutes=15))
    assert len(inbox.aws.messages()) == sent == 1


@pytest.mark.slow
def test_group_gets_one_inventory_a_day_although_that_of_another_waits(
    make_reporter: Callable[..., ReporterHarness],
) -> None:
    inbox = make_reporter(GROUP_BY="^([^/]+)/")
    inbox.aws.behavior.faults = [Fault("Publish", "InternalError", status=500, containing="team-b")]
    inventory(inbox, "team-b/app", "1")
    assert groups_told(inbox) == []
    # What comes now is part of the inventory of the next day.
    TIME.sleep(60)
    for number in range(9):
        inventory(inbox, "team-a/app", f"{number}")
        assert groups_told(inbox) == (["team-a: 6"] if number >= 5 else [])
        TIME.sleep(5 * 3600)
    inbox.aws.behavior.faults.clear()
    inbox.check(TIME.now())
    assert groups_told(inbox) == ["team-a: 6", "team-b: 1"]
    TIME.sleep(86_400)
    inbox.check(TIME.now())
    assert groups_told(inbox) == ["team-a: 6", "team-b: 1", "team-a: 3"]


@pytest.mark.parametrize("number", range(10))
def test_group_gets_one_inventory_a_day_although_the_function_was_killed(
    make_reporter: Callable[..., ReporterHarness], killer: Killer, number: int
) -> None:
    inbox = make_reporter(GROUP_BY="^([^/]+)/")
    old = TIME.now() - timedelta(days=30)
    events = [inbox.image(f"team-{name}/app", "1", scan=found("HIGH"), pushed_at=old, at=TIME.now()) for name in "ab"]
    assert inbox.report(*events) == []
    TIME.sleep(700)
    with killer.at(number, after=True):
        inbox.check(TIME.now())
    if killer.writes[-1] == "Publish":
        pytest.skip("what dies between SNS's acceptance and the note of it may repeat that message")
    # The lease ends, and others come.
    TIME.sleep(700)
    for tag in ("2", "3"):
        inventory(inbox, "team-a/app", tag)
    assert sum(told.startswith("team-a") for told in groups_told(inbox)) == 1
    TIME.sleep(86_400)
    inbox.check(TIME.now())
    assert sum(int(told[-1]) for told in groups_told(inbox)) == 4


def test_rejected_publication_is_not_tried_without_time_left(inbox: ReporterHarness) -> None:
    body = encode_rejection(Rejection(Publication(REPORTS, {"Message": "{}"}), "later"))
    record: Any = {"messageId": "1", "body": body}
    deadline = Deadline(0)
    assert report_batch([record], reporter.dependencies(), deadline, NOW) == {
        "batchItemFailures": [{"itemIdentifier": "1"}]
    }
    assert inbox.aws.calls().get("Publish", 0) == 0
