"""Apply the module to a local AWS, and print what it does: the first run, a re-scan, a new finding, the overview."""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
from local_aws import UNSUPPORTED_OS, Finding, LocalAws, RegistryClient
from local_aws.launcher import client_environment

ROOT = Path(__file__).resolve().parent.parent
STATE = ROOT / ".build" / "demo"
VENVS = ROOT / ".venv"
EMAIL = "platform-team@example.com"
TOPIC = ":ecr-scan-reporter-reports"
# The defaults of the module, which examples/simple keeps.
NAME = "ecr-scan-reporter"
MAX_AGE, MAX_AGE_WORDS = "7d", "7 days"
STARTED = time.monotonic()

OPENSSL = Finding("CVE-2026-1234", "CRITICAL", "openssl", "3.0.1-r2")
BUSYBOX = Finding("CVE-2026-3456", "HIGH", "busybox", "1.36.1")
ZLIB = Finding("CVE-2026-4567", "HIGH", "zlib", "1.2.13")
CURL = Finding("CVE-2026-5678", "MEDIUM", "curl", "8.5.0")
LIBXML = Finding("CVE-2026-9012", "CRITICAL", "libxml2", "2.11.8")


def say(text: str) -> None:
    """Print a sentence, with the seconds since the beginning."""
    stamp = f"{time.monotonic() - STARTED:5.0f} s  "
    width = min(shutil.get_terminal_size((120, 24)).columns, 120)
    print(textwrap.fill(text, max(width, 60), initial_indent=stamp, subsequent_indent=" " * len(stamp)), flush=True)


def seed_registry(registry: RegistryClient) -> str:
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
        variables = ["-var", f"email={EMAIL}", "-var", "report_window=10"]
        state = f"-state={self._state / 'terraform.tfstate'}"
        output = self.run(action, "-auto-approve", "-input=false", state, *variables)
        return next(line for line in output.splitlines() if "complete!" in line)


class Logs:
    """Follows the logs of the functions."""

    def __init__(self, functions: list[str]) -> None:
        self._functions = functions
        self._seen: set[str] = set()

    def new(self) -> list[tuple[str, dict[str, Any]]]:
        """Return the lines since the last call as (function, fields), oldest first."""
        logs = boto3.client("logs")
        found: list[tuple[int, str, dict[str, Any]]] = []
        for function in self._functions:
            for event in logs.filter_log_events(logGroupName=f"/aws/lambda/{function}")["events"]:
                if event["eventId"] not in self._seen:
                    self._seen.add(event["eventId"])
                    try:
                        line = json.loads(event["message"])
                    except ValueError:
                        continue
                    if isinstance(line, dict):
                        found.append((event["timestamp"], function.removeprefix(f"{NAME}-"), line))
        return [(function, line) for _, function, line in sorted(found, key=lambda event: event[0])]


def print_log_line(function: str, line: dict[str, Any]) -> None:
    """Print one line of a function's log, without what is said per image, by Lambda and by boto3."""
    if not str(line.get("logger")).startswith("ecr_scan_reporter") or line.get("message") == "scan requested":
        return
    metrics = {
        metric["Name"] for part in line.get("_aws", {}).get("CloudWatchMetrics", ()) for metric in part["Metrics"]
    }
    fields = {key: value for key, value in line.items() if key not in _PLUMBING | metrics}
    details = ", ".join(f"{key} {_words(value)}" for key, value in fields.items())
    print(f"{time.monotonic() - STARTED:5.0f} s  {function}: {line.get('message', '')}: {details}", flush=True)


_PLUMBING = {"timestamp", "level", "message", "logger", "requestId", "location", "_aws", "Instance"}


def _words(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {number}" for key, number in value.items()) + "}"
    text = str(value)
    return text[:19] if text.startswith("sha256:") else text


# What the images scanner's log calls the images whose scan it starts, and those that it leaves alone.
DUE = {
    "never_scanned": "never scanned",
    "scan_too_old": f"last scanned more than {MAX_AGE_WORDS} ago",
    "last_scan_failed": "whose last scan failed",
    "scan_stuck": "whose last scan never ended",
    "unsupported_too_old": f"that ECR could not scan {MAX_AGE_WORDS} ago",
}
LEFT_ALONE = {
    "scanned_recently": "scanned recently",
    "scan_in_progress": "being scanned right now",
    "failed_within_24_hours": "failed less than 24 hours ago",
    "unsupported": "that ECR cannot scan",
    "enhanced_scanning": "scanned by Amazon Inspector",
    "index": "an index, scanned image by image",
    "artifact": "not an image",
    "attestation": "an attestation",
    "archived": "archived",
    "not_selected": "not selected",
}
# What else may have become of an image, or of its repository.
REFUSED = {
    "scanned_within_24_hours": "scanned less than 24 hours ago",
    "unsupported_type": "of a type that ECR cannot scan",
    "image_not_found": "deleted meanwhile",
}
REMARKS = {
    "repository_not_found": "It was deleted meanwhile.",
    "quota_exceeded": "The daily quota of scans is used up.",
    "manual_scanning_disabled": "ECR starts all scans of this registry itself.",
}


def number_of(number: int, singular: str, plural: str = "") -> str:
    """Return a number with its noun."""
    return f"{number:,} {singular if number == 1 else plural or singular + 's'}"


def counts_of(value: object) -> dict[str, int]:
    """Return the positive numbers of what should be a JSON object of numbers."""
    items = value.items() if isinstance(value, Mapping) else ()
    return {str(name): number for name, number in items if isinstance(number, int) and number > 0}


class Story:
    """Makes sentences of the log lines of one act. The reporter's batches are summed up: they are many, and small."""

    def __init__(self) -> None:
        self._batches: Counter[str] = Counter()
        self._told: set[str] = set()

    def sentence(self, function: str, line: Mapping[str, Any]) -> str | None:
        """Return what a log line says to a reader; None if that is nothing, nothing new, or told at the end.

        Args:
            function: short name of the function, such as `images-scanner`.
            line: fields of the line. Whatever they are, this never fails.
        """
        if line.get("message") == "batch processed":
            self._batches.update(counts_of(line))
            return None
        text = _sentence(function, line)
        if text is None or text in self._told:
            return None
        self._told.add(text)
        return text

    def end(self) -> str | None:
        """Return what the reporter did; None if that is nothing."""
        sums, self._batches = self._batches, Counter()
        return batches_sentence(sums)


def batches_sentence(sums: Mapping[str, int]) -> str | None:
    """Return what the reporter did, from the sums of its lines `batch processed`; None if that is nothing."""
    events, changed, pages = (sums.get(name, 0) for name in ("events", "changed", "pages"))
    published = f"published {number_of(pages, 'message')}" if pages else "published nothing"
    parts = []
    if events:
        news = number_of(changed, "image has news", "images have news") if changed else "nothing has changed"
        parts.append(f"The reporter read {number_of(events, 'scan event')}: {news}. It {published}.")
    elif pages:
        parts.append(f"The reporter {published}.")
    if retried := sums.get("retried", 0):
        parts.append(f"{number_of(retried, 'message')} could not be processed yet, and will be read again.")
    if invalid := sums.get("invalid", 0):
        parts.append(f"{number_of(invalid, 'message')} cannot be processed.")
    return " ".join(parts) or None


def _sentence(function: str, line: Mapping[str, Any]) -> str | None:
    match line.get("message"):
        case "repositories queued":
            found, sent = (counts_of(line).get(name, 0) for name in ("found", "sent"))
            names = f"The repositories scanner found {number_of(found, 'repository', 'repositories')}"
            return f"{names} and queued {'each of them' if found == sent else f'{sent:,} of them'}."
        case "repository processed":
            return repository_sentence(line)
        case "overview published":
            return f"The reporter published {number_of(counts_of(line).get('messages', 0), 'overview')}."
        case "image failed":
            digest, reason = str(line.get("digest", ""))[:19], line.get("reason", "no reason")
            return f"{line.get('repository', '?')}: the image {digest} failed: {reason}."
        case message if str(line.get("level", "")).upper() in ("WARNING", "ERROR", "CRITICAL"):
            reason = f" ({line['reason']})" if line.get("reason") else ""
            return f"The {function.replace('-', ' ')} warns: {message}{reason}."
    return None


def repository_sentence(line: Mapping[str, Any]) -> str:
    """Return what the images scanner did with one repository, from its line `repository processed`."""
    outcomes = counts_of(line.get("outcomes"))
    started = outcomes.pop("started", 0)
    remarks = [text for name, text in REMARKS.items() if outcomes.pop(name, 0)]
    refused = {words: outcomes.pop(name) for name, words in REFUSED.items() if name in outcomes}
    due = {words: outcomes.pop(name) for name, words in DUE.items() if name in outcomes}
    # What is left are images that are not due, for reasons that may be younger than this script.
    others = {LEFT_ALONE.get(name, name.replace("_", " ")): number for name, number in outcomes.items()}
    parts = [f"{line.get('repository', '?')}: {number_of(sum(due.values()) + sum(others.values()), 'image')}."]
    if started or due:
        asked = sum(due.values())
        scans = number_of(started, "scan") if started >= asked else f"{started:,} of {number_of(asked, 'scan')}"
        parts.append(f"Started {scans}: {_list(due)}." if due else f"Started {scans}.")
    if refused:
        parts.append(f"ECR refused {sum(refused.values()):,}: {_reasons(refused)}.")
    if others:
        parts.append(f"Left {sum(others.values()):,} alone: {_reasons(others)}.")
    failures = line.get("failures")
    for reason, failed in failures.items() if isinstance(failures, Mapping) else ():
        parts.append(f"{counts_of(failed).get('count', 0):,} failed: {reason}.")
    if interrupted := line.get("interrupted"):
        parts.append(f"Another invocation goes on: {interrupted}.")
    return " ".join(parts + remarks)


def _list(reasons: Mapping[str, int]) -> str:
    return ", ".join(f"{number:,} {words}" for words, number in reasons.items())


def _reasons(reasons: Mapping[str, int]) -> str:
    """Return the reasons with their numbers, or the only reason alone."""
    return next(iter(reasons)) if len(reasons) == 1 else _list(reasons)


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
    """Subscribe a queue to the topic of the reports as soon as that is possible.

    The first run may start before the apply is complete, and LocalStack lists a topic before it takes subscriptions.
    """
    sns = boto3.client("sns")
    while True:
        for topic in sns.list_topics()["Topics"]:
            if topic["TopicArn"].endswith(TOPIC):
                with suppress(sns.exceptions.NotFoundException):
                    sns.subscribe(TopicArn=topic["TopicArn"], Protocol="sqs", Endpoint=queue_arn)
                    return
        time.sleep(0.5)


@contextmanager
def schedules_paused() -> Iterator[None]:
    """Let no schedule of the module start anything meanwhile, at whatever hour of whatever day this is."""
    events = boto3.client("events")
    rules = [rule["Name"] for rule in events.list_rules(NamePrefix=NAME)["Rules"] if rule.get("ScheduleExpression")]
    for rule in rules:
        events.disable_rule(Name=rule)
    yield
    for rule in rules:
        events.enable_rule(Name=rule)


class Watch:
    """Follows the functions through the acts of the demo.

    Args:
        registry: the registry.
        mail: the mail.
        verbose: whether the log lines are printed too.
    """

    def __init__(self, registry: RegistryClient, mail: Mail, *, verbose: bool) -> None:
        names = [function["FunctionName"] for function in boto3.client("lambda").list_functions()["Functions"]]
        self._logs = Logs(names)
        self._registry = registry
        self._mail = mail
        self._verbose = verbose
        self._story = Story()
        self._scans = 0

    def next_run(self) -> list[str]:
        """Print what happens until scans were started and all is done; return the text of each new mail.

        Raises:
            SystemExit: the functions were busy for more than two minutes.
        """
        mails: list[str] = []
        until = time.monotonic() + 120
        while time.monotonic() < until:
            self._tell()
            mails += self._mail.new()
            started = len(self._registry.scans_started())
            if started > self._scans and _queues_empty():
                self._end_story()
                self._scans = started
                return mails + self._mail.new()
            time.sleep(0.5)
        sys.exit("the functions were busy for more than two minutes")

    def wait_until_idle(self) -> None:
        """Print what happens until all is done.

        Raises:
            SystemExit: the functions were busy for more than two minutes.
        """
        until = time.monotonic() + 120
        while not _queues_empty():
            if time.monotonic() > until:
                sys.exit("the functions were busy for more than two minutes")
            self._tell()
        self._end_story()

    def wait_for_mail(self) -> list[str]:
        """Return the text of each new mail, as soon as there is one."""
        until = time.monotonic() + 60
        while not (mails := self._mail.new()) and time.monotonic() < until:
            time.sleep(0.5)
        self._end_story()
        return mails

    def _tell(self) -> None:
        for function, line in self._logs.new():
            if self._verbose:
                print_log_line(function, line)
            if text := self._story.sentence(function, line):
                say(text)

    def _end_story(self) -> None:
        self._tell()
        if text := self._story.end():
            say(text)
        self._story = Story()

    def print_mail(self, mails: list[str]) -> None:
        """Print the only mail of an act.

        Raises:
            SystemExit: there is no mail, or there are several.
        """
        print(f"\n{'=' * 78}\nTo: {EMAIL}\nSubject: {self.only_subject(mails)}\n\n{mails[0]}{'=' * 78}\n")

    def only_subject(self, mails: list[str]) -> str:
        """Return the subject of the only mail of an act.

        Raises:
            SystemExit: there is no mail, or there are several.
        """
        subjects = self._mail.subjects()
        if not (len(mails) == len(subjects) == 1):
            sys.exit(f"there were {len(mails)} mails and {len(subjects)} messages; expected one of each")
        return subjects[0]


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
    parser.add_argument("--verbose", action="store_true", help="print the log lines of the functions too")
    arguments = parser.parse_args()
    if arguments.stop:
        LocalAws.stop_detached(STATE / "local-aws.json")
        shutil.rmtree(STATE)
        say("Stopped.")
        return
    say("Starting a local AWS, without an account and credentials. It usually takes 5 seconds.")
    with local_aws(arguments.keep) as (environment, state):
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            del os.environ[name]
        os.environ.update(environment)
        terraform = Terraform(state, environment)
        run(terraform, RegistryClient.connect(environment), verbose=arguments.verbose)
        if arguments.keep:
            say("All of it is left up. To look around:")
            for name, value in environment.items():
                print(f"  export {name}={value}")
            print("  aws ecr describe-repositories; aws lambda list-functions; aws sqs list-queues; aws logs tail ...")
            print("and to stop it: make demo-stop")
        else:
            say("terraform destroy, which usually takes 10 seconds.")
            say(terraform.change("destroy"))
    if not arguments.keep:
        say("The local AWS is stopped; nothing is left running.")


def run(terraform: Terraform, registry: RegistryClient, *, verbose: bool) -> None:
    """Run the demo: the installation, a scan with nothing new, a new finding, the overview, and the widget."""
    say(f"It is up, at {os.environ['AWS_ENDPOINT_URL']}. Pushing images, which usually takes 5 seconds.")
    checkout = seed_registry(registry)
    say("ECR has 4 repositories with 11 images and an index, a month old. 3 images were scanned before.")
    say("terraform init and apply of examples/simple, which usually take a minute and a quarter.")
    terraform.run("init", "-input=false")
    inbox = boto3.resource("sqs").create_queue(QueueName="inbox")
    subscribed = threading.Thread(target=subscribe, args=(inbox.attributes["QueueArn"],), daemon=True)
    subscribed.start()
    say(terraform.change("apply"))
    subscribed.join()
    watch = Watch(registry, Mail(os.environ["AWS_ENDPOINT_URL"], inbox), verbose=verbose)
    with schedules_paused():
        play(registry, watch, checkout)


def play(registry: RegistryClient, watch: Watch, checkout: str) -> None:
    """Play the acts. `checkout` is the digest of the image that has a new finding in one of them."""
    heading("1. The installation: one inventory of what is there")
    say("The first run starts by itself within ten minutes. The demo does not wait for it.")
    run_now('{"firstRun": true}')
    watch.print_mail(watch.next_run())

    heading("2. A week later: every image is scanned again, and nothing is new")
    a_week_passes(registry)
    run_now()
    if mails := watch.next_run():
        sys.exit(f"there were {len(mails)} mails about nothing new; expected none")
    say("No mail was sent.")
    publish_overview()
    watch.only_subject(watch.wait_for_mail())
    say("Its mail is not shown here: the first overview has no week before it to compare with.")

    heading("3. Another week later: one image has a new finding")
    a_week_passes(registry)
    say(f"Since then, {LIBXML.name} in libxml2 has become known, and team-a/checkout:4.2.0 contains it.")
    registry.set_scan_result("team-a/checkout", checkout, findings=[OPENSSL, BUSYBOX, ZLIB, CURL, LIBXML])
    run_now()
    watch.print_mail(watch.next_run())

    heading("4. The overview of that week: where the registry stands")
    run_now()
    watch.wait_until_idle()
    publish_overview()
    watch.print_mail(watch.wait_for_mail())
    path = write_widget(registry)
    say(f"The widget that `dashboard_widget = true` adds to the dashboard is in {path}: open it in a browser.")


def a_week_passes(registry: RegistryClient) -> None:
    """Pretend that 8 days pass."""
    registry.let_time_pass(timedelta(days=8))
    now = registry.now()
    say(f"8 days are pretended to pass: for ECR and for the functions it is now {now.day} {now:%b %Y, %H:%M} UTC.")


def run_now(event: str = "{}") -> None:
    """Run the target of the schedule, with its event, or with that of another rule."""
    say("Invoking the repositories scanner, as the schedule does. A run usually takes 10 to 40 seconds.")
    boto3.client("lambda").invoke(FunctionName=f"{NAME}-repositories-scanner", Payload=event)


def publish_overview() -> None:
    """Have the reporter publish the overview, as its weekly schedule does."""
    say("Invoking the reporter, as the weekly schedule of the overview does. It usually takes 3 seconds.")
    boto3.client("lambda").invoke(FunctionName=f"{NAME}-reporter", Payload=json.dumps({"overview": True}))


def write_widget(registry: RegistryClient) -> Path:
    """Write the page of the console widget, which examples/simple does not deploy; return its path below ROOT."""
    sys.path.insert(0, str(ROOT / "lambda_src"))
    from ecr_scan_reporter.aws.clients import create_client
    from ecr_scan_reporter.aws.dynamodb import Table
    from ecr_scan_reporter.console_widget import WidgetDependencies, answer
    from ecr_scan_reporter.settings import ConsoleWidgetSettings, parse_settings

    [table] = boto3.client("dynamodb").list_tables()["TableNames"]
    environment = {"REPORTER_NAME": NAME, "ECR_IMAGES_DURATION_DELTA": MAX_AGE, "MEMORY_TABLE_NAME": table}
    dependencies = WidgetDependencies(
        parse_settings(ConsoleWidgetSettings, environment), Table(create_client("dynamodb"), table)
    )
    # The page's actions call this function, which only the console can do.
    arn = f"arn:aws:lambda:{os.environ['AWS_REGION']}:000000000000:function:{NAME}-console-widget"
    html = answer({"widgetContext": {"theme": "light", "width": 1400}}, dependencies, arn, registry.now())
    path = STATE / "widget.html"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'<!doctype html><meta charset="utf-8"><title>{NAME}</title><body style="margin:0">{html}</body>')
    return path.relative_to(ROOT)


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
