"""The settings and clients of the reporter."""

from collections.abc import Mapping
from concurrent.futures import Executor
from datetime import datetime
from typing import NamedTuple

from ecr_scan_reporter.aws.dynamodb import Table
from ecr_scan_reporter.aws.ecr import EcrRegistry
from ecr_scan_reporter.aws.sns import ReportPublisher
from ecr_scan_reporter.aws.sqs import SqsQueue
from ecr_scan_reporter.memory.exploited import Catalog, CatalogMemory
from ecr_scan_reporter.memory.rules import RuleMemory
from ecr_scan_reporter.memory.runs import RunMemory
from ecr_scan_reporter.settings import ReporterSettings


class ReporterDependencies(NamedTuple):
    """The settings and clients of the reporter.

    `dlqs`: the DLQs whose messages the overview counts, by name. `exploited`: the catalog of known exploited
    vulnerabilities; None if it is not read.
    """

    settings: ReporterSettings
    ecr: EcrRegistry
    table: Table
    rules: RuleMemory
    runs: RunMemory
    publisher: ReportPublisher
    reports_queue: SqsQueue
    pool: Executor
    dlqs: Mapping[str, SqsQueue] = {}
    exploited: CatalogMemory | None = None

    def catalog(self, now: datetime) -> Catalog:
        """Return the catalog of known exploited vulnerabilities as of a time; an empty one if it is not read.

        Raises:
            AwsError: DynamoDB rejected the call.
        """
        return self.exploited.read(now) if self.exploited else Catalog()
