"""An older release writes beside what a newer one wrote: upgrade, rollback, upgrade, with items and messages of both.

The newer release is this one with another format: it writes all JSON in another way, and reads both.
"""

import json
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import hypothesis
import pytest
from ecr_scan_reporter import reporter as program
from ecr_scan_reporter import repositories_scanner
from ecr_scan_reporter.aws.sns import REPORTS, Publication, Rejection
from ecr_scan_reporter.memory import codec, items
from ecr_scan_reporter.messages import repository
from ecr_scan_reporter.messages.rejected_publication import encode_rejection
from ecr_scan_reporter.messages.reports_queue import CHECK, DailyPassMessage, DueMessage, LookMessage, to_body
from ecr_scan_reporter.messages.repository import RepositoryMessage
from fake_aws import digest_of
from hypothesis import given
from hypothesis import strategies as st
from support.configuration import forget_dependencies
from support.instance import Instance
from support.invocations import REGISTRY
from support.random_tests import examples
from support.virtual_time import TIME

HOURS = 0.05
DIGEST = digest_of("app 0")
SEVERITIES = ["HIGH", "CRITICAL"]
# Sort keys of what is no more than a few numbers, to which every release adds under the same key.
SHARED = {"REGISTRY", "app", "HEARTBEAT", "LAST"}

Install = Callable[[int], None]


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Installs a release: 1 is this one."""
    compact_json, load = codec.compact_json, codec._load

    def other_load(text: Any) -> Any:
        return load(text.removeprefix("2")) if isinstance(text, str) else load(text)

    def other_loads(text: bytes) -> Any:
        return json.loads(text.removeprefix(b"2"))

    def of_release(number: int) -> None:
        is_newer = number > 1
        monkeypatch.setattr(items, "FORMAT", number)
        monkeypatch.setattr(repository, "VERSION", number)
        monkeypatch.setattr(program, "MESSAGE_VERSION", number)
        monkeypatch.setattr(codec, "compact_json", lambda value: "2" + compact_json(value)) if is_newer else None
        if is_newer:
            other = SimpleNamespace(loads=other_loads, dumps=json.dumps)
            monkeypatch.setattr(codec, "_load", other_load)
            monkeypatch.setattr(codec, "json", other)
        else:
            monkeypatch.setattr(codec, "compact_json", compact_json)
            monkeypatch.setattr(codec, "_load", load)
            monkeypatch.setattr(codec, "json", json)
        forget_dependencies()

    yield of_release
    of_release(1)


@pytest.mark.slow
@hypothesis.settings(max_examples=examples(200))
@given(st.lists(st.booleans(), min_size=8, max_size=8))
def test_upgrade_rollback_and_upgrade(
    make_instance: Callable[[], Instance], install: Install, rebuilds: list[bool]
) -> None:
    instance, choices, build, findings = make_instance(), iter(rebuilds), 0, 1

    def scan() -> str:
        """Report the scan of the same build or the next one, with one finding more; return its id."""
        nonlocal build, findings
        build, findings = build + next(choices), findings + 1
        instance.scan("app", build, *(SEVERITIES[n % 2] for n in range(findings)))
        return f"CVE-2026-{findings:04}"

    install(1)
    instance.scan("app", 0, "HIGH")
    instance.let_pass(HOURS)
    told, waiting = list[list[str]](), list[str]()
    for release in (1, 2, 1, 2):
        install(release)
        before = len(instance.inbox.reports())
        instance.run()
        news = scan()
        instance.let_pass(HOURS)
        instance.publish_overview()
        # In flight when the next release is installed: the message of a run, and a report that waits.
        instance.run()
        told.append(instance.told_ids("app", before))
        assert news in told[-1]
        assert len(told[-1]) == len(set(told[-1]))
        waiting.append(scan())
        TIME.sleep(1)
    # The first upgrade tells what waited and what is new. The rolled back release does not know what was told after
    # that, and says it again. After the second upgrade the newer of both counts: nothing is told from before.
    assert told[1] == [waiting[0], "CVE-2026-0004"]
    assert waiting[1] in told[2] + told[3]
    assert waiting[2] in instance.told_ids("app", 0)
    assert min(told[3]) >= waiting[1]
    # What the older release could not read is in the DLQ by now, and is redriven.
    failed, instance.failed = instance.failed, []
    assert {queue for queue, _ in failed} == {"images"}
    for queue, body in failed:
        instance.deliver(queue, body)
    assert not instance.failed


@pytest.mark.slow
def test_formats_have_keys_of_their_own(make_instance: Callable[[], Instance], install: Install) -> None:
    """Every kind of item but those that are a few numbers, so that none can be forgotten."""
    instance, found = make_instance(), dict[int, dict[tuple[str, str], Any]]()
    for release in (2, 1):
        install(release)
        instance.run()
        instance.scan("app", release, "HIGH", "CRITICAL")
        repositories_scanner.handler({"heartbeat": True}, None)
        instance.let_pass(HOURS)
        instance.publish_overview()
        instance.deliver("reports", to_body(DailyPassMessage()))
        instance.scan("app", release + 2, "HIGH", *(2 + len(found)) * ["CRITICAL"])
        found[release] = {(item["pk"]["S"], item["sk"]["S"]): item for item in instance.items()}
        if release == 2:
            newer = {key: item for key, item in found[2].items() if key[1].endswith("#2")}
    kinds = {(pk.split("#")[0], sk.split("#")[0]) for pk, sk in newer if pk not in ("STATES", "SUMMARIES")}
    assert {kind[0] for kind in kinds} == {
        *("REPOSITORY", "STATES", "SUMMARIES", "PASSES", "DAILY", "OVERVIEWS", "OUTBOX")
    }
    assert {sk for pk, sk in kinds if pk == "REPOSITORY"} == {"IMAGE", "FINDINGS", "PUSHED", "INDEX"}
    # The older release changed none of them. It deletes the snapshot of the overview before its own.
    kept = {key: item for key, item in newer.items() if key[0] != "OVERVIEWS"}
    assert {key: found[1].get(key) for key in kept} == kept
    others = {key for key in found[1] if not key[1].endswith(("#1", "#2"))}
    assert {sk.split("#")[0] for pk, sk in others if pk not in ("WINDOWS", "RULES") and "RUNS" not in pk} == SHARED


def in_flight(install: Install) -> list[tuple[str, str]]:
    """Return messages of a newer release, each with its queue."""
    install(2)
    publication = Publication(REPORTS, {"Message": "{}"})
    image = REGISTRY.image("app", DIGEST)
    own = CHECK, to_body(LookMessage(image)), to_body(DueMessage(image)), to_body(DailyPassMessage())
    reports = [json.dumps(json.loads(body) | {"version": 2}) for body in own]
    messages = [("reports", body) for body in (*reports, encode_rejection(Rejection(publication, "later")))]
    return [*messages, ("images", RepositoryMessage(REGISTRY, "index").to_json())]


def test_message_of_a_newer_release_is_retried_and_redriven(
    make_instance: Callable[[], Instance], install: Install
) -> None:
    instance = make_instance()
    messages = in_flight(install)
    install(1)
    for _ in range(5):
        for queue, body in messages:
            instance.deliver(queue, body)
    assert instance.failed == 5 * messages
    assert instance.inbox.reports() == []
    # After five receives they are in the DLQs, from which they are redriven after the upgrade.
    instance.failed.clear()
    install(2)
    instance.scan("app", 0, "HIGH")
    for queue, body in messages:
        instance.deliver(queue, body)
    assert instance.failed == []
    assert len(instance.inbox.reports()) == 1


def test_message_of_an_older_release_is_processed(make_instance: Callable[[], Instance], install: Install) -> None:
    instance = make_instance()
    message = RepositoryMessage(REGISTRY, "index").to_json()
    publication = encode_rejection(Rejection(Publication(REPORTS, {"Message": "{}"}), "later"))
    install(2)
    instance.deliver("images", message)
    instance.deliver("reports", publication)
    assert instance.failed == []


UNKNOWN = ('{"look": 1}', '{"check": false}', '{"later": {}}', '{"version": 9, "check": true}', "[]")


@pytest.mark.slow
@pytest.mark.parametrize("body", UNKNOWN)
def test_message_that_is_not_known_fails(make_instance: Callable[[], Instance], body: str) -> None:
    instance = make_instance()
    instance.deliver("reports", body)
    instance.deliver("images", body)
    assert instance.failed == [("reports", body), ("images", body)]
