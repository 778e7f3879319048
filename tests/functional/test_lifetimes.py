"""Each kind of item in the memory table expires after its own number of days, or stays."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from ecr_scan_reporter import images_scanner, reporter, repositories_scanner
from ecr_scan_reporter.messages.repository import RepositoryMessage
from fake_aws import FakeAws, FakeImage, digest_of, index_image
from support.ignored_findings import set_rules
from support.invocations import REGISTRY
from support.reporter_harness import ReporterHarness, found
from support.virtual_time import TIME

# By a pattern of its pk and sk, the days after which DynamoDB may delete an item; None if it stays.
LIFETIMES = {
    r"REPOSITORY#[^#]+#[^#]+#\w+ IMAGE#[^#]+#1": 400,
    r"REPOSITORY#[^#]+#[^#]+#\w+ IMAGE#[^#]+#ASKED#1": 400,
    r"REPOSITORY#[^#]+#[^#]+#\w+ FINDINGS#[^#]+#0#1": 400,
    r"REPOSITORY#[^#]+#[^#]+#\w+ INDEX#[^#]+#1": 400,
    r"REPOSITORY#[^#]+#[^#]+#\w+ PUSHED#[^#]+#[^#]+#1": 400,
    r"REGISTRY#[^#]+#[^#]+ REGISTRY": None,
    r"REPOSITORIES#[^#]+#[^#]+ \w+": None,
    r"STATES#[^#]+#[^#]+ \w+#1": 400,
    r"SUMMARIES#[^#]+#[^#]+ \w+#1": 400,
    r"OVERVIEWS LAST": 400,
    r"OVERVIEWS SNAPSHOT#.+#1": 400,
    r"RUNS#[^#]+#[^#]+ .+": 7,
    r"PASSES#[^#]+#[^#]+ OPEN#1": 400,
    r"PASSES#[^#]+#[^#]+ HEARTBEAT": 400,
    r"DAILY#[^#]+#[^#]+ PASS#1": 400,
    r"WINDOWS [^#]+": 60,
    r"WINDOWS #PUBLISHER": None,
    r"OUTBOX#.+#1": 60,
    r"IGNORED 0": None,
    r"RULES \w+": 400,
}
Context: Any = type("Context", (), {"get_remaining_time_in_millis": lambda _: 60_000})
RULE = {"id": "CVE-2026-0001", "reason": "It is not called.", "owner": "team-a", "expires": "2030-01-01"}


@pytest.fixture
def inbox(make_reporter: Callable[..., ReporterHarness], monkeypatch: pytest.MonkeyPatch) -> Iterator[ReporterHarness]:
    """The reporter and the scanners, with a registry and a rule for ignored findings."""
    inbox = make_reporter(REPORT_WINDOW_SECONDS="3600", ECR_IMAGES_DURATION_DELTA="7d")
    monkeypatch.setenv("IMAGES_QUEUE_URL", inbox.aws.queue_url())
    child = digest_of("child")
    index = index_image(digest_of("index"), {child: "linux/amd64"}, ("1.0",))
    inbox.aws.registry.add("index", [index, FakeImage(child)])
    set_rules([RULE])
    caches = (images_scanner.dependencies, repositories_scanner.dependencies)
    for cache in caches:
        cache.cache_clear()
    yield inbox
    for cache in caches:
        cache.cache_clear()


def lifetimes(aws: FakeAws) -> dict[str, set[int | None]]:
    """Return the lifetimes in days, from now on, of all items of the memory table, by their kind."""
    found: dict[str, set[int | None]] = {}
    for item in aws.client("dynamodb").scan(TableName="memory")["Items"]:
        key = f"{item['pk']['S']} {item['sk']['S']}"
        [kind] = [kind for kind in LIFETIMES if re.fullmatch(kind, key)]
        seconds = int(item["expires"]["N"]) - TIME.now().timestamp() if "expires" in item else None
        found.setdefault(kind, set()).add(None if seconds is None else round(seconds / 86400))
    return found


def test_each_kind_of_item_has_its_lifetime(inbox: ReporterHarness) -> None:
    image = inbox.image("app", "1.0", scan=found("CRITICAL", "HIGH"))
    image["time"] = f"{TIME.now():%Y-%m-%dT%H:%M:%SZ}"
    repositories_scanner.handler({}, None)
    repositories_scanner.handler({"heartbeat": True}, None)
    for repository in ("app", "index"):
        records: Any = [{"messageId": "1", "body": RepositoryMessage(REGISTRY, repository).to_json()}]
        assert images_scanner.handler({"Records": records}, Context()) == {"batchItemFailures": []}
    assert inbox.report(image, '{"pass": {}}') == []
    assert reporter.handler({"overview": True}, Context())["published"] == 1
    assert lifetimes(inbox.aws) == {kind: {days} for kind, days in LIFETIMES.items()}


def expire(aws: FakeAws) -> None:
    """Delete what DynamoDB may delete by now."""
    client, now = aws.client("dynamodb"), TIME.now().timestamp()
    for item in client.scan(TableName="memory")["Items"]:
        if "expires" in item and int(item["expires"]["N"]) < now:
            client.delete_item(TableName="memory", Key={"pk": item["pk"], "sk": item["sk"]})


@pytest.mark.slow
def test_nothing_of_an_image_expires_while_it_is_scanned(make_reporter: Callable[..., ReporterHarness]) -> None:
    """Three years of scans that find the same: what is known is never told again, not even in a rebuild."""
    inbox = make_reporter()
    pushed_at = TIME.now()
    for _ in range(40):
        expire(inbox.aws)
        inbox.report(inbox.image("app", "1.0", scan=found("HIGH"), pushed_at=pushed_at, at=TIME.now()))
        TIME.sleep(28 * 86_400)
    expire(inbox.aws)
    inbox.report(inbox.image("app", "1.1", scan=found("HIGH"), at=TIME.now()))
    assert len(inbox.reports()) == 1
