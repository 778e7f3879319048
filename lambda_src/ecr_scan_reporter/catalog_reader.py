"""Handler of the catalog reader: reads the catalog of known exploited vulnerabilities once a day."""

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
from ecr_scan_reporter.catalog.refresh import refresh
from ecr_scan_reporter.errors import InputError
from ecr_scan_reporter.memory.exploited import Catalog, CatalogMemory
from ecr_scan_reporter.settings import CatalogReaderSettings, parse_settings
from ecr_scan_reporter.shared import clock

# For so long, the rule of the first run has the catalog read that cannot be read; then, only the schedule does.
_FIRST_TRIES = timedelta(hours=1)
logger = logging.getLogger(__name__)


def handler(event: object, context: LambdaContext) -> Mapping[str, Any]:
    """Read the catalog. A copy that cannot be believed is no error: the last one stays, and an alarm watches its age.

    Args:
        event: any; `{"smaller": true}` believes a copy that has lost more than a tenth of the entries, and
            `{"first": true}` reads the catalog only if there is no copy yet, for an hour.
        context: Lambda's.

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
