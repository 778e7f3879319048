"""The message that asks the reporter to read a result of which no event came."""

import json
from typing import Any

import pytest
from ecr_scan_reporter.errors import MessageError
from ecr_scan_reporter.messages.missed import MissedMessage

DIGEST = f"sha256:{1:064}"
MISSED = MissedMessage("team-a/app", DIGEST, "basic", 1_790_000_000, is_lost=True)


@pytest.mark.parametrize("message", [MISSED, MISSED._replace(scanner="enhanced", counted=True, is_lost=False)])
def test_message_survives(message: MissedMessage) -> None:
    [(key, value)] = json.loads(message.to_json()).items()
    assert (key, MissedMessage.parse(value)) == ("missed", message)
    assert MissedMessage.parse({**value, "later": 1}) == message


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
def test_anything_else_is_rejected(value: Any) -> None:
    with pytest.raises(MessageError, match="missed is .*; expected an object with repository, digest, scanner, "):
        MissedMessage.parse(value)
