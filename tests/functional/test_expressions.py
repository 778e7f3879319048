"""A name that someone else chose keeps no expression of a setting busy, and takes no other name with it."""

import logging
from collections.abc import Callable
from typing import Any

import pytest
from ecr_scan_reporter import images_scanner, reporter, repositories_scanner
from ecr_scan_reporter.errors import InputError, SettingError
from ecr_scan_reporter.messages.reports_queue import DueMessage, to_body
from ecr_scan_reporter.messages.repository import RepositoryMessage
from ecr_scan_reporter.shared import matching
from fake_aws import FakeAws, digest_of
from support.ignored_findings import rule, set_rules
from support.images_scanner import REPOSITORY, image
from support.invocations import REGISTRY, Context, sqs_records
from support.reporter_harness import ReporterHarness, document, found

# It has polynomially many ways, of a degree that takes years for 250 letters.
SLOW, HOSTILE = ".*a.*a.*a.*a.*a.*a.*a=", "team-a/" + "a" * 240
CONTEXT = Context()
HANDLERS: dict[str, Callable[[], Any]] = {
    "repositories scanner": lambda: repositories_scanner.handler({}, None),
    "images scanner": lambda: images_scanner.handler({"Records": []}, CONTEXT),
    "reporter": lambda: reporter.handler({"Records": []}, CONTEXT),
}


@pytest.fixture(autouse=True)
def limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matching, "_MAX_SECONDS", 0.02)
    matching._undecided.clear()


@pytest.mark.parametrize(
    ("handler", "setting", "value"),
    [
        ("repositories scanner", "REPOSITORIES_FILTER_REGEXP", "^(a+)+$"),
        ("repositories scanner", "REPOSITORIES_EXCLUDE_REGEXP", "(.*a){20}"),
        ("images scanner", "IMAGES_SELECTION", '{"tag_regexp": "(a|aa)+$"}'),
        ("reporter", "REPOSITORIES_FILTER_REGEXP", "(a|aa)+$"),
        ("reporter", "GROUP_BY", "^(?:a+)+(b)"),
    ],
)
def test_expression_that_takes_exponential_time_is_refused_at_the_start(
    configure: Callable[..., None], handler: str, setting: str, value: str
) -> None:
    configure(**{setting: value})
    with pytest.raises(SettingError, match=f"{setting}.* is .*; expected .* two ways, such as"):
        HANDLERS[handler]()


def test_filter_of_an_invocation_that_takes_exponential_time_is_refused(configure: Callable[..., None]) -> None:
    configure()
    with pytest.raises(InputError, match=r"repositoriesFilterRegexp is '\^\(a\+\)\+\$'; expected .* two ways"):
        repositories_scanner.handler({"repositoriesFilterRegexp": "^(a+)+$"}, None)


def test_rule_that_takes_exponential_time_ignores_nothing_and_is_logged(
    inbox: ReporterHarness, caplog: pytest.LogCaptureFixture
) -> None:
    set_rules([rule(id="CVE-2026-0001", repositories="^(?:[a-z]+-?)+!")])
    assert inbox.report(inbox.image("a" * 60, "1", scan=found("HIGH"))) == []
    assert len(inbox.reports()) == 1
    [warning] = [record for record in caplog.records if record.message.startswith("could not read a rule")]
    assert "two ways" in warning.__dict__["reason"]


@pytest.mark.parametrize(
    ("settings", "queued"),
    [
        ({"REPOSITORIES_FILTER_REGEXP": SLOW + "|team-b/"}, {HOSTILE, "team-b/app"}),
        ({"REPOSITORIES_EXCLUDE_REGEXP": SLOW + "|team-b/"}, {HOSTILE, "team-c/app"}),
    ],
)
def test_repository_whose_name_cannot_be_matched_in_time_is_scanned(
    aws: FakeAws,
    configure: Callable[..., None],
    caplog: pytest.LogCaptureFixture,
    settings: dict[str, str],
    queued: set[str],
) -> None:
    configure(**settings)
    for name in (HOSTILE, "team-b/app", "team-c/app"):
        aws.registry.add(name)
    repositories_scanner.handler({}, None)
    assert {RepositoryMessage.from_json(message.body).repository for message in aws.messages()} == queued
    [error] = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert (error.message, error.__dict__["names"]) == ("could not match a name in time", (HOSTILE,))


def test_image_whose_tags_cannot_be_matched_in_time_is_scanned(aws: FakeAws, configure: Callable[..., None]) -> None:
    configure(IMAGES_SELECTION=f'{{"tag_regexp": "{SLOW}|v"}}')
    hostile = image("hostile", *("a" * (128 - number) for number in range(20)))
    aws.registry.add(REPOSITORY, [hostile, image("version", "v1"), image("other", "other")])
    messages = RepositoryMessage(REGISTRY, REPOSITORY).to_json()
    assert images_scanner.handler({"Records": sqs_records(messages)}, CONTEXT) == {"batchItemFailures": []}
    assert {start.digest for start in aws.starts()} == {digest_of("hostile"), digest_of("version")}


@pytest.mark.parametrize("setting", ["REPOSITORIES_FILTER_REGEXP", "REPOSITORIES_EXCLUDE_REGEXP", "GROUP_BY", "rule"])
def test_name_that_cannot_be_matched_in_time_is_reported_and_takes_no_message_with_it(
    make_reporter: Callable[..., ReporterHarness], setting: str
) -> None:
    value = {
        "REPOSITORIES_FILTER_REGEXP": SLOW + "|team-b/",
        "REPOSITORIES_EXCLUDE_REGEXP": SLOW + "|team-c/",
        "GROUP_BY": f"(?:{SLOW})?([^/]+)/",
    }.get(setting)
    inbox = make_reporter(**{setting: value} if value else {})
    set_rules([rule(id="CVE-2026-0001", repositories=SLOW)] if setting == "rule" else [])
    events = [inbox.image(name, "1", scan=found("HIGH")) for name in (HOSTILE, "team-b/app")]
    # The daily pass asks for others, whose deadlines have passed.
    due = to_body(DueMessage(REGISTRY.image(HOSTILE, digest_of("other"))))
    assert inbox.report(*events, due) == []
    documents = [document(report) for report in inbox.reports()]
    reported = {image["repository"]: report["group"] for report in documents for image in report["images"]}
    group = "team-b" if setting == "GROUP_BY" else None
    assert reported == {HOSTILE: None, "team-b/app": group}


def test_names_that_take_too_long_take_less_and_less(
    configure: Callable[..., None], aws: FakeAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever may create many repositories does not use up the time of a run."""
    configure(REPOSITORIES_FILTER_REGEXP="(?:)" + SLOW)
    for number in range(5):
        aws.registry.add(f"{HOSTILE}/{number}")
    limits: list[float] = []
    within = matching._within

    def record(seconds: float, call: Callable[[], Any]) -> Any:
        limits.append(seconds)
        return within(min(seconds, 0.02), call)

    monkeypatch.setattr(matching, "_MAX_SECONDS", 0.2)
    monkeypatch.setattr(matching, "_within", record)
    for _ in range(2):
        assert repositories_scanner.handler({}, None)["sent"] == 5
    assert limits == [0.2, 0.1, 0.05, 0.025, 0.02]
