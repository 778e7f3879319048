"""The message that asks the reporter to read the findings of an image again."""

import json
from typing import Any

import pytest
from ecr_scan_reporter.errors import MessageError
from ecr_scan_reporter.messages.look import LookMessage

DIGEST = f"sha256:{1:064}"
LOOK = {"repository": "team-a/app", "digest": DIGEST, "at": 1_790_000_000}


@pytest.mark.parametrize("message", [LookMessage("team-a/app", DIGEST), LookMessage("team-a/app", DIGEST, 1)])
def test_message_survives(message: LookMessage) -> None:
    [(key, value)] = json.loads(message.to_json()).items()
    assert (key, LookMessage.parse(value)) == ("look", message)


def test_what_a_later_release_adds_is_ignored() -> None:
    assert LookMessage.parse({**LOOK, "later": 1}) == LookMessage(**LOOK)  # type: ignore[arg-type]


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
def test_anything_else_is_rejected(value: Any) -> None:
    with pytest.raises(MessageError, match="look is .*; expected an object with repository, digest and at"):
        LookMessage.parse(value)
