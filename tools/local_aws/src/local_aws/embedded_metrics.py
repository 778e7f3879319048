"""Reads metrics in the embedded metric format out of a function's log, as CloudWatch does. LocalStack does not.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

Json = Mapping[str, Any]


def embedded_metrics(log: str) -> dict[str, list[dict[str, Any]]]:
    """Return the MetricData of PutMetricData for each namespace.

    CloudWatch ignores what is invalid and counts it in AWS/Logs; here it is ignored.
    """
    data: dict[str, list[dict[str, Any]]] = {}
    for line in log.splitlines():
        if '"_aws"' not in line:
            continue
        try:
            document = json.loads(line)
            for directive in document["_aws"]["CloudWatchMetrics"]:
                data.setdefault(directive["Namespace"], []).extend(_metric_data(document, directive))
        except (ValueError, KeyError, TypeError):
            continue
    return data


def _metric_data(document: Json, directive: Json) -> Iterator[dict[str, Any]]:
    timestamp = datetime.fromtimestamp(document["_aws"]["Timestamp"] / 1000, UTC)
    for names in directive["Dimensions"]:
        dimensions = [{"Name": name, "Value": document[name]} for name in names]
        for metric in directive["Metrics"]:
            value = document.get(metric["Name"])
            values = value if isinstance(value, list) else [value]
            if values and all(type(number) in (int, float) for number in values):
                yield {
                    "MetricName": metric["Name"],
                    "Dimensions": dimensions,
                    "Timestamp": timestamp,
                    "Values": values,
                    "Unit": metric.get("Unit", "None"),
                }
