"""What image indexes consist of: it never changes, so ECR is asked for it once.

ECR counts BatchGetImage as a pull. Asked for on every run, no index would ever be old enough for a lifecycle rule that
expires images by their last pull. https://github.com/aws/containers-roadmap/issues/2390
"""

import json
import logging
from collections.abc import Collection
from datetime import datetime, timedelta

from ecr_scan_reporter.aws.dynamodb import Item, Table
from ecr_scan_reporter.aws.ecr import EcrRegistry
from ecr_scan_reporter.errors import AwsError
from ecr_scan_reporter.memory.items import expires, number, pack, repository_key, text, to_seconds
from ecr_scan_reporter.models import IndexChild

logger = logging.getLogger(__name__)

# An item is written again when it expires within this time.
_REFRESH = timedelta(days=100)


def index_children(
    ecr: EcrRegistry, table: Table, repository: str, indexes: Collection[str], now: datetime
) -> list[IndexChild]:
    """Return what image indexes consist of, from memory and otherwise from ECR.

    Raises:
        AwsError: ECR rejected a call.
    """
    remembered = _remembered(table, repository, indexes)
    asked = [digest for digest in indexes if digest not in remembered]
    manifests = ecr.index_manifests(repository, asked) if asked else {}
    outdated = [digest for digest, item in remembered.items() if number(item, "expires") < to_seconds(now + _REFRESH)]
    children = {digest: _children(digest, item) for digest, item in remembered.items()} | manifests
    _remember(table, repository, {digest: children[digest] for digest in (*manifests, *outdated)}, now)
    return [child for digest in indexes for child in children.get(digest, ())]


def _remembered(table: Table, repository: str, indexes: Collection[str]) -> dict[str, Item]:
    pk = repository_key(repository)
    try:
        items = table.get_many((pk, f"INDEX#{digest}") for digest in indexes)
    except AwsError as error:
        logger.warning("memory not read; ECR is asked", extra={"repository": repository, "reason": str(error)})
        return {}
    return {sk.removeprefix("INDEX#"): item for (_, sk), item in items.items()}


def _remember(table: Table, repository: str, children: dict[str, list[IndexChild]], now: datetime) -> None:
    try:
        table.put_many(
            {
                "pk": repository_key(repository),
                "sk": f"INDEX#{digest}",
                "children": pack([child.digest, child.platform, int(child.attestation)] for child in manifests),
                "expires": expires(now),
            }
            for digest, manifests in children.items()
        )
    except AwsError as error:
        logger.warning("indexes not remembered", extra={"repository": repository, "reason": str(error)})


def _children(index: str, item: Item) -> list[IndexChild]:
    return [
        IndexChild(index, digest, platform, bool(attestation))
        for digest, platform, attestation in json.loads(text(item, "children"))
    ]
