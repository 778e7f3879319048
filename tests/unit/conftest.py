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
    """Measure the coverage of the tests of the package, but not of random ones, and of the first case of each other.

    That makes a test two to three times as long, and the further cases mostly run the same lines.
    """
    measured = set()
    for item in items:
        of_the_package = any(item.path.is_relative_to(_TESTS / folder) for folder in ("unit", "functional"))
        test = item.nodeid.partition("[")[0]
        if item.get_closest_marker("hypothesis") or test in measured or not of_the_package:
            item.add_marker(pytest.mark.no_cover)
        measured.add(test)
