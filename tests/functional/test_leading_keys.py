"""The scanners write only items whose partition keys their roles allow, and each key that a role allows is needed."""

import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
from ecr_scan_reporter import images_scanner, repositories_scanner
from ecr_scan_reporter.aws.dynamodb import Table
from ecr_scan_reporter.memory.runs import RepositoryState, RunMemory
from ecr_scan_reporter.memory.summaries import RepositorySummary, summary_item
from ecr_scan_reporter.messages.repository import RepositoryMessage
from fake_aws import FakeAws, FakeImage, digest_of, index_image
from support.configuration import memory_table
from support.invocations import REGISTRY, Context, sqs_records
from support.virtual_time import TIME

ROOT = Path(__file__).resolve().parents[2]
NOW = TIME.now()
WRITES = {"put_item": "dynamodb:PutItem", "batch_write_item": "dynamodb:BatchWriteItem"}


@pytest.fixture
def aws(aws: FakeAws, configure: Callable[..., None]) -> FakeAws:
    """A registry with a repository that is due, and a memory that knows one that is gone."""
    configure()
    child = digest_of("child")
    images = [index_image(digest_of("index"), {child: "linux/amd64"}, ("1.0",)), FakeImage(child)]
    aws.registry.add("team-a/app", images)
    gone = RepositorySummary("team-a/gone", NOW - timedelta(days=1))
    state = RepositoryState("team-a/gone", NOW, images=1, asked=0, run="earlier")
    RunMemory(memory_table(aws), REGISTRY).remember_state(state, NOW, summary_item(REGISTRY, gone, NOW))
    return aws


@pytest.fixture
def written(aws: FakeAws, monkeypatch: pytest.MonkeyPatch) -> set[tuple[str, str]]:
    """The action and the partition key of each write from now on."""
    keys: set[tuple[str, str]] = set()
    call = Table._call

    def record(table: Table, operation: str, **parameters: Any) -> Any:
        items: list[Mapping[str, Any]] = [parameters["Item"]] if operation == "put_item" else []
        for requests in parameters.get("RequestItems", {}).values() if operation == "batch_write_item" else ():
            items += [next(iter(request.values())) for request in requests]
        keys.update((WRITES[operation], (item.get("Item") or item.get("Key") or item)["pk"]["S"]) for item in items)
        assert operation in WRITES or operation in ("query", "get_item", "batch_get_item")
        return call(table, operation, **parameters)

    monkeypatch.setattr(Table, "_call", record)
    return keys


def allowed(file: str) -> set[tuple[str, str]]:
    """Return the actions and the patterns of partition keys that a role of the module has a condition on."""
    statement = (
        r'actions\s*= \["(dynamodb:\w+)"\]\n\s*resources\s*= .*\n\s*condition\s*= .*\n'
        r'\s*"dynamodb:LeadingKeys" = \[([^]]*)\]'
    )
    text = (ROOT / file).read_text().replace("${local.registry_key}", "#".join(REGISTRY))
    return {
        (action, pattern)
        for action, patterns in re.findall(statement, text)
        for pattern in re.findall(r'"([^"]+)"', patterns)
    }


def check(written: set[tuple[str, str]], file: str) -> None:
    patterns = allowed(file)
    used = {key: [(a, p) for a, p in patterns if a == key[0] and fnmatchcase(key[1], p)] for key in written}
    assert {key for key, matches in used.items() if not matches} == set()
    assert {pattern for matches in used.values() for pattern in matches} == patterns


def test_repositories_scanner_writes_what_its_role_allows(written: set[tuple[str, str]]) -> None:
    repositories_scanner.handler({}, None)
    check(written, "repositories_scanner.tf")


def test_images_scanner_writes_what_its_role_allows(written: set[tuple[str, str]]) -> None:
    records = sqs_records(RepositoryMessage(REGISTRY, "team-a/app").to_json())
    assert images_scanner.handler({"Records": records}, Context()) == {"batchItemFailures": []}
    check(written, "images_scanner.tf")
