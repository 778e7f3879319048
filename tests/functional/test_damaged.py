"""What is damaged in memory is not known, and mutes nothing: the image begins again, and later builds are compared."""

import random
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import hypothesis
import pytest
from ecr_scan_reporter import reporter
from ecr_scan_reporter.memory.runs import RunMemory
from fake_aws import FakeAws
from hypothesis import given
from hypothesis import strategies as st
from support.instance import Instance
from support.invocations import REGISTRY, Context
from support.random_tests import examples
from support.reporter_harness import ReporterHarness, document, found
from support.virtual_time import TIME

DAY = timedelta(days=1)


def items(aws: FakeAws, kind: str = "REPOSITOR") -> list[dict[str, Any]]:
    scanned: Any = aws.client("dynamodb").scan(TableName="memory")
    return [item for item in scanned["Items"] if item["pk"]["S"].startswith(kind)]


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


@pytest.mark.slow
@pytest.mark.parametrize("build", [0, 1], ids=["same image", "next build"])
@pytest.mark.parametrize(
    ("prefix", "attribute", "value"),
    [
        ("FINDINGS#", "data", {"B": b"no data"}),
        ("FINDINGS#", "data", {"S": "text"}),
        ("FINDINGS#", "data", {"B": b""}),
        ("IMAGE#", "ledger", {"S": "{"}),
        ("IMAGE#", "counts", {"S": "[[["}),
        ("IMAGE#", "scanned_at", {"S": "yesterday"}),
        ("IMAGE#", "scanned_at", {"N": "99999999999999"}),
        ("IMAGE#", "event_at", {"N": "99999999999999"}),
        # In the year 2099.
        ("IMAGE#", "event_at", {"N": "4088000000"}),
        ("IMAGE#", "scanned_at", {"N": "4088000000"}),
        ("IMAGE#", "revision", {"S": "text"}),
        ("IMAGE#", "revision", {"N": "0"}),
        ("IMAGE#", "revision", {"N": "1.5"}),
        ("IMAGE#", "successors", {"S": "text"}),
        ("IMAGE#", "parts", {"N": "-1"}),
        ("IMAGE#", "parts", {"N": "99999"}),
        ("IMAGE#", "parts", {"N": "2"}),
        ("IMAGE#", "findings_format", {"N": "9"}),
        ("PUSHED#", "tags", {"S": "text"}),
        ("PUSHED#", "findings", {"S": "text"}),
        ("PUSHED#", "successors", {"S": "text"}),
        ("app", "since", {"S": "text"}),
        ("app", "since", {"N": "4088000000"}),
        ("app", "since", {"N": "99999999999999"}),
    ],
)
def test_damaged_item_mutes_nothing(
    inbox: ReporterHarness, build: int, prefix: str, attribute: str, value: dict[str, Any]
) -> None:
    scan(inbox, 0, "HIGH")
    assert damage(inbox.aws, prefix, attribute, value) == 1
    check_that_all_is_reported(inbox, build)


# In the year 2099, and what is no number.
LATER, TEXT = {"N": "4088000000"}, {"S": "text"}


@pytest.mark.parametrize(
    ("pk", "sk", "attribute", "value"),
    [
        *(("WINDOWS", "PUSH", name, value) for name in ("opened_at", "token") for value in (LATER, TEXT)),
        *(("WINDOWS", "#PUBLISHER", name, value) for name in ("leased_until", "next_check") for value in (LATER, TEXT)),
        ("OUTBOX#PUSH", "", "data", TEXT),
    ],
)
def test_damage_does_not_keep_a_report_from_being_published(
    make_reporter: Callable[..., ReporterHarness], pk: str, sk: str, attribute: str, value: dict[str, Any]
) -> None:
    inbox = make_reporter(REPORT_WINDOW_SECONDS="60")
    assert inbox.report(inbox.image("app", "1.0", scan=found("HIGH"))) == []
    for item in items(inbox.aws, pk):
        if item["sk"]["S"].startswith(sk):
            inbox.aws.client("dynamodb").put_item(TableName="memory", Item=item | {attribute: value})
    inbox.check(TIME.now() + timedelta(seconds=61))
    [report] = inbox.reports()
    [image] = document(report)["images"]
    # It is news, or it is said that it could not be read.
    assert new_ids([report]) == {"CVE-2026-0001"} or image["reason"] == "findings_not_read"
    inbox.check(TIME.now() + DAY)
    assert [len(items(inbox.aws, "OUTBOX")), len(inbox.reports())] == [0, 1]


@pytest.mark.parametrize(
    ("sk", "attribute", "value"),
    [
        *(
            ("LAST", name, value)
            for name in ("leased_until", "scheduled_at", "published_at")
            for value in (LATER, TEXT)
        ),
        ("LAST", "parts", {"N": "9" * 15}),
        ("LAST", "snapshot_format", {"N": "9"}),
        ("SNAPSHOT", "data", {"B": b"no data"}),
    ],
)
def test_damage_does_not_keep_an_overview_from_being_published(
    inbox: ReporterHarness, sk: str, attribute: str, value: dict[str, Any]
) -> None:
    for number in (1, 2):
        event = {"overview": True, "time": f"{TIME.now():%Y-%m-%dT%H:%M:%SZ}"}
        assert reporter.handler(event, Context(300)) == {"published": 1}
        assert len(inbox.reports()) == number
        TIME.sleep(DAY.total_seconds())
        for item in items(inbox.aws, "OVERVIEWS"):
            if item["sk"]["S"].startswith(sk):
                inbox.aws.client("dynamodb").put_item(TableName="memory", Item=item | {attribute: value})


def test_damaged_count_of_results_is_counted_again(inbox: ReporterHarness) -> None:
    table = reporter.dependencies().table
    runs = RunMemory(table, REGISTRY)
    runs.begin("run", 1, TIME.now())
    table.put({"pk": "RUNS#123456789012#eu-west-1", "sk": "run", "results": "text"})
    runs.add_results("run", 2, TIME.now())
    assert runs.run("run").results == 2


def test_image_that_is_deleted_and_pushed_again_mutes_no_later_build(inbox: ReporterHarness) -> None:
    for severities in (["HIGH"], ["HIGH", "CRITICAL"]):
        scan(inbox, 0, *severities)
        # Its items may be gone, or unreadable, by the time it is there again.
        damage(inbox.aws, "IMAGE#", "counts", {"S": "[[["})
    before = len(inbox.reports())
    scan(inbox, 1, "HIGH", "CRITICAL", "CRITICAL")
    scan(inbox, 2, "HIGH", "CRITICAL", "CRITICAL", "CRITICAL")
    assert "CVE-2026-0004" in new_ids(inbox.reports()[before:])


# What damages an attribute: other types, and numbers and times that cannot be, by DynamoDB's type.
VALUES: list[dict[str, Any]] = [
    *({"S": text} for text in ("", "[", "[[1]]", "{}", "yesterday", "\x00")),
    *({"N": number} for number in ("-1", "0", "1.5", "9" * 38, "1" * 15, "4088000000", "1E+30")),
    *({"B": data} for data in (b"", b"\x00\xff", b"x\x9c")),
    {"SS": ["text"]},
]


def damaged_value(source: random.Random, value: dict[str, Any]) -> dict[str, Any]:
    """Return what became of the value of an attribute: another one, or one with one other byte or a part missing."""
    [(kind, content)] = value.items()
    if kind in ("B", "S") and content and source.random() < 0.5:
        at = source.randrange(len(content))
        if source.random() < 0.5:
            return {kind: content[:at]}
        return {kind: content[:at] + (bytes([source.randrange(256)]) if kind == "B" else "x") + content[at + 1 :]}
    return source.choice(VALUES)


def damage_one(instance: Instance, source: random.Random) -> tuple[str, str, str, Any]:
    """Damage an attribute of an item of memory; return its keys, its name and its value."""
    kinds: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for item in instance.items():
        kinds.setdefault((item["pk"]["S"].split("#")[0], item["sk"]["S"].split("#")[0]), []).append(item)
    item = source.choice(kinds[source.choice(sorted(kinds))])
    name = source.choice(sorted(item.keys() - {"pk", "sk"}))
    damaged = item | {name: damaged_value(source, item[name])}
    if source.random() < 0.1:
        del damaged[name]
    instance.aws.client("dynamodb").put_item(TableName="memory", Item=damaged)
    return item["pk"]["S"], item["sk"]["S"], name, damaged.get(name)


@pytest.mark.slow
@hypothesis.settings(max_examples=examples(400))
@given(st.integers(0, 10**6))
def test_random_damage_of_any_item_mutes_nothing(make_instance: Callable[[], Instance], seed: int) -> None:
    instance, source = make_instance(), random.Random(seed)
    instance.run()
    for repository in ("app", "other"):
        instance.scan(repository, 0, "HIGH")
    instance.let_pass(2)
    instance.publish_overview()
    TIME.sleep(DAY.total_seconds())
    # It waits to be reported.
    instance.scan("app", 1, "HIGH", "HIGH")
    before = len(instance.inbox.reports())
    damaged = damage_one(instance, source)
    instance.let_pass(26)
    waited = instance.told(before)["app"]
    assert {"CVE-2026-0002"} <= waited or waited & {"unreadable", "inventory"}, damaged
    before = len(instance.inbox.reports())
    instance.run()
    build = source.choice([1, 2])
    TIME.sleep(3600)
    instance.scan("app", build, "HIGH", "HIGH", "CRITICAL")
    instance.scan("other", 1, "HIGH", "HIGH", "CRITICAL")
    instance.let_pass(26)
    told = instance.told(before)
    for repository in ("app", "other"):
        words, own = told[repository], damaged[0].endswith(f"#{repository}")
        assert "CVE-2026-0003" in words or (own and "inventory" in words), (repository, damaged)
    before = len(instance.inbox.reports())
    instance.scan("app", build + 1, "HIGH", "HIGH", "CRITICAL", "CRITICAL")
    instance.run()
    instance.let_pass(26)
    assert instance.told(before)["app"] == {"CVE-2026-0004"}, damaged
    instance.publish_overview()
    assert not instance.failed, damaged
    assert instance.invocations < 60, damaged
    assert not [item for item in instance.items() if item["pk"]["S"].startswith("OUTBOX")], damaged
