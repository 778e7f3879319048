"""What is damaged in memory is not known, and mutes nothing: the image begins again, and later builds are compared."""

import random
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import hypothesis
import pytest
from fake_aws import FakeAws
from hypothesis import given
from hypothesis import strategies as st
from support.random_tests import examples
from support.reporter_harness import ReporterHarness, document, found
from support.virtual_time import TIME

DAY = timedelta(days=1)


def items(aws: FakeAws) -> list[dict[str, Any]]:
    scanned: Any = aws.client("dynamodb").scan(TableName="memory")
    return [item for item in scanned["Items"] if item["pk"]["S"].startswith("REPOSITORY#")]


def damage(aws: FakeAws, prefix: str, attribute: str, value: dict[str, Any]) -> int:
    """Write a value into all items of a kind; return how many there are."""
    damaged = [item | {attribute: value} for item in items(aws) if item["sk"]["S"].startswith(prefix)]
    for item in damaged:
        aws.client("dynamodb").put_item(TableName="memory", Item=item)
    return len(damaged)


def new_ids(reports: list[Any]) -> set[str]:
    """Return the ids of the findings that are reported as new."""
    images = [image for report in reports for image in document(report)["images"]]
    return {entry["id"] for image in images for entry in image["changes"]["new"]}


def scan(inbox: ReporterHarness, build: int, *severities: str) -> None:
    """Report a scan of a build a day later, and what waits a day after that."""
    TIME.sleep(DAY.total_seconds())
    event = inbox.image("app", f"1.{build}", name=f"build {build}", scan=found(*severities), at=TIME.now())
    assert inbox.report(event) == []
    inbox.check(TIME.now() + DAY)


def check_that_all_is_reported(inbox: ReporterHarness, build: int) -> None:
    """Scan a build, with a second finding, and the next one, with a third: each is told once at least."""
    before = len(inbox.reports())
    scan(inbox, build, "HIGH", "CRITICAL")
    told = inbox.reports()[before:]
    inventories = [document(report)["inventory"] for report in told]
    assert "CVE-2026-0002" in new_ids(told) or any(each["counts"].get("CRITICAL") for each in inventories if each)
    before = len(inbox.reports())
    scan(inbox, build + 1, "HIGH", "CRITICAL", "CRITICAL")
    assert new_ids(inbox.reports()[before:]) == {"CVE-2026-0003"}


@pytest.mark.parametrize("build", [0, 1], ids=["same image", "next build"])
@pytest.mark.parametrize(
    ("prefix", "attribute", "value"),
    [
        ("FINDINGS#", "data", {"B": b"no data"}),
        ("FINDINGS#", "data", {"S": "text"}),
        ("IMAGE#", "ledger", {"S": "{"}),
        ("IMAGE#", "counts", {"S": "[[["}),
        ("IMAGE#", "scanned_at", {"S": "yesterday"}),
        ("IMAGE#", "scanned_at", {"N": "99999999999999"}),
        ("IMAGE#", "event_at", {"N": "99999999999999"}),
        # In the year 2099.
        ("IMAGE#", "event_at", {"N": "4088000000"}),
        ("IMAGE#", "parts", {"N": "99999"}),
        ("IMAGE#", "parts", {"N": "2"}),
        ("IMAGE#", "findings_format", {"N": "9"}),
        ("PUSHED#", "tags", {"S": "text"}),
        ("PUSHED#", "findings", {"S": "text"}),
        ("REPOSITORY", "since", {"S": "text"}),
        ("REPOSITORY", "since", {"N": "99999999999999"}),
    ],
)
def test_damaged_item_mutes_nothing(
    inbox: ReporterHarness, build: int, prefix: str, attribute: str, value: dict[str, Any]
) -> None:
    scan(inbox, 0, "HIGH")
    assert damage(inbox.aws, prefix, attribute, value) == 1
    check_that_all_is_reported(inbox, build)


def test_image_that_is_deleted_and_pushed_again_mutes_no_later_build(inbox: ReporterHarness) -> None:
    for severities in (["HIGH"], ["HIGH", "CRITICAL"]):
        scan(inbox, 0, *severities)
        # Its items may be gone, or unreadable, by the time it is there again.
        damage(inbox.aws, "IMAGE#", "counts", {"S": "[[["})
    before = len(inbox.reports())
    scan(inbox, 1, "HIGH", "CRITICAL", "CRITICAL")
    scan(inbox, 2, "HIGH", "CRITICAL", "CRITICAL", "CRITICAL")
    assert "CVE-2026-0004" in new_ids(inbox.reports()[before:])


@pytest.mark.slow
@hypothesis.settings(max_examples=examples(200))
@given(st.integers(0, 10**6))
def test_random_damage_mutes_nothing(make_reporter: Callable[..., ReporterHarness], seed: int) -> None:
    inbox, source = make_reporter(), random.Random(seed)
    inbox.aws.create_memory_table()
    inbox.aws.reset()
    if inbox.aws.registry.repositories:
        inbox.aws.registry.remove("app")
    scan(inbox, 0, "HIGH")
    # One byte, one number or one attribute of an item.
    item = source.choice(items(inbox.aws))
    name = source.choice([name for name in item if name not in ("pk", "sk", "expires", "revision")] or ["none"])
    [(kind, value)] = item.get(name, {"S": ""}).items()
    if kind == "B":
        at = source.randrange(len(value))
        value = bytes([*value[:at], source.randrange(256), *value[at + 1 :]])
    elif kind == "N":
        value = str(source.choice([-1, 0, 1, 10**6, 10**10, 10**15]))
    elif kind == "S":
        value = value[: source.randrange(len(value) + 1)]
    if name in item:
        inbox.aws.client("dynamodb").put_item(TableName="memory", Item=item | {name: {kind: value}})
    check_that_all_is_reported(inbox, source.choice([0, 1]))
