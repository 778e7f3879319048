"""The configuration that all boto3 clients share."""

from typing import Any

from botocore.config import Config


def client_config(threads: int = 1, attempts: int = 4) -> Config:
    """Build the configuration of a client for `threads` threads that tries each call `attempts` times.

    The timeouts (seconds) keep one call that hangs from taking the whole invocation with it: these services answer
    in well under a second.
    """
    retries: Any = {"mode": "standard", "total_max_attempts": attempts}
    return Config(max_pool_connections=threads, connect_timeout=5, read_timeout=20, retries=retries)
