"""Fixtures of the unit and functional tests: AWS events, and fake credentials so that no test reaches an account."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

EVENTS = Path(__file__).parent / "events"


@pytest.fixture(autouse=True)
def aws_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
    }.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_ECR"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def aws_event() -> Callable[..., dict[str, Any]]:
    """Reads one of the events in `events/`, with other values in its `detail` (None takes one away)."""

    def read(name: str, **detail: object) -> dict[str, Any]:
        event: dict[str, Any] = json.loads((EVENTS / f"{name}.json").read_text())
        for key, value in detail.items():
            event["detail"].pop(key.replace("_", "-"), None)
            if value is not None:
                event["detail"][key.replace("_", "-")] = value
        return event

    return read
