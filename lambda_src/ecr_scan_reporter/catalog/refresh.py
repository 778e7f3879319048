"""Reads the catalog anew: what changed since the last copy, and whether that can be believed."""

import logging
from datetime import datetime, timedelta

from ecr_scan_reporter.aws.deadline import Deadline
from ecr_scan_reporter.catalog.download import download
from ecr_scan_reporter.catalog.feed import MAX_ENTRIES, parse_feed
from ecr_scan_reporter.errors import FeedError
from ecr_scan_reporter.memory.exploited import Catalog, CatalogMemory, Entries
from ecr_scan_reporter.models.exploited import CatalogEntry

logger = logging.getLogger(__name__)

# A copy with fewer than this share of the entries before is not believed. In three years, 11 entries were removed.
_LEAST_SHARE = 0.9
# For how long it is remembered that an entry was removed.
_REMOVED_FOR = timedelta(days=400)


def refresh(memory: CatalogMemory, address: str, deadline: Deadline, now: datetime, *, smaller: bool) -> Catalog:
    """Read the catalog, and remember it if it can be believed; otherwise, remember why not. Return what is remembered.

    Args:
        memory: of the catalog.
        address: of the catalog.
        deadline: until when to try.
        now: aware.
        smaller: whether to believe a copy that has lost many entries.

    Raises:
        AwsError: DynamoDB rejected a call.
    """
    known = memory.read(now)
    try:
        found = parse_feed(download(address, deadline), now)
        before = sum(1 for _ in known.listed())
        if len(found) < _LEAST_SHARE * before and not smaller:
            raise FeedError(f"it has {len(found):,} vulnerabilities, and the last copy had {before:,}")
    except FeedError as error:
        logger.warning("the catalog is not believed; the last copy stays", extra={"reason": str(error)})
        memory.note_problem(str(error), now)
        return known._replace(asked_at=known.asked_at or now, problem=str(error))
    entries = merge(known.entries, found, now)
    catalog = Catalog(entries, known.asked_at or now, known.begun_at or now, now)
    memory.write(catalog)
    changed = sum(entry.changed_at == now for entry in entries.values())
    logger.info("catalog read", extra={"entries": len(found), "changed": changed})
    return catalog


def merge(known: Entries, found: Entries, now: datetime) -> dict[str, CatalogEntry]:
    """Return the entries of a new copy with what is known of each: since when, and when it last changed.

    Entries that it no longer has are kept for a while as removed, so that whoever looks later finds that they were.
    """
    entries = {cve: _changed(known.get(cve), entry) for cve, entry in found.items()}
    for cve, entry in known.items():
        if cve not in found and now - entry.changed_at < _REMOVED_FOR and len(entries) < 2 * MAX_ENTRIES:
            entries[cve] = entry if entry.removed else entry._replace(removed=True, changed_at=now)
    return entries


def _changed(before: CatalogEntry | None, entry: CatalogEntry) -> CatalogEntry:
    entry = entry._replace(since=before.since) if before else entry
    return before if before and entry._replace(changed_at=before.changed_at) == before else entry
