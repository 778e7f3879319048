"""Applies the module with Terraform, and waits for its effects."""

import json
import os
import secrets
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3

if TYPE_CHECKING:
    from mypy_boto3_sqs.service_resource import Queue

ROOT = Path(__file__).resolve().parents[2]
# Part of all names, so that concurrent runs at one endpoint do not interfere.
RUN = f"it-{secrets.token_hex(3)}"


class Module:
    """The module, applied from a folder of its own."""

    def __init__(self, folder: Path, environment: dict[str, str], config: str) -> None:
        self._folder = folder
        self._environment = {**os.environ, **environment}
        (folder / "main.tf").write_text(config)
        self._terraform("init", "-input=false")

    def _terraform(self, *arguments: str) -> str:
        command = [str(ROOT / "scripts" / "terraform"), f"-chdir={self._folder}", *arguments, "-no-color"]
        done = subprocess.run(command, env=self._environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"terraform {arguments[0]} failed:\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def apply(self) -> None:
        """Apply, and read the outputs."""
        self._terraform("apply", "-auto-approve", "-input=false")
        self.outputs: dict[str, str] = json.loads(self._terraform("output", "-json"))["module"]["value"]

    def plan(self) -> str:
        """Return what another apply would do."""
        return self._terraform("plan", "-input=false")

    def destroy(self) -> None:
        """Destroy; may be called twice."""
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
  report_window              = 10
  chat                       = true
  environment_variables      = {environment}

  # Short, so that a message that fails is soon back: it stays hidden for six times the timeout.
  functions = {{
    images_scanner = {{ timeout = 3 }}
    reporter       = {{ timeout = 3 }}
  }}
}}

# It is there before the first run: it needs the topic alone, and a run needs everything.
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
    """A queue that is subscribed to the topic; calling it returns all messages so far."""

    def __init__(self, queue: "Queue") -> None:
        self._queue = queue
        self._messages: list[dict[str, Any]] = []
        self.arn: str = queue.attributes["QueueArn"]

    def __call__(self) -> list[dict[str, Any]]:
        while batch := self._queue.receive_messages(MaxNumberOfMessages=10):
            for message in batch:
                self._messages.append(json.loads(message.body))
                message.delete()
        return self._messages


def eventually(what: Callable[[], Any], seconds: float, reason: str, every: float = 0.5) -> Any:
    """Wait until `what`, asked `every` so many seconds, gives something true, and return it.

    Raises:
        AssertionError: it did not within `seconds`.
    """
    until = time.monotonic() + seconds
    while not (got := what()):
        assert time.monotonic() < until, f"not within {seconds} s: {reason}"
        time.sleep(every)
    return got


def queues_empty(*urls: str) -> bool:
    """Return whether these queues have no message, visible or not."""
    names = [f"ApproximateNumberOfMessages{state}" for state in ("", "NotVisible", "Delayed")]
    sqs = boto3.client("sqs")
    return all(
        set(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"].values()) == {"0"}  # type: ignore[arg-type]
        for url in urls
    )
