"""The module, applied by Terraform and running, for the whole session of tests.

Where: at AWS_ENDPOINT_URL if that is set (any LocalStack, ECR at AWS_ENDPOINT_URL_ECR), else on a local AWS of its own.
"""

import json
import os
import secrets
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from local_aws import LocalAws, NotSupportedError, Registry

ROOT = Path(__file__).resolve().parents[2]
# One word in all names, so that runs side by side at one endpoint keep out of each other's way.
RUN = f"it-{secrets.token_hex(3)}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Iterator[None]:
    """What the endpoint's ECR cannot do is skipped, with its reason."""
    try:
        return (yield)
    except NotSupportedError as reason:
        pytest.skip(str(reason))


@pytest.fixture(scope="session")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment that leads Terraform and boto3 to the AWS under test."""
    if "AWS_ENDPOINT_URL" in os.environ:
        with pytest.MonkeyPatch.context() as patch:
            foreign = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "eu-west-1"}
            environment = {**foreign, **{k: v for k, v in os.environ.items() if k.startswith("AWS_")}}
            environment.setdefault("AWS_REGION", environment["AWS_DEFAULT_REGION"])
            for name, value in environment.items():
                patch.setenv(name, value)
            yield environment
        return
    venvs = ROOT / ".venv"
    log = tmp_path_factory.mktemp("local-aws") / "log"
    with (
        LocalAws(venvs / "local-aws/bin/python", venvs / "functions/bin/python", log=log) as local,
        pytest.MonkeyPatch.context() as patch,
    ):
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            patch.delenv(name)
        for name, value in local.environment.items():
            patch.setenv(name, value)
        yield local.environment


@pytest.fixture(scope="session")
def registry(aws: dict[str, str]) -> Iterator[Registry]:
    """The ECR registry under test."""
    with Registry(aws.get("AWS_ENDPOINT_URL_ECR", aws["AWS_ENDPOINT_URL"])) as registry:
        yield registry


class Module:
    """The module, applied from a folder of its own."""

    def __init__(self, folder: Path, environment: dict[str, str], config: str) -> None:
        self._folder = folder
        self._environment = {**os.environ, **environment}
        (folder / "main.tf").write_text(config)
        self._terraform("init", "-input=false")

    def _terraform(self, *arguments: str) -> str:
        command = [ROOT / "scripts" / "terraform", f"-chdir={self._folder}", *arguments, "-no-color"]
        done = subprocess.run(command, env=self._environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"terraform {arguments[0]} failed:\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def apply(self) -> None:
        """Apply, and read the outputs."""
        self._terraform("apply", "-auto-approve", "-input=false")
        self.outputs: dict[str, str] = json.loads(self._terraform("output", "-json"))["module"]["value"]

    def plan(self) -> str:
        """What another apply would do, as Terraform tells it."""
        return self._terraform("plan", "-input=false")

    def destroy(self) -> None:
        """Destroy; doing it twice does no harm."""
        self._terraform("destroy", "-auto-approve", "-input=false")


CONFIG = """
terraform {{
  required_providers {{
    aws = {{
      source = "hashicorp/aws"
    }}
  }}
}}

provider "aws" {{
  skip_credentials_validation = true
  skip_metadata_api_check     = true
}}

module "it" {{
  source = "{root}"

  name                       = "{run}"
  rate                       = "1 minute"
  repositories_filter_regexp = "^(?!{run}/sandbox/){run}/"
  images_duration_delta      = "7d"
  email                      = "platform@example.com"
  environment_variables      = {environment}

  # Short, so that a message that fails is soon back: it stays hidden for six times the timeout.
  functions = {{
    images_scanner = {{ timeout = 3 }}
    reporter       = {{ timeout = 3 }}
  }}
}}

output "module" {{
  value = module.it
}}
"""


@pytest.fixture(scope="session")
def module(aws: dict[str, str], stocked: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Module]:
    """The applied module; what is in the registry at its first run is there before."""
    functions_ecr = {name: value for name, value in aws.items() if name == "AWS_ENDPOINT_URL_ECR"}
    config = CONFIG.format(root=ROOT, run=RUN, environment=json.dumps(functions_ecr))
    applied = Module(tmp_path_factory.mktemp("applied"), aws, config)
    try:
        applied.apply()
        yield applied
    finally:
        applied.destroy()


@pytest.fixture(scope="session")
def inbox(module: Module) -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """A queue subscribed to the topic; calling it reads all the messages that came so far."""
    queue = boto3.resource("sqs").create_queue(QueueName=f"{RUN}-inbox")
    topic = module.outputs["reports_topic_arn"]
    boto3.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue.attributes["QueueArn"])
    messages: list[dict[str, Any]] = []

    def read() -> list[dict[str, Any]]:
        while batch := queue.receive_messages(MaxNumberOfMessages=10):
            for message in batch:
                messages.append(json.loads(message.body))
                message.delete()
        return messages

    yield read
    queue.delete()


def eventually(what: Callable[[], Any], seconds: float, reason: str) -> Any:
    """Wait until `what` gives something true, and return it.

    Raises:
        AssertionError: it did not within `seconds`.
    """
    until = time.monotonic() + seconds
    while not (got := what()):
        assert time.monotonic() < until, f"not within {seconds} s: {reason}"
        time.sleep(0.5)
    return got


def drained(*urls: str) -> bool:
    """Whether nothing is in these queues, neither waiting nor in hand."""
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesDelayed"]
    sqs = boto3.client("sqs")
    return all(
        set(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"].values()) == {"0"}  # type: ignore[arg-type]
        for url in urls
    )
