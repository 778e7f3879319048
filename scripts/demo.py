"""Apply the module to a local AWS, let its schedule fire, and print the mail that it sends."""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
from local_aws import UNSUPPORTED_OS, Finding, LocalAws, Registry
from local_aws.launcher import client_environment

ROOT = Path(__file__).resolve().parent.parent
STATE = ROOT / ".build" / "demo"
VENVS = ROOT / ".venv"
EMAIL = "platform-team@example.com"
STARTED = time.monotonic()

OPENSSL = Finding("CVE-2026-1234", "CRITICAL", "openssl", "3.0.1-r2")
BUSYBOX = Finding("CVE-2026-3456", "HIGH", "busybox", "1.36.1")
ZLIB = Finding("CVE-2026-4567", "HIGH", "zlib", "1.2.13")
CURL = Finding("CVE-2026-5678", "MEDIUM", "curl", "8.5.0")


def say(text: str) -> None:
    """Print a line, with the seconds since the beginning."""
    print(f"{time.monotonic() - STARTED:5.0f} s  {text}", flush=True)


def seed_registry(registry: Registry) -> None:
    """Push a dozen images into four repositories; most are due for a scan."""
    now = datetime.now(UTC)
    registry.push("team-a/checkout", "4.2.0", findings=[OPENSSL, BUSYBOX, ZLIB, CURL])
    registry.push("team-a/checkout", "4.1.9", findings=[CURL], scanned_at=now - timedelta(days=12))
    registry.push("team-a/checkout", "4.1.8", findings=[OPENSSL], scanned_at=now - timedelta(days=3))
    registry.push("team-a/checkout", "4.1.7", scanned_at=now - timedelta(hours=2))
    registry.push("team-a/worker", "1.0", findings=[BUSYBOX])
    registry.push("team-a/worker", "1.1", findings=[CURL])
    child = registry.push("team-a/worker", None, findings=[ZLIB, BUSYBOX])
    registry.push_index("team-a/worker", "2.0", [child])
    registry.push("team-b/legacy", "1.0", outcome=("FAILED", UNSUPPORTED_OS))
    registry.push("team-b/legacy", "1.1")
    registry.push("platform/base", "2026-11", findings=[CURL, ZLIB])
    registry.push("platform/base", "2026-10", scanned_at=now - timedelta(days=1))


class Terraform:
    """Applies and destroys examples/simple, with its state outside of the repository's folders."""

    def __init__(self, state: Path, environment: dict[str, str]) -> None:
        self._state = state
        self._environment = {**os.environ, **environment, "TF_DATA_DIR": str(state / "data")}

    def run(self, *arguments: str) -> str:
        """Run terraform.

        Raises:
            SystemExit: it failed; the message has its output.
        """
        command = [
            str(ROOT / "scripts" / "terraform"),
            f"-chdir={ROOT / 'examples' / 'simple'}",
            *arguments,
            "-no-color",
        ]
        done = subprocess.run(command, env=self._environment, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(f"terraform {arguments[0]} failed:\n{done.stdout}{done.stderr}")
        return done.stdout

    def change(self, action: str) -> str:
        """Run `apply` or `destroy`; return Terraform's summary line."""
        variables = ["-var", "rate=1 minute", "-var", f"email={EMAIL}", "-var", "report_window=10"]
        state = f"-state={self._state / 'terraform.tfstate'}"
        output = self.run(action, "-auto-approve", "-input=false", state, *variables)
        return next(line for line in output.splitlines() if "complete!" in line)


class Logs:
    """Follows the logs of the functions."""

    def __init__(self, functions: list[str]) -> None:
        self._functions = functions
        self._seen: set[str] = set()

    def new(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield the lines since the last call as (function, fields), oldest first."""
        logs = boto3.client("logs")
        for function in self._functions:
            events = logs.filter_log_events(logGroupName=f"/aws/lambda/{function}")["events"]
            for event in events:
                if event["eventId"] not in self._seen:
                    self._seen.add(event["eventId"])
                    try:
                        yield function.removeprefix("ecr-scan-reporter-"), json.loads(event["message"])
                    except ValueError:
                        continue


def print_log_line(function: str, line: dict[str, Any]) -> None:
    """Print one line of a function's log, without the fields and lines of Lambda and boto3."""
    if not line.get("logger", "").startswith("ecr_scan_reporter"):
        return
    fields = {key: value for key, value in line.items() if key not in _PLUMBING}
    details = ", ".join(f"{key} {_words(value)}" for key, value in fields.items())
    say(f"{function}: {line.get('message', '')}: {details}")


_PLUMBING = {"timestamp", "level", "message", "logger", "requestId", "location"}


def _words(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {number}" for key, number in value.items()) + "}"
    text = str(value)
    return text[:19] if text.startswith("sha256:") else text


def mails(endpoint: str) -> list[dict[str, Any]]:
    """The mails that SNS has sent so far."""
    try:
        with urllib.request.urlopen(f"{endpoint}/_aws/ses", timeout=10) as answer:
            sent: list[dict[str, Any]] = json.load(answer)["messages"]
            return sent
    except urllib.error.HTTPError:
        return []  # there is no such page before the first mail


def subjects(inbox: Any) -> dict[str, str]:
    """Return the subjects, which LocalStack's page of sent mail lacks, by the digest of the first reported image."""
    found: dict[str, str] = {}
    while messages := inbox.receive_messages(MaxNumberOfMessages=10):
        for message in messages:
            envelope = json.loads(message.body)
            report = json.loads(envelope["Message"])
            first = (report["images"] + report["failed_scans"])[0]
            found[first["digest"]] = envelope["Subject"]
            message.delete()
    return found


def subscribe(queue_arn: str) -> None:
    """Subscribe a queue as soon as the topic exists: the schedule may fire before the apply is complete."""
    sns = boto3.client("sns")
    while not (topics := sns.list_topics()["Topics"]):
        time.sleep(0.5)
    sns.subscribe(TopicArn=topics[0]["TopicArn"], Protocol="sqs", Endpoint=queue_arn)


def watch(registry: Registry, endpoint: str, inbox: Any) -> None:
    """Print log lines until the first run is complete, then the mail."""
    names = [function["FunctionName"] for function in boto3.client("lambda").list_functions()["Functions"]]
    logs, news_at, sent = Logs(sorted(names, reverse=True)), time.monotonic(), 0
    until = time.monotonic() + 120
    while time.monotonic() < until:
        for function, line in logs.new():
            print_log_line(function, line)
            news_at = time.monotonic()
        if len(mails(endpoint)) > sent:
            sent, news_at = len(mails(endpoint)), time.monotonic()
        if sent and time.monotonic() - news_at > 12:
            break
        time.sleep(0.5)
    else:
        sys.exit("no mail within two minutes of the schedule")
    say(f"{len(registry.scans_started())} scans were started; the mail:")
    by_digest = subjects(inbox)
    for mail in mails(endpoint):
        body = mail["Body"]["text_part"]
        # A console link holds the digest whole; the first one is the first image's.
        subject = by_digest[f"sha256:{body.partition('sha256%3A')[2][:64]}"]
        print(f"\n{'=' * 78}\nTo: {EMAIL}\nSubject: {subject}\n\n{body}{'=' * 78}")


def main() -> None:
    """Run the demo."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep", action="store_true", help="leave the local AWS and the module up")
    parser.add_argument("--stop", action="store_true", help="stop what --keep left up")
    arguments = parser.parse_args()
    if arguments.stop:
        LocalAws.stop_detached(STATE / "local-aws.json")
        shutil.rmtree(STATE)
        say("stopped")
        return
    with local_aws(arguments.keep) as (environment, state):
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            del os.environ[name]
        os.environ.update(environment)
        say(f"local AWS at {environment['AWS_ENDPOINT_URL']}")
        terraform = Terraform(state, environment)
        run(terraform, Registry.connect(environment))
        if arguments.keep:
            say("left up; to look around:")
            for name, value in environment.items():
                print(f"  export {name}={value}")
            print("  aws ecr describe-repositories; aws lambda list-functions; aws sqs list-queues; aws logs tail ...")
            print("and to stop it: make demo-stop")
        else:
            say(terraform.change("destroy"))
    if not arguments.keep:
        say("local AWS stopped; nothing is left running")


def run(terraform: Terraform, registry: Registry) -> None:
    """Run the demo from an empty registry to the mail."""
    seed_registry(registry)
    say(f"{len(registry.pushed)} images pushed into 4 repositories")
    terraform.run("init", "-input=false")
    inbox = boto3.resource("sqs").create_queue(QueueName="inbox")
    threading.Thread(target=subscribe, args=(inbox.attributes["QueueArn"],), daemon=True).start()
    say("terraform apply of examples/simple, which may take a minute and a half")
    say(terraform.change("apply"))
    say("waiting for the schedule, rate(1 minute), to fire")
    watch(registry, os.environ["AWS_ENDPOINT_URL"], inbox)


@contextmanager
def local_aws(keep: bool) -> Iterator[tuple[dict[str, str], Path]]:
    """Run a local AWS; yield its environment and a folder for Terraform's state."""
    pythons = VENVS / "local-aws/bin/python", VENVS / "functions/bin/python"
    if keep:
        state = json.loads(LocalAws.start_detached(*pythons, STATE).read_text())
        yield client_environment(state["endpoint"]), STATE
        return
    with tempfile.TemporaryDirectory(prefix="ecr-scan-reporter-") as folder, LocalAws(*pythons) as local:
        yield local.environment, Path(folder)


if __name__ == "__main__":
    main()
