"""Remembers how far each run is, the open pass, and the last heartbeat."""

from datetime import UTC, datetime, timedelta

import pytest
from ecr_scan_reporter.aws.dynamodb import Table
from ecr_scan_reporter.memory.runs import OpenPass, RepositoryState, Run, RunMemory
from ecr_scan_reporter.memory.summaries import RepositorySummary, summaries, summary_item
from support.invocations import REGISTRY

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)


@pytest.fixture
def memory(table: Table) -> RunMemory:
    return RunMemory(table, REGISTRY)


def test_results_of_a_run_add_up(memory: RunMemory) -> None:
    assert memory.run("run-1") == Run(0, 0, 0, None)
    memory.begin("run-1", 7, NOW)
    memory.add_results("run-1", 2, NOW)
    memory.add_results("run-1", 3, NOW + timedelta(minutes=1))
    memory.expect("run-1", 9, NOW)
    assert memory.run("run-1") == Run(7, 5, 9, NOW + timedelta(minutes=1))
    # They may come before the run is remembered.
    memory.add_results("run-2", 1, NOW)
    assert memory.run("run-2") == Run(0, 1, 0, NOW)


def test_open_pass_and_heartbeat_are_apart(memory: RunMemory) -> None:
    assert (memory.open_pass(), memory.last_heartbeat()) == (None, None)
    memory.remember_heartbeat(NOW)
    assert (memory.open_pass(), memory.last_heartbeat()) == (None, NOW)
    open_pass = OpenPass("run-1", NOW)
    memory.remember_open_pass(open_pass, NOW)
    memory.forget_heartbeat(NOW)
    assert (memory.open_pass(), memory.last_heartbeat()) == (open_pass, None)


def test_states_and_summaries_are_remembered_and_forgotten_together(table: Table, memory: RunMemory) -> None:
    whole = RepositoryState("b", NOW - timedelta(days=3), 7, 2, "run-1", None, NOW - timedelta(days=9), True)
    for state in (whole, RepositoryState("a", None, 0, 0, "")):
        memory.remember_state(state, NOW, summary_item(REGISTRY, RepositorySummary(state.repository, NOW), NOW))
    memory.remember_state(RepositoryState("c", None, 0, 0, ""), NOW)
    assert memory.states() == [
        RepositoryState("a", None, 0, 0, "", NOW),
        whole._replace(updated_at=NOW),
        RepositoryState("c", None, 0, 0, "", NOW),
    ]
    assert [summary.repository for summary in summaries(table, REGISTRY, NOW)] == ["a", "b"]
    memory.forget_repositories(["a", "c"])
    assert [state.repository for state in memory.states()] == ["b"]
    assert [summary.repository for summary in summaries(table, REGISTRY, NOW)] == ["b"]
