"""Feeds random input to everything that parses input from outside: it parses, or raises its documented error."""

import contextlib
import json
import random
import re
import zlib
from base64 import b64encode
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any, TypeVar

import boto3
import hypothesis
import pytest
from ecr_scan_reporter.aws.deadline import Deadline
from ecr_scan_reporter.aws.sns import CHAT, REPORTS, ReportPublisher
from ecr_scan_reporter.errors import MessageError, SettingError
from ecr_scan_reporter.memory.rules import parse_rule
from ecr_scan_reporter.messages.rejected_publication import parse_publication
from ecr_scan_reporter.messages.reports_queue import (
    DailyPassMessage,
    DueMessage,
    ExportMessage,
    LookMessage,
    MissedMessage,
    parse_message,
    to_body,
)
from ecr_scan_reporter.messages.repository import RepositoryMessage
from ecr_scan_reporter.reporting.intake import events
from ecr_scan_reporter.settings import (
    ConsoleWidgetSettings,
    ImagesScannerSettings,
    ReporterSettings,
    RepositoriesScannerSettings,
    parse_settings,
)
from ecr_scan_reporter.shared.durations import Duration
from hypothesis import example, given
from hypothesis import strategies as st
from support.fixtures import answer_always
from support.invocations import ECR, inspector_event, scan_event
from support.random_tests import examples

Input = TypeVar("Input")
Value = TypeVar("Value")

# Thousands of cases in all.
CASES = hypothesis.settings(max_examples=examples(3000))

# JSON can hold lone surrogates, and Python's parser accepts NaN and numbers of any length.
TEXT = st.text(st.characters(), max_size=40)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | TEXT
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4))

ENDED_AT = datetime(2026, 11, 23, 9, 14, tzinfo=UTC)
EVENT = scan_event("sha256:1", ENDED_AT, {"CRITICAL": 1}, repository="team-a/app")
INSPECTOR_EVENT = inspector_event(
    scan_event("sha256:1", ENDED_AT, {"CRITICAL": 1, "TOTAL": 1}, repository="team-a/app")
)
ARN = f"{ECR}:repository/"
MESSAGE: dict[str, Any] = {"version": 1, "repository": "a", "after": "sha256:1", "stalled": 1, "run": "r", "asked": 2}
DURATIONS = st.from_regex(r"([0-9]{0,30}[mwd ]){0,4}", fullmatch=True)


def mutated(valid: Mapping[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Return valid objects of which some values are missing or anything."""
    anything = st.dictionaries(st.sampled_from(sorted(valid)), VALUES, max_size=2)
    missing = st.sets(st.sampled_from(sorted(valid)), max_size=1)
    return st.builds(lambda new, less: {k: v for k, v in {**valid, **new}.items() if k not in less}, anything, missing)


def damaged(text: str, seed: random.Random) -> str:
    """Cut a text, or insert a character into it."""
    place = seed.randrange(len(text) + 1)
    return text[:place] if seed.random() < 0.3 else text[:place] + chr(seed.randrange(0x20, 0x7F)) + text[place:]


def bodies(valid: Mapping[str, Any]) -> st.SearchStrategy[str]:
    """Return message bodies: of mutated objects, of anything else, damaged, and no JSON at all."""
    objects = mutated(valid).map(json.dumps)
    broken = st.builds(damaged, objects, st.randoms(use_true_random=False))
    return objects | broken | VALUES.map(json.dumps) | TEXT


def outcome(parse: Callable[[Input], Value], value: Input, documented: type[Exception]) -> Value | str:
    """Return what was parsed, or the message of the documented error."""
    try:
        return parse(value)
    except documented as error:
        return str(error)


def mutated_events(event: dict[str, Any]) -> st.SearchStrategy[str]:
    """Return the bodies of mutated scan events."""
    details = mutated(event["detail"]) | st.builds(
        lambda name: {**event["detail"], "repository-name": name},
        st.builds(str.__add__, st.sampled_from(["", ARN]), TEXT),
    )
    return bodies(event) | details.map(lambda detail: json.dumps({**event, "detail": detail}))


@given(mutated_events(EVENT) | mutated_events(INSPECTOR_EVENT))
@example("[" * 100_000)
@example(json.dumps({**INSPECTOR_EVENT, "detail": {**INSPECTOR_EVENT["detail"], "repository-name": ARN}}))
@example("1" * 5_000)
@example(json.dumps({**EVENT, "time": "0001-01-01T00:00:00+23:59"}))
@CASES
def test_event_is_parsed_or_rejected_with_a_message_error(body: str) -> None:
    event = outcome(lambda text: events.parse(events.load(text)), body, MessageError)
    if isinstance(event, str):
        assert "expected" in event
        assert len(event) < 1000
        return
    assert all(event.image)
    assert event.time.tzinfo is not None
    assert all(type(number) is int and number >= 0 for number in (event.counts or {}).values())
    # What is stored and published has to be encodable.
    "".join((*event.image, *event.tags, *(event.counts or {}))).encode()


@given(bodies(MESSAGE))
@example("[" * 100_000)
@example('{"version": 1, "repository": "a", "stalled": ' + "9" * 5_000 + "}")
@CASES
def test_queue_message_is_parsed_or_rejected_with_a_message_error(body: str) -> None:
    message = outcome(RepositoryMessage.from_json, body, MessageError)
    if isinstance(message, str):
        assert "expected" in message
        return
    assert message.repository
    assert min(message.stalled, message.asked) >= 0
    assert RepositoryMessage.from_json(message.to_json()) == message


@given(DURATIONS | TEXT)
@example("9" * 5_000 + "m")
@CASES
def test_duration_is_parsed_or_rejected_with_a_value_error(text: str) -> None:
    now = datetime(2026, 11, 23, tzinfo=UTC)
    duration = outcome(Duration.parse, text, ValueError)
    if isinstance(duration, str):
        assert "expected months, weeks and days" in duration
        return
    assert re.search("[1-9]", text)
    assert duration.before(now) < now


REGEXPS = TEXT | st.from_regex(r"[\^(\[?:P<a>\w+*{1,9}|)\]$\\]{0,30}", fullmatch=True)
SELECTIONS = bodies(
    {"tagged_only": True, "tag_regexp": "v", "newest": 3, "pushed_within": "1m", "pulled_within": "2d"}
) | st.builds(lambda regexp, age: json.dumps({"tag_regexp": regexp, "pushed_within": age}), REGEXPS, DURATIONS)
NUMBERS = st.integers().map(str) | st.from_regex(r"[0-9]{1,6}\Z") | TEXT
SCHEDULES = (
    st.from_regex(r"rate\([0-9]{1,250} (minutes?|hour|day)\)", fullmatch=True)
    | st.from_regex(
        r"cron\([0-9,*/-]{1,6} [0-9*/]{1,3} [0-9,*/?LW-]{1,9} [0-9A-Z*-]{1,4} [?LMON#0-9]{1,5} \*\)", fullmatch=True
    )
    | TEXT
)
VARIABLES: dict[str, tuple[str, st.SearchStrategy[str]]] = {
    "CHAT_TOPIC_ARN": ("", TEXT),
    "DLQ_URLS": ('["https://sqs.eu-west-1.amazonaws.com/123456789012/images-dlq"]', bodies({"0": "a/b"})),
    "ECR_IMAGES_DURATION_DELTA": ("7d", DURATIONS | TEXT),
    "FIXABLE_ONLY": ("false", TEXT),
    "FIX_WITHIN": ('{"CRITICAL": 7}', bodies({"CRITICAL": 7, "EXPLOITED": 3})),
    "GROUP_BY": ("^([^/]+)/", REGEXPS),
    "IMAGES_QUEUE_URL": ("https://sqs.eu-west-1.amazonaws.com/123456789012/images", TEXT),
    "IMAGES_SELECTION": ("{}", SELECTIONS),
    "MEMORY_TABLE_NAME": ("memory", TEXT),
    "NOTIFY_ON": ("changes", TEXT),
    "NOTIFY_ON_FIXED": ("false", TEXT),
    "NOTIFY_ON_SCAN_FAILURE": ("true", TEXT),
    "REMIND_AFTER": ("30d", DURATIONS | TEXT),
    "REPORTER_NAME": ("platform", TEXT),
    "REPORTS_QUEUE_URL": ("https://sqs.eu-west-1.amazonaws.com/123456789012/reports", TEXT),
    "REPORTS_TOPIC_ARN": ("arn:aws:sns:eu-west-1:123456789012:reports", TEXT),
    "REPORT_WINDOW_SECONDS": ("60", NUMBERS),
    "REPOSITORIES_EXCLUDE_REGEXP": ("", REGEXPS),
    "REPOSITORIES_FILTER_REGEXP": (".*", REGEXPS),
    "SCHEDULE_EXPRESSION": ("rate(1 day)", SCHEDULES),
    "SEVERITY_THRESHOLDS": ('{"CRITICAL": 1}', bodies({"CRITICAL": 1, "HIGH": 5})),
    "THREADS": ("16", NUMBERS),
}
VALID = {name: value for name, (value, _) in VARIABLES.items()}
CHANGES = st.sampled_from(sorted(VARIABLES)).flatmap(
    lambda name: st.tuples(st.just(name), VARIABLES[name][1].filter(lambda value: "\0" not in value))
)


@pytest.mark.slow
@given(st.lists(CHANGES, min_size=1, max_size=2).map(dict))
@example({"THREADS": "٣"})
@example({"SCHEDULE_EXPRESSION": f"rate({'9' * 5_000} days)"})
@example({"SCHEDULE_EXPRESSION": f"cron({'9' * 5_000} 4 * * ? *)"})
@example({"SEVERITY_THRESHOLDS": "[" * 100_000})
@example({"IMAGES_SELECTION": "[" * 100_000})
@example({"SEVERITY_THRESHOLDS": '{"HIGH": ' + "9" * 5_000 + "}"})
@example({"FIX_WITHIN": "[" * 100_000})
@example({"FIX_WITHIN": '{"HIGH": ' + "9" * 5_000 + "}"})
@example({"DLQ_URLS": "[" * 100_000})
@CASES
def test_settings_are_parsed_or_rejected_with_a_setting_error(changes: dict[str, str]) -> None:
    environment = {**VALID, **changes}
    for kind in (RepositoriesScannerSettings, ImagesScannerSettings, ReporterSettings, ConsoleWidgetSettings):
        with contextlib.suppress(SettingError):
            parse_settings(kind, environment)


RULE: dict[str, Any] = {
    "id": "CVE-2026-0001",
    "package": "",
    "reason": "Not called.",
    "owner": "team-a",
    "expires": "2027-01-31",
    "until_fixed": False,
    "repositories": "team-a/",
}
RULES = mutated(RULE) | st.fixed_dictionaries(
    {**{name: st.just(value) for name, value in RULE.items()}, "repositories": REGEXPS, "expires": TEXT | DURATIONS}
)


@given(RULES | VALUES)
@example({**RULE, "repositories": "x" * 10 + "{99999999999999999999}"})
@example({**RULE, "expires": "2027-02-30"})
@CASES
def test_ignore_rule_is_parsed_or_rejected_with_a_value_error(value: object) -> None:
    rule = outcome(parse_rule, value, ValueError)
    if isinstance(rule, str):
        assert rule
        return
    assert bool(rule.id) != bool(rule.package)
    assert rule.reason
    assert rule.owner
    assert rule.name
    assert rule.key == parse_rule(value).key


IMAGE = {"account": "123456789012", "region": "eu-west-1", "repository": "team-a/app", "digest": "sha256:1"}
REPOSITORY = {name: IMAGE[name] for name in ("account", "region", "repository")}
# What the reporter sends itself.
OWN: dict[type[Any], dict[str, Any]] = {
    DueMessage: IMAGE,
    ExportMessage: {"run": "2026-11-24T00:05:00Z-0123abcd"},
    LookMessage: {**IMAGE, "at": 1_795_683_600},
    MissedMessage: {**IMAGE, "scanner": "basic", "ended_at": 1_795_683_600, "is_lost": True, "counted": False},
    DailyPassMessage: {**REPOSITORY, "at": "2026-11-24T00:05:00Z", "after": "sha256:1"},
}


@given(st.sampled_from(list(OWN)).flatmap(lambda kind: st.tuples(st.just(kind), mutated(OWN[kind]) | VALUES)))
@hypothesis.settings(max_examples=examples(6000))
def test_message_of_the_reporter_to_itself_is_parsed_or_rejected_with_a_message_error(own: tuple[Any, object]) -> None:
    kind, value = own
    message = outcome(lambda value: parse_message(kind, value), value, MessageError)
    if isinstance(message, str):
        assert "expected" in message
        return
    assert kind is DailyPassMessage or "" not in (*message, *getattr(message, "image", ()))
    if kind is DailyPassMessage and message.at:
        message = message._replace(at=message.at.replace(microsecond=0))
    [again] = json.loads(to_body(message)).values()
    assert parse_message(kind, again) == message


@cache
def topics() -> ReportPublisher:
    """Return a publisher whose client encodes what it publishes, and sends it nowhere."""
    client = boto3.client("sns", "eu-west-1")
    answer = b"<PublishResponse><PublishResult><MessageId>1</MessageId></PublishResult></PublishResponse>"
    answer_always(client, "Publish", answer)
    return ReportPublisher(client, *(f"arn:aws:sns:eu-west-1:123456789012:{name}" for name in (REPORTS, CHAT)))


PARAMETERS: dict[str, Any] = {
    "Subject": "[ECR] 1 new critical",
    "Message": "{}",
    "MessageStructure": "json",
    "MessageAttributes": {"severity": {"DataType": "String", "StringValue": "CRITICAL"}},
}
NAMED = mutated({**PARAMETERS, "TopicArn": "arn:aws:sns:eu-west-1:123456789012:other", "PhoneNumber": "+1"})


def compressed(parameters: object) -> str:
    """Encode the parameters of a publication as a message of the reports queue has them."""
    return b64encode(zlib.compress(json.dumps(parameters).encode())).decode()


PUBLICATIONS = st.builds(
    lambda topic, parameters: {"topic": topic, "data": compressed(parameters)},
    st.sampled_from([REPORTS, CHAT]) | TEXT,
    mutated(PARAMETERS) | NAMED | st.dictionaries(TEXT, VALUES, max_size=3) | VALUES,
)


@given(PUBLICATIONS | mutated({"topic": REPORTS, "data": compressed(PARAMETERS)}) | VALUES)
@example({"topic": REPORTS, "data": compressed({**PARAMETERS, "TopicArn": "x"})})
@example({"topic": REPORTS, "data": compressed({**PARAMETERS, "Message": "\ud800"})})
@hypothesis.settings(max_examples=examples(1000))
def test_publication_is_published_or_rejected(value: object) -> None:
    parsed = outcome(parse_publication, value, MessageError)
    if isinstance(parsed, str):
        assert "expected" in parsed
        return
    topics().publish(parsed[1], Deadline(60))
