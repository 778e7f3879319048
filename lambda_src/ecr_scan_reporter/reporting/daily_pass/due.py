"""Decides from the record of an image alone whether something is due in it."""

from datetime import UTC, datetime
from enum import StrEnum

from ecr_scan_reporter.memory.images import ImageRecord
from ecr_scan_reporter.reporting.baseline import is_comparable

# The fields of a record that decide.
FIELDS = ("scanned_at", "findings_format", "counts", "due_at", "ignored_until", "judged_by")


class Due(StrEnum):
    """Why an image is to be judged again."""

    DEADLINE = "deadline"
    RULE_ENDED = "rule_ended"
    JUDGED_OTHERWISE = "judged_otherwise"
    CATALOG = "catalog"


def what_is_due(record: ImageRecord, judged_by: str, now: datetime, *, in_catalog: bool = False) -> Due | None:
    """Return why an image is to be judged again; None if nothing is due in it.

    Whoever judges an image notes when the next thing is due in it, so what a pass has missed is due in the next one.

    Args:
        record: of the image, with at least `FIELDS`.
        judged_by: identifies the settings and rules that judge the images of its repository now.
        now: aware.
        in_catalog: whether it seems to have a finding whose entry in the catalog of known exploits has changed.
    """
    if not is_comparable(record) or not any(record.counts.values()):
        return None
    if record.due_at and record.due_at <= now:
        return Due.DEADLINE
    if record.ignored_until and record.ignored_until <= now.astimezone(UTC).date():
        return Due.RULE_ENDED
    if record.judged_by != judged_by:
        return Due.JUDGED_OTHERWISE
    return Due.CATALOG if in_catalog else None
