"""Handler of the reporter: publishes what scans found, and the digest."""

import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TYPE_CHECKING, Any

from ecr_scan_reporter.aws.dynamodb import Table, dynamodb_client
from ecr_scan_reporter.aws.ecr import EcrRegistry, ecr_client
from ecr_scan_reporter.aws.sns import ReportPublisher, sns_client
from ecr_scan_reporter.aws.sqs import SqsQueue, sqs_client
from ecr_scan_reporter.errors import SettingError
from ecr_scan_reporter.memory.rules import RuleMemory
from ecr_scan_reporter.reporting.pipeline import Dependencies, report_batch
from ecr_scan_reporter.settings import ReporterSettings
from ecr_scan_reporter.shared import clock
from ecr_scan_reporter.shared.deadline import Deadline, LambdaContext

if TYPE_CHECKING:
    from ecr_scan_reporter.reporting.digest_publishing import DigestDependencies

_THREADS = 16


def handler(event: Mapping[str, Any], context: LambdaContext) -> Mapping[str, Any]:
    """Report what a batch of scan events changed, or make the digest.

    Args:
        event: a batch of the reports queue, or `{"digest": true}`. Each body of a batch is one of these: an EventBridge
            event of ECR or Amazon Inspector; a message of the reporter itself, which asks to publish a report that SNS
            rejected, or to check whether something is due; a message of the images scanner about an image whose
            deadline has passed. `{"digest": true}` publishes the digest; with `"publish": false` it is only returned.
        context: Lambda's.

    Returns:
        The messages that SQS is to deliver again; for the digest, how many messages were published, or the digest.

    Raises:
        SettingError: an environment variable, or the input, is invalid.
        AwsError: the digest could not be made or published.
    """
    deadline = Deadline.of_invocation(context)
    if "digest" in event:
        # Not at the top: a digest is rare, and its modules would be a fifth of what every cold start imports.
        from ecr_scan_reporter.reporting.digest_publishing import DigestRequest, make_digests

        now = clock.now()
        return make_digests(DigestRequest.parse(event, now), digest_dependencies(), deadline, now)
    if "Records" not in event:
        raise SettingError("the input", ", ".join(map(str, event)), 'a batch of the reports queue, or {"digest": true}')
    return report_batch(event["Records"], dependencies(), deadline)


@cache
def dependencies() -> Dependencies:
    """Create settings, clients and threads, once per cold start."""
    settings = ReporterSettings.from_env(os.environ)
    publisher = ReportPublisher(sns_client(), settings.topic_arn, settings.chat_topic_arn)
    queue = SqsQueue(sqs_client(), settings.reports_queue_url)
    table = Table(dynamodb_client(_THREADS), settings.memory_table)
    ecr = EcrRegistry(ecr_client(_THREADS))
    return Dependencies(settings, ecr, table, RuleMemory(table), publisher, queue, ThreadPoolExecutor(_THREADS))


@cache
def digest_dependencies() -> "DigestDependencies":
    """Create what the digest needs, once per cold start."""
    from ecr_scan_reporter.reporting.digest_publishing import DigestDependencies

    deps = dependencies()
    dlqs = {url.rsplit("/", 1)[-1]: SqsQueue(sqs_client(), url) for url in deps.settings.dlq_urls}
    return DigestDependencies(deps.settings, deps.table, deps.publisher, deps.reports_queue, dlqs, deps.rules)
