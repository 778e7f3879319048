"""A fast local stand-in for the endpoints of Amazon ECR, SQS and SNS: what moto lacks, over real HTTP.

It answers with AWS's wire shapes, so that boto3 itself is tested along: paging, throttling, latency, ECR's own
errors, partial failures; and it counts what it was asked.
"""

from .behaviour import Behaviour, Fault, QueueFaults, Rate
from .images import (
    DOCKER_IMAGE,
    DOCKER_INDEX,
    OCI_IMAGE,
    OCI_INDEX,
    Image,
    Scan,
    digest_of,
    finding,
    index_image,
    plain_images,
)
from .records import Start
from .registry import Registry, Repository, registry_of
from .sns import Publication
from .sqs import QueueMessage
from .stand_in import StandIn

__all__ = [
    "DOCKER_IMAGE",
    "DOCKER_INDEX",
    "OCI_IMAGE",
    "OCI_INDEX",
    "Behaviour",
    "Fault",
    "Image",
    "Publication",
    "QueueFaults",
    "QueueMessage",
    "Rate",
    "Registry",
    "Repository",
    "Scan",
    "StandIn",
    "Start",
    "digest_of",
    "finding",
    "index_image",
    "plain_images",
    "registry_of",
]
