"""Makes the shared fixtures known to pytest."""

from fixtures import aws_environment, aws_event, product_timeouts, virtual_time

__all__ = ["aws_environment", "aws_event", "product_timeouts", "virtual_time"]
