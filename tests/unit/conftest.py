"""Makes the shared fixtures known to pytest, and says which tests the coverage is measured of."""

from pathlib import Path

import pytest
from support import random_tests  # noqa: F401 - before any test chooses its settings
from support.fixtures import aws_environment, aws_event, product_timeouts, virtual_time

__all__ = ["aws_environment", "aws_event", "product_timeouts", "virtual_time"]

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
