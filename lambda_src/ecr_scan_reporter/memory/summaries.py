"""What is remembered of each repository for the overview: one item, which the images scanner writes once per run.

It adds up what the reporter remembers of each image, so that whoever reads the items need not read an image or a
finding. A page has at most 1 MB (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html),
so the item is compressed and names only the worst.
"""

import heapq
import json
import logging
import zlib
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from ecr_scan_reporter.aws.dynamodb import Item, Table
from ecr_scan_reporter.memory.coverage import Coverage
from ecr_scan_reporter.memory.images import Ledger, Update, image_record
from ecr_scan_reporter.memory.items import (
    END,
    UNREADABLE,
    expires,
    key_part,
    number,
    registry_key,
    text,
    to_seconds,
    to_time,
)
from ecr_scan_reporter.memory.scans import RememberedScan
from ecr_scan_reporter.models.images import RegistryId
from ecr_scan_reporter.models.severities import severity_rank

logger = logging.getLogger(__name__)

# The key of `coverage` for all images. All other keys are reasons.
IMAGES = "images"
# What an item names: the updates that solve most, and the findings that have been overdue for longest.
_MAX_UPDATES, _MAX_OVERDUE = 10, 3
# How many updates are kept while images are added: an update that is minor for each image can be the most common one
# overall.
_MAX_COLLECTED = 10_000
# What reading a summary may raise that is damaged, or that a later release wrote.
_UNREADABLE = (*UNREADABLE, zlib.error)


class OverdueFinding(NamedTuple):
    """A finding whose deadline has passed.

    `image` is a tag or a short digest. `due_at` is aware. `rule` is the key of `fix_within` that set the deadline, and
    `days` its value; "" and 0 where this is not known.
    """

    image: str
    id: str
    package: str
    severity: str
    due_at: datetime
    rule: str = ""
    days: int = 0


@dataclass(slots=True)
class RepositorySummary:
    """A repository after a run.

    Args:
        repository: its name.
        updated_at: when the run ended here (aware).
        coverage: how many images there are, how many were scanned within the promised age, and the others by reason.
        examples: by reason, the names of a few images.
        open: open findings by severity; of the images that ECR lists.
        images_by_worst: images by the severity of their worst open finding, "NONE" if they have none.
        ledger: of all images since memory began to know them, including those that ECR no longer lists.
        updates: all of them while images are added; in the item, those that solve most, best first.
        overdue: how many findings are overdue.
        overdue_worst: those that have been overdue for longest.
        ignored: how many open findings are ignored.
    """

    repository: str
    updated_at: datetime
    coverage: Mapping[str, int] = field(default_factory=dict)
    examples: Mapping[str, Sequence[str]] = field(default_factory=dict)
    open: Counter[str] = field(default_factory=Counter)
    images_by_worst: Counter[str] = field(default_factory=Counter)
    ledger: Ledger = field(default_factory=Ledger)
    updates: list[Update] = field(default_factory=list)
    overdue: int = 0
    overdue_worst: list[OverdueFinding] = field(default_factory=list)
    ignored: int = 0
    _places: dict[tuple[str, tuple[str, ...], tuple[str, ...]], int] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def add_image(self, item: Item, name: str | None) -> None:
        """Add what is remembered of an image.

        Args:
            item: of the image, as the reporter wrote it.
            name: a tag or a short digest; None if ECR no longer lists the image, so that only its ledger counts.
        """
        record = image_record(item)
        self.ledger += record.ledger
        if name is None:
            return
        counts = record.counts or {}
        self.open.update(counts)
        worst = min((severity for severity, number in counts.items() if number), key=severity_rank, default="NONE")
        self.images_by_worst[worst] += 1
        self.ignored += record.ignored
        self._add_updates(record.updates)
        passed = [
            OverdueFinding(name, *deadline)
            for deadline in record.earliest_deadlines
            if deadline.due_at <= self.updated_at
        ]
        # The reporter counted when it last looked at the image. Dates may have passed since then.
        self.overdue += max(record.overdue, len(passed))
        self.overdue_worst = _overdue_for_longest([*self.overdue_worst, *passed])

    def set_coverage(self, coverage: Coverage) -> None:
        """Set the coverage of all images of the repository."""
        self.coverage = {IMAGES: coverage.images} | {str(reason): number for reason, number in coverage.counts.items()}
        self.examples = {str(reason): names for reason, names in coverage.names.items()}

    def _add_updates(self, updates: Iterable[Update]) -> None:
        if len(self._places) != len(self.updates):
            self._places = {update.key: place for place, update in enumerate(self.updates)}
        for update in updates:
            place = self._places.setdefault(update.key, len(self.updates))
            if place < len(self.updates):
                self.updates[place] += update
            else:
                self.updates.append(update)
        if len(self.updates) > _MAX_COLLECTED:
            self.updates = merge_updates(self.updates, _MAX_COLLECTED // 2)

    def to_json(self) -> dict[str, Any]:
        """Return JSON values for the item."""
        return {
            "coverage": dict(self.coverage),
            "examples": {reason: list(names) for reason, names in self.examples.items()},
            "open": dict(self.open),
            "worst": dict(self.images_by_worst),
            "ledger": self.ledger.to_json(),
            "updates": [update.to_json() for update in self.updates],
            "overdue": self.overdue,
            "overdue_worst": [
                [found.image, found.id, found.package, found.severity, to_seconds(found.due_at), found.rule, found.days]
                for found in self.overdue_worst
            ],
            "ignored": self.ignored,
        }

    @classmethod
    def from_json(cls, repository: str, updated_at: datetime, values: Mapping[str, Any]) -> "RepositorySummary":
        """Return what `to_json` encoded."""
        return cls(
            repository,
            updated_at,
            coverage=values["coverage"],
            examples=values["examples"],
            open=Counter(values["open"]),
            images_by_worst=Counter(values["worst"]),
            ledger=Ledger.from_json(values["ledger"]),
            updates=[Update.from_json(update) for update in values["updates"]],
            overdue=values["overdue"],
            overdue_worst=[
                OverdueFinding(image, id_, package, severity, to_time(due) or updated_at, *why)
                for image, id_, package, severity, due, *why in values["overdue_worst"]
            ],
            ignored=values["ignored"],
        )


def summarize(
    images: Iterable[tuple[str, RememberedScan, Item]],
    summary: RepositorySummary,
    name_of: Callable[[str], str | None],
) -> Iterator[tuple[str, RememberedScan, bool]]:
    """Add images to the summary of their repository while they are read for another purpose.

    An image whose findings cannot be parsed is not counted.

    Args:
        images: the digests, what is remembered of the scans, and the reporter's items, {} if there is none.
        summary: takes the findings.
        name_of: returns the name of an image; None if ECR no longer lists it.

    Yields:
        The digest, what is remembered of the scans, and whether a deadline has passed that was not yet reported.
    """
    for digest, scan, item in images:
        try:
            if item:
                summary.add_image(item, name_of(digest))
        except UNREADABLE as error:
            extra = {"repository": summary.repository, "digest": digest, "reason": repr(error)}
            logger.warning("the remembered findings of an image cannot be read; they are not counted", extra=extra)
        yield digest, scan, 0 < number(item, "due_at") <= to_seconds(summary.updated_at)


def _overdue_for_longest(findings: Iterable[OverdueFinding]) -> list[OverdueFinding]:
    return heapq.nsmallest(_MAX_OVERDUE, findings, key=lambda found: found.due_at)


def merge_updates(updates: Iterable[Update], number: int) -> list[Update]:
    """Add up equal updates; return the best ones, at most `number`: most critical findings first, then most images."""
    merged: dict[tuple[str, tuple[str, ...], tuple[str, ...]], Update] = {}
    for update in updates:
        known = merged.get(update.key)
        merged[update.key] = known + update if known else update
    return heapq.nsmallest(number, merged.values(), key=Update.sort_key)


def summary_item(registry: RegistryId, summary: RepositorySummary, now: datetime) -> Item:
    """Return the item of a repository's summary, which keeps only the best updates."""
    summary.updates = merge_updates(summary.updates, _MAX_UPDATES)
    return {
        "pk": _key(registry),
        "sk": key_part(summary.repository),
        "repository": summary.repository,
        "updated_at": to_seconds(summary.updated_at),
        "data": zlib.compress(json.dumps(summary.to_json(), separators=(",", ":")).encode(), 6),
        "expires": expires(now),
    }


def summaries(table: Table, registry: RegistryId, unreadable: set[str] | None = None) -> Iterator[RepositorySummary]:
    """Yield the summaries of all repositories of a registry, sorted by name; one call per MB.

    Args:
        table: the memory table.
        registry: whose repositories.
        unreadable: receives the names of the repositories whose summary cannot be parsed.

    Raises:
        AwsError: DynamoDB rejected a call.
    """
    for item in table.query(_key(registry), " ", END):
        if summary := _summary(item):
            yield summary
        elif unreadable is not None:
            unreadable.add(text(item, "repository"))


def repository_summary(table: Table, registry: RegistryId, repository: str) -> RepositorySummary | None:
    """Return the summary of one repository; None if no run has ended there, or it cannot be parsed.

    Raises:
        AwsError: DynamoDB rejected a call.
    """
    return _summary(table.get(_key(registry), key_part(repository)) or {})


def open_findings(table: Table, registry: RegistryId, repositories: Collection[str]) -> Counter[str] | None:
    """Add up the open findings of repositories by severity; None if there is no summary of any. One call per MB.

    Raises:
        AwsError: DynamoDB rejected a call.
    """
    total: Counter[str] | None = None
    for item in table.query(_key(registry), " ", END):
        summary = _summary(item) if text(item, "repository") in repositories else None
        if summary:
            total = summary.open if total is None else total + summary.open
    return total


def _key(registry: RegistryId) -> str:
    return registry_key("SUMMARIES", registry)


def _summary(item: Item) -> RepositorySummary | None:
    data, updated_at = item.get("data"), to_time(item.get("updated_at"))
    if not isinstance(data, bytes) or updated_at is None:
        return None
    repository = text(item, "repository")
    try:
        return RepositorySummary.from_json(repository, updated_at, json.loads(zlib.decompress(data)))
    except _UNREADABLE as error:
        extra = {"repository": repository, "reason": repr(error)}
        logger.warning("the summary of a repository cannot be read", extra=extra)
        return None
