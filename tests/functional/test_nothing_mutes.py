"""What cannot be published, rendered, noted or deleted holds back nothing else, and nothing is published twice."""

import json
import logging
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from ecr_scan_reporter import reporter
from ecr_scan_reporter.memory import outbox
from ecr_scan_reporter.memory.outbox import PUSH, Outbox
from ecr_scan_reporter.messages.reports_queue import CHECK
from ecr_scan_reporter.reporting.reports import document as documents
from ecr_scan_reporter.reporting.reports import gathering, sns_messages
from fake_aws import Fault, sns
from support.fixtures import embedded_metrics
from support.reporter_harness import CHAT, ReporterHarness, document, found, mail
from support.virtual_time import TIME

TEAMS = "^([^/]+)/"


def events(inbox: ReporterHarness, *teams: str) -> list[dict[str, Any]]:
    return [inbox.image(f"team-{name}/app", "1", scan=found("HIGH")) for name in teams]


def reported(inbox: ReporterHarness) -> Counter[str]:
    """Count how often each repository was reported."""
    return Counter(image["repository"] for report in inbox.reports() for image in document(report)["images"])


def waiting() -> int:
    return sum(1 for _ in Outbox(reporter.dependencies().table).entries(PUSH))


def check_for(inbox: ReporterHarness, hours: float) -> None:
    """Let the messages arrive that the reporter sends itself, when they are due."""
    end, read = TIME.now() + timedelta(hours=hours), 0
    while TIME.now() < end:
        sent = inbox.aws.messages()[read:]
        read += len(sent)
        TIME.sleep(max(min((message.delay for message in sent), default=900), 1))
        for body in {message.body for message in sent}:
            inbox.report(body)


def test_report_that_sns_never_accepts_leaves_the_outbox(make_reporter: Callable[..., ReporterHarness]) -> None:
    inbox = make_reporter(GROUP_BY=TEAMS)
    inbox.aws.behavior.faults.append(Fault("Publish", "InvalidParameter", containing="team-b"))
    assert inbox.report(*events(inbox, "a", "b", "c")) == []
    assert reported(inbox) == {"team-a/app": 1, "team-c/app": 1}
    # The queue moves it to the DLQ, with all that it says, after five attempts.
    [rejected] = [message for message in inbox.aws.messages() if message.body != CHECK]
    assert rejected.queue == "reports"
    assert "InvalidParameter" in json.loads(rejected.body)["publish"]["reason"]
    assert inbox.report(rejected.body, receives=5) == ["0"]
    assert waiting() == 0
    inbox.aws.behavior.faults.clear()
    assert inbox.report(rejected.body) == []
    assert reported(inbox) == {"team-a/app": 1, "team-b/app": 1, "team-c/app": 1}


@pytest.mark.slow
@pytest.mark.parametrize("limit", [60_000, 8_000])
def test_report_that_sns_finds_too_long_is_cut_smaller(
    make_reporter: Callable[..., ReporterHarness], monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    """The rest goes out, and what is left out is counted."""
    inbox = make_reporter(GROUP_BY=TEAMS, CHAT_TOPIC_ARN=CHAT)
    sent = [inbox.image(f"team-a/app-{n:02}", "1", scan=found(*["HIGH"] * 40)) for n in range(20)]
    sent += events(inbox, "b")
    monkeypatch.setattr(sns, "_MAX_BYTES", limit)
    assert inbox.report(*sent, seconds=600) == []
    large, small = sorted(map(document, inbox.reports()), key=lambda report: str(report["group"]))
    assert (small["group"], small["totals"]["new"], small["entries_omitted"]) == ("team-b", 1, 0)
    assert (large["group"], large["totals"]["new"]) == ("team-a", 800)
    if limit == 60_000:
        assert [len(image["changes"]["new"]) for image in large["images"]] == [0] * 20
        assert large["entries_omitted"] == 0
    else:
        assert (large["images"], large["fix_first"], large["entries_omitted"]) == ([], [], 20)
        [text] = [mail(report) for report in inbox.reports() if document(report)["group"] == "team-a"]
        assert text.startswith("800 new high in 20 images.\n")
        assert f"Amazon SNS did not accept the text of this message ({large['id']})" in text
    assert len(inbox.chats()) == 2
    assert [message for message in inbox.aws.messages() if message.body != CHECK] == []
    assert waiting() == 0


def test_report_whose_note_cannot_be_written_holds_back_no_other(make_reporter: Callable[..., ReporterHarness]) -> None:
    inbox = make_reporter(GROUP_BY=TEAMS)
    inbox.aws.behavior.faults.append(Fault("PutItem", "AccessDeniedException", times=1, containing="#PUBLISHED#"))
    assert inbox.report(*events(inbox, "a", "b")) == []
    assert reported(inbox) == {"team-b/app": 1}
    check_for(inbox, hours=1)
    assert reported(inbox) == {"team-a/app": 1, "team-b/app": 1}


def test_attribute_that_sns_never_accepts_is_left_out_last(inbox: ReporterHarness) -> None:
    inbox.aws.behavior.faults.append(Fault("Publish", "InvalidParameter", containing='["team-a/app"]'))
    assert inbox.report(*events(inbox, "a")) == []
    [report] = inbox.reports()
    assert report.attributes["repositories"] == ("String.Array", "[]")
    assert (document(report)["totals"]["new"], document(report)["entries_omitted"]) == (1, 1)


@pytest.mark.slow
@pytest.mark.parametrize("code", ["NotFound", "KMSDisabled"])
def test_report_waits_for_its_topic_and_the_metric_says_since_when(
    inbox: ReporterHarness, caplog: pytest.LogCaptureFixture, code: str
) -> None:
    caplog.set_level(logging.INFO)
    inbox.aws.behavior.faults.append(Fault("Publish", code, status=403))
    assert inbox.report(*events(inbox, "a")) == []
    assert embedded_metrics(caplog, "batch processed")["OldestUnpublished"] < 60
    check_for(inbox, hours=3)
    assert embedded_metrics(caplog, "batch processed")["OldestUnpublished"] > 2 * 3600
    inbox.aws.behavior.faults.clear()
    check_for(inbox, hours=0.5)
    assert reported(inbox) == {"team-a/app": 1}
    inbox.report(CHECK)
    assert embedded_metrics(caplog, "batch processed")["OldestUnpublished"] == 0


@pytest.mark.slow
@pytest.mark.parametrize("per_note", [1, 40_000])
def test_what_cannot_be_deleted_is_published_once(
    inbox: ReporterHarness, monkeypatch: pytest.MonkeyPatch, per_note: int
) -> None:
    monkeypatch.setattr(outbox, "_CHECKSUMS_PER_NOTE", per_note)
    sent = events(inbox, "a", "b")
    inbox.aws.behavior.faults.append(Fault("BatchWriteItem", "AccessDeniedException"))
    assert inbox.report(*sent) == []
    check_for(inbox, hours=0.3)
    assert reported(inbox) == {"team-a/app": 1, "team-b/app": 1}
    assert inbox.report(*events(inbox, "c")) == []
    check_for(inbox, hours=0.3)
    assert reported(inbox) == {"team-a/app": 1, "team-b/app": 1, "team-c/app": 1}
    inbox.aws.behavior.faults.clear()
    check_for(inbox, hours=0.5)
    assert waiting() == 0
    assert reported(inbox).total() == 3
    windows = Outbox(reporter.dependencies().table).windows(TIME.now())
    assert (windows.windows, windows.notes) == ([], [])


def test_nothing_is_published_that_cannot_be_noted(inbox: ReporterHarness) -> None:
    sent = events(inbox, "a")
    inbox.aws.behavior.faults.append(Fault("PutItem", "AccessDeniedException", containing="#PUBLISHED#"))
    inbox.report(*sent)
    check_for(inbox, hours=0.5)
    assert reported(inbox) == {}
    inbox.aws.behavior.faults.clear()
    inbox.report(CHECK)
    check_for(inbox, hours=0.5)
    assert reported(inbox) == {"team-a/app": 1}


def test_rejected_reports_leave_no_notes(inbox: ReporterHarness) -> None:
    inbox.aws.behavior.faults.append(Fault("Publish", "NotFound", status=404))
    inbox.report(*events(inbox, "a"))
    check_for(inbox, hours=0.2)
    items = inbox.aws.client("dynamodb").scan(TableName="memory")["Items"]
    assert [item for item in items if item["sk"]["S"].startswith("#PUBLISHED#")] == []


@pytest.mark.slow
def test_window_of_any_size_is_published_in_parts(
    make_reporter: Callable[..., ReporterHarness], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gathering, "_MAX_ENTRIES", 30)
    inbox = make_reporter(REPORT_WINDOW_SECONDS="60")
    sent = [inbox.image(f"app-{number:03}", "1", scan=found("HIGH")) for number in range(130)]
    assert inbox.report(*sent, seconds=600) == []
    check_for(inbox, hours=0.1)
    assert reported(inbox) == dict.fromkeys((f"app-{number:03}" for number in range(130)), 1)
    assert len(inbox.reports()) == 5
    assert waiting() == 0


@pytest.mark.slow
def test_image_that_cannot_be_rendered_holds_back_no_other(
    make_reporter: Callable[..., ReporterHarness], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    inbox, render = make_reporter(GROUP_BY=TEAMS), documents.entry_values

    def fail(entry: Any, *args: Any) -> Any:
        if entry.repository == "team-b/app":
            raise RuntimeError("a value that nobody expected")
        return render(entry, *args)

    monkeypatch.setattr(documents, "entry_values", fail)
    sent = [*events(inbox, "a", "b", "c"), inbox.image("team-b/other", "1", scan=found("HIGH"))]
    assert inbox.report(*sent) == []
    others = {"team-a/app": 1, "team-b/other": 1, "team-c/app": 1}
    assert reported(inbox) == others
    [error] = [record for record in caplog.records if record.message.startswith("an image cannot be reported")]
    assert (error.__dict__["repository"], error.__dict__["reason"]) == (
        "team-b/app",
        "RuntimeError('a value that nobody expected')",
    )
    check_for(inbox, hours=1)
    assert reported(inbox) == others
    monkeypatch.setattr(documents, "entry_values", render)
    check_for(inbox, hours=0.5)
    assert reported(inbox) == {**others, "team-b/app": 1}


def test_event_from_the_future_mutes_nothing(inbox: ReporterHarness) -> None:
    wrong = inbox.image("app", "1", scan=found("HIGH"), at=TIME.now() + timedelta(days=73 * 365))
    assert inbox.report(wrong) == []
    assert reported(inbox) == {"app": 1}
    TIME.sleep(86_400)
    assert inbox.report(inbox.image("app", "1", scan=found("HIGH", "CRITICAL"), at=TIME.now())) == []
    assert reported(inbox) == {"app": 2}


@pytest.mark.slow
def test_every_repository_is_in_an_attribute_of_its_message(
    inbox: ReporterHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A filter policy selects messages by it."""
    monkeypatch.setattr(sns_messages, "_MAX_REPOSITORIES", 20)
    sent = [inbox.image(f"app-{number:03}", "1", scan=found("HIGH")) for number in range(70)]
    assert inbox.report(*sent, seconds=600) == []
    assert reported(inbox) == dict.fromkeys((f"app-{number:03}" for number in range(70)), 1)
    for report in inbox.reports():
        names = set(json.loads(report.attributes["repositories"][1]))
        assert {image["repository"] for image in document(report)["images"]} <= names
        assert len(names) <= 20
