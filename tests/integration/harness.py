"""Tools of the integration tests: the module applied by Terraform, its messages, and waiting."""

import json
import os
import secrets
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import boto3
from shared_provider import provider

if TYPE_CHECKING:
    from mypy_boto3_sqs.service_resource import Queue

Value = TypeVar("Value")

# For which a test waits at most; far longer than anything takes on a machine that is ten times as slow as it may be.
_SECONDS = 900.0

ROOT = Path(__file__).resolve().parents[2]
# All names contain this text, so that several runs can share an endpoint.
RUN = f"it-{secrets.token_hex(3)}"
# The schedule does not match these repositories, so only messages of the tests start their scans.
DIRECT = f"{RUN}-direct"
EXAMPLES = sorted(path.name for path in (ROOT / "examples").iterdir())


@dataclass
class Seed:
    """The images of the registry before the first run: digests by description."""

    due: dict[str, str] = field(default_factory=dict)
    not_due: dict[str, str] = field(default_factory=dict)
    not_matching: dict[str, str] = field(default_factory=dict)


@dataclass
class Incidents:
    """The failures that the tests cause.

    Attributes:
        invalid: body of each invalid message by its message id, for each queue.
        valid: digest of the image of a valid message that was sent between invalid ones.
        interrupted: digests of the images whose scanner was killed; empty if the endpoint does not support that.
    """

    invalid: dict[str, dict[str, str]]
    valid: str
    interrupted: set[str]


class Terraform:
    """Terraform in a directory, with one provider for all of its commands.

    Attributes:
        directory: directory of the configuration, which has to be there.
        environment: environment of the commands.
    """

    def __init__(self, directory: Path, environment: dict[str, str]) -> None:
        self.directory, self.environment = directory, {**os.environ, **environment}
        self._provider = ExitStack()

    def __enter__(self) -> "Terraform":
        self.run("init", "-input=false")
        # A shared provider has one configuration at a time, and accepts a CA bundle the first time only.
        several = any("alias" in file.read_text() for file in self.directory.glob("*.tf"))
        if not several and "AWS_CA_BUNDLE" not in self.environment:
            self.environment = self._provider.enter_context(provider(self.directory, self.environment))
        return self

    def __exit__(self, *_: object) -> None:
        self._provider.close()

    def run(self, *arguments: str, fails: bool = False) -> str:
        """Run a command; return what it prints, with its errors if it has to fail. Else it has to succeed."""
        command = [str(ROOT / "scripts" / "terraform"), f"-chdir={self.directory}", *arguments, "-no-color"]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False)
        ended = f"terraform {' '.join(arguments)} returned {done.returncode}:\n{done.stdout}\n{done.stderr}"
        assert (done.returncode != 0) is fails, ended
        return done.stdout + done.stderr if fails else done.stdout


class Module:
    """The module, applied from its own directory.

    Attributes:
        outputs: outputs of the module after `apply`.
        invalid: how many invalid messages were sent to each of its queues.
    """

    outputs: dict[str, str]
    invalid: Counter[str]

    def __init__(self, terraform: Terraform) -> None:
        self._terraform, self.invalid = terraform, Counter()

    def apply(self) -> None:
        """Apply the module and read its outputs."""
        self._terraform.run("apply", "-auto-approve", "-input=false")
        self.outputs = json.loads(self._terraform.run("output", "-json"))["module"]["value"]

    def plan(self) -> str:
        """Return the output of a plan."""
        return self._terraform.run("plan", "-input=false")

    def destroy(self) -> None:
        """Destroy the module. A second call does nothing."""
        self._terraform.run("destroy", "-auto-approve", "-input=false")


def account(number: str) -> dict[str, str]:
    """Return the environment for an account: LocalStack takes an access key of twelve digits for its number."""
    return {"AWS_ACCESS_KEY_ID": number, "AWS_SECRET_ACCESS_KEY": "test"}


def second_plan(name: str, state: Path, environment: dict[str, str]) -> set[tuple[str, str]]:
    """Apply an example, and return the types and attributes that another plan changes."""
    environment = environment | account(f"{EXAMPLES.index(name) + 1:012}") | {"TF_DATA_DIR": str(state / "data")}
    state_file = f"-state={state / 'terraform.tfstate'}"
    with Terraform(ROOT / "examples" / name, environment) as example:
        example.run("apply", "-auto-approve", "-input=false", state_file)
        example.run("plan", "-input=false", state_file, f"-out={state / 'plan'}")
        changes = json.loads(example.run("show", "-json", str(state / "plan")))["resource_changes"]
    return {
        (change["type"], attribute)
        for change in changes
        for before, after in [(change["change"]["before"] or {}, change["change"]["after"] or {})]
        for attribute in before.keys() | after.keys()
        if before.get(attribute) != after.get(attribute)
    }


# What every configuration begins with.
PROVIDER = """
terraform {
  required_providers {
    aws = {
      source = "hashicorp/aws"
    }
  }
}

provider "aws" {
  skip_credentials_validation = true
  skip_metadata_api_check     = true
}
"""

CONFIG = """
module "it" {{
  source = "{root}"

  name                       = "{run}"
  rate                       = "1 minute"
  repositories_filter_regexp = "^(?!{run}/sandbox/){run}/"
  images_duration_delta      = "7d"
  email                      = "platform@example.com"
  report_window              = 3
  notify_on_fixed            = true
  chat                       = true
  dashboard_widget           = true
  detailed_monitoring        = true
  known_exploited            = true
  known_exploited_feed       = "{feed}"
  overview_schedule            = "1 minute"
  environment_variables      = {environment}

  # A failed message is hidden for six times the timeout, five times, before it reaches the DLQ. A machine that is ten
  # times as slow as it may be starts the reporter in six seconds.
  functions = {{
    images_scanner = {{ timeout = 4 }}
    reporter       = {{ timeout = 8 }}
  }}
}}

# This resource depends on the topic only, so it exists before the first run, which needs all resources.
resource "aws_sns_topic_subscription" "inbox" {{
  topic_arn = module.it.reports_topic_arn
  protocol  = "sqs"
  endpoint  = "{inbox}"
}}

output "module" {{
  value = module.it
}}
"""


class Inbox:
    """A queue that subscribes to the topic."""

    def __init__(self, queue: "Queue") -> None:
        self._queue = queue
        self._messages: list[dict[str, Any]] = []
        self.arn: str = queue.attributes["QueueArn"]

    def messages(self) -> list[dict[str, Any]]:
        """Return all messages of the topic so far."""
        while batch := self._queue.receive_messages(MaxNumberOfMessages=10):
            for message in batch:
                self._messages.append(json.loads(message.body))
                message.delete()
        return self._messages

    def reports(self) -> list[dict[str, Any]]:
        """Return all reports so far, as JSON documents."""
        return [document for document in self._documents() if document["schema"].startswith("ecr-scan-report/")]

    def overviews(self) -> list[dict[str, Any]]:
        """Return all overviews so far, as JSON documents."""
        return [document for document in self._documents() if document["schema"].startswith("ecr-scan-overview/")]

    def _documents(self) -> list[dict[str, Any]]:
        return [json.loads(message["Message"]) for message in self.messages()]


def wait_until(condition: Callable[[], Value], expected: str, interval: float = 0.5) -> Value:
    """Wait until a condition returns a true value, and return that value.

    Args:
        condition: the condition.
        expected: description of the condition, for the error.
        interval: seconds between two checks.

    Raises:
        AssertionError: the condition was not true in time.
    """
    deadline = time.monotonic() + _SECONDS
    while not (value := condition()):
        assert time.monotonic() < deadline, f"not true after {_SECONDS} s: {expected}"
        time.sleep(interval)
    return value


def send(url: str, body: str) -> dict[str, str]:
    return {boto3.client("sqs").send_message(QueueUrl=url, MessageBody=body)["MessageId"]: body}


def repository_message(module: Module, repository: str) -> str:
    _, _, _, region, account, _ = module.outputs["reports_topic_arn"].split(":")
    return json.dumps({"version": 1, "account": account, "region": region, "repository": repository})


def start_run(module: Module) -> None:
    """Start a run, as the schedule does."""
    boto3.client("lambda").invoke(FunctionName=module.outputs["repositories_scanner_function_name"], Payload="{}")


def _count(url: str) -> int:
    """Return how many messages of a queue are visible or in flight.

    A delayed one may stay: it asks every 15 minutes whether the next inventory, one a day, is due.
    """
    names = [f"ApproximateNumberOfMessages{state}" for state in ("", "NotVisible")]
    values = boto3.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"].values()  # type: ignore[arg-type]
    return sum(map(int, values))


def idle(module: Module) -> None:
    """Wait until nothing is left to scan or to report, for ten seconds without a message.

    What is left are the invalid messages that were sent: each of them is retried, or in the DLQ.
    """
    busy_at = time.monotonic()

    def is_quiet() -> bool:
        nonlocal busy_at
        for queue in ("images", "reports"):
            left = sum(_count(module.outputs[f"{queue}_{kind}_url"]) for kind in ("queue", "dead_letter_queue"))
            if left > module.invalid[queue]:
                busy_at = time.monotonic()
        return time.monotonic() - busy_at >= 10

    wait_until(is_quiet, "the queues are empty")
