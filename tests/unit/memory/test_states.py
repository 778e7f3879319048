"""Remembers each repository after its last run."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from ecr_scan_reporter.aws.dynamodb import Table
from ecr_scan_reporter.memory.states import RepositoryState, StateMemory
from ecr_scan_reporter.memory.summaries import RepositorySummary, summaries, summary_item
from support.fixtures import virtual_aws
from support.invocations import REGISTRY

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)


@pytest.fixture
def table() -> Iterator[Table]:
    with virtual_aws() as aws:
        yield Table(aws.client("dynamodb"), aws.create_memory_table())


def test_states_and_summaries_are_remembered_and_forgotten_together(table: Table) -> None:
    memory = StateMemory(table, REGISTRY)
    whole = RepositoryState("b", NOW - timedelta(days=3), 7, 2, "run-1", None, NOW - timedelta(days=9), True)
    for state in (whole, RepositoryState("a", None, 0, 0, "")):
        memory.remember(state, NOW, summary_item(REGISTRY, RepositorySummary(state.repository, NOW), NOW))
    memory.remember(RepositoryState("c", None, 0, 0, ""), NOW)
    assert memory.states() == [
        RepositoryState("a", None, 0, 0, "", NOW),
        whole._replace(updated_at=NOW),
        RepositoryState("c", None, 0, 0, "", NOW),
    ]
    assert [summary.repository for summary in summaries(table, REGISTRY, NOW)] == ["a", "b"]
    memory.forget(["a", "c"])
    assert [state.repository for state in memory.states()] == ["b"]
    assert [summary.repository for summary in summaries(table, REGISTRY, NOW)] == ["b"]
