"""The messages in which this module asks the reporter for something."""

import json
from typing import Any

import pytest
from ecr_scan_reporter.errors import MessageError
from ecr_scan_reporter.messages.reports_queue import (
    DailyPassMessage,
    LookMessage,
    MissedMessage,
    parse_message,
    to_body,
)
from support.invocations import REGISTRY

DIGEST = f"sha256:{1:064}"
IMAGE = REGISTRY.image("team-a/app", DIGEST)
NAMES = "account, region, repository, digest"
LOOK = {**IMAGE._asdict(), "at": 1_790_000_000}


@pytest.mark.parametrize("message", [LookMessage(IMAGE), LookMessage(IMAGE, 1)])
def test_look_message_survives(message: LookMessage) -> None:
    [(key, value)] = json.loads(to_body(message)).items()
    assert (key, parse_message(LookMessage, value)) == ("look", message)


def test_what_a_later_release_adds_is_ignored() -> None:
    assert parse_message(LookMessage, {**LOOK, "later": 1}) == LookMessage(IMAGE, 1_790_000_000)


@pytest.mark.parametrize(
    "value",
    [
        *(None, True, 7, "app", [], {}),
        *({name: value for name, value in LOOK.items() if name != missing} for missing in LOOK),
        *({**LOOK, field: name} for field in ("account", "region", "repository") for name in ("", None, 7, ["app"])),
        *({**LOOK, "digest": digest} for digest in ("", None, 7, [DIGEST])),
        *({**LOOK, "at": at} for at in (-1, 2**40, 10**30, 1.5, float("nan"), "1790000000", None, [1])),
    ],
)
def test_no_other_look_message_is_accepted(value: Any) -> None:
    with pytest.raises(MessageError, match=f"look is .*; expected an object with {NAMES} and at"):
        parse_message(LookMessage, value)


MISSED = MissedMessage(IMAGE, "basic", 1_790_000_000, is_lost=True)
FIELDS = json.loads(to_body(MISSED))["missed"]


@pytest.mark.parametrize("message", [MISSED, MISSED._replace(scanner="enhanced", counted=True, is_lost=False)])
def test_missed_message_survives(message: MissedMessage) -> None:
    [(key, value)] = json.loads(to_body(message)).items()
    assert (key, parse_message(MissedMessage, value)) == ("missed", message)
    assert parse_message(MissedMessage, {**value, "later": 1}) == message


@pytest.mark.parametrize(
    "value",
    [
        *(None, True, 7, "app", [], {}),
        *({name: value for name, value in FIELDS.items() if name != missing} for missing in FIELDS),
        *({**FIELDS, "repository": name} for name in ("", None, 7)),
        *({**FIELDS, "scanner": scanner} for scanner in ("", "other", None)),
        *({**FIELDS, "ended_at": at} for at in (-1, 2**40, 1.5, "1790000000", None)),
        *({**FIELDS, "is_lost": value} for value in (1, "true", None)),
    ],
)
def test_no_other_missed_message_is_accepted(value: Any) -> None:
    with pytest.raises(MessageError, match=f"missed is .*; expected an object with {NAMES}, scanner, "):
        parse_message(MissedMessage, value)


@pytest.mark.parametrize(
    "message", [DailyPassMessage(), DailyPassMessage(REGISTRY, repository="team-a/app", after=DIGEST)]
)
def test_pass_message_names_a_registry_or_none(message: DailyPassMessage) -> None:
    [(key, value)] = json.loads(to_body(message)).items()
    assert (key, parse_message(DailyPassMessage, value)) == ("pass", message)


@pytest.mark.parametrize("value", [{"account": "1"}, {"region": "eu-west-1"}, {"account": "1", "region": 7}, [], ""])
def test_no_other_pass_message_is_accepted(value: Any) -> None:
    with pytest.raises(MessageError, match='pass is .*; expected an object with any of "account" and "region", "at" '):
        parse_message(DailyPassMessage, value)
