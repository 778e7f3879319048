"""The columns and lines of an export: one line per image and open finding, flat, as JSON and as CSV."""

import csv
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from ecr_scan_reporter.memory.exploited import Catalog
from ecr_scan_reporter.memory.images import ImageRecord
from ecr_scan_reporter.models.exploited import KnownExploit
from ecr_scan_reporter.models.findings import Finding
from ecr_scan_reporter.models.images import ImageId
from ecr_scan_reporter.models.scans import ENHANCED
from ecr_scan_reporter.reporting.comparison.changes import IgnoredBy, KnownFinding, unchanged
from ecr_scan_reporter.reporting.comparison.deadlines import due_date
from ecr_scan_reporter.reporting.comparison.judged import mark_exploited
from ecr_scan_reporter.reporting.formatting import format_rfc3339
from ecr_scan_reporter.settings import ReporterSettings

_CONTROL = re.compile("[\\x00-\\x1f\\x7f]+")
# What begins a formula in a spreadsheet (https://owasp.org/www-community/attacks/CSV_Injection), also after what a
# program may take for the end of a cell: many read ";" or a tab as the separator.
_FORMULA = re.compile("(^|[;,])([\\s\\u200b\\ufeff]*)(?=[=+\\-@\uff1d\uff0b\uff0d\uff20])")
_json = json.JSONEncoder(ensure_ascii=False).encode


# By column, what a line says of its image, which is the same in all lines of that, and what it says of its finding.
# Times are RFC 3339, UTC; None is what is not known, or does not exist.
ExportLine = tuple[dict[str, Any], dict[str, Any]]


class Listed(NamedTuple):
    """What ECR lists in a repository.

    Args:
        tags: by digest, those of the image itself.
        index_tags: the tags of all indexes: an image without a tag may have been scanned as a part of one.
    """

    tags: Mapping[str, tuple[str, ...]]
    index_tags: frozenset[str]


def lines(
    image: ImageId,
    record: ImageRecord,
    findings: Iterable[KnownFinding],
    listed: Listed,
    of: tuple[str, datetime],
    settings: ReporterSettings,
    catalog: Catalog,
) -> Iterator[ExportLine]:
    """Yield the lines of an image that ECR lists.

    Args:
        findings: that are remembered of it; those that are gone have no line.
        listed: in its repository.
        of: the id of the export, and when it was begun.
        catalog: of known exploited vulnerabilities; empty if it is not read.
    """
    superseded = any(successor in listed.tags for successor in record.successors)
    columns = _image(image, record, listed, superseded, of)
    deadlines: Mapping[str, int] = {} if superseded else settings.fix_within
    is_enhanced, has_catalog = record.scanner == ENHANCED, catalog.begun_at is not None
    for known in mark_exploited(unchanged(findings), catalog).open():
        counts = known.finding.fix_available or not settings.fixable_only
        due = due_date(known, deadlines) if counts and not known.ignored_by else None
        found = _finding(known, due.at if due else None, of[1], is_enhanced=is_enhanced, has_catalog=has_catalog)
        yield columns, found


def _image(
    image: ImageId, record: ImageRecord, listed: Listed, superseded: bool, of: tuple[str, datetime]
) -> dict[str, Any]:
    tags = listed.tags[image.digest] or [tag for tag in record.tags if tag in listed.index_tags]
    return {
        "exported_at": format_rfc3339(of[1]),
        "run": of[0],
        **image._asdict(),
        "tags": " ".join(tags),
        "platform": record.platform or None,
        "operating_system": record.operating_system or None,
        "pushed_at": _time(record.pushed_at),
        "scanned_at": _time(record.scanned_at),
        "scanner": record.scanner or None,
        "superseded": superseded,
    }


def _finding(
    known: KnownFinding, due_at: datetime | None, now: datetime, *, is_enhanced: bool, has_catalog: bool
) -> dict[str, Any]:
    finding = known.finding
    open_state = "overdue" if due_at and due_at <= now else "open"
    return {
        "id": finding.id,
        "severity": finding.severity,
        "package": finding.package or None,
        "installed_versions": ", ".join(finding.installed_versions) or None,
        "fixed_versions": ", ".join(finding.fixed_versions) or None,
        # Basic scanning names neither fixes nor exploits.
        "fix_available": finding.fix_available if is_enhanced else None,
        "exploit_available": finding.exploit_available if is_enhanced else None,
        **_known_exploited(known.kev, has_catalog=has_catalog),
        "cvss_score": finding.cvss_score or None,
        "url": finding.url or None,
        "state": "ignored" if known.ignored_by else open_state,
        "first_seen": format_rfc3339(known.first_seen),
        "due_at": _time(due_at),
        **_ignored(known.ignored_by),
    }


def _known_exploited(kev: KnownExploit | None, *, has_catalog: bool) -> dict[str, Any]:
    return {
        "known_exploited": kev is not None if has_catalog else None,
        "known_exploited_due": kev.due.isoformat() if kev else None,
        "ransomware": kev.ransomware if kev else None,
    }


def _ignored(rule: IgnoredBy | None) -> dict[str, Any]:
    return {
        "ignored_by": rule.rule if rule else None,
        "ignored_reason": (rule.reason or None) if rule else None,
        "ignored_owner": (rule.owner or None) if rule else None,
        "ignored_until": rule.expires.isoformat() if rule and rule.expires else None,
    }


def to_json(found: Sequence[ExportLine]) -> str:
    """Return the lines of one image as NDJSON, each with its end. The text about the image is made once."""
    image = _json(found[0][0])[:-1]
    return "".join(f"{image}, {_json(finding)[1:]}\n" for _, finding in found)


def to_csv(found: Sequence[ExportLine]) -> str:
    """Return the lines of one image as CSV (RFC 4180), each with its end."""
    image = csv_row(found[0][0].values())[:-2]
    return "".join(f"{image},{csv_row(finding.values())}" for _, finding in found)


def csv_row(values: Iterable[object]) -> str:
    """Return a row of a CSV file, with its end. No cell of it can begin a formula."""
    # It returns what _Row.write does.
    row: Any = _rows.writerow(map(_cell, values))
    return str(row)


class _Row:
    """What the csv module writes to: it returns a row instead."""

    def write(self, row: str) -> str:
        return row


_rows = csv.writer(_Row())


def _cell(value: object) -> object:
    if isinstance(value, str):
        return _FORMULA.sub(r"\1\2'", _CONTROL.sub(" ", value))
    return str(value).lower() if isinstance(value, bool) else value


def _time(moment: datetime | None) -> str | None:
    return format_rfc3339(moment) if moment else None


_NO_TIME = datetime.min.replace(tzinfo=UTC)
_NO_IMAGE = _image(ImageId("", "", "", ""), ImageRecord(), Listed({"": ()}, frozenset()), False, ("", _NO_TIME))
_NO_FINDING = KnownFinding(Finding("", ""), _NO_TIME)
# docs/export.md says what each column means.
COLUMNS = (*_NO_IMAGE, *_finding(_NO_FINDING, None, _NO_TIME, is_enhanced=False, has_catalog=False))
