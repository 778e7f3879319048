"""Feeds random input to everything that parses input from outside: it parses, or raises its documented error."""

import contextlib
import json
import random
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

import hypothesis
from ecr_scan_reporter.errors import MessageError, SettingError
from ecr_scan_reporter.reporting import events
from ecr_scan_reporter.scanning.messages import RepositoryMessage
from ecr_scan_reporter.settings import ImagesScannerSettings, ReporterSettings, RepositoriesScannerSettings
from ecr_scan_reporter.shared.durations import Duration
from hypothesis import example, given
from hypothesis import strategies as st

Value = TypeVar("Value")

# Thousands of cases in all.
CASES = hypothesis.settings(max_examples=1000, deadline=None)

# JSON can hold lone surrogates, and Python's parser accepts NaN and numbers of any length.
TEXT = st.text(st.characters(), max_size=40)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | TEXT
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4))

EVENT: dict[str, Any] = {
    "detail-type": "ECR Image Scan",
    "source": "aws.ecr",
    "account": "123456789012",
    "time": "2026-11-23T09:14:00Z",
    "region": "eu-west-1",
    "detail": {
        "scan-status": "COMPLETE",
        "repository-name": "team-a/app",
        "finding-severity-counts": {"CRITICAL": 1},
        "image-digest": "sha256:1",
        "image-tags": ["1.0"],
    },
}
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


def outcome(parse: Callable[[str], Value], text: str, documented: type[Exception]) -> Value | str:
    """Return what was parsed, or the message of the documented error."""
    try:
        return parse(text)
    except documented as error:
        return str(error)


@given(bodies(EVENT) | mutated(EVENT["detail"]).map(lambda detail: json.dumps({**EVENT, "detail": detail})))
@example("[" * 100_000)
@example("1" * 5_000)
@example(json.dumps({**EVENT, "time": "0001-01-01T00:00:00+23:59"}))
@CASES
def test_event_is_parsed_or_rejected_with_a_message_error(body: str) -> None:
    event = outcome(lambda text: events.parse(events.load(text)), body, MessageError)
    if isinstance(event, str):
        assert "expected" in event
        assert len(event) < 1000
        return
    assert all((event.account, event.region, event.repository, event.digest))
    assert event.time.tzinfo is not None
    assert all(type(number) is int and number >= 0 for number in (event.counts or {}).values())
    # What is stored and published has to be encodable.
    "".join((event.account, event.region, event.repository, event.digest, *event.tags, *(event.counts or {}))).encode()


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
VARIABLES: dict[str, tuple[str, st.SearchStrategy[str]]] = {
    "CHAT_TOPIC_ARN": ("", TEXT),
    "ECR_IMAGES_DURATION_DELTA": ("7d", DURATIONS | TEXT),
    "FIXABLE_ONLY": ("false", TEXT),
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
    "RUN_INTERVAL_SECONDS": ("86400", NUMBERS),
    "SEVERITY_THRESHOLDS": ('{"CRITICAL": 1}', bodies({"CRITICAL": 1, "HIGH": 5})),
    "THREADS": ("16", NUMBERS),
}
VALID = {name: value for name, (value, _) in VARIABLES.items()}
CHANGES = st.sampled_from(sorted(VARIABLES)).flatmap(
    lambda name: st.tuples(st.just(name), VARIABLES[name][1].filter(lambda value: "\0" not in value))
)


@given(st.lists(CHANGES, min_size=1, max_size=2).map(dict))
@example({"THREADS": "٣"})
@example({"SEVERITY_THRESHOLDS": "[" * 100_000})
@example({"IMAGES_SELECTION": "[" * 100_000})
@example({"SEVERITY_THRESHOLDS": '{"HIGH": ' + "9" * 5_000 + "}"})
@CASES
def test_settings_are_parsed_or_rejected_with_a_setting_error(changes: dict[str, str]) -> None:
    environment = {**VALID, **changes}
    for kind in (RepositoriesScannerSettings, ImagesScannerSettings, ReporterSettings):
        with contextlib.suppress(SettingError):
            kind.from_env(environment)
