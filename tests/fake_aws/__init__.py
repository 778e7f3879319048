"""A fast local fake for the endpoints of Amazon ECR, SQS and SNS: what moto lacks, over real HTTP.

It answers with AWS's wire shapes, so that boto3 itself is tested along: paging, throttling, latency, ECR's own
errors, partial failures; and it counts what it was asked.
"""

from .behavior import Behavior, Fault, QueueFaults, Rate
from .call_log import Start
from .fake_aws import FakeAws
from .images import (
    DOCKER_IMAGE,
    DOCKER_INDEX,
    OCI_IMAGE,
    OCI_INDEX,
    FakeImage,
    FakeScan,
    digest_of,
    finding,
    index_image,
    plain_images,
)
from .registry import FakeRegistry, FakeRepository, fake_registry_of
from .sns import Publication
from .sqs import QueueMessage

__all__ = [
    "DOCKER_IMAGE",
    "DOCKER_INDEX",
    "OCI_IMAGE",
    "OCI_INDEX",
    "Behavior",
    "FakeAws",
    "FakeImage",
    "FakeRegistry",
    "FakeRepository",
    "FakeScan",
    "Fault",
    "Publication",
    "QueueFaults",
    "QueueMessage",
    "Rate",
    "Start",
    "digest_of",
    "fake_registry_of",
    "finding",
    "index_image",
    "plain_images",
]
