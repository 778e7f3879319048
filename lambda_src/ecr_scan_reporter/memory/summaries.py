"""The remembered summary of each repository for the overview: one item, which the images scanner writes once per run.

It adds up the reporter's memory of each image, so that whoever reads the items need not read an image or a
finding. A page of a query has at most 1 MB (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html),
so the item is compressed and names only the worst.
"""

import heapq
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import NamedTuple

from ecr_scan_reporter.aws.dynamodb import Item, Table
from ecr_scan_reporter.memory.codec import pack_as, readable, unpack_as
from ecr_scan_reporter.memory.coverage import Coverage
from ecr_scan_reporter.memory.images import ImageRecord, KnownExploited, Ledger, Update, UpdateKey
from ecr_scan_reporter.memory.items import END, binary, expires, formatted, key_part, latest, registry_key, text
from ecr_scan_reporter.models.images import RegistryId
from ecr_scan_reporter.models.severities import severity_rank

# How many an item names: the updates that solve most, the findings that have been overdue for longest, and those that
# are known to be exploited and due first.
_MAX_UPDATES, _MAX_URGENT = 10, 3
# How many updates are kept while images are added: an update that is minor for each image can be the most common one
# overall.
_MAX_COLLECTED = 10_000


class OverdueInImage(NamedTuple):
    """A finding whose deadline has passed.

    `image` is a tag or a short digest. `rule` is the key of `fix_within` that set the deadline, and
    `days` its value; "" and 0 where this is not known.
    """

    image: str
    id: str
    package: str
    severity: str
    due_at: datetime
    rule: str = ""
    days: int = 0


class ExploitedFinding(NamedTuple):
    """A finding of an image that is known to be exploited. `image` is a tag or a short digest."""

    image: str
    finding: KnownExploited


class RepositorySummary(NamedTuple):
    """A repository after a run.

    Args:
        updated_at: when the run ended here.
        coverage: how many images were scanned within the promised age, and the others by reason.
        open: open findings by severity; of the images that ECR lists.
        images_by_worst: images by the severity of their worst open finding, "NONE" if they have none.
        ledger: of all images since memory began to know them, including those that ECR no longer lists.
        updates: those that solve most, best first.
        overdue: how many findings are overdue.
        overdue_worst: those that have been overdue for longest.
        ignored: how many open findings are ignored.
        kernel_headers: how many of these are of kernel headers.
        exploited: how many open findings are known to be exploited, and are not ignored.
        exploited_first: those that are due first.
        exploited_ignored: how many of the ignored findings are known to be exploited.
    """

    repository: str
    updated_at: datetime
    coverage: Coverage = Coverage()
    open: Mapping[str, int] = {}
    images_by_worst: Mapping[str, int] = {}
    ledger: Ledger = Ledger()
    updates: Sequence[Update] = ()
    overdue: int = 0
    overdue_worst: Sequence[OverdueInImage] = ()
    ignored: int = 0
    kernel_headers: int = 0
    exploited: int = 0
    exploited_first: Sequence[ExploitedFinding] = ()
    exploited_ignored: int = 0


class SummaryBuilder:
    """Adds up the images of a repository after a run, which ends at `updated_at`."""

    def __init__(self, repository: str, updated_at: datetime) -> None:
        self._open, self._by_worst = Counter[str](), Counter[str]()
        self._sums = RepositorySummary(repository, updated_at, open=self._open, images_by_worst=self._by_worst)
        self._updates: dict[UpdateKey, Update] = {}

    def add_image(self, record: ImageRecord, name: str | None, *, replaced: bool = False) -> None:
        """Add a remembered image.

        Args:
            record: of the image.
            name: a tag or a short digest; None if ECR no longer lists the image, so that only its ledger counts.
            replaced: whether ECR lists an image that has replaced it, and has its deadlines now.
        """
        sums = self._sums
        self._sums = sums._replace(ledger=sums.ledger + record.ledger)
        if name is None:
            return
        self._open.update(record.counts)
        severities = (severity for severity, number in record.counts.items() if number)
        self._by_worst[min(severities, key=severity_rank, default="NONE")] += 1
        for update in record.updates:
            known = self._updates.get(update.key)
            self._updates[update.key] = known + update if known else update
        if len(self._updates) > _MAX_COLLECTED:
            self._updates = {update.key: update for update in self._best_updates(_MAX_COLLECTED // 2)}
        self._sums = self._sums._replace(
            ignored=sums.ignored + record.ignored, kernel_headers=sums.kernel_headers + record.kernel_headers
        )
        if not replaced:
            self._add_deadlines(record, name)

    def _add_deadlines(self, record: ImageRecord, name: str) -> None:
        sums = self._sums
        deadlines = (OverdueInImage(name, *deadline) for deadline in record.earliest_deadlines)
        passed = [deadline for deadline in deadlines if deadline.due_at <= sums.updated_at]
        late = (*sums.overdue_worst, *passed)
        found = (*sums.exploited_first, *(ExploitedFinding(name, finding) for finding in record.exploited_first))
        self._sums = sums._replace(
            exploited=sums.exploited + record.exploited,
            exploited_ignored=sums.exploited_ignored + record.exploited_ignored,
            exploited_first=heapq.nsmallest(_MAX_URGENT, found, key=lambda found: found.finding.due),
            # The reporter counted when it last looked at the image. Dates may have passed since then.
            overdue=sums.overdue + max(record.overdue, len(passed)),
            overdue_worst=heapq.nsmallest(_MAX_URGENT, late, key=lambda found: found.due_at),
        )

    def _best_updates(self, number: int) -> list[Update]:
        return heapq.nsmallest(number, self._updates.values(), key=Update.sort_key)

    def build(self, coverage: Coverage) -> RepositorySummary:
        """Return the summary of the images that were added, with the coverage of all images of the repository."""
        return self._sums._replace(coverage=coverage, updates=self._best_updates(_MAX_UPDATES))


def summary_item(registry: RegistryId, summary: RepositorySummary, now: datetime) -> Item:
    """Return the item of a repository's summary."""
    return {
        "pk": _key(registry),
        "sk": formatted(key_part(summary.repository)),
        "repository": summary.repository,
        "data": pack_as(RepositorySummary, summary._replace(repository="")),
        "expires": expires(now),
    }


def summaries(
    table: Table, registry: RegistryId, now: datetime, unreadable: set[str] | None = None
) -> Iterator[RepositorySummary]:
    """Yield the summaries of all repositories of a registry, sorted by name; one call per MB.

    Args:
        registry: whose repositories.
        now: a summary from the future, of a function whose clock was ahead, is one of now.
        unreadable: receives the names of the repositories whose summary cannot be parsed.

    Raises:
        AwsError: DynamoDB rejected a call.
    """
    for item in latest(table.query(_key(registry), " ", END)):
        repository = text(item, "repository")
        summary = next(readable([item], partial(_parse, now=now), repository=repository), None)
        if summary:
            yield summary
        elif unreadable is not None:
            unreadable.add(repository)


def repository_summary(table: Table, registry: RegistryId, repository: str, now: datetime) -> RepositorySummary | None:
    """Return the summary of one repository until `now`; None if no run has ended there, or it cannot be parsed.

    Raises:
        AwsError: DynamoDB rejected a call.
    """
    sk = key_part(repository)
    items = latest(table.query(_key(registry), f"{sk}#", f"{sk}#{END}"))
    return next(readable(items, partial(_parse, now=now), repository=repository), None)


def _key(registry: RegistryId) -> str:
    return registry_key("SUMMARIES", registry)


def _parse(item: Item, now: datetime) -> RepositorySummary:
    summary = unpack_as(RepositorySummary, binary(item))
    return summary._replace(repository=text(item, "repository"), updated_at=min(summary.updated_at, now))
