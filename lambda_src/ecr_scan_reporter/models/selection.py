"""Which repositories, and which of their images, the settings select."""

import re
from typing import NamedTuple

from ecr_scan_reporter.shared.durations import Duration
from ecr_scan_reporter.shared.matching import matches


class RepositoryFilter(NamedTuple):
    """Selects repositories by name: those that match `include`, except those that match `exclude`."""

    include: re.Pattern[str]
    exclude: re.Pattern[str] | None = None

    def matches(self, repository: str) -> bool:
        """Return whether a repository is selected; both expressions match from the start of its name.

        One whose name takes too long to match is selected: whoever chooses it cannot hide the repository.
        """
        return matches(self.include, repository, undecided=True) and not (
            self.exclude and matches(self.exclude, repository, undecided=False)
        )


class Selection(NamedTuple):
    """Selects images of a repository. An image must meet every condition that is set.

    Args:
        tagged_only: only images with a tag; a child of a tagged index counts as tagged.
        tag_regexp: only images with a tag (their own or their index's) that matches from its start.
        newest: only this many images of each repository, those pushed last.
        pushed_within: only images pushed within this time.
        pulled_within: only images pulled within this time, as ECR recorded it; for an image that was never pulled, the
            time of its push counts.
    """

    tagged_only: bool = False
    tag_regexp: re.Pattern[str] | None = None
    newest: int | None = None
    pushed_within: Duration | None = None
    pulled_within: Duration | None = None
