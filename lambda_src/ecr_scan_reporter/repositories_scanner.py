"""Handler of the repositories scanner: queues one message per repository to scan."""

import os
from collections.abc import Mapping
from functools import cache
from typing import Any

from ecr_scan_reporter.aws.dynamodb import Table, dynamodb_client
from ecr_scan_reporter.aws.ecr import EcrRegistry, ecr_client
from ecr_scan_reporter.aws.sqs import SqsQueue, sqs_client
from ecr_scan_reporter.errors import InputError
from ecr_scan_reporter.scanning.runs import RunDependencies, queue_repositories, start_first_run, write_heartbeat
from ecr_scan_reporter.settings import RepositoriesScannerSettings, parse_settings
from ecr_scan_reporter.shared import clock

# What EventBridge says of its schedule's event.
_SCHEDULED = frozenset({"version", "id", "detail-type", "source", "account", "time", "region", "resources", "detail"})
_EXPECTED = '{}, {"repositoriesFilterRegexp": "^team-a/"}, {"firstRun": true} or {"heartbeat": true}'


def handler(event: Mapping[str, Any], context: object) -> dict[str, int]:
    """Start one run, or write a heartbeat.

    Args:
        event: the schedule's, or `{}`; or `{"repositoriesFilterRegexp": "^team-a/"}` to replace the configured filter;
            or `{"firstRun": true}` to start one only if there was none yet; or `{"heartbeat": true}` to start nothing
            and write for how long a complete run is overdue.
        context: Lambda's; not used.

    Returns:
        How many repositories exist and how many messages were sent, such as `{"found": 120, "sent": 98}`; or, for a
        heartbeat, the seconds for which a complete run is overdue, such as `{"RunOverdue": 7200}`.

    Raises:
        SettingError: an environment variable is invalid.
        InputError: a value in the event is invalid.
        AwsError: ECR, SQS or DynamoDB rejected a call.
    """
    if not isinstance(event, Mapping):
        raise InputError(f"the input is {event!r:.200}; expected {_EXPECTED}")
    if "heartbeat" in event:
        if event != {"heartbeat": True}:
            raise InputError(f'the input of a heartbeat is {dict(event)!r}; expected {{"heartbeat": true}}')
        return write_heartbeat(dependencies(), clock.now())
    if event == {"firstRun": True}:
        return start_first_run(dependencies(), clock.now())
    # A run costs scans: what is misspelled must not start one.
    known = _SCHEDULED if event.get("source") == "aws.events" else {"repositoriesFilterRegexp"}
    if unknown := sorted(event.keys() - known):
        raise InputError(f"the input has {', '.join(map(repr, unknown))}; expected {_EXPECTED}")
    return queue_repositories(event, dependencies(), clock.now())


@cache
def dependencies() -> RunDependencies:
    """Create settings and clients, once per cold start."""
    settings = parse_settings(RepositoriesScannerSettings, os.environ)
    sqs = sqs_client(settings.threads)
    queue = SqsQueue(sqs, settings.images_queue_url, settings.threads)
    exports = SqsQueue(sqs, settings.export_queue_url) if settings.export_queue_url else None
    table = Table(dynamodb_client(), settings.memory_table)
    return RunDependencies(settings, EcrRegistry(settings.account, ecr_client()), queue, table, exports)
