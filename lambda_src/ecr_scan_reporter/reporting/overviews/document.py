"""Renders a page of an overview as a JSON document for machine subscribers. Its schema: docs/overview.schema.json."""

from collections.abc import Mapping, Sequence
from typing import Any

from ecr_scan_reporter.memory.images import Update
from ecr_scan_reporter.memory.summaries import OverdueInImage
from ecr_scan_reporter.reporting.formatting import dumps, format_rfc3339
from ecr_scan_reporter.reporting.overviews.overview import Balance, Overview, OverviewPage
from ecr_scan_reporter.reporting.registry_state import RepositoryLine
from ecr_scan_reporter.shared.text import clean

SCHEMA = "ecr-scan-overview/1"
# Bytes of a sentence or an address.
_MAX_SENTENCE = 300


def render(page: OverviewPage) -> str:
    """Render a page."""
    return dumps(document(page))


def document(page: OverviewPage) -> dict[str, Any]:
    """Return the JSON values of a page."""
    overview, state = page.overview, page.overview.state
    return {
        "schema": SCHEMA,
        "id": page.id,
        "reporter": overview.settings.name,
        "account": overview.settings.registry.account,
        "region": overview.settings.registry.region,
        "group": overview.group,
        "part": page.part,
        "parts": page.parts,
        "created_at": format_rfc3339(overview.made_at),
        "since": format_rfc3339(overview.since) if overview.since else None,
        "promise": _promise(overview, page.most),
        "open": _counts(state.open),
        "ignored": state.ignored,
        "ignored_kernel_headers": state.kernel_headers,
        "changes": _changes(overview.changes),
        "known_exploited": _exploited(page) if overview.settings.known_exploited else None,
        "updates": [_update(shared.update, page.most) for shared in state.updates],
        "overdue": {
            "findings": state.overdue,
            "worst": [_overdue(overdue.image, overdue.finding) for overdue in state.overdue_worst[: page.most]],
        },
        "notices": _notices(page),
        "repositories": [repository(line, overview) for line in page.repositories],
        "repositories_omitted": page.omitted,
    }


def repository(line: RepositoryLine, overview: Overview) -> dict[str, Any]:
    """Return one repository of the document."""
    return {
        "repository": line.repository,
        "updated_at": format_rfc3339(line.updated_at),
        "stale": overview.is_stale(line),
        "coverage": _counts({"images": line.coverage.images, **line.coverage.counts}),
        "open": _counts(line.open),
        "changes": _changes(overview.balances.get(line.repository)),
        "overdue": line.overdue,
        "ignored": line.ignored,
    }


def _update(update: Update, most: int) -> dict[str, Any]:
    return {
        "package": update.package or None,
        "installed_versions": list(update.installed_versions[:most]),
        "fixed_versions": list(update.fixed_versions[:most]),
        "images": update.images,
        "counts": _counts(update.counts),
    }


def _exploited(page: OverviewPage) -> dict[str, Any]:
    state = page.overview.state
    return {
        "findings": state.exploited,
        "ignored": state.exploited_ignored,
        "first_due": [
            {
                "image": image,
                "id": found.id,
                "package": found.package or None,
                "severity": found.severity,
                "added": found.added.isoformat(),
                "due": found.due.isoformat(),
                "ransomware": found.ransomware,
                "first_reported_at": format_rfc3339(found.told_at) if found.told_at else None,
            }
            for _, image, found in state.exploited_first[: page.most]
        ],
    }


def _overdue(image: str, found: OverdueInImage) -> dict[str, Any]:
    return {
        "image": image,
        "id": found.id,
        "package": found.package or None,
        "severity": found.severity,
        "due_at": format_rfc3339(found.due_at),
        "within_days": found.days or None,
        "within_days_of": found.rule or None,
    }


def _promise(overview: Overview, most: int) -> dict[str, Any]:
    coverage, last_run_at = overview.state.coverage, overview.state.updated_at
    return {
        "max_age": str(overview.settings.max_age),
        "images": coverage.promised,
        "in_time": coverage.in_time,
        "late": coverage.late,
        "examples": {reason: list(names[:most]) for reason, names in coverage.names.items()},
        "archived": coverage.counts.get("archived", 0),
        "not_selected": coverage.counts.get("not_selected", 0),
        "last_run_at": format_rfc3339(last_run_at) if last_run_at else None,
        "stale_repositories": len(overview.stale),
        "stale_examples": list(overview.stale_examples[:most]),
        "never_run_repositories": len(overview.never_run),
        "never_run_examples": list(overview.never_run_examples[:most]),
    }


def _changes(changes: Balance | None) -> dict[str, int] | None:
    return changes._asdict() | {"open_now": changes.open_now} if changes else None


def _notices(page: OverviewPage) -> dict[str, Any]:
    notices = page.overview.notices
    rules = notices.rules if page.part == 1 else ()

    def first(texts: Sequence[str]) -> list[str]:
        return [clean(text, _MAX_SENTENCE) for text in texts[: page.most]]

    return {
        "rules": first(rules),
        "rules_total": len(notices.rules),
        "dlqs": dict(notices.dlqs),
        "unconfirmed_addresses": first(notices.unconfirmed),
        "alarms_reach_nobody": notices.alarms_reach_nobody,
        "unreadable": first(notices.unreadable),
        "lost_events": len(page.overview.lost),
        "lost_event_examples": first(page.overview.lost_examples),
    }


def _counts(counts: Mapping[str, int]) -> dict[str, int]:
    return {name: number for name, number in counts.items() if number}
