"""The fake as a server: latency, rates, counts, and a thread or a child process as its host."""

import json
import multiprocessing
import os
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import boto3
import fake_aws
import pytest
from botocore.exceptions import ClientError
from fake_aws import (
    FakeAws,
    FakeImage,
    FakeRegistry,
    Fault,
    Rate,
    digest_of,
    fake_registry_of,
    plain_images,
)
from support.virtual_time import TIME

TEN = partial(fake_registry_of, {"app": 10})


def start_all(fake_aws: FakeAws, workers: int = 10) -> int:
    """Start a scan of each image at the same time; return the number of throttled calls."""
    ecr = fake_aws.client("ecr", max_pool_connections=workers)

    def throttled(number: int) -> bool:
        try:
            ecr.start_image_scan(repositoryName="app", imageId={"imageDigest": digest_of(f"app/{number}")})
        except ClientError as error:
            return error.response["Error"] == {"Code": "ThrottlingException", "Message": "Rate exceeded"}
        return False

    with ThreadPoolExecutor(workers) as pool:
        return sum(pool.map(throttled, range(10)))


@pytest.mark.usefixtures("virtual_time")
def test_calls_over_the_burst_are_throttled_until_the_bucket_fills() -> None:
    with FakeAws(TEN, clock=TIME, rates={"StartImageScan": Rate(per_second=0.001, burst=4)}) as fake_aws:
        assert start_all(fake_aws) == 6
        assert fake_aws.refused() == {"StartImageScan": {"ThrottlingException": 6}}
        assert fake_aws.calls() == {"StartImageScan": 10}
        assert len(fake_aws.starts()) == 4
        fake_aws.behavior.rates["StartImageScan"] = Rate(per_second=50, burst=1)
        retrying = fake_aws.client("ecr", retries={"mode": "standard", "total_max_attempts": 5})
        repository = fake_aws.registry.repository("app")
        for image in [image for image in repository.images if image.digest not in repository.scans]:
            retrying.start_image_scan(repositoryName="app", imageId={"imageDigest": image.digest})
        assert len(fake_aws.starts()) == 10


@pytest.mark.usefixtures("virtual_time")
def test_each_call_has_the_latency_and_calls_are_concurrent() -> None:
    with FakeAws(TEN, clock=TIME, latency={"StartImageScan": 2}) as fake_aws:
        fake_aws.behavior.together["StartImageScan"] = 10
        assert start_all(fake_aws) == 0
        assert TIME.monotonic() == 10 * 2
        assert fake_aws.max_in_flight() == 10


def test_reset_discards_the_records_and_keeps_the_registry() -> None:
    with FakeAws(TEN) as fake_aws:
        start_all(fake_aws)
        fake_aws.client("sqs").send_message(QueueUrl=fake_aws.queue_url(), MessageBody="a")
        fake_aws.reset()
        assert (fake_aws.calls(), fake_aws.refused(), fake_aws.starts(), fake_aws.messages()) == ({}, {}, [], [])
        assert fake_aws.max_in_flight() == 0
        assert len(fake_aws.registry.repository("app").scans) == 10


@pytest.mark.usefixtures("virtual_time")
def test_fault_ends_after_its_number_of_calls() -> None:
    faults = [Fault("GetRegistryScanningConfiguration", "ServerException", "Try again", status=500, times=2)]
    with FakeAws(FakeRegistry(), faults=faults) as fake_aws:
        ecr = fake_aws.client("ecr", retries={"mode": "standard", "total_max_attempts": 3})
        assert ecr.get_registry_scanning_configuration()["registryId"] == "123456789012"
        assert fake_aws.calls() == {"GetRegistryScanningConfiguration": 3}
        assert fake_aws.refused() == {"GetRegistryScanningConfiguration": {"ServerException": 2}}


def test_environment_directs_boto3_clients_to_the_fake(monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeAws(TEN) as fake_aws:
        for name, value in fake_aws.environment().items():
            monkeypatch.setenv(name, value)
        ecr = boto3.session.Session().client("ecr")
        assert ecr.describe_repositories()["repositories"][0]["repositoryName"] == "app"
        assert fake_aws.calls() == {"DescribeRepositories": 1}


def test_unknown_service_is_named_in_the_error() -> None:
    with FakeAws(FakeRegistry()) as fake_aws:
        ecs = boto3.client(
            "ecs",
            region_name="eu-west-1",
            endpoint_url=fake_aws.endpoint,
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
        )
        with pytest.raises(ClientError, match=r"UnknownOperationException.+the fake does not implement"):
            ecs.list_clusters()


@pytest.mark.slow
def test_listing_finds_one_image_among_100_000() -> None:
    registry = FakeRegistry()
    registry.add("large", [*plain_images(100_000), FakeImage(digest_of("untagged"))])
    with FakeAws(registry) as fake_aws:
        ecr = fake_aws.client("ecr")
        assert len(ecr.describe_images(repositoryName="large", maxResults=1000)["imageDetails"]) == 1000
        answer = ecr.describe_images(repositoryName="large", filter={"tagStatus": "UNTAGGED"})
        assert [detail["imageDigest"] for detail in answer["imageDetails"]] == [digest_of("untagged")]
        assert "nextToken" not in answer


@pytest.mark.slow
def test_child_process_serves_and_ends_with_the_block() -> None:
    faults = [Fault("SendMessage", "AccessDenied")]
    with FakeAws(TEN, faults=faults, serve="process") as fake_aws:
        (child,) = multiprocessing.active_children()
        assert child.pid != os.getpid()
        assert start_all(fake_aws) == 0
        assert {start.digest for start in fake_aws.starts()} == {image.digest for image in plain_images(10, "app")}
        with pytest.raises(ClientError, match="AccessDenied"):
            fake_aws.client("sqs").send_message(QueueUrl=fake_aws.queue_url(), MessageBody="a")
        topic = "arn:aws:sns:eu-west-1:123456789012:reports"
        fake_aws.client("sns").publish(TopicArn=topic, Message="a")
        assert fake_aws.publications() == [(topic, None, "a", None, {})]
        with pytest.raises(TypeError, match="registry is in a child process"):
            _ = fake_aws.registry
    assert child.exitcode == 0
    assert multiprocessing.active_children() == []


@pytest.mark.slow
def test_registry_factory_that_fails_in_the_child_is_an_error(capfd: pytest.CaptureFixture[str]) -> None:
    broken = partial(json.loads, "no JSON")
    with pytest.raises(RuntimeError, match="did not start to serve"), FakeAws(broken, serve="process"):
        pass
    assert "JSONDecodeError" in capfd.readouterr().err
    assert multiprocessing.active_children() == []


@pytest.mark.slow
def test_child_process_ends_with_its_parent() -> None:
    code = """
import os
from fake_aws import FakeRegistry, FakeAws
if __name__ == "__main__":
    fake_aws = FakeAws(FakeRegistry, serve="process").__enter__()
    print(fake_aws.endpoint.rsplit(":", 1)[1], flush=True)
    os.kill(os.getpid(), 9)
"""
    tests = Path(fake_aws.__file__).parents[1]
    command = [sys.executable, "-c", code]
    environment = os.environ | {"PYTHONPATH": str(tests)}
    parent = subprocess.run(command, stdout=subprocess.PIPE, text=True, env=environment, timeout=600, check=False)
    assert parent.returncode == -9
    assert closes(int(parent.stdout))


def closes(port: int, seconds: float = 600) -> bool:
    """Return whether a loopback port is closed within some seconds."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)):
                return True
        time.sleep(0.05)
    return False
