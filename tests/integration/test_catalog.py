"""Known exploited vulnerabilities: the catalog is read from a server on loopback, and decides what is urgent."""

import json
from typing import Any

import boto3
from harness import RUN, Inbox, Module, start_run, wait_until
from local_aws import Finding, RegistryClient
from support.feed import Feed


def _read(module: Module) -> dict[str, Any]:
    name = module.outputs["catalog_reader_function_name"]
    answer: dict[str, Any] = json.load(boto3.client("lambda").invoke(FunctionName=name)["Payload"])
    return answer


def test_finding_of_the_catalog_is_reported_whatever_its_severity(
    module: Module, registry: RegistryClient, inbox: Inbox, feed: Feed
) -> None:
    assert _read(module) == {"entries": 21, "problem": ""}
    assert {path for path, _ in feed.requests} == {"/kev.json"}
    digest = registry.push(f"{RUN}/team-d/urgent", "1.0", findings=[Finding("CVE-2026-7777", "LOW")])
    start_run(module)

    def reported() -> list[dict[str, Any]]:
        images = [image for report in inbox.reports() for image in report["images"]]
        return [image for image in images if image["digest"] == digest]

    [image] = wait_until(reported, "the urgent image is reported")
    [found] = image["known_exploited"]
    assert (image["reason"], found["id"], found["severity"]) == ("known_exploited", "CVE-2026-7777", "LOW")
    assert (found["kev"]["ransomware"], found["kev"]["id"]) == (True, "CVE-2026-7777")


def test_what_is_no_catalog_replaces_nothing(module: Module, feed: Feed) -> None:
    good, feed.body = feed.body, b"<html>Just a moment ...</html>"
    assert _read(module) == {"entries": 21, "problem": "it is no JSON (JSONDecodeError)"}
    feed.body = good
    assert _read(module) == {"entries": 21, "problem": ""}


def test_rules_have_the_catalog_read(module: Module) -> None:
    events = boto3.client("events")
    rule = events.describe_rule(Name=module.outputs["catalog_schedule_rule_name"])
    assert (rule["State"], rule["ScheduleExpression"]) == ("ENABLED", "cron(30 23 * * ? *)")
    [target] = events.list_targets_by_rule(Rule=rule["Name"])["Targets"]
    assert target["Arn"] == module.outputs["catalog_reader_function_arn"]
