"""A local AWS for development: LocalStack without Docker, Lambda functions as processes, ECR with image scanning."""

from local_aws.fake_ecr import UNSUPPORTED_OS, EnhancedFinding, Finding
from local_aws.launcher import FunctionProcess, LocalAws, LocalAwsError, clean_environment
from local_aws.registry_client import NotSupportedError, RegistryClient, StartedScan
from local_aws.scan_events import ScanEvents

__all__ = [
    "UNSUPPORTED_OS",
    "EnhancedFinding",
    "Finding",
    "FunctionProcess",
    "LocalAws",
    "LocalAwsError",
    "NotSupportedError",
    "RegistryClient",
    "ScanEvents",
    "StartedScan",
    "clean_environment",
]
