"""The registry client against moto's server, which is not the registry of LocalAws."""

import hashlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from local_aws import UNSUPPORTED_OS, Finding, NotSupportedError, RegistryClient, ScanEvents, control_api
from moto.server import ThreadedMotoServer


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def environment(endpoint: str) -> dict[str, str]:
    control_api.call(endpoint, "/moto-api/reset", method="POST")
    return {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "eu-west-1",
    }


@pytest.fixture
def registry(environment: dict[str, str]) -> RegistryClient:
    return RegistryClient.connect(environment)


def client(environment: dict[str, str], service: Any) -> Any:
    return boto3.client(
        service,
        endpoint_url=environment["AWS_ENDPOINT_URL"],
        aws_access_key_id="test",
        aws_secret_access_key="test",
        region_name="eu-west-1",
    )


def test_registry_of_moto_has_no_control_api(registry: RegistryClient) -> None:
    assert not registry.has_control_api


@pytest.mark.slow
def test_endpoint_of_ecr_has_priority_over_the_common_endpoint(environment: dict[str, str], endpoint: str) -> None:
    environment |= {"AWS_ENDPOINT_URL": "http://127.0.0.1:9", "AWS_ENDPOINT_URL_ECR": endpoint}
    assert RegistryClient.connect(environment).push("app")


def test_every_image_has_its_own_digest_which_is_that_of_its_manifest(registry: RegistryClient) -> None:
    first, second = registry.push("app", "1.0"), registry.push("app", "2.0")
    assert first != second
    found = registry.ecr.batch_get_image(repositoryName="app", imageIds=[{"imageDigest": first}])["images"]
    assert first == f"sha256:{hashlib.sha256(found[0]['imageManifest'].encode()).hexdigest()}"
    assert registry.pushed == [("app", first), ("app", second)]


def test_image_without_a_tag_is_untagged(registry: RegistryClient) -> None:
    assert registry.tags("app", registry.push("app")) == []


def test_index_has_its_images_by_architecture(registry: RegistryClient) -> None:
    children = [registry.push("app"), registry.push("app")]
    index = registry.push_index("app", "1.0", children)
    found = registry.ecr.batch_get_image(repositoryName="app", imageIds=[{"imageDigest": index}])["images"]
    manifests = json.loads(found[0]["imageManifest"])["manifests"]
    assert [manifest["digest"] for manifest in manifests] == children
    assert [manifest["platform"]["architecture"] for manifest in manifests] == ["amd64", "arm64"]


@pytest.mark.parametrize("key", ["imageDigest", "imageTag"])
def test_scan_has_the_pushed_findings_by_digest_and_by_tag(registry: RegistryClient, key: Any) -> None:
    digest = registry.push("app", "1.0", findings=[Finding("CVE-2026-1", "HIGH", score=7.5)])
    registry.ecr.start_image_scan(repositoryName="app", imageId={"imageDigest": digest})
    image_id: Any = {key: digest if key == "imageDigest" else "1.0"}
    result = registry.ecr.describe_image_scan_findings(repositoryName="app", imageId=image_id)["imageScanFindings"]
    assert result["findingSeverityCounts"] == {"HIGH": 1}
    assert result["findings"][0]["name"] == "CVE-2026-1"
    assert {"key": "CVSS3_SCORE", "value": "7.5"} in result["findings"][0]["attributes"]


def test_scan_can_fail(registry: RegistryClient) -> None:
    digest = registry.push("app", outcome=("FAILED", UNSUPPORTED_OS))
    registry.ecr.start_image_scan(repositoryName="app", imageId={"imageDigest": digest})
    result = registry.scan_result("app", digest)
    assert result is not None
    assert result["imageScanStatus"] == {"status": "FAILED", "description": UNSUPPORTED_OS}
    assert "imageScanFindings" not in result


def test_started_scans_exclude_images_without_a_scan(registry: RegistryClient) -> None:
    registry.push("app")
    digest = registry.push("app")
    registry.ecr.start_image_scan(repositoryName="app", imageId={"imageDigest": digest})
    assert [(scan.digest, scan.at) for scan in registry.scans_started("app")] == [(digest, None)]
    assert registry.scans_started("other") == []


@pytest.mark.parametrize("argument", ["pushed_at", "scanned_at"])
def test_push_of_an_image_that_moto_cannot_represent_is_not_supported(registry: RegistryClient, argument: str) -> None:
    times: Any = {argument: datetime(2026, 1, 1, tzinfo=UTC)}
    with pytest.raises(NotSupportedError, match="LocalAws does"):
        registry.push("app", **times)
    assert registry.pushed == []


def test_archiving_inspector_and_the_log_of_requests_are_not_supported(registry: RegistryClient) -> None:
    digest = registry.push("app")
    with pytest.raises(NotSupportedError):
        registry.archive("app", digest)
    with pytest.raises(NotSupportedError):
        registry.set_enhanced_findings("app", digest, [])
    with pytest.raises(NotSupportedError):
        registry.calls()


def test_time_that_is_let_pass_is_not_supported(registry: RegistryClient) -> None:
    with pytest.raises(NotSupportedError):
        registry.let_time_pass(timedelta(days=8))
    assert abs(registry.now() - datetime.now(UTC)) < timedelta(minutes=1)


def test_scan_events_are_sent_once(environment: dict[str, str], registry: RegistryClient) -> None:
    sqs, events = client(environment, "sqs"), client(environment, "events")
    queue = sqs.create_queue(QueueName="scans")["QueueUrl"]
    events.put_rule(Name="scans", EventPattern=json.dumps({"source": ["aws.ecr"]}))
    events.put_targets(Rule="scans", Targets=[{"Id": "queue", "Arn": "arn:aws:sqs:eu-west-1:123456789012:scans"}])
    digest = registry.push("app", "1.0", findings=[Finding("CVE-2026-1", "HIGH")])
    registry.push("app")
    watcher = ScanEvents(registry, events)
    watcher.send_new_events()
    registry.ecr.start_image_scan(repositoryName="app", imageId={"imageDigest": digest})
    watcher.send_new_events()
    watcher.send_new_events()
    messages = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
    assert [json.loads(message["Body"])["detail"] for message in messages] == [
        {
            "scan-status": "COMPLETE",
            "repository-name": "app",
            "finding-severity-counts": {"HIGH": 1},
            "image-digest": digest,
            "image-tags": ["1.0"],
        }
    ]


def test_error_of_the_watcher_fails_the_test_that_uses_it(
    registry: RegistryClient, environment: dict[str, str]
) -> None:
    registry.pushed.append(("no-such-repository", f"sha256:{'0' * 64}"))
    watcher = ScanEvents(registry, client(environment, "events"), interval=0.01)
    with pytest.raises(registry.ecr.exceptions.RepositoryNotFoundException), watcher:
        watcher.join(timeout=60)
