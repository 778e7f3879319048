"""Apply the module to a local AWS, and print the mail of its first run, a re-scan, a new finding, and the digest."""

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
from local_aws import UNSUPPORTED_OS, Finding, LocalAws, Registry, let_time_pass
from local_aws.launcher import client_environment

ROOT = Path(__file__).resolve().parent.parent
STATE = ROOT / ".build" / "demo"
VENVS = ROOT / ".venv"
EMAIL = "platform-team@example.com"
TOPIC = ":ecr-scan-reporter-reports"
STARTED = time.monotonic()

OPENSSL = Finding("CVE-2026-1234", "CRITICAL", "openssl", "3.0.1-r2")
BUSYBOX = Finding("CVE-2026-3456", "HIGH", "busybox", "1.36.1")
ZLIB = Finding("CVE-2026-4567", "HIGH", "zlib", "1.2.13")
CURL = Finding("CVE-2026-5678", "MEDIUM", "curl", "8.5.0")
LIBXML = Finding("CVE-2026-9012", "CRITICAL", "libxml2", "2.11.8")


def say(text: str) -> None:
    """Print a line, with the seconds since the beginning."""
    print(f"{time.monotonic() - STARTED:5.0f} s  {text}", flush=True)


def seed_registry(registry: Registry) -> str:
    """Push a dozen images into four repositories, all due for a scan; return the digest of one of them."""
    now = datetime.now(UTC)
    month_ago = now - timedelta(days=30)

    def push(repository: str, tag: str | None, **options: Any) -> str:
        return registry.push(repository, tag, pushed_at=month_ago, **options)

    checkout = push("team-a/checkout", "4.2.0", findings=[OPENSSL, BUSYBOX, ZLIB, CURL])
    push("team-a/checkout", "4.1.9", findings=[CURL], scanned_at=now - timedelta(days=12))
    push("team-a/checkout", "4.1.8", findings=[OPENSSL], scanned_at=now - timedelta(days=9))
    push("team-a/checkout", "4.1.7", scanned_at=now - timedelta(days=8))
    push("team-a/worker", "1.0", findings=[BUSYBOX])
    push("team-a/worker", "1.1", findings=[CURL])
    child = push("team-a/worker", None, findings=[ZLIB, BUSYBOX])
    registry.push_index("team-a/worker", "2.0", [child])
    push("team-b/legacy", "1.0", outcome=("FAILED", UNSUPPORTED_OS))
    push("team-b/legacy", "1.1")
    push("platform/base", "2026-11", findings=[CURL, ZLIB])
    push("platform/base", "2026-10")
    return checkout


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
    """Print one line of a function's log, without what is said per image, by Lambda and by boto3."""
    if not line.get("logger", "").startswith("ecr_scan_reporter") or line["message"] == "scan requested":
        return
    metrics = {
        metric["Name"] for part in line.get("_aws", {}).get("CloudWatchMetrics", ()) for metric in part["Metrics"]
    }
    fields = {key: value for key, value in line.items() if key not in _PLUMBING | metrics}
    details = ", ".join(f"{key} {_words(value)}" for key, value in fields.items())
    say(f"{function}: {line.get('message', '')}: {details}")


_PLUMBING = {"timestamp", "level", "message", "logger", "requestId", "location", "_aws", "Instance"}


def _words(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {number}" for key, number in value.items()) + "}"
    text = str(value)
    return text[:19] if text.startswith("sha256:") else text


class Mail:
    """Collects the mail that SNS sends."""

    def __init__(self, endpoint: str, inbox: Any) -> None:
        self._endpoint = endpoint
        self._inbox = inbox
        self._read = 0

    def new(self) -> list[str]:
        """Return the text of each mail since the last call."""
        try:
            with urllib.request.urlopen(f"{self._endpoint}/_aws/ses", timeout=10) as answer:
                sent = sorted(json.load(answer)["messages"], key=lambda mail: mail["Timestamp"])
        except urllib.error.HTTPError:
            sent = []  # there is no such page before the first mail
        texts = [mail["Body"]["text_part"] for mail in sent[self._read :]]
        self._read = len(sent)
        return texts

    def subjects(self) -> list[str]:
        """Return the subjects since the last call, which LocalStack's page of sent mail lacks."""
        messages = self._inbox.receive_messages(MaxNumberOfMessages=10, WaitTimeSeconds=1)
        for message in messages:
            message.delete()
        return [json.loads(message.body)["Subject"] for message in messages]


def subscribe(queue_arn: str) -> None:
    """Subscribe a queue as soon as the topic exists: the schedule may fire before the apply is complete."""
    sns = boto3.client("sns")
    while not (topics := [arn for topic in sns.list_topics()["Topics"] if (arn := topic["TopicArn"]).endswith(TOPIC)]):
        time.sleep(0.5)
    sns.subscribe(TopicArn=topics[0], Protocol="sqs", Endpoint=queue_arn)


class Watch:
    """Follows the functions through the acts of the demo."""

    def __init__(self, registry: Registry, mail: Mail) -> None:
        names = [function["FunctionName"] for function in boto3.client("lambda").list_functions()["Functions"]]
        self._logs = Logs(sorted(names, reverse=True))
        self._registry = registry
        self._mail = mail
        self._scans = 0

    def next_run(self) -> list[str]:
        """Print log lines until scans were started and all is done; return the text of each new mail.

        Raises:
            SystemExit: the functions were busy for more than two minutes.
        """
        mails: list[str] = []
        until = time.monotonic() + 120
        while time.monotonic() < until:
            self._print_log()
            mails += self._mail.new()
            started = len(self._registry.scans_started())
            if started > self._scans and _queues_empty():
                say(f"{started - self._scans} scans were started")
                self._scans = started
                return mails + self._mail.new()
            time.sleep(0.5)
        sys.exit("the functions were busy for more than two minutes")

    def wait_until_idle(self) -> None:
        """Print log lines until all is done.

        Raises:
            SystemExit: the functions were busy for more than two minutes.
        """
        until = time.monotonic() + 120
        while not _queues_empty():
            if time.monotonic() > until:
                sys.exit("the functions were busy for more than two minutes")
            self._print_log()
        self._print_log()

    def wait_for_mail(self) -> list[str]:
        """Return the text of each new mail, as soon as there is one."""
        until = time.monotonic() + 60
        while not (mails := self._mail.new()) and time.monotonic() < until:
            time.sleep(0.5)
        self._print_log()
        return mails

    def _print_log(self) -> None:
        for function, line in self._logs.new():
            print_log_line(function, line)

    def print_mail(self, mails: list[str]) -> None:
        """Print the only mail of an act.

        Raises:
            SystemExit: there is no mail, or there are several.
        """
        subjects = self._mail.subjects()
        if not (len(mails) == len(subjects) == 1):
            sys.exit(f"there were {len(mails)} mails and {len(subjects)} messages; expected one of each")
        print(f"\n{'=' * 78}\nTo: {EMAIL}\nSubject: {subjects[0]}\n\n{mails[0]}{'=' * 78}\n")


def _queues_empty() -> bool:
    """Return whether no queue of the module has a message, for three seconds."""
    sqs = boto3.client("sqs")
    names = [f"ApproximateNumberOfMessages{state}" for state in ("", "NotVisible", "Delayed")]
    urls = [
        url for url in sqs.list_queues(QueueNamePrefix="ecr-scan-reporter").get("QueueUrls", []) if "dlq" not in url
    ]
    for attempt in range(4):
        for url in urls:
            attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]  # type: ignore[arg-type]
            if set(attributes.values()) != {"0"}:
                return False
        time.sleep(1 if attempt < 3 else 0)
    return True


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
    """Run the demo: the installation, a scan with nothing new, a new finding, and the digest."""
    checkout = seed_registry(registry)
    say(f"{len(registry.pushed)} images pushed into 4 repositories")
    terraform.run("init", "-input=false")
    inbox = boto3.resource("sqs").create_queue(QueueName="inbox")
    threading.Thread(target=subscribe, args=(inbox.attributes["QueueArn"],), daemon=True).start()
    say("terraform apply of examples/simple, which may take a minute and a half")
    say(terraform.change("apply"))
    watch = Watch(registry, Mail(os.environ["AWS_ENDPOINT_URL"], inbox))
    [table] = boto3.client("dynamodb").list_tables()["TableNames"]

    heading("1. The installation: one inventory of what is there")
    say("waiting for the schedule, rate(1 minute), to fire")
    watch.print_mail(watch.next_run())

    heading("2. The scans are a week old: every image is scanned again, and nothing is new")
    let_time_pass(timedelta(days=8), registry, table)
    run_now()
    if mails := watch.next_run():
        sys.exit(f"there were {len(mails)} mails about nothing new; expected none")
    say("no mail: nothing has changed")

    heading("3. They are a week old again, and one image has a new finding")
    registry.set_scan_result("team-a/checkout", checkout, findings=[OPENSSL, BUSYBOX, ZLIB, CURL, LIBXML])
    let_time_pass(timedelta(days=8), registry, table)
    run_now()
    watch.print_mail(watch.next_run())

    heading("4. The digest: where the registry stands, once a week")
    run_now()
    watch.wait_until_idle()
    say("aws lambda invoke of the reporter, as the schedule of the digest does")
    boto3.client("lambda").invoke(FunctionName="ecr-scan-reporter-reporter", Payload=json.dumps({"digest": True}))
    watch.print_mail(watch.wait_for_mail())


def run_now() -> None:
    """Run the target of the schedule, which would fire within a minute."""
    say("aws lambda invoke of the repositories scanner, as the schedule does")
    boto3.client("lambda").invoke(FunctionName="ecr-scan-reporter-repositories-scanner", Payload="{}")


def heading(text: str) -> None:
    """Print the heading of an act."""
    print(f"\n{text}\n{'-' * len(text)}", flush=True)


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
