"""The settings and clients of the reporter."""

from collections.abc import Mapping
from concurrent.futures import Executor
from typing import NamedTuple

from ecr_scan_reporter.aws.dynamodb import Table
from ecr_scan_reporter.aws.ecr import EcrRegistry
from ecr_scan_reporter.aws.sns import ReportPublisher
from ecr_scan_reporter.aws.sqs import SqsQueue
from ecr_scan_reporter.memory.rules import RuleMemory
from ecr_scan_reporter.memory.runs import RunMemory
from ecr_scan_reporter.settings import ReporterSettings


class ReporterDependencies(NamedTuple):
    """The settings and clients of the reporter. `dlqs`: the DLQs whose messages the overview counts, by name."""

    settings: ReporterSettings
    ecr: EcrRegistry
    table: Table
    rules: RuleMemory
    runs: RunMemory
    publisher: ReportPublisher
    reports_queue: SqsQueue
    pool: Executor
    dlqs: Mapping[str, SqsQueue] = {}
