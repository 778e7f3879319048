"""Makes the shared fixtures known to pytest."""

from support import random_tests  # noqa: F401 - before any test chooses its settings
from support.fixtures import aws_environment, aws_event, product_timeouts, virtual_time

__all__ = ["aws_environment", "aws_event", "product_timeouts", "virtual_time"]
