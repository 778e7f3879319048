"""A local AWS for development: LocalStack without Docker, Lambda functions as processes, ECR with image scanning."""

from local_aws.fake_ecr import UNSUPPORTED_OS, Finding
from local_aws.launcher import FunctionProcess, LocalAws, LocalAwsError, clean_environment
from local_aws.registry import NotSupportedError, RefusedScan, Registry, StartedScan
from local_aws.scan_events import ScanEvents

__all__ = [
    "UNSUPPORTED_OS",
    "Finding",
    "FunctionProcess",
    "LocalAws",
    "LocalAwsError",
    "NotSupportedError",
    "RefusedScan",
    "Registry",
    "ScanEvents",
    "StartedScan",
    "clean_environment",
]
