"""Makes the shared fixtures known to pytest, and says which tests the coverage is measured of."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from ecr_scan_reporter.aws.dynamodb import Table
from support import random_tests  # noqa: F401 - before any test chooses its settings
from support.fixtures import aws_environment, aws_event, product_timeouts, quiet, virtual_aws, virtual_time

__all__ = ["aws_environment", "aws_event", "product_timeouts", "quiet", "virtual_time"]


@pytest.fixture
def table() -> Iterator[Table]:
    """An empty memory table."""
    with virtual_aws() as aws:
        yield Table(aws.client("dynamodb"), aws.create_memory_table())


_TESTS = Path(__file__).parents[1]


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Measure the coverage neither of random tests nor of those of the fakes.

    That makes a test two to three times as long, and other tests cover what they do.
    """
    for item in items:
        of_the_package = any(item.path.is_relative_to(_TESTS / folder) for folder in ("unit", "functional"))
        if item.get_closest_marker("hypothesis") or not of_the_package:
            item.add_marker(pytest.mark.no_cover)
