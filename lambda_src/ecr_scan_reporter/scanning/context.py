"""The context of the scan of one repository: its message, settings, clients, deadline and tally."""

from concurrent.futures import Executor
from datetime import datetime
from typing import NamedTuple

from ecr_scan_reporter.aws.deadline import Deadline
from ecr_scan_reporter.aws.dynamodb import Table
from ecr_scan_reporter.aws.ecr import EcrRegistry
from ecr_scan_reporter.aws.sqs import SqsQueue
from ecr_scan_reporter.messages.repository import RepositoryMessage
from ecr_scan_reporter.models.images import RegistryId
from ecr_scan_reporter.scanning.decisions import ScanRules
from ecr_scan_reporter.scanning.quota import QuotaDetector
from ecr_scan_reporter.scanning.tally import Tally
from ecr_scan_reporter.settings import ImagesScannerSettings


class ScanDependencies(NamedTuple):
    """The settings and clients of the images scanner, for the life of its execution environment.

    Args:
        settings: of the images scanner.
        images_queue: takes continuations.
        reports_queue: takes images whose events were lost, and those that have their deadlines back.
        pool: threads for calls to ECR.
        writers: threads for writes to the memory table.
        quota: recognizes the daily quotas of scans.
    """

    settings: ImagesScannerSettings
    ecr: EcrRegistry
    images_queue: SqsQueue
    reports_queue: SqsQueue
    table: Table
    pool: Executor
    writers: Executor
    quota: QuotaDetector


class ScanContext(NamedTuple):
    """One repository in one invocation.

    Args:
        message: names the repository.
        tally: of the images.
    """

    message: RepositoryMessage
    deps: ScanDependencies
    deadline: Deadline
    now: datetime
    tally: Tally

    @property
    def registry(self) -> RegistryId:
        """The registry of the repository."""
        return self.message.registry

    @property
    def repository(self) -> str:
        """The name of the repository."""
        return self.message.repository

    @property
    def rules(self) -> ScanRules:
        """When an image of this registry is due."""
        settings = self.deps.settings
        return ScanRules(settings.max_age, settings.run_interval, self.now, self.message.enhanced)
