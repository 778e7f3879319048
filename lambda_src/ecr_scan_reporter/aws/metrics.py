"""Puts metrics into log lines in the embedded metric format, and says which ones are always metrics.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

from collections.abc import Collection, Mapping
from typing import Any

from ecr_scan_reporter.shared import clock

NAMESPACE = "EcrScanReporter"
_DIMENSION = "Instance"
# CloudWatch bills each metric. These have an alarm, or are the numbers that people look at first. CatalogAge, which the
# catalog reader writes, always is one, too.
ALWAYS_METRICS = {"LostEvents", "OldestUnpublished", "OpenCritical", "OpenHigh", "RunOverdue", "ScansOverdue"}


def embed(
    values: Mapping[str, float], instance: str, seconds: Collection[str] = (), *, detailed: bool = True
) -> dict[str, Any]:
    """Return the `extra` of a log line that carries numbers, as fields, and the metrics among them.

    Lambda's formatter writes each value as a field of the line's JSON object, where CloudWatch expects it. It drops
    `timestamp`, `level`, `message`, `logger`, `requestId`, `location` and other names of its own, and `logging` raises
    KeyError for its own, such as `name`. No name in CamelCase is among them.

    Args:
        values: by the metric's name in CamelCase; at least one, at most 100.
        instance: the value of the only dimension. CloudWatch charges for each combination of a name and a dimension's
            value, so there is no dimension for the repository or the image.
        seconds: the names of the metrics in seconds; all others are counts.
        detailed: whether all numbers are metrics, or only those that have an alarm or that people look at first.
    """
    chosen = [name for name in values if detailed or name in ALWAYS_METRICS]
    if not chosen:
        return {_DIMENSION: instance, **values}
    metrics = [{"Name": name, "Unit": "Seconds" if name in seconds else "Count"} for name in chosen]
    directive = {"Namespace": NAMESPACE, "Dimensions": [[_DIMENSION]], "Metrics": metrics}
    emf = {"Timestamp": int(clock.now().timestamp() * 1000), "CloudWatchMetrics": [directive]}
    return {"_aws": emf, _DIMENSION: instance, **values}
