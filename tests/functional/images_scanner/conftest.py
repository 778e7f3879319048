"""A scanner, for the tests of the images scanner."""

from collections.abc import Callable

import pytest
from fake_aws import FakeAws
from support.images_scanner import Scanner


@pytest.fixture
def make_scanner(aws: FakeAws, configure: Callable[..., None]) -> Callable[..., Scanner]:
    """Make a scanner with these settings."""

    def make(**settings: str) -> Scanner:
        configure(**{"THREADS": "8", **settings})
        return Scanner(aws)

    return make


@pytest.fixture
def scanner(make_scanner: Callable[..., Scanner]) -> Scanner:
    return make_scanner()
