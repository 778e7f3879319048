"""The catalog reader: reads the catalog of known exploited vulnerabilities daily, and keeps the last good copy."""

import logging
import os
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from ecr_scan_reporter.aws.clients import create_client
from ecr_scan_reporter.aws.deadline import Deadline, LambdaContext
from ecr_scan_reporter.aws.dynamodb import Table
from ecr_scan_reporter.aws.metrics import embed
from ecr_scan_reporter.catalog.download import download
from ecr_scan_reporter.catalog.feed import MAX_ENTRIES, parse_feed
from ecr_scan_reporter.errors import FeedError, InputError
from ecr_scan_reporter.memory.exploited import Catalog, CatalogMemory, Entries
from ecr_scan_reporter.models.exploited import CatalogEntry
from ecr_scan_reporter.settings import CatalogReaderSettings, parse_settings
from ecr_scan_reporter.shared import clock

# For this long, the rule of the first run retries a failed read; after that, only the schedule does.
_FIRST_TRIES = timedelta(hours=1)
# For how long it is remembered that an entry was removed.
_REMOVED_FOR = timedelta(days=400)
logger = logging.getLogger(__name__)


def handler(event: object, context: LambdaContext) -> Mapping[str, Any]:
    """Read the catalog. A copy that cannot be believed is no error: the last one stays, and an alarm watches its age.

    Args:
        event: any; `{"smaller": true}` believes a copy that has lost more than a tenth of the entries, and
            `{"first": true}` reads the catalog only if there is no copy yet, for an hour.

    Returns:
        How many entries the last good copy has, and why the one of now is not believed, "" if it is; nothing if it was
        not to be read.

    Raises:
        SettingError: an environment variable is invalid.
        InputError: the input is invalid.
        AwsError: DynamoDB rejected a call.
    """
    values = event if isinstance(event, Mapping) else {}
    first, smaller = (values.get(name, False) for name in ("first", "smaller"))
    if type(smaller) is not bool:
        raise InputError(f"smaller is {smaller!r}; expected true or false")
    settings, table = dependencies()
    memory, now, deadline = CatalogMemory(table), clock.now(), Deadline.of_invocation(context)
    if first and not _is_to_be_tried(memory.read(now), now):
        return {}
    catalog = refresh(memory, settings.catalog_address, deadline, now, smaller=smaller)
    age = now - (catalog.read_at or catalog.asked_at or now)
    metrics = embed({"CatalogAge": int(age.total_seconds())}, settings.name, seconds=["CatalogAge"])
    logger.info("age of the catalog", extra=metrics)
    return {"entries": sum(1 for _ in catalog.listed()), "problem": catalog.problem}


def _is_to_be_tried(known: Catalog, now: datetime) -> bool:
    return known.begun_at is None and (known.asked_at is None or now - known.asked_at < _FIRST_TRIES)


@cache
def dependencies() -> tuple[CatalogReaderSettings, Table]:
    """Create the settings and the client, once per cold start."""
    settings = parse_settings(CatalogReaderSettings, os.environ)
    return settings, Table(create_client("dynamodb"), settings.memory_table)


def refresh(memory: CatalogMemory, address: str, deadline: Deadline, now: datetime, *, smaller: bool) -> Catalog:
    """Read the catalog, and remember it if it can be believed; otherwise, remember why not. Return the memory of it.

    Args:
        memory: of the catalog.
        address: of the catalog.
        deadline: until when to try.
        smaller: whether to believe a copy that has lost many entries.

    Raises:
        AwsError: DynamoDB rejected a call.
    """
    known = memory.read(now)
    try:
        before = 0 if smaller else sum(1 for _ in known.listed())
        found = parse_feed(download(address, deadline), now, before)
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
    """Return the entries of a new copy with the dates of each: since when it is known, and when it last changed.

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
