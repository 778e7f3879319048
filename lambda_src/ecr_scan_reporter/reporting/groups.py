"""The group of a repository, from the input `group_by`."""

import re


def captured_group(repository: str, group_by: re.Pattern[str] | None) -> str | None:
    """Return what `group_by` captures in the name of a repository; None if it is not set or does not match."""
    match = group_by.match(repository) if group_by else None
    return match.group(1) if match else None
