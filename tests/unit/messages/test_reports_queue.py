"""The messages in which this module asks the reporter for something."""

import json
from typing import Any

import pytest
from ecr_scan_reporter.errors import MessageError
from ecr_scan_reporter.messages.reports_queue import LookMessage, MissedMessage, parse_message, to_body

DIGEST = f"sha256:{1:064}"
LOOK = {"repository": "team-a/app", "digest": DIGEST, "at": 1_790_000_000}


@pytest.mark.parametrize("message", [LookMessage("team-a/app", DIGEST), LookMessage("team-a/app", DIGEST, 1)])
def test_look_message_survives(message: LookMessage) -> None:
    [(key, value)] = json.loads(to_body(message)).items()
    assert (key, parse_message(LookMessage, value)) == ("look", message)


def test_what_a_later_release_adds_is_ignored() -> None:
    assert parse_message(LookMessage, {**LOOK, "later": 1}) == LookMessage(**LOOK)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "value",
    [
        *(None, True, 7, "app", [], {}),
        *({name: value for name, value in LOOK.items() if name != missing} for missing in LOOK),
        *({**LOOK, "repository": name} for name in ("", None, 7, ["app"])),
        *({**LOOK, "digest": digest} for digest in ("", None, 7, [DIGEST])),
        *({**LOOK, "at": at} for at in (-1, 2**40, 10**30, 1.5, float("nan"), "1790000000", None, [1])),
    ],
)
def test_no_other_look_message_is_accepted(value: Any) -> None:
    with pytest.raises(MessageError, match="look is .*; expected an object with repository, digest and at"):
        parse_message(LookMessage, value)


MISSED = MissedMessage("team-a/app", DIGEST, "basic", 1_790_000_000, is_lost=True)


@pytest.mark.parametrize("message", [MISSED, MISSED._replace(scanner="enhanced", counted=True, is_lost=False)])
def test_missed_message_survives(message: MissedMessage) -> None:
    [(key, value)] = json.loads(to_body(message)).items()
    assert (key, parse_message(MissedMessage, value)) == ("missed", message)
    assert parse_message(MissedMessage, {**value, "later": 1}) == message


@pytest.mark.parametrize(
    "value",
    [
        *(None, True, 7, "app", [], {}),
        *({name: value for name, value in MISSED._asdict().items() if name != missing} for missing in MISSED._fields),
        *({**MISSED._asdict(), "repository": name} for name in ("", None, 7)),
        *({**MISSED._asdict(), "scanner": scanner} for scanner in ("", "other", None)),
        *({**MISSED._asdict(), "ended_at": at} for at in (-1, 2**40, 1.5, "1790000000", None)),
        *({**MISSED._asdict(), "is_lost": value} for value in (1, "true", None)),
    ],
)
def test_no_other_missed_message_is_accepted(value: Any) -> None:
    with pytest.raises(MessageError, match="missed is .*; expected an object with repository, digest, scanner, "):
        parse_message(MissedMessage, value)
