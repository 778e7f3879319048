"""Isolates the tests from the caller's AWS settings."""

from support.fixtures import aws_environment, virtual_time

__all__ = ["aws_environment", "virtual_time"]
