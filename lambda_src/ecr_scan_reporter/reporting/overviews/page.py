"""The values that every format of an overview renders."""

from typing import NamedTuple

from ecr_scan_reporter.reporting.overviews.overview import Overview
from ecr_scan_reporter.reporting.registry_state import RepositoryLine


class OverviewPage(NamedTuple):
    """One message of an overview.

    Args:
        overview: what the whole overview says. The email and the chat message of the first page say all of it.
        repositories: those that the JSON document of this page has.
        part: the number of the page, from 1.
        parts: how many pages there are.
    """

    overview: Overview
    repositories: tuple[RepositoryLine, ...]
    part: int = 1
    parts: int = 1
