"""Renders a page of a digest as a JSON document for machine subscribers. Its schema: docs/digest.schema.json."""

from collections.abc import Mapping, Sequence
from typing import Any

from ecr_scan_reporter.reporting.digest import Changes, Digest, RepositoryRow
from ecr_scan_reporter.reporting.rendering.document import dumps
from ecr_scan_reporter.reporting.rendering.formatting import format_rfc3339
from ecr_scan_reporter.reporting.rendering.page import Context, DigestPage

SCHEMA = "ecr-scan-digest/1"
# Sentences about rules, and characters of one: a message has no room for those of a thousand rules.
_MAX_SENTENCES, _MAX_SENTENCE = 300, 300


def render(page: DigestPage, context: Context) -> str:
    """Render a page."""
    return dumps(document(page, context))


def document(page: DigestPage, context: Context, omitted: int = 0) -> dict[str, Any]:
    """Return the JSON values of a page.

    Args:
        page: of the digest.
        context: of all pages.
        omitted: how many repositories are on no page.
    """
    digest = page.digest
    return {
        "schema": SCHEMA,
        "reporter": context.name,
        "account": digest.account,
        "region": digest.region,
        "group": digest.group,
        "part": page.part,
        "parts": page.parts,
        "created_at": format_rfc3339(digest.made_at),
        "since": format_rfc3339(digest.since) if digest.since else None,
        "promise": _promise(digest),
        "open": _counts(digest.open),
        "ignored": digest.ignored,
        "changes": _changes(digest.changes),
        "updates": [
            {
                "package": update.package or None,
                "installed_versions": list(update.installed_versions),
                "fixed_versions": list(update.fixed_versions),
                "images": update.images,
                "counts": _counts(update.counts),
            }
            for update in digest.updates
        ],
        "overdue": {
            "findings": digest.overdue,
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
                for found in digest.overdue_worst
            ],
        },
        "notices": _notices(digest, page.part),
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


def _promise(digest: Digest) -> dict[str, Any]:
    return {
        "max_age": str(digest.max_age),
        "images": digest.images,
        "in_time": digest.in_time,
        "late": digest.late,
        "examples": {reason: list(names) for reason, names in digest.examples.items()},
        "archived": digest.coverage.get("archived", 0),
        "not_selected": digest.coverage.get("not_selected", 0),
        "last_run_at": format_rfc3339(digest.last_run_at) if digest.last_run_at else None,
        "stale_repositories": digest.stale,
        "stale_examples": list(digest.stale_examples),
    }


def _changes(changes: Changes | None) -> dict[str, int] | None:
    if changes is None:
        return None
    return {name: getattr(changes, name) for name in (*Changes.__slots__, "open_now")}


def _notices(digest: Digest, part: int) -> dict[str, Any]:
    notices = digest.notices
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
