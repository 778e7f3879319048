"""How the stand-in runs: latency, rates, counts, and the two ways to host it."""

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

import aws_stand_in
import boto3
import pytest
from aws_stand_in import Fault, Image, QueueFaults, Rate, Registry, StandIn, digest_of, plain_images, registry_of
from botocore.exceptions import ClientError

TEN = partial(registry_of, {"app": 10})


def start_all(stand_in: StandIn, workers: int = 10) -> int:
    """Start a scan of each image at once; returns how many were throttled."""
    ecr = stand_in.client("ecr", max_pool_connections=workers)

    def throttled(number: int) -> bool:
        try:
            ecr.start_image_scan(repositoryName="app", imageId={"imageDigest": digest_of(f"app/{number}")})
        except ClientError as error:
            return error.response["Error"] == {"Code": "ThrottlingException", "Message": "Rate exceeded"}
        return False

    with ThreadPoolExecutor(workers) as pool:
        return sum(pool.map(throttled, range(10)))


def test_calls_beyond_the_burst_are_throttled_until_the_bucket_fills() -> None:
    with StandIn(TEN, rates={"StartImageScan": Rate(per_second=0.001, burst=4)}) as stand_in:
        assert start_all(stand_in) == 6
        assert stand_in.refused() == {"StartImageScan": {"ThrottlingException": 6}}
        assert stand_in.calls() == {"StartImageScan": 10}
        assert len(stand_in.starts()) == 4
        stand_in.behaviour.rates["StartImageScan"] = Rate(per_second=50, burst=1)
        retrying = stand_in.client("ecr", retries={"mode": "standard", "total_max_attempts": 5})
        repository = stand_in.registry.repository("app")
        for image in [image for image in repository.images if image.digest not in repository.started]:
            retrying.start_image_scan(repositoryName="app", imageId={"imageDigest": image.digest})
        assert len(stand_in.starts()) == 10


def test_latency_is_that_of_each_call_and_calls_overlap() -> None:
    with StandIn(TEN, latency={"StartImageScan": 0.3}) as stand_in:
        began = time.monotonic()
        assert start_all(stand_in) == 0
        elapsed = time.monotonic() - began
        assert 0.3 <= elapsed < 1.5
        assert stand_in.max_in_flight() > 5


def test_a_reset_forgets_the_records_and_keeps_the_registry() -> None:
    with StandIn(TEN) as stand_in:
        start_all(stand_in)
        stand_in.client("sqs").send_message(QueueUrl=stand_in.queue_url(), MessageBody="a")
        stand_in.reset()
        assert (stand_in.calls(), stand_in.refused(), stand_in.starts(), stand_in.messages()) == ({}, {}, [], [])
        assert stand_in.max_in_flight() == 0
        assert len(stand_in.registry.repository("app").scans) == 10


def test_a_fault_that_has_struck_its_times_is_over() -> None:
    faults = [Fault("GetRegistryScanningConfiguration", "ServerException", "Try again", status=500, times=2)]
    with StandIn(Registry(), faults=faults) as stand_in:
        ecr = stand_in.client("ecr", retries={"mode": "standard", "total_max_attempts": 3})
        assert ecr.get_registry_scanning_configuration()["registryId"] == "123456789012"
        assert stand_in.calls() == {"GetRegistryScanningConfiguration": 3}
        assert stand_in.refused() == {"GetRegistryScanningConfiguration": {"ServerException": 2}}


def test_the_environment_leads_any_client_here(monkeypatch: pytest.MonkeyPatch) -> None:
    with StandIn(TEN) as stand_in:
        for name, value in stand_in.environment().items():
            monkeypatch.setenv(name, value)
        ecr = boto3.session.Session().client("ecr")
        assert ecr.describe_repositories()["repositories"][0]["repositoryName"] == "app"
        assert stand_in.calls() == {"DescribeRepositories": 1}


def test_a_service_that_is_not_there_says_so() -> None:
    with StandIn(Registry()) as stand_in:
        ecs = boto3.client(
            "ecs",
            region_name="eu-west-1",
            endpoint_url=stand_in.endpoint,
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
        )
        with pytest.raises(ClientError, match=r"UnknownOperationException.+the stand-in does not know"):
            ecs.list_clusters()


def test_an_image_is_found_behind_a_hundred_thousand_others() -> None:
    registry = Registry()
    registry.add("large", [*plain_images(100_000), Image(digest_of("untagged"))])
    with StandIn(registry) as stand_in:
        ecr = stand_in.client("ecr")
        assert len(ecr.describe_images(repositoryName="large", maxResults=1000)["imageDetails"]) == 1000
        answer = ecr.describe_images(repositoryName="large", filter={"tagStatus": "UNTAGGED"})
        assert [detail["imageDigest"] for detail in answer["imageDetails"]] == [digest_of("untagged")]
        assert "nextToken" not in answer


def test_a_child_process_serves_the_same_and_ends_with_the_block() -> None:
    faults = QueueFaults(containing="poison")
    with StandIn(TEN, queue_faults=faults, process=True) as stand_in:
        (child,) = multiprocessing.active_children()
        assert child.pid != os.getpid()
        assert start_all(stand_in) == 0
        assert {start.digest for start in stand_in.starts()} == {image.digest for image in plain_images(10, "app")}
        sent = stand_in.client("sqs").send_message_batch(
            QueueUrl=stand_in.queue_url(), Entries=[{"Id": "1", "MessageBody": "poison"}]
        )
        assert len(sent["Failed"]) == 1
        topic = "arn:aws:sns:eu-west-1:123456789012:reports"
        stand_in.client("sns").publish(TopicArn=topic, Message="a")
        assert stand_in.publications() == [(topic, None, "a", None, {})]
        with pytest.raises(TypeError, match="own process"):
            _ = stand_in.registry
    assert child.exitcode == 0
    assert multiprocessing.active_children() == []


def test_a_recipe_that_fails_in_the_child_is_an_error_here(capfd: pytest.CaptureFixture[str]) -> None:
    broken = partial(json.loads, "no JSON")
    with pytest.raises(RuntimeError, match="did not come to serve"), StandIn(broken, process=True):
        pass
    assert "JSONDecodeError" in capfd.readouterr().err
    assert multiprocessing.active_children() == []


def test_a_child_process_dies_with_its_parent() -> None:
    code = """
import os
from aws_stand_in import Registry, StandIn
if __name__ == "__main__":
    stand_in = StandIn(Registry, process=True).__enter__()
    print(stand_in.endpoint.rsplit(":", 1)[1], flush=True)
    os.kill(os.getpid(), 9)
"""
    tests = Path(aws_stand_in.__file__).parents[1]
    command = [sys.executable, "-c", code]
    environment = os.environ | {"PYTHONPATH": str(tests)}
    parent = subprocess.run(command, stdout=subprocess.PIPE, text=True, env=environment, timeout=60, check=False)
    assert parent.returncode == -9
    assert closes(int(parent.stdout))


def closes(port: int, seconds: float = 10) -> bool:
    """Whether nobody listens on a loopback port any more, within some seconds."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)):
                return True
        time.sleep(0.05)
    return False
