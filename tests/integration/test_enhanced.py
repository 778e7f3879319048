"""Enhanced scanning: Amazon Inspector scans the images, and announces what it learns later finding by finding."""

from datetime import timedelta
from typing import Any

import boto3
import pytest
from harness import ROOT, RUN, Inbox, Module, idle, wait_until
from local_aws import EnhancedFinding, RegistryClient

REPOSITORY = f"{RUN}/team-c/enhanced"
OPENSSL = EnhancedFinding("CVE-2023-0286", "HIGH", fixed_in="0:1.1.1n-0+deb11u5")
ZLIB = EnhancedFinding("CVE-2023-45853", "CRITICAL", "zlib1g", "1.2.11.dfsg", "2+deb11u2", epoch=1)


@pytest.fixture(scope="module")
def scanned(module: Module, registry: RegistryClient) -> str:
    """Change the registry to enhanced scanning, and push an image; return its digest."""
    if not registry.has_control_api:
        pytest.skip(f"the registry at {registry.ecr.meta.endpoint_url} has no Inspector that a test can direct")
    rules: Any = [
        {"scanFrequency": "CONTINUOUS_SCAN", "repositoryFilters": [{"filter": "*", "filterType": "WILDCARD"}]}
    ]
    registry.ecr.put_registry_scanning_configuration(scanType="ENHANCED", rules=rules)
    return registry.push(REPOSITORY, "1.0")


def test_rule_matches_the_events_of_images_and_no_others(module: Module) -> None:
    samples = {path.stem: path.read_text() for path in (ROOT / "tests" / "events").glob("*.json")}
    finding, scan = samples["inspector2-finding-of-ec2"], samples["inspector2-scan"]
    samples["inspector2-finding-of-lambda"] = finding.replace("AWS_EC2_INSTANCE", "AWS_LAMBDA_FUNCTION")
    samples["inspector2-scan-of-ec2"] = scan.replace("repository-name", "instance-id")
    events = boto3.client("events")
    pattern = events.describe_rule(Name=module.outputs["scan_events_rule_name"])["EventPattern"]
    matched = {name: events.test_event_pattern(EventPattern=pattern, Event=samples[name])["Result"] for name in samples}
    of_images = {"ecr-image-scan-complete", "ecr-image-scan-failed", "inspector2-scan", "inspector2-finding"}
    assert {name for name, result in matched.items() if result} == of_images


def _reports(inbox: Inbox, digest: str) -> list[dict[str, Any]]:
    """Return the reports so far that say something of an image, oldest first."""
    return [report for report in inbox.reports() if digest in {image["digest"] for image in report["images"]}]


def _read_to_the_end(module: Module, digest: str) -> None:
    """Wait until the findings of an image are not to be read again, and until nothing is left to report.

    They are read once more a minute after an event, in case that ECR did not list all of them yet.
    """
    scan, table = boto3.client("dynamodb").get_paginator("scan"), module.outputs["memory_table_name"]

    def is_planned() -> bool:
        pages = scan.paginate(TableName=table, FilterExpression="attribute_exists(look_at)")
        return any(digest in item["sk"]["S"] for page in pages for item in page["Items"])

    wait_until(lambda: not is_planned(), "the findings are read once more")
    idle(module)


def test_first_scan_of_inspector_is_reported(scanned: str, registry: RegistryClient, inbox: Inbox) -> None:
    registry.set_enhanced_findings(REPOSITORY, scanned, [OPENSSL])
    [report] = wait_until(lambda: _reports(inbox, scanned), "the first scan is reported")
    [image] = report["images"]
    assert (image["repository"], image["tags"]) == (REPOSITORY, ["1.0"])
    assert [finding["id"] for finding in image["changes"]["new"]] == [OPENSSL.name]


def test_finding_that_inspector_adds_later_is_reported_once(
    scanned: str, module: Module, registry: RegistryClient, inbox: Inbox
) -> None:
    before = len(_reports(inbox, scanned))
    registry.let_time_pass(timedelta(days=7))
    registry.set_enhanced_findings(REPOSITORY, scanned, [OPENSSL, ZLIB])
    wait_until(lambda: len(_reports(inbox, scanned)) > before, "the later finding is reported")
    _read_to_the_end(module, scanned)
    [report] = _reports(inbox, scanned)[before:]
    [image] = report["images"]
    assert (image["repository"], image["tags"]) == (REPOSITORY, ["1.0"])
    assert [finding["id"] for finding in image["changes"]["new"]] == [ZLIB.name]
    assert report["totals"] == dict.fromkeys(report["totals"], 0) | {"images": 1, "new": 1, "still_open": 1}
