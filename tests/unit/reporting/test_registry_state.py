"""Adds up the state of the registry from the summaries of its repositories."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from ecr_scan_reporter.memory.coverage import Coverage
from ecr_scan_reporter.memory.images import Update
from ecr_scan_reporter.memory.summaries import OverdueInImage, RepositorySummary
from ecr_scan_reporter.reporting import registry_state as module
from ecr_scan_reporter.reporting.registry_state import RegistryState, registry_state
from ecr_scan_reporter.shared.durations import Duration

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
DAY = timedelta(days=1)
WEEK = Duration(0, 0, 7)


def summary(name: str, age: timedelta = timedelta(0), **values: Any) -> RepositorySummary:
    return RepositorySummary(name, NOW - age, **values)


def update(package: str, images: int = 1, **counts: int) -> Update:
    return Update(package, ("1.0",), ("1.1",), Counter(counts), images)


def test_no_summary_is_a_registry_before_its_first_run() -> None:
    state = registry_state([], WEEK)
    assert (state.updated_at, state.images_by_worst, state.repositories) == (None, {}, [])


def test_worst_repository_comes_first() -> None:
    state = registry_state(
        [
            summary("quiet"),
            summary("late", overdue=1),
            summary("missed", coverage=Coverage({"in_time": 1, "failed": 2, "archived": 9})),
            summary("high", open=Counter(HIGH=99)),
            summary("critical", open=Counter(CRITICAL=1), images_by_worst=Counter(CRITICAL=1, NONE=2)),
        ],
        WEEK,
    )
    assert [line.repository for line in state.repositories] == ["critical", "high", "late", "missed", "quiet"]
    assert [line.late for line in state.repositories] == [0, 0, 0, 2, 0]
    assert (state.open, state.images_by_worst.total(), state.overdue) == (Counter(CRITICAL=1, HIGH=99), 3, 1)


def test_coverage_counts_what_was_promised_and_names_the_rest() -> None:
    state = registry_state(
        [
            summary(
                "team-a/app",
                coverage=Coverage(
                    {"in_time": 8, "unsupported": 2, "not_selected": 4},
                    {"unsupported": ["1.0", "sha256:0123456789ab"], "not_selected": ["0.1"]},
                ),
            ),
            summary(
                "team-b/app",
                coverage=Coverage({"in_time": 1, "unsupported": 5, "other": 2}, {"unsupported": list("abcde")}),
            ),
        ],
        WEEK,
    )
    assert (state.coverage.in_time, state.coverage.promised) == (9, 18)
    assert state.coverage.late == {"unsupported": 7, "other": 2}
    assert state.coverage.counts == {"in_time": 9, "unsupported": 7, "not_selected": 4, "other": 2}
    assert state.coverage.names == {
        "unsupported": ["team-a/app:1.0", "team-a/app@sha256:0123456789ab", *(f"team-b/app:{tag}" for tag in "abc")],
        "not_selected": ["team-a/app:0.1"],
    }


def test_repository_that_is_visited_no_more_is_named_and_not_counted() -> None:
    counted = Counter(CRITICAL=1)
    state = registry_state(
        [
            summary("app", open=counted, updates=[update("openssl", CRITICAL=1)]),
            summary("a-week-ago", 7 * DAY, open=counted),
            summary("deleted", 7 * DAY + timedelta(seconds=1), open=counted, updates=[update("zlib", CRITICAL=9)]),
        ],
        WEEK,
    )
    assert state.not_visited == ["deleted"]
    assert [line.repository for line in state.repositories] == ["a-week-ago", "app"]
    assert state.open == Counter(CRITICAL=2)
    assert [shared.update.package for shared in state.updates] == ["openssl"]


def test_equal_updates_are_added_up_over_repositories() -> None:
    state = registry_state(
        [
            summary("a", updates=[update("openssl", 1, CRITICAL=1), update("zlib", 9, HIGH=9)]),
            summary("b", updates=[update("openssl", 3, CRITICAL=4)]),
            summary("c", updates=[update("openssl", 2, CRITICAL=2)]),
        ],
        WEEK,
    )
    first, second = state.updates
    assert (first.update.package, first.update.images, first.update.counts) == ("openssl", 6, Counter(CRITICAL=7))
    assert (first.repositories, first.repository) == (3, "b")
    assert (second.update.package, second.repositories, second.repository) == ("zlib", 1, "a")


def test_what_is_overdue_for_longest_is_named() -> None:
    def late(days: int) -> OverdueInImage:
        return OverdueInImage("1.0", f"CVE-{days}", "zlib", "HIGH", NOW - days * DAY)

    state = registry_state(
        [
            summary(f"app-{n}", overdue=3, overdue_worst=[late(days) for days in range(n, n + 3)])
            for n in range(0, 50, 10)
        ],
        WEEK,
    )
    assert state.overdue == 15
    named = [(overdue.image, overdue.finding.id) for overdue in state.overdue_worst]
    worst = [(n, days) for n in (40, 30, 20) for days in (2, 1, 0)] + [(10, 2)]
    assert named == [(f"app-{n}:1.0", f"CVE-{n + days}") for n, days in worst]


def test_many_different_updates_keep_the_worst(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MANY_UPDATES", 20)
    monkeypatch.setattr(module, "_KEPT_UPDATES", 10)
    state = RegistryState()
    for number in range(100):
        state.add(
            summary(f"app-{number:03}", updates=[update(f"package-{number}", HIGH=number), update("zlib", HIGH=1)])
        )
    assert [shared.update.package for shared in state.updates] == ["zlib", *(f"package-{n}" for n in range(99, 95, -1))]
    assert state.updates[0].repositories == 100
    assert len(state._updates) <= 20
