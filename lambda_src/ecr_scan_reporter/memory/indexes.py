"""The manifests of image indexes: they never change, so an index that fits into an item is read from ECR once.

ECR counts BatchGetImage as a pull. If every run read the indexes, a lifecycle rule that expires images by their last
pull would never expire one. https://github.com/aws/containers-roadmap/issues/2390
"""

import logging
from collections.abc import Callable, Collection, Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

from ecr_scan_reporter.aws.deadline import Deadline
from ecr_scan_reporter.aws.dynamodb import Item, Table
from ecr_scan_reporter.aws.ecr import EcrRegistry
from ecr_scan_reporter.errors import AwsError
from ecr_scan_reporter.memory import items, lifetimes
from ecr_scan_reporter.memory.codec import from_item, readable
from ecr_scan_reporter.models.images import IndexChild, RegistryId
from ecr_scan_reporter.shared.concurrency import chunked

logger = logging.getLogger(__name__)

# An item is written again when it expires within this time.
_REWRITTEN_BEFORE_EXPIRY = timedelta(days=100)
# How many indexes are read before they are remembered: those of one call to ECR.
_INDEXES_PER_CALL = 100
# Bytes of the manifests of one index in an item, which may have 400 KB with everything else.
_MAX_SIZE = 350_000


class _Manifest(NamedTuple):
    """A manifest of an index, as `IndexChild` has it."""

    digest: str
    platform: str = ""
    attestation: bool = False


class _Index(NamedTuple):
    """An index as it is remembered."""

    children: tuple[_Manifest, ...]


def index_children(
    ecr: EcrRegistry,
    table: Table,
    repository: str,
    indexes: Collection[str],
    now: datetime,
    deadline: Deadline | None = None,
    memory_failed: Callable[[], None] = lambda: None,
) -> list[IndexChild]:
    """Return the manifests of image indexes, from memory and otherwise from ECR.

    Indexes that are read before the deadline, if there is one, are remembered. If a call to the memory table fails,
    `memory_failed` is called, and ECR is asked instead.

    Raises:
        DeadlineExceededError: there are too many indexes to read in the remaining time.
        AwsError: ECR rejected a call.
    """
    memory = _IndexMemory(table, ecr.id, repository, memory_failed)
    stored = memory.items(indexes)
    children = dict(readable(stored.items(), _children, repository=repository))
    outdated = {
        digest: manifests
        for digest, manifests in children.items()
        if items.number(stored[digest], "expires") < items.to_seconds(now + _REWRITTEN_BEFORE_EXPIRY)
    }
    if outdated:
        memory.remember(outdated, now)
    for chunk in chunked([digest for digest in indexes if digest not in children], _INDEXES_PER_CALL):
        if deadline:
            deadline.check(f"reading the indexes of {repository}")
        manifests = ecr.index_manifests(repository, chunk)
        memory.remember(manifests, now)
        children |= manifests
    return [child for digest in indexes for child in children.get(digest, ())]


class _IndexMemory:
    """The part of the memory table with the indexes of one repository. A failure is logged, and `failed` is called."""

    def __init__(self, table: Table, registry: RegistryId, repository: str, failed: Callable[[], None]) -> None:
        self._table, self._repository, self._failed = table, repository, failed
        self._pk = items.repository_key(registry, repository)

    def items(self, indexes: Collection[str]) -> dict[str, Item]:
        try:
            keys = ((self._pk, key) for digest in indexes for key in items.in_formats(f"INDEX#{digest}"))
            stored = items.latest(sorted(self._table.get_many(keys).values(), key=items.base_key))
        except AwsError as error:
            logger.warning(
                "memory is not available; ECR is asked about every index",
                extra={"repository": self._repository, "reason": str(error)},
            )
            self._failed()
            return {}
        return {items.base_key(item).removeprefix("INDEX#"): item for item in stored}

    def remember(self, children: Mapping[str, list[IndexChild]], now: datetime) -> None:
        stored: list[Item] = []
        for digest, manifests in children.items():
            index = _Index(tuple(_Manifest(*child[1:]) for child in manifests))
            item = items.record_item(self._pk, f"INDEX#{digest}", index, now, lifetimes.INDEX)
            if len(str(item["children"])) > _MAX_SIZE:
                # With it, DynamoDB would reject the whole call.
                extra = {"repository": self._repository, "digest": digest, "manifests": len(manifests)}
                logger.warning("an index is too large to be remembered", extra=extra)
                continue
            stored.append(item)
        try:
            self._table.put_many(stored)
        except AwsError as error:
            logger.warning("indexes not remembered", extra={"repository": self._repository, "reason": str(error)})
            self._failed()


def _children(index: tuple[str, Item]) -> tuple[str, list[IndexChild]]:
    digest, item = index
    return digest, [IndexChild(digest, *manifest) for manifest in from_item(_Index, item).children]
