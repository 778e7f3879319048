"""What cannot be parsed is left out, with a warning, and stops nobody."""

from datetime import timedelta

import pytest
from ecr_scan_reporter.aws.dynamodb import Item
from ecr_scan_reporter.memory.outbox import Outbox, PublisherState
from ecr_scan_reporter.memory.runs import RepositoryState, Run, RunMemory
from support.configuration import memory_table
from support.fixtures import virtual_aws
from support.invocations import REGISTRY
from support.virtual_time import TIME


def test_damaged_item_is_as_if_it_were_not_there(caplog: pytest.LogCaptureFixture) -> None:
    registry, now = "#".join(REGISTRY), TIME.now() + timedelta(seconds=1)
    damaged: list[Item] = [
        {"pk": f"STATES#{registry}", "sk": "damaged#1", "images": "many"},
        {"pk": f"PASSES#{registry}", "sk": "OPEN#1", "run": "run-1"},
        {"pk": f"RUNS#{registry}", "sk": "run-1", "repositories": "many"},
        {"pk": "WINDOWS", "sk": "PUSH", "opened_at": 10**20, "last_at": 1, "run": "", "token": ""},
        {"pk": "WINDOWS", "sk": "#PUBLISHER", "next_check": "soon"},
    ]
    with virtual_aws() as aws:
        aws.create_memory_table()
        table = memory_table(aws)
        table.put_many(damaged)
        RunMemory(table, REGISTRY).remember_state(RepositoryState("app", None, 1, 0, "run-1"), now)
        Outbox(table).touch("INVENTORY", "", now)
        assert [state.repository for state in RunMemory(table, REGISTRY).states()] == ["app"]
        runs = RunMemory(table, REGISTRY)
        assert (runs.open_pass(), runs.run("run-1")) == (None, Run())
        windows, publisher, _ = Outbox(table).windows(now)
        assert ([window.name for window in windows], publisher) == (["INVENTORY", "PUSH"], PublisherState())
        # It is due.
        assert windows[1].opened_at < now - timedelta(days=365)
    assert [record.message for record in caplog.records] == ["what memory holds cannot be read"] * len(damaged)
