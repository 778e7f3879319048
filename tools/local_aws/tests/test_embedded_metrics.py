"""Reads embedded metrics as CloudWatch does."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from local_aws.embedded_metrics import embedded_metrics

DIRECTIVE = {
    "Namespace": "App",
    "Dimensions": [["Instance"]],
    "Metrics": [{"Name": "Started", "Unit": "Count"}, {"Name": "Seconds"}],
}
DOCUMENT: dict[str, Any] = {
    "_aws": {"Timestamp": 1_795_683_600_000, "CloudWatchMetrics": [DIRECTIVE]},
    "Instance": "it",
    "Started": 3,
    "Seconds": [1.5, 2],
}


def test_metrics_are_read_from_the_lines_that_have_them() -> None:
    log = f'plain text\n{{"message": "no metrics"}}\n{json.dumps(DOCUMENT)}\n'
    common = {
        "Dimensions": [{"Name": "Instance", "Value": "it"}],
        "Timestamp": datetime.fromtimestamp(1_795_683_600, UTC),
    }
    assert embedded_metrics(log) == {
        "App": [
            {"MetricName": "Started", "Values": [3], "Unit": "Count", **common},
            {"MetricName": "Seconds", "Values": [1.5, 2], "Unit": "None", **common},
        ]
    }


@pytest.mark.parametrize(
    "changes",
    [
        {"Instance": None},
        {"_aws": {"CloudWatchMetrics": [DIRECTIVE]}},
        {"_aws": {"Timestamp": 1, "CloudWatchMetrics": "none"}},
        {"_aws": None},
    ],
    ids=["dimension without a value", "no time", "no directive", "no metadata"],
)
def test_invalid_metadata_is_ignored(changes: dict[str, Any]) -> None:
    document = {key: value for key, value in (DOCUMENT | changes).items() if value is not None}
    assert not any(embedded_metrics(json.dumps(document)).values())


@pytest.mark.parametrize("value", ["3", True, None, [], ["3"]])
def test_metric_that_is_no_number_is_ignored(value: object) -> None:
    [seconds] = embedded_metrics(json.dumps(DOCUMENT | {"Started": value}))["App"]
    assert seconds["MetricName"] == "Seconds"
