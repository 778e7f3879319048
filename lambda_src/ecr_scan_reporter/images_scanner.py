"""Handler of the images scanner: starts the due scans of one repository per message, or says what it would do."""

import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from typing import Any

from ecr_scan_reporter.aws.deadline import Deadline, LambdaContext
from ecr_scan_reporter.aws.dynamodb import Table, dynamodb_client
from ecr_scan_reporter.aws.ecr import EcrRegistry, ecr_client, single_attempt_client
from ecr_scan_reporter.aws.sqs import SqsQueue, process_batch, records, sqs_client
from ecr_scan_reporter.scanning.context import QuotaDetector, ScanDependencies
from ecr_scan_reporter.scanning.dry_run import EXPECTED, dry_run
from ecr_scan_reporter.scanning.repository import process_message
from ecr_scan_reporter.settings import ImagesScannerSettings, parse_settings
from ecr_scan_reporter.shared import clock

# How many writes to the memory table may be in flight. They have their own threads, because the threads that call ECR
# spend their time waiting for the next call that the rate permits.
_WRITES = 8
# How often calls are tried, except those whose rate the scanner controls. See the timeouts in aws/clients.py.
_ATTEMPTS = 2


def handler(event: Mapping[str, Any], context: LambdaContext) -> Mapping[str, Any]:
    """Scan one repository per message, or say what a run would do with the images of one.

    Args:
        event: a batch of the images queue; a body is a `RepositoryMessage`. Or
            `{"repository": "team-a/app", "dryRun": true}`, which starts nothing.
        context: Lambda's.

    Returns:
        The messages that SQS is to deliver again; or, for a dry run, the decision for each image and its reason.

    Raises:
        SettingError: an environment variable is invalid.
        InputError: the input is invalid.
        DeadlineExceededError: the repository of a dry run has too many images to list in time.
        AwsError: AWS rejected a call of a dry run.
    """
    deadline, now = Deadline.of_invocation(context), clock.now()
    batch = records(event, EXPECTED)
    if batch is None:
        return dry_run(event, dependencies(), deadline, now)
    process = partial(process_message, deps=dependencies(), deadline=deadline, now=now)
    return process_batch(batch, process)


@cache
def dependencies() -> ScanDependencies:
    """Create settings, clients and threads, once per cold start."""
    settings = parse_settings(ImagesScannerSettings, os.environ)
    # A listing that fails is repeated by a continuation, so its calls need not be tried for long.
    client = ecr_client(settings.threads, attempts=_ATTEMPTS)
    ecr = EcrRegistry(settings.account, client, single_attempt_client(settings.threads))
    sqs = sqs_client(attempts=_ATTEMPTS)
    images_queue, reports_queue = SqsQueue(sqs, settings.images_queue_url), SqsQueue(sqs, settings.reports_queue_url)
    table = Table(dynamodb_client(_WRITES), settings.memory_table)
    pool, writers = ThreadPoolExecutor(settings.threads), ThreadPoolExecutor(_WRITES)
    return ScanDependencies(settings, ecr, images_queue, reports_queue, table, pool, writers, QuotaDetector())
