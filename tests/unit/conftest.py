"""Makes the shared fixtures known to pytest."""

from fixtures import aws_environment, aws_event

__all__ = ["aws_environment", "aws_event"]
