"""Handler of the reporter: publishes what scans found."""

import os
from concurrent.futures import ThreadPoolExecutor
from functools import cache

from ecr_scan_reporter.aws.dynamodb import Table, dynamodb_client
from ecr_scan_reporter.aws.ecr import EcrRegistry, ecr_client
from ecr_scan_reporter.aws.sns import ReportPublisher, sns_client
from ecr_scan_reporter.aws.sqs import SqsQueue, sqs_client
from ecr_scan_reporter.aws.sqs_batch import SqsBatchResponse, SqsEvent
from ecr_scan_reporter.memory.rules import RuleMemory
from ecr_scan_reporter.reporting.pipeline import Dependencies, report_batch
from ecr_scan_reporter.settings import ReporterSettings
from ecr_scan_reporter.shared.deadline import Deadline, LambdaContext

_THREADS = 16


def handler(event: SqsEvent, context: LambdaContext) -> SqsBatchResponse:
    """Report what a batch of scan events changed.

    Args:
        event: a batch of the reports queue; a body is an EventBridge event of ECR or Amazon Inspector, or a message of
            the reporter itself: a report that SNS rejected, or a check whether something is to be published; or one of
            the images scanner: an image with a deadline that has passed.
        context: Lambda's.

    Returns:
        The messages to deliver again.

    Raises:
        SettingError: an environment variable is invalid.
    """
    return report_batch(event["Records"], dependencies(), Deadline.of_invocation(context))


@cache
def dependencies() -> Dependencies:
    """Create settings, clients and threads, once per cold start."""
    settings = ReporterSettings.from_env(os.environ)
    publisher = ReportPublisher(sns_client(), settings.topic_arn, settings.chat_topic_arn)
    queue = SqsQueue(sqs_client(), settings.reports_queue_url)
    table = Table(dynamodb_client(_THREADS), settings.memory_table)
    ecr = EcrRegistry(ecr_client(_THREADS))
    return Dependencies(settings, ecr, table, RuleMemory(table), publisher, queue, ThreadPoolExecutor(_THREADS))
