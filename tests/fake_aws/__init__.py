"""A fast fake of the endpoints of Amazon ECR, SQS, SNS and DynamoDB: what moto lacks.

It serves the ECR model of `local_aws.fake_ecr`, and models of tables, queues and topics, in AWS's wire formats. boto3
itself is under test: paging, throttling, latency, ECR's own errors, partial failures. It records the calls that it
answers, and the capacity that those of DynamoDB consume.
"""

from local_aws.fake_ecr import (
    DOCKER_IMAGE,
    DOCKER_INDEX,
    OCI_IMAGE,
    OCI_INDEX,
    FakeImage,
    FakeRegistry,
    FakeRepository,
    FakeScan,
    Fault,
    digest_of,
    fake_registry_of,
    finding,
    index_image,
    plain_images,
)

from .behavior import Behavior, QueueFaults, Rate
from .call_log import Start
from .capacity import item_size
from .fake_aws import FakeAws, response
from .server import MEMORY_TABLE, Answer
from .sns import Publication
from .sqs import QueueMessage
from .tables import DynamoDbError, Tables

__all__ = [
    "DOCKER_IMAGE",
    "DOCKER_INDEX",
    "MEMORY_TABLE",
    "OCI_IMAGE",
    "OCI_INDEX",
    "Answer",
    "Behavior",
    "DynamoDbError",
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
    "Tables",
    "digest_of",
    "fake_registry_of",
    "finding",
    "index_image",
    "item_size",
    "plain_images",
    "response",
]
