"""Puts metrics into log lines in the form that CloudWatch reads."""

import json
import re
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from ecr_scan_reporter.aws.metrics import embed
from ecr_scan_reporter.shared import clock

ROOT = Path(__file__).resolve().parents[3]
FUNCTIONS_PYTHON = ROOT / ".venv" / "functions" / "bin" / "python"
# Writes a line as the Lambda runtime does.
LINE = """
import logging, sys
from awslambdaric.lambda_runtime_log_utils import JsonFormatter
from ecr_scan_reporter.aws.metrics import embed

handler = logging.StreamHandler(sys.stdout)
handler.setFormatter(JsonFormatter())
logging.basicConfig(level="INFO", handlers=[handler])
extra = {"run": "1", **embed({"ScansStarted": 3, "OldestScanAge": 86400.5}, "platform", {"OldestScanAge"})}
logging.getLogger("scanner").info("repository processed", extra=extra)
"""


@pytest.mark.skipif(not FUNCTIONS_PYTHON.exists(), reason="the functions' own interpreter is not set up (make setup)")
def test_line_of_the_lambda_runtime_is_an_emf_document() -> None:
    command = [str(FUNCTIONS_PYTHON), "-c", LINE]
    environment = {"PYTHONPATH": str(ROOT / "lambda_src")}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    document: dict[str, Any] = json.loads(done.stdout)
    assert re.fullmatch(r"[-0-9T:]+Z", document.pop("timestamp"))
    assert document["_aws"].pop("Timestamp") > 1_700_000_000_000
    assert document == {
        "level": "INFO",
        "message": "repository processed",
        "logger": "scanner",
        "run": "1",
        "_aws": {
            "CloudWatchMetrics": [
                {
                    "Namespace": "EcrScanReporter",
                    "Dimensions": [["Instance"]],
                    "Metrics": [
                        {"Name": "ScansStarted", "Unit": "Count"},
                        {"Name": "OldestScanAge", "Unit": "Seconds"},
                    ],
                }
            ]
        },
        "Instance": "platform",
        "ScansStarted": 3,
        "OldestScanAge": 86400.5,
    }


def test_timestamp_is_in_milliseconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "now", lambda: datetime.fromtimestamp(1_795_683_600.1239, UTC))
    assert embed({"ScansStarted": 1}, "platform")["_aws"]["Timestamp"] == 1_795_683_600_123


def test_what_is_no_metric_is_a_field_of_the_line() -> None:
    embedded = embed({"ScansStarted": 1, "OpenHigh": 2}, "platform", detailed=False)
    [directive] = embedded.pop("_aws")["CloudWatchMetrics"]
    assert directive["Metrics"] == [{"Name": "OpenHigh", "Unit": "Count"}]
    assert embedded == {"Instance": "platform", "ScansStarted": 1, "OpenHigh": 2}
    # CloudWatch would reject a directive without metrics.
    assert embed({"ScansStarted": 1}, "platform", detailed=False) == {"Instance": "platform", "ScansStarted": 1}
