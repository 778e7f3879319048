"""Fixtures of the unit and functional tests: AWS events, virtual time, and fake credentials."""

import json
import logging
import os
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse
from ecr_scan_reporter.aws import clients
from ecr_scan_reporter.shared import clock
from fake_aws import Answer, FakeAws, FakeRegistry, response
from support.virtual_time import TIME

CONNECT_TIMEOUT, READ_TIMEOUT = clients._CONNECT_TIMEOUT, clients._READ_TIMEOUT
EVENTS = Path(__file__).parents[1] / "events"


@pytest.fixture(autouse=True)
def aws_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the caller's AWS settings away."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
    }.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(autouse=True)
def virtual_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Begin each test at the same time, and let no client give up because the machine is slow."""
    TIME.reset()
    for name in ("now", "monotonic", "sleep"):
        monkeypatch.setattr(clock, name, getattr(TIME, name))
    # botocore waits between two attempts of a call.
    monkeypatch.setattr(time, "sleep", TIME.sleep)
    monkeypatch.setattr(clients, "_CONNECT_TIMEOUT", 600)
    monkeypatch.setattr(clients, "_READ_TIMEOUT", 600)


@pytest.fixture
def product_timeouts(monkeypatch: pytest.MonkeyPatch, virtual_time: None) -> None:
    """Give clients the timeouts of the product again."""
    monkeypatch.setattr(clients, "_CONNECT_TIMEOUT", CONNECT_TIMEOUT)
    monkeypatch.setattr(clients, "_READ_TIMEOUT", READ_TIMEOUT)


@pytest.fixture
def quiet() -> Iterator[None]:
    """Log nothing: most of the time would go into it."""
    logging.disable()
    yield
    logging.disable(logging.NOTSET)


def virtual_aws() -> FakeAws:
    """Return a fake of AWS with an empty registry, on virtual time."""
    return FakeAws(FakeRegistry(clock=TIME.now), clock=TIME)


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


def embedded_metrics(caplog: pytest.LogCaptureFixture, message: str) -> dict[str, float]:
    """Return the metrics in the last log line with this message."""
    record: Any = [record for record in caplog.records if record.message == message][-1]
    [directive] = record._aws["CloudWatchMetrics"]
    metrics = {metric["Name"]: getattr(record, metric["Name"]) for metric in directive["Metrics"]}
    assert 0 < len(metrics) <= 100
    assert all(re.fullmatch("([A-Z][a-z]+)+", name) for name in metrics)
    assert all(type(value) in (int, float) for value in metrics.values())
    return metrics


def answer_always(client: Any, operation: str, body: bytes) -> None:
    """Let each call of an operation of a client have this answer, and send nothing."""

    def answer(request: Any, **_: Any) -> AWSResponse:
        return response(request.url, Answer(200, {}, body))

    service = client.meta.service_model.service_id.hyphenize()
    client.meta.events.register(f"before-send.{service}.{operation}", answer)
