"""The applied module, from the schedule to the report and to the DLQ."""

import json
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from harness import RUN, Inbox, Module, eventually, queues_empty
from local_aws import UNSUPPORTED_OS, Finding, LocalAws, NotSupportedError, Registry

Started = Callable[[], list[str]]
# The schedule fires every minute; a machine that is busy with the apply may be late.
FIRST_RUN = 150.0


@dataclass
class Seed:
    """The digests of the images in the registry before the first run, by what should happen to them."""

    due: dict[str, str]
    not_due: dict[str, str]
    not_matching: dict[str, str]


@pytest.fixture(scope="session")
def seeded(registry: Registry) -> Seed:
    """Fill the registry; leave out what the ECR at the endpoint cannot represent."""
    now = datetime.now(UTC)
    app, worker, sandbox = (f"{RUN}/{name}" for name in ("team-a/app", "team-b/worker", "sandbox/app"))
    seed = Seed({}, {}, {})
    critical, high, medium = (Finding("CVE-2026-0001", severity) for severity in ("CRITICAL", "HIGH", "MEDIUM"))
    seed.due["critical"] = registry.push(app, "1.0", findings=[critical])
    seed.due["high"] = registry.push(app, "1.1", findings=[high])
    seed.due["medium"] = registry.push(worker, "1.0", findings=[medium])
    seed.due["clean"] = registry.push(worker, "1.1")
    seed.not_matching["sandbox"] = registry.push(sandbox, "1.0", findings=[critical])
    try:
        seed.due["scanned 8 days ago"] = registry.push(app, "0.8", scanned_at=now - timedelta(days=8))
        seed.not_due["scanned 2 days ago"] = registry.push(app, "0.9", scanned_at=now - timedelta(days=2))
        seed.not_due["scanned an hour ago"] = registry.push(worker, "0.9", scanned_at=now - timedelta(hours=1))
        seed.due["fails"] = registry.push(worker, "scratch", outcome=("FAILED", UNSUPPORTED_OS))
        seed.due["a child"] = registry.push(app, None)
        seed.not_due["an index"] = registry.push_index(app, "2.0", [seed.due["a child"]])
    except NotSupportedError as reason:
        print(f"left out: {reason}")
    return seed


@pytest.fixture(scope="session")
def first_run(seeded: Seed, module: Module, inbox: Inbox, started: Started) -> list[str]:
    """Wait until the schedule's first run is complete; return the digests whose scans were started."""
    eventually(lambda: set(started()) >= set(seeded.due.values()), FIRST_RUN, "every due image is started")
    queues = module.outputs["images_queue_url"], module.outputs["reports_queue_url"]
    eventually(lambda: queues_empty(*queues), 60, "the queues are empty")
    return started()


def test_schedule_starts_the_due_images_of_matching_repositories(first_run: list[str], seeded: Seed) -> None:
    assert sorted(first_run) == sorted(seeded.due.values())


def test_images_over_a_threshold_are_reported_once_in_few_messages(
    first_run: list[str], seeded: Seed, inbox: Inbox
) -> None:
    over = {seeded.due["critical"], seeded.due["high"]}
    failed = {seeded.due["fails"]} if "fails" in seeded.due else set()

    def reports() -> list[dict[str, Any]]:
        return [json.loads(message["Message"]) for message in inbox()]

    def digests(kind: str) -> list[str]:
        return sorted(image["digest"] for report in reports() for image in report[kind])

    eventually(lambda: len(digests("images") + digests("failed_scans")) >= len(over | failed), 60, "the reports arrive")
    assert digests("images") == sorted(over)
    assert digests("failed_scans") == sorted(failed)
    assert len(reports()) < len(over | failed), "a report covers several images"
    [critical] = [image for report in reports() for image in report["images"] if image["counts"].get("CRITICAL")]
    assert (critical["repository"], critical["tags"]) == (f"{RUN}/team-a/app", ["1.0"])
    assert [finding["id"] for finding in critical["findings"]] == ["CVE-2026-0001"]
    # Lambda decides which events share a batch, and so a subject.
    subjects = " ".join(message["Subject"] for message in inbox())
    assert subjects.count("1 critical") == 1
    assert subjects.count("1 high") == 1


def test_second_run_starts_nothing_again(first_run: list[str], module: Module, started: Started) -> None:
    answer = boto3.client("lambda").invoke(
        FunctionName=module.outputs["repositories_scanner_function_name"],
        Payload=json.dumps({"repositoriesFilterRegexp": f"{RUN}/team-a/"}),
    )
    assert json.load(answer["Payload"])["sent"] == 1
    eventually(lambda: queues_empty(module.outputs["images_queue_url"]), 60, "the queue is empty")
    assert sorted(started()) == sorted(first_run)


@pytest.fixture(scope="session")
def invalid_messages(first_run: list[str], module: Module) -> list[str]:
    """Send invalid messages to both queues, early because they need two minutes to reach the DLQs.

    Returns:
        The bodies of those on the images queue.
    """
    sqs, bodies = boto3.client("sqs"), ["not JSON", json.dumps({"version": 99})]
    for body in bodies:
        sqs.send_message(QueueUrl=module.outputs["images_queue_url"], MessageBody=body)
    sqs.send_message(QueueUrl=module.outputs["reports_queue_url"], MessageBody="no event")
    return bodies


def test_killed_function_loses_nothing(
    invalid_messages: list[str], module: Module, registry: Registry, started: Started, local_aws: LocalAws | None
) -> None:
    if local_aws is None:
        raise NotSupportedError("only on the local AWS are functions processes that a test can kill")
    repository = f"{RUN}/team-d/killed"
    pushed = {registry.push(repository, f"1.{number}") for number in range(150)}
    name, url = module.outputs["images_scanner_function_name"], module.outputs["images_queue_url"]
    boto3.client("sqs").send_message(QueueUrl=url, MessageBody=json.dumps({"version": 1, "repository": repository}))

    def kill() -> bool:
        busy = [process.pid for process in local_aws.functions(name) if process.request_id]
        if busy and registry.scans_started(repository):
            os.kill(busy[0], signal.SIGKILL)
            return True
        return False

    eventually(kill, 60, "the function is at work", every=0.01)
    assert 0 < len(registry.scans_started(repository)) < len(pushed)
    eventually(lambda: pushed <= set(started()), 180, "every image is started all the same")
    assert len([digest for digest in started() if digest in pushed]) == len(pushed)


def test_plan_after_the_apply_is_empty(module: Module) -> None:
    assert "No changes." in module.plan()


def test_invalid_messages_go_to_the_dlq_and_others_are_processed(
    invalid_messages: list[str], module: Module, registry: Registry, started: Started
) -> None:
    sqs = boto3.client("sqs")
    other = registry.push(f"{RUN}/team-c/late", "1.0")
    body = json.dumps({"version": 1, "repository": f"{RUN}/team-c/late"})
    sqs.send_message(QueueUrl=module.outputs["images_queue_url"], MessageBody=body)
    eventually(lambda: other in started(), 60, "the valid message is processed")

    found: dict[str, set[str]] = {"images": set(), "reports": set()}

    def all_in_dlq() -> bool:
        for queue, bodies in found.items():
            url = module.outputs[f"{queue}_dead_letter_queue_url"]
            bodies.update(message["Body"] for message in sqs.receive_message(QueueUrl=url).get("Messages", []))
        return found == {"images": set(invalid_messages), "reports": {"no event"}}

    # Five receives, each hidden for 18 seconds.
    eventually(all_in_dlq, 180, "invalid messages are in the DLQs")

    group = module.outputs["images_scanner_log_group_name"]
    events = boto3.client("logs").filter_log_events(logGroupName=group)["events"]
    errors = [line for event in events if (line := _json(event["message"])) and line.get("level") == "ERROR"]
    assert any("the message is not JSON" in line["reason"] for line in errors)


def _json(line: str) -> dict[str, Any] | None:
    try:
        parsed = json.loads(line)
    except ValueError:
        return None
    return parsed if isinstance(parsed, dict) else None


# The last test: it destroys the module.
def test_destroy_leaves_nothing(module: Module, inbox: Inbox) -> None:
    module.destroy()
    left = [
        *boto3.client("lambda").list_functions()["Functions"],
        *boto3.client("lambda").list_event_source_mappings()["EventSourceMappings"],
        *boto3.client("events").list_rules(NamePrefix=RUN)["Rules"],
        *boto3.client("iam").list_roles()["Roles"],
        *boto3.client("sns").list_topics()["Topics"],
        *boto3.client("sqs").list_queues(QueueNamePrefix=RUN).get("QueueUrls", []),
        *boto3.client("logs").describe_log_groups(logGroupNamePrefix=f"/aws/lambda/{RUN}")["logGroups"],
    ]
    assert [str(item) for item in left if RUN in str(item) and f"{RUN}-inbox" not in str(item)] == []
