"""Links to the AWS console: its host in each partition, and names as parts of a path."""

import pytest
from ecr_scan_reporter.models.images import ImageId
from ecr_scan_reporter.reporting.console_links import image_console_url
from support.invocations import REGISTRY

DIGEST = "sha256:" + 64 * "0"


@pytest.mark.parametrize(
    ("partition", "host"),
    [
        ("aws", "console.aws.amazon.com"),
        ("aws-cn", "console.amazonaws.cn"),
        ("aws-us-gov", "console.amazonaws-us-gov.com"),
    ],
)
def test_link_leads_to_the_console_of_the_partition(partition: str, host: str) -> None:
    link = image_console_url(partition, REGISTRY.image("team/app", DIGEST))
    path = f"ecr/repositories/private/123456789012/team/app/_/image/{DIGEST.replace(':', '%3A')}/scan-results"
    assert link == f"https://eu-west-1.{host}/{path}?region=eu-west-1"


def test_partition_whose_console_is_not_public_has_no_link() -> None:
    assert image_console_url("aws-iso", ImageId("123456789012", "us-iso-east-1", "app", DIGEST)) == ""


def test_text_from_outside_adds_no_part_to_the_path() -> None:
    link = image_console_url("aws", ImageId("1", "eu-west-1/..", "a?b/c#d", "sha256:0"))
    assert link.startswith(
        "https://eu-west-1%2F...console.aws.amazon.com/ecr/repositories/private/1/a%3Fb/c%23d/_/image/"
    )
