"""The reporter makes the overview, publishes it once, and says what it could not read."""

import json
import re
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from ecr_scan_reporter import images_scanner, reporter
from ecr_scan_reporter.aws.deadline import Deadline
from ecr_scan_reporter.errors import AwsError, InputError
from ecr_scan_reporter.memory.images import Update
from ecr_scan_reporter.memory.rules import parse_rule
from ecr_scan_reporter.memory.summaries import RepositorySummary
from ecr_scan_reporter.reporting import delivery
from ecr_scan_reporter.reporting.overviews.publishing import OverviewRequest, make_overviews
from fake_aws import Fault
from support import schemas
from support.configuration import memory_table
from support.ignored_findings import rule, set_rules
from support.invocations import Context, sqs_records
from support.reporter_harness import CHAT, TOPIC, ReporterHarness, is_mailed
from support.sample_summaries import NOW, WEEK, remember_summaries, sample_summaries
from support.virtual_time import TIME

DAY = timedelta(days=1)


def invoke(**event: Any) -> Any:
    return reporter.handler(event, Context())


def overview(now: datetime, scheduled_at: datetime | None = None) -> dict[str, Any]:
    """Make and publish the overview at a time."""
    request = OverviewRequest(scheduled_at=scheduled_at)
    return make_overviews(request, reporter.dependencies(), Deadline(60), now)


def documents(inbox: ReporterHarness) -> list[dict[str, Any]]:
    found = [json.loads(json.loads(publication.message)["default"]) for publication in inbox.reports()]
    for document in found:
        schemas.OVERVIEW.validate(document)
    return found


def test_second_overview_says_what_changed_since_the_first(inbox: ReporterHarness) -> None:
    remember_summaries(inbox.aws, sample_summaries(10, 2, earlier=True))
    assert overview(NOW - WEEK) == {"published": 1}
    remember_summaries(inbox.aws, sample_summaries(10, 2))
    assert overview(NOW) == {"published": 1}
    first, second = documents(inbox)
    assert (first["since"], first["changes"]) == (None, None)
    assert second["since"] == "2026-11-16T07:00:00Z"
    changes = second["changes"]
    assert (changes["open_before"], changes["open_now"]) == (sum(first["open"].values()), sum(second["open"].values()))
    assert (changes["new"], changes["fixed"], changes["withdrawn"]) == (4, 3, 3)
    assert inbox.reports()[1].attributes["kind"] == ("String", "overview")


@pytest.mark.slow
def test_chat_gets_the_overview_once(make_reporter: Callable[..., ReporterHarness]) -> None:
    inbox = make_reporter(CHAT_TOPIC_ARN=CHAT)
    remember_summaries(inbox.aws, sample_summaries(2_000, 2))
    assert overview(NOW)["published"] > 1
    assert [document["part"] for document in documents(inbox)] == list(range(1, len(inbox.reports()) + 1))
    assert [is_mailed(report) for report in inbox.reports()] == [True] + [False] * (len(inbox.reports()) - 1)
    [chat] = inbox.chats()
    assert chat["content"]["title"].startswith("[ECR] overview: first overview: 509 critical open, ")


def test_each_group_gets_its_overview(make_reporter: Callable[..., ReporterHarness]) -> None:
    inbox = make_reporter(GROUP_BY="^([^/]+)/")
    remember_summaries(inbox.aws, sample_summaries(16, 2))
    assert overview(NOW) == {"published": 8}
    assert [report.attributes["group"][1] for report in inbox.reports()] == [f"team-{letter}" for letter in "abcdefgh"]


def test_invocation_returns_the_overview_and_publishes_nothing(inbox: ReporterHarness) -> None:
    remember_summaries(inbox.aws, sample_summaries(10, 2))
    calls = inbox.aws.calls()
    answer = invoke(overview=True, publish=False)
    assert answer["published"] == 0
    [found] = answer["overviews"]
    assert found["text"].splitlines()[-3] == 'ecr-scan-reporter "platform" in 123456789012.'
    schemas.OVERVIEW.validate(found["document"])
    assert len(found["document"]["repositories"]) == 10
    assert found["subject"].startswith("[ECR] First overview: ")
    assert json.loads(json.dumps(answer)) == answer
    assert inbox.aws.publications() == []
    written = {"UpdateItem", "PutItem", "BatchWriteItem", "TransactWriteItems"}
    assert {name: inbox.aws.calls().get(name) for name in written} == {name: calls.get(name) for name in written}


@pytest.mark.slow
def test_returned_overview_fits_into_an_answer_of_lambda(inbox: ReporterHarness) -> None:
    # As much JSON as of 10,000 repositories whose names are as long as ECR allows.
    long = [one._replace(repository=f"{one.repository}/{'x' * 2_000}") for one in sample_summaries(2_000, 2)]
    remember_summaries(inbox.aws, long)
    answer = invoke(overview=True, publish=False)
    assert len(json.dumps(answer)) < 6_000_000
    document = answer["overviews"][0]["document"]
    assert (document["repositories"], document["repositories_omitted"]) == ([], 2_000)


def test_event_that_comes_twice_is_one_overview(inbox: ReporterHarness) -> None:
    time = f"{TIME.now():%Y-%m-%dT%H:%M:%SZ}"
    assert invoke(overview=True, time=time) == {"published": 1}
    assert invoke(overview=True, time=time)["published"] == 0
    assert len(inbox.reports()) == 1
    assert invoke(overview=True) == {"published": 1}


def test_report_that_sns_rejects_is_published_later(inbox: ReporterHarness) -> None:
    inbox.aws.behavior.faults.append(Fault("Publish", "AuthorizationError", status=403, times=1))
    assert overview(NOW) == {"published": 1}
    assert inbox.reports() == []
    [message] = inbox.aws.messages()
    assert inbox_receives(inbox, message.body) == []
    assert [report.subject for report in inbox.reports()] == ["[ECR] The first run has not ended"]
    assert overview(NOW + WEEK) == {"published": 1}
    assert documents(inbox)[1]["since"] == "2026-11-23T07:00:00Z"


def test_part_that_can_hardly_be_compressed_waits_in_the_queue_with_less(
    make_reporter: Callable[..., ReporterHarness], monkeypatch: pytest.MonkeyPatch
) -> None:
    inbox = make_reporter(CHAT_TOPIC_ARN=CHAT)
    # 300 repositories are on one page. It takes a few hundred bytes more than this, and half of it without them.
    monkeypatch.setattr(delivery, "MAX_BODY", 4_000)
    remember_summaries(inbox.aws, sample_summaries(300, 2))
    inbox.aws.behavior.faults.append(Fault("Publish", "AuthorizationError", status=403))
    assert overview(NOW) == {"published": 1}
    inbox.aws.behavior.faults.clear()
    waiting = [message.body for message in inbox.aws.messages()]
    assert max(map(len, waiting)) <= 4_000
    assert [inbox_receives(inbox, body) for body in waiting] == [[], []]
    [document] = documents(inbox)
    assert (document["repositories"], document["repositories_omitted"]) == ([], 300)
    assert document["open"]["CRITICAL"] > 0
    assert len(inbox.chats()) == 1


def inbox_receives(inbox: ReporterHarness, body: str) -> list[str]:
    """Let the reporter receive a message; return which failed."""
    response = invoke(Records=sqs_records(body))
    return [failure["itemIdentifier"] for failure in response["batchItemFailures"]]


def test_overview_that_is_neither_published_nor_queued_is_repeated(inbox: ReporterHarness) -> None:
    remember_summaries(inbox.aws, sample_summaries(10, 2, earlier=True))
    overview(NOW - WEEK, NOW - WEEK)
    remember_summaries(inbox.aws, sample_summaries(10, 2))
    rejected = [Fault(operation, "AccessDenied", status=403, times=1) for operation in ("Publish", "SendMessageBatch")]
    inbox.aws.behavior.faults += rejected
    with pytest.raises(AwsError):
        overview(NOW, NOW)
    assert overview(NOW + timedelta(minutes=1), NOW) == {"published": 1}
    assert documents(inbox)[1]["changes"]["new"] == 4


def test_overview_that_could_not_be_remembered_is_not_published_again(inbox: ReporterHarness) -> None:
    remember_summaries(inbox.aws, sample_summaries(10, 2, earlier=True))
    overview(NOW - WEEK, NOW - WEEK)
    remember_summaries(inbox.aws, sample_summaries(10, 2))
    inbox.aws.behavior.faults.append(Fault("BatchWriteItem", "AccessDeniedException", times=1))
    with pytest.raises(AwsError):
        overview(NOW, NOW)
    assert overview(NOW + timedelta(minutes=1), NOW) == {"published": 0}
    overview(NOW + WEEK, NOW + WEEK)
    _, published, later = documents(inbox)
    assert published["changes"]["new"] > later["changes"]["new"] == 0


def test_dlqs_and_unconfirmed_addresses_are_named(make_reporter: Callable[..., ReporterHarness]) -> None:
    inbox = make_reporter()
    urls = [inbox.aws.queue_url(name) for name in ("images-dlq", "reports-dlq")]
    inbox = make_reporter(DLQ_URLS=json.dumps(urls))
    inbox.aws.client("sqs").send_message(QueueUrl=urls[0], MessageBody="a")
    sns = inbox.aws.client("sns")
    sns.subscribe(TopicArn=TOPIC, Protocol="email", Endpoint="security@example.com")
    sns.subscribe(TopicArn=TOPIC, Protocol="sqs", Endpoint="arn:aws:sqs:eu-west-1:123456789012:reports")
    overview(NOW)
    [document] = documents(inbox)
    assert document["notices"]["dlqs"] == {"images-dlq": 1}
    assert document["notices"]["unconfirmed_addresses"] == ["security@example.com"]
    assert document["notices"]["unreadable"] == []


def test_overview_says_when_nobody_receives_the_alarms(make_reporter: Callable[..., ReporterHarness]) -> None:
    topic = TOPIC.replace("reports", "alarms")
    sns = make_reporter(ALARMS_TOPIC_ARN=topic).aws.client("sns")
    told = "  Nobody receives the alarms: see the inputs alarm_email and alarm_actions.\n"
    sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="operations@example.com")
    [made] = invoke(overview=True, publish=False)["overviews"]
    assert told in made["text"]
    assert "1 notice" in made["subject"]
    assert made["document"]["notices"]["alarms_reach_nobody"]
    sns.confirm_subscription(TopicArn=topic, Token="operations@example.com")
    [made] = invoke(overview=True, publish=False)["overviews"]
    assert told not in made["text"]
    # The alarms notify something else, too.
    make_reporter()
    [made] = invoke(overview=True, publish=False)["overviews"]
    assert not made["document"]["notices"]["alarms_reach_nobody"]


def test_unreadable_sources_are_listed_and_do_not_stop_the_overview(
    make_reporter: Callable[..., ReporterHarness],
) -> None:
    inbox = make_reporter()
    inbox = make_reporter(DLQ_URLS=json.dumps([inbox.aws.queue_url("images-dlq")]))
    inbox.aws.behavior.faults += [
        Fault(operation, "AccessDenied", status=403) for operation in ("GetQueueAttributes", "ListSubscriptionsByTopic")
    ]
    assert overview(NOW) == {"published": 1}
    assert documents(inbox)[0]["notices"]["unreadable"] == [
        "Could not count the messages in images-dlq.",
        "Could not list the subscriptions of the reports topic.",
    ]


def test_rules_that_cannot_be_read_at_a_cold_start_are_no_rules_that_ended(inbox: ReporterHarness) -> None:
    set_rules([rule(id="CVE-2025-1111", expires=f"{NOW - DAY:%Y-%m-%d}")])
    inbox.aws.behavior.faults.append(Fault("Query", "AccessDeniedException", containing="IGNORED"))
    overview(NOW)
    inbox.aws.behavior.faults.clear()
    overview(NOW + WEEK)
    assert [(document["notices"]["rules"], document["notices"]["unreadable"]) for document in documents(inbox)] == [
        ([], ["Could not read ignored_findings."]),
        ([f"The rule for CVE-2025-1111 ended on {NOW.day - 1} Nov 2026."], []),
    ]


def test_rules_are_named(inbox: ReporterHarness) -> None:
    set_rules([rule(id="CVE-2025-1111", expires=f"{NOW + timedelta(days=9):%Y-%m-%d}")])
    overview(NOW)
    assert documents(inbox)[0]["notices"]["rules"] == ["The rule for CVE-2025-1111 ends in 9 days."]


def test_group_reads_only_what_concerns_its_repositories(make_reporter: Callable[..., ReporterHarness]) -> None:
    inbox = make_reporter()
    inbox = make_reporter(GROUP_BY="^([^/]+)/", DLQ_URLS=json.dumps([url := inbox.aws.queue_url("images-dlq")]))
    inbox.aws.client("sqs").send_message(QueueUrl=url, MessageBody="a")
    inbox.aws.client("sns").subscribe(TopicArn=TOPIC, Protocol="email", Endpoint="lead@team-b.example.com")
    memory = memory_table(inbox.aws)
    remember_summaries(inbox.aws, [RepositorySummary(f"team-{name}/app", NOW) for name in "abc"])
    # The one of team-c cannot be read.
    registry_items = memory.query("SUMMARIES#123456789012#eu-west-1", " ", "~")
    [damaged] = [item for item in registry_items if item["repository"] == "team-c/app"]
    memory.put({**damaged, "data": b"damaged"})
    until = f"{NOW + timedelta(days=9):%Y-%m-%d}"
    expressions = {"CVE-2025-1": "team-a/", "CVE-2025-2": "team-b/", "CVE-2025-3": "team-[ab]/", "CVE-2025-4": "old/"}
    rules = [rule(id=name, repositories=expression, expires=until) for name, expression in expressions.items()]
    set_rules([*rules, rule(id="CVE-2025-5", expires=until)])
    assert overview(NOW) == {"published": 4}
    assert str(inbox.reports()[-1].subject).endswith("no repository without a group")
    notices = {document["group"]: document["notices"] for document in documents(inbox)}
    named = {group: [text.split()[3] for text in found["rules"]] for group, found in notices.items()}
    assert named == {
        "team-a": ["CVE-2025-1", "CVE-2025-3"],
        "team-b": ["CVE-2025-2", "CVE-2025-3"],
        "team-c": [],
        # It is there although all repositories have a group.
        None: ["CVE-2025-4", "CVE-2025-5"],
    }
    unreadable = {group: found["unreadable"] for group, found in notices.items() if found["unreadable"]}
    assert unreadable == {"team-c": ["Could not read what is known about team-c/app."]}
    registry_wide = {group: (found["dlqs"], found["unconfirmed_addresses"]) for group, found in notices.items()}
    assert registry_wide.pop(None) == ({"images-dlq": 1}, ["lead@team-b.example.com"])
    assert list(registry_wide.values()) == [({}, [])] * 3


def test_name_that_takes_too_long_is_named(make_reporter: Callable[..., ReporterHarness]) -> None:
    inbox, name = make_reporter(GROUP_BY="(?:.*a.*a.*a.*a.*a.*a.*a=)?([^/]+)/"), "team-a/" + "a" * 240
    remember_summaries(inbox.aws, [RepositorySummary(each, NOW) for each in (name, "team-b/app")])
    assert overview(NOW) == {"published": 2}
    assert {document["group"]: document["notices"]["unreadable"] for document in documents(inbox)} == {
        "team-b": [],
        None: [f"A regular expression takes too long for {name[:97]}...: it is scanned and reported, without a group."],
    }


@pytest.mark.parametrize(
    ("event", "complaint"),
    [
        ({"overview": "yes"}, "overview is 'yes'; expected true"),
        ({"overview": False}, "overview is False; expected true"),
        ({"overview": True, "publish": 0}, "publish is 0; expected true or false"),
        ({"overview": True, "dryRun": True}, "the input of an overview is 'dryRun'; expected only"),
        ({"overview": True, "Records": []}, "the input of an overview is 'Records'; expected only"),
        ({"overview": True, "time": 5}, "time is 5; expected the time of the schedule's event"),
        ({"overview": True, "time": "monday"}, "time is 'monday'; expected the time of the schedule's event"),
        ({"overview": True, "time": "2999-01-01T00:00:00Z"}, "time is '2999-01-01T00:00:00Z'; expected the time"),
        ({"dryRun": True}, "the input is 'dryRun'; expected a batch of the reports queue"),
        ({}, "the input is ''; expected a batch of the reports queue"),
        ({"Records": [], "dryRun": True}, "the input has 'dryRun' beside Records; expected a batch of the reports"),
        ({"Records": {}}, "Records is {}; expected a list of messages of SQS"),
        (
            {"Records": [{"body": "{}"}]},
            "Records is .*; expected a list of messages of SQS with a messageId and a body",
        ),
    ],
)
def test_invalid_input_is_named(inbox: ReporterHarness, event: dict[str, Any], complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        invoke(**event)
    assert inbox.aws.publications() == []


@pytest.mark.parametrize("event", [None, ["overview"], "overview", 5])
def test_input_that_is_no_object_is_named(inbox: ReporterHarness, event: Any) -> None:
    for handler in (reporter.handler, images_scanner.handler):
        with pytest.raises(InputError, match=f"the input is {re.escape(repr(event))}; expected a batch of the"):
            handler(event, Context())
    assert inbox.aws.calls() == {}


@pytest.mark.parametrize(("fixed", "named"), [((), True), (("3.0.15",), False)])
def test_rule_that_never_matched_is_not_named_soon_with_enhanced_scanning(
    inbox: ReporterHarness, fixed: tuple[str, ...], named: bool
) -> None:
    never = rule(id="CVE-2025-1111", until_fixed=True)
    set_rules([never])
    added_at = int((NOW - 20 * DAY).timestamp())
    memory_table(inbox.aws).put({"pk": "RULES", "sk": parse_rule(never).key, "added_at": added_at})
    [summary] = sample_summaries(1, 1)
    # Only enhanced scanning knows fixed versions.
    updates = [Update("openssl", ("3.0.1",), fixed, Counter(HIGH=1))]
    remember_summaries(inbox.aws, [summary._replace(updates=updates)])
    overview(NOW)
    expected = ["The rule for CVE-2025-1111 has never matched; it may be misspelled."] if named else []
    assert documents(inbox)[0]["notices"]["rules"] == expected
