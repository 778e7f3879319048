"""Renders a page of an overview as a JSON document for machine subscribers. Its schema: docs/overview.schema.json."""

from collections.abc import Mapping, Sequence
from typing import Any

from ecr_scan_reporter.reporting.formatting import Context, dumps, format_rfc3339
from ecr_scan_reporter.reporting.overviews.overview import Balance, Overview, RepositoryRow
from ecr_scan_reporter.reporting.overviews.page import OverviewPage

SCHEMA = "ecr-scan-overview/1"
# Sentences about rules, and characters of one: a message has no room for those of a thousand rules.
_MAX_SENTENCES, _MAX_SENTENCE = 300, 300


def render(page: OverviewPage, context: Context) -> str:
    """Render a page."""
    return dumps(document(page, context))


def document(page: OverviewPage, context: Context, omitted: int = 0) -> dict[str, Any]:
    """Return the JSON values of a page.

    Args:
        page: of the overview.
        context: of all pages.
        omitted: how many repositories are on no page.
    """
    overview = page.overview
    return {
        "schema": SCHEMA,
        "reporter": context.name,
        "account": overview.account,
        "region": overview.region,
        "group": overview.group,
        "part": page.part,
        "parts": page.parts,
        "created_at": format_rfc3339(overview.made_at),
        "since": format_rfc3339(overview.since) if overview.since else None,
        "promise": _promise(overview),
        "open": _counts(overview.open),
        "ignored": overview.ignored,
        "changes": _changes(overview.changes),
        "updates": [
            {
                "package": update.package or None,
                "installed_versions": list(update.installed_versions),
                "fixed_versions": list(update.fixed_versions),
                "images": update.images,
                "counts": _counts(update.counts),
            }
            for update in overview.updates
        ],
        "overdue": {
            "findings": overview.overdue,
            "worst": [
                {
                    "image": found.image,
                    "id": found.id,
                    "package": found.package or None,
                    "severity": found.severity,
                    "due_at": format_rfc3339(found.due_at),
                    "within_days": found.days or None,
                    "within_days_of": found.rule or None,
                }
                for found in overview.overdue_worst
            ],
        },
        "notices": _notices(overview, page.part),
        "repositories": [repository(row) for row in page.repositories],
        "repositories_omitted": omitted,
    }


def repository(row: RepositoryRow) -> dict[str, Any]:
    """Return one repository of the document."""
    return {
        "repository": row.repository,
        "updated_at": format_rfc3339(row.updated_at),
        "stale": row.stale,
        "coverage": _counts(row.coverage),
        "open": _counts(row.open),
        "changes": _changes(row.changes),
        "overdue": row.overdue,
        "ignored": row.ignored,
    }


def _promise(overview: Overview) -> dict[str, Any]:
    return {
        "max_age": str(overview.max_age),
        "images": overview.images,
        "in_time": overview.in_time,
        "late": overview.late,
        "examples": {reason: list(names) for reason, names in overview.examples.items()},
        "archived": overview.coverage.get("archived", 0),
        "not_selected": overview.coverage.get("not_selected", 0),
        "last_run_at": format_rfc3339(overview.last_run_at) if overview.last_run_at else None,
        "stale_repositories": overview.stale,
        "stale_examples": list(overview.stale_examples),
    }


def _changes(changes: Balance | None) -> dict[str, int] | None:
    if changes is None:
        return None
    return {name: getattr(changes, name) for name in (*Balance.__slots__, "open_now")}


def _notices(overview: Overview, part: int) -> dict[str, Any]:
    notices = overview.notices
    rules: Sequence[str] = notices.rules if part == 1 else ()
    return {
        "rules": [sentence[:_MAX_SENTENCE] for sentence in rules[:_MAX_SENTENCES]],
        "rules_total": len(notices.rules),
        "dlqs": dict(notices.dlqs),
        "unconfirmed_addresses": list(notices.unconfirmed),
        "unreadable": list(notices.unreadable),
    }


def _counts(counts: Mapping[str, int]) -> dict[str, int]:
    return {name: number for name, number in counts.items() if number}
