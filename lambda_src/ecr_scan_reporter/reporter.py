"""Handler of the reporter: publishes what scans found, and the overview."""

import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

from ecr_scan_reporter.aws.clients import create_client
from ecr_scan_reporter.aws.deadline import Deadline, LambdaContext
from ecr_scan_reporter.aws.dynamodb import Table
from ecr_scan_reporter.aws.ecr import EcrRegistry
from ecr_scan_reporter.aws.sns import ReportPublisher
from ecr_scan_reporter.aws.sqs import SqsQueue, records
from ecr_scan_reporter.errors import InputError
from ecr_scan_reporter.memory.exploited import CatalogMemory
from ecr_scan_reporter.memory.rules import RuleMemory
from ecr_scan_reporter.memory.runs import RunMemory
from ecr_scan_reporter.reporting.dependencies import ReporterDependencies
from ecr_scan_reporter.reporting.pipeline import report_batch
from ecr_scan_reporter.settings import ReporterSettings, parse_settings
from ecr_scan_reporter.shared import clock

_THREADS = 16
_EXPECTED = 'a batch of the reports queue, {"overview": true} or {"export": true}'


def handler(event: Mapping[str, Any], context: LambdaContext) -> Mapping[str, Any]:
    """Report what a batch of scan events changed, make the overview, or export what is open.

    Args:
        event: a batch of the reports queue, `{"overview": true}` or `{"export": true}`. Each body of a batch is one of
            these: an EventBridge event of ECR or Amazon Inspector; a message of the reporter itself, which asks to
            publish a report that SNS rejected, to check whether something is to be published, or to judge an image in
            which something is due; a part of the daily pass, or of an export after a run; a message of the images
            scanner about an image whose event was lost. `{"overview": true}` publishes the overview; with
            `"publish": false` it is only returned. `{"export": true}` writes what is open to the bucket; without one,
            or for a repository, as in `{"export": {"repository": "team-a/app"}}`, it is only returned.
        context: Lambda's.

    Returns:
        The messages that SQS is to deliver again; for the overview, how many messages were published, or the overview;
        for an export, where it is, or the findings.

    Raises:
        SettingError: an environment variable is invalid.
        InputError: the input is invalid.
        AwsError: the overview or the export could not be made.
    """
    deadline = Deadline.of_invocation(context)
    if isinstance(event, Mapping) and "overview" in event:
        # Not at the top: an overview is rare, and its modules would be a fifth of what every cold start imports.
        from ecr_scan_reporter.reporting.overviews.publishing import OverviewRequest, make_overviews

        now = clock.now()
        return make_overviews(OverviewRequest.parse(event, now), dependencies(), deadline, now)
    if isinstance(event, Mapping) and "export" in event:
        from ecr_scan_reporter.reporting.export.run import export_on_demand

        return export_on_demand(event, dependencies(), deadline, clock.now())
    batch = records(event, _EXPECTED)
    if batch is None:
        raise InputError(f"the input is {', '.join(map(str, event))!r}; expected {_EXPECTED}")
    return report_batch(batch, dependencies(), deadline)


@cache
def dependencies() -> ReporterDependencies:
    """Create settings, clients and threads, once per cold start."""
    settings = parse_settings(ReporterSettings, os.environ)
    topics = settings.topic_arn, settings.chat_topic_arn, settings.alarms_topic_arn
    publisher = ReportPublisher(create_client("sns"), *topics)
    sqs = create_client("sqs")
    queue = SqsQueue(sqs, settings.reports_queue_url)
    dlqs = {url.rsplit("/", 1)[-1]: SqsQueue(sqs, url) for url in settings.dlq_urls}
    table = Table(create_client("dynamodb", threads=_THREADS), settings.memory_table)
    ecr, pool = EcrRegistry(settings.account, create_client("ecr", threads=_THREADS)), ThreadPoolExecutor(_THREADS)
    rules, runs = RuleMemory(table), RunMemory(table, ecr.id)
    exploited = CatalogMemory(table) if settings.known_exploited else None
    return ReporterDependencies(settings, ecr, table, rules, runs, publisher, queue, pool, dlqs, exploited)
