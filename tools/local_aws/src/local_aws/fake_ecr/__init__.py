"""A model of Amazon ECR in memory: repositories, images, basic and enhanced scanning, limits, paging and faults.

It has no network code and needs the standard library alone. Each front passes decoded requests to `EcrApi.call` and
encodes the answers.
"""

from local_aws.fake_ecr.control import control
from local_aws.fake_ecr.errors import AwsError
from local_aws.fake_ecr.events import event_entry
from local_aws.fake_ecr.faults import Fault, raise_fault
from local_aws.fake_ecr.findings import COMPLETE, FAILED, UNSUPPORTED_OS, EnhancedFinding, Finding, severity_counts
from local_aws.fake_ecr.images import (
    DOCKER_IMAGE,
    DOCKER_INDEX,
    OCI_CONFIG,
    OCI_IMAGE,
    OCI_INDEX,
    OCI_LAYER,
    FakeImage,
    FakeScan,
    digest_of,
    finding,
    index_image,
    plain_images,
)
from local_aws.fake_ecr.operations import EcrApi
from local_aws.fake_ecr.registry import FakeRegistry, FakeRepository, ScanRequest, fake_registry_of

__all__ = [
    "COMPLETE",
    "DOCKER_IMAGE",
    "DOCKER_INDEX",
    "FAILED",
    "OCI_CONFIG",
    "OCI_IMAGE",
    "OCI_INDEX",
    "OCI_LAYER",
    "UNSUPPORTED_OS",
    "AwsError",
    "EcrApi",
    "EnhancedFinding",
    "FakeImage",
    "FakeRegistry",
    "FakeRepository",
    "FakeScan",
    "Fault",
    "Finding",
    "ScanRequest",
    "control",
    "digest_of",
    "event_entry",
    "fake_registry_of",
    "finding",
    "index_image",
    "plain_images",
    "raise_fault",
    "severity_counts",
]
