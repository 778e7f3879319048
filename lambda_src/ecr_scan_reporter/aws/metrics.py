"""Puts metrics into log lines, in the embedded metric format: CloudWatch reads them from the log.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

from collections.abc import Collection, Mapping
from typing import Any

from ecr_scan_reporter.shared import clock

NAMESPACE = "EcrScanReporter"
_DIMENSION = "Instance"


def embed(values: Mapping[str, float], instance: str, seconds: Collection[str] = ()) -> dict[str, Any]:
    """Return the `extra` of a log line that carries metrics.

    Lambda's formatter writes each value as a field of the line's JSON object, where CloudWatch expects it. It drops
    `timestamp`, `level`, `message`, `logger`, `requestId`, `location` and other names of its own, and `logging` raises
    KeyError for its own, such as `name`. No name in CamelCase is among them.

    Args:
        values: by the metric's name in CamelCase; at least one, at most 100.
        instance: the value of the only dimension. CloudWatch charges for each combination of a name and a dimension's
            value, so there is no dimension for the repository or the image.
        seconds: the names of the metrics in seconds; all others are counts.
    """
    metrics = [{"Name": name, "Unit": "Seconds" if name in seconds else "Count"} for name in values]
    directive = {"Namespace": NAMESPACE, "Dimensions": [[_DIMENSION]], "Metrics": metrics}
    emf = {"Timestamp": int(clock.now().timestamp() * 1000), "CloudWatchMetrics": [directive]}
    return {"_aws": emf, _DIMENSION: instance, **values}
