"""Measure the real handlers against a fake of AWS with 20 ms a call, and write RESULTS.md.

Every time is a ratio within one run: beside each stands what a plain serial program takes, or the same work of another
size. `run.py NAME ...` runs some cases only, and prints them without writing.
"""

import json
import logging
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "lambda_src"), str(ROOT / "tests")]

from ecr_scan_reporter import images_scanner, repositories_scanner
from ecr_scan_reporter.scanning.messages import RepositoryMessage
from fake_aws import FakeAws, FakeImage, FakeRegistry, FakeScan, Rate, digest_of, finding, index_image, plain_images

LATENCY = 0.020
NOW = datetime.now(UTC)


@dataclass(frozen=True)
class Row:
    """One line of the table; `met` is None where there is no target."""

    case: str
    measured: str
    target: str
    met: bool | None


def registry_with(images: int, due: int, age_days: float = 1.0, tags: int = 1) -> FakeRegistry:
    """One repository "app"; the last scan of those not due is `age_days` old, the due ones' nine days."""
    registry = FakeRegistry()
    found = [
        FakeImage(image.digest, tuple(f"{image.tags[0]}-{n}" for n in range(tags))) for image in plain_images(images)
    ]
    repository = registry.add("app", found)
    for number, image in enumerate(found):
        days = 9.0 if number < due else age_days
        repository.scans[image.digest] = FakeScan("COMPLETE", NOW - timedelta(days=days))
    return registry


def never_scanned(images: int, tags: int) -> FakeRegistry:
    """One repository "app" of images without a scan."""
    registry = registry_with(images, 0, tags=tags)
    registry.repository("app").scans.clear()
    return registry


def many_repositories(count: int) -> FakeRegistry:
    """Empty repositories."""
    registry = FakeRegistry()
    for number in range(count):
        registry.add(f"team-{number % 100}/service-{number}")
    return registry


@contextmanager
def aws(registry_factory: Callable[[], FakeRegistry], duration: str = "7d", **options: Any) -> Iterator[FakeAws]:
    """A fake in a process of its own, and the handlers' environment set for it."""
    with FakeAws(registry_factory, LATENCY, process=True, **options) as fake_aws:
        settings = {
            "IMAGES_QUEUE_URL": fake_aws.queue_url(),
            "ECR_IMAGES_DURATION_DELTA": duration,
            "REPOSITORIES_FILTER_REGEXP": ".*",
            "MEMORY_TABLE_NAME": fake_aws.create_memory_table(),
            "REPORT_WINDOW_SECONDS": "0",
            "REPORTER_NAME": "benchmark",
        }
        fake_aws.reset()
        os.environ.update(fake_aws.environment() | settings)
        images_scanner.dependencies.cache_clear()
        repositories_scanner.dependencies.cache_clear()
        yield fake_aws


class Context:
    """An invocation of 15 minutes."""

    def get_remaining_time_in_millis(self) -> int:
        return 900_000


def scan() -> float:
    """Invoke the images scanner for "app", warm; returns seconds."""
    images_scanner.dependencies()
    event: Any = {"Records": [{"messageId": "1", "body": RepositoryMessage("app").to_json()}]}
    started = time.perf_counter()
    answer = images_scanner.handler(event, Context())
    assert answer == {"batchItemFailures": []}, answer
    return time.perf_counter() - started


def serial_scan(fake_aws: FakeAws) -> float:
    """The same work, one call after the other; returns seconds."""
    ecr = fake_aws.client("ecr")
    week_ago, started = NOW - timedelta(days=7), time.perf_counter()
    for page in ecr.get_paginator("describe_images").paginate(
        repositoryName="app", PaginationConfig={"PageSize": 1000}
    ):
        for image in page["imageDetails"]:
            image_id: Any = {"imageDigest": image["imageDigest"]}
            found = ecr.describe_image_scan_findings(repositoryName="app", imageId=image_id, maxResults=1)
            if found["imageScanFindings"]["imageScanCompletedAt"] <= week_ago:
                ecr.start_image_scan(repositoryName="app", imageId=image_id)
    return time.perf_counter() - started


def serial_fan_out(fake_aws: FakeAws) -> float:
    """One message a call, one call after the other; returns seconds."""
    ecr, sqs = fake_aws.client("ecr"), fake_aws.client("sqs")
    started = time.perf_counter()
    for page in ecr.get_paginator("describe_repositories").paginate(PaginationConfig={"PageSize": 1000}):
        for repository in page["repositories"]:
            body = RepositoryMessage(repository["repositoryName"]).to_json()
            sqs.send_message(QueueUrl=fake_aws.queue_url(), MessageBody=body)
    return time.perf_counter() - started


def faster(case: str, serial: float, took: float, target: int) -> Row:
    """How many times faster than the serial baseline, both in seconds."""
    measured = f"{serial / took:.1f} times faster than serial ({took:.1f} s against {serial:.0f} s)"
    return Row(case, measured, f"at least {target} times", serial / took >= target)


def fan_out() -> Iterator[Row]:
    case = "fan-out of 10,000 repositories"
    with aws(partial(many_repositories, 10_000)) as fake_aws:
        repositories_scanner.dependencies()
        started = time.perf_counter()
        assert repositories_scanner.handler({}, None) == {"found": 10_000, "sent": 10_000}
        took, calls = time.perf_counter() - started, sum(fake_aws.calls().values())
        assert len({message.body for message in fake_aws.messages()}) == 10_000
        fake_aws.reset()
        serial = serial_fan_out(fake_aws)
    yield Row(case, f"{calls} calls", "at most 1,011 calls", calls <= 1011)
    yield faster(case, serial, took, 50)


def large_repository() -> Iterator[Row]:
    case = "2,000 images, 200 due"
    with aws(partial(registry_with, 2000, 200)) as fake_aws:
        took, calls, starts = scan(), sum(fake_aws.calls().values()), fake_aws.starts()
        assert {start.digest for start in starts} == {digest_of(f"image/{n}") for n in range(200)}
    with aws(partial(registry_with, 2000, 200)) as fake_aws:
        serial = serial_scan(fake_aws)
    yield Row(case, f"{len(starts)} starts, all useful", "200", len(starts) == 200)
    yield Row(case, f"{calls} calls", "2,000 + 200 + 2 pages", calls <= 2202)
    yield faster(case, serial, took, 10)


def many_tags() -> Iterator[Row]:
    with aws(partial(never_scanned, 100, 3)) as fake_aws:
        scan()
        starts = len(fake_aws.starts())
    yield Row("100 images with 3 tags, never scanned", f"{starts} starts", "100", starts == 100)


def nothing_due() -> Iterator[Row]:
    slept: list[float] = []
    with (
        aws(partial(registry_with, 200, 0, 0.25), duration="1d") as fake_aws,
        mock.patch("time.sleep", slept.append),
    ):
        scan()
        starts = fake_aws.calls().get("StartImageScan", 0)
    measured = f"{starts} starts, {len(slept)} sleeps"
    yield Row("all scanned 6 hours ago, duration 1d", measured, "0 and 0", (starts, slept) == (0, []))


def throttled() -> Iterator[Row]:
    case = "500 due, StartImageScan throttled to 10/s"
    with aws(partial(never_scanned, 500, 1), rates={"StartImageScan": Rate(10, 10)}) as fake_aws:
        scan()
        starts = fake_aws.starts()
        refused = fake_aws.refused()["StartImageScan"]["ThrottlingException"]
    seconds = (starts[-1].time - starts[0].time).total_seconds()
    # The bucket is full at the beginning: what it holds costs no time.
    rate = (len(starts) - 10) / seconds
    share = refused / (len(starts) + refused)
    yield Row(case, f"{len({start.digest for start in starts})} started", "500", len(starts) == 500)
    yield Row(case, f"{rate / 10:.0%} of the permitted rate", "at least 90 %", rate >= 9)
    yield Row(case, f"{share:.1%} of the calls rejected", "at most 10 %", share <= 0.1)


def memory() -> Iterator[Row]:
    case = "100,000 images in one repository, 2,000 due"
    results = {}
    for images, due in ((1000, 20), (100_000, 2000)):
        with aws(partial(registry_with, images, due)) as fake_aws:
            command = [sys.executable, str(Path(__file__).parent / "scan_repository.py"), "app", "100"]
            environment = {**os.environ, "PYTHONPATH": str(ROOT / "lambda_src")}
            done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True, text=True)
            results[images] = json.loads(done.stdout.splitlines()[-1])
            starts = [start.digest for start in fake_aws.starts()]
            calls = fake_aws.calls()
    expected = {digest_of(f"image/{n}") for n in range(2000)}
    complete = len(starts) == 2000 and set(starts) == expected
    more = results[100_000]["peak_mb"] - results[1000]["peak_mb"]
    invocations = results[100_000]["invocations"]
    peaks = f"{results[100_000]['peak_mb']:.0f} MB against {results[1000]['peak_mb']:.0f} MB"
    yield Row(case, f"{more:.0f} MB above 1,000 images ({peaks})", "at most 30 MB", more <= 30)
    yield Row(case, f"{invocations} invocations of 100 s", "several", invocations > 1)
    found = f"{len(starts)} starts, {len(set(starts))} of them different"
    yield Row(case, found, "nothing twice, nothing missed", complete)
    yield Row(case, f"{calls['DescribeImageScanFindings']} look-ups, {calls['DescribeImages']} pages", "", None)


def with_findings(images: int, findings: int) -> FakeRegistry:
    """One repository "app"; its images have this many findings each."""
    registry = never_scanned(images, 1)
    found = [finding(f"CVE-2026-{n:04}", "HIGH", f"package-{n % 50}", "1.0") for n in range(findings)]
    repository = registry.repository("app")
    for image in repository.images:
        repository.scans[image.digest] = FakeScan("COMPLETE", NOW, findings=found)
    return registry


def throttled_look_ups() -> Iterator[Row]:
    case = "400 images, DescribeImageScanFindings throttled to 20/s"
    with aws(partial(registry_with, 400, 400), rates={"DescribeImageScanFindings": Rate(20, 20)}) as fake_aws:
        took, starts = scan(), fake_aws.starts()
        refused = fake_aws.refused()["DescribeImageScanFindings"]["ThrottlingException"]
    # The bucket is full at the beginning: what it holds costs no time. The starts at the end take about two seconds.
    ended = (starts[0].time - starts[-1].time).total_seconds() + took
    share = (400 - 20) / ended / 20
    yield Row(case, f"{len({start.digest for start in starts})} started", "400", len(starts) == 400)
    yield Row(case, f"{share:.0%} of the permitted rate", "at least 85 %", share >= 0.85)
    yield Row(case, f"{refused / (400 + refused):.1%} of the calls rejected", "", None)


Event = tuple[str, str, int, list[str]]


def report(events: list[Event], size: int) -> dict[str, float]:
    """Report events in batches of `size`, in a process of its own; return its seconds and peak memory."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT / "lambda_src"),
        "REPORTS_TOPIC_ARN": "arn:aws:sns:eu-west-1:123456789012:reports",
        "REPORTS_QUEUE_URL": os.environ["IMAGES_QUEUE_URL"],
        "SEVERITY_THRESHOLDS": '{"CRITICAL":1,"HIGH":1}',
        "NOTIFY_ON_SCAN_FAILURE": "true",
        "REPORTER_NAME": "benchmark",
    }
    command = [sys.executable, str(Path(__file__).parent / "report_events.py"), str(size)]
    text = json.dumps(events)
    done = subprocess.run(command, env=environment, input=text, stdout=subprocess.PIPE, check=True, text=True)
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result


def batch_of_events() -> Iterator[Row]:
    case = "3,000 events, 300 over the threshold with 200 findings each"
    events: list[Event] = [("app", digest_of(f"image/{n}"), 200 if n < 300 else 0, [f"1.0.{n}"]) for n in range(3000)]
    results = {}
    for size in (3000, 1):
        with aws(partial(with_findings, 300, 200)) as fake_aws:
            result = report(events, size)
            messages = fake_aws.publications()
            results[size] = result | {
                "messages": len(messages),
                "calls": sum(fake_aws.calls().values()),
                "kib": sum(len(message.message.encode()) for message in messages) / 1024,
            }
    whole, single = results[3000], results[1]
    yield Row(case, f"{whole['messages']} messages against {single['messages']}", "at most 5", whole["messages"] <= 5)
    yield Row(case, f"{whole['calls']} calls against {single['calls']}", "", None)
    yield Row(
        case,
        f"{single['seconds'] / whole['seconds']:.1f} times faster than one by one "
        f"({whole['seconds']:.1f} s against {single['seconds']:.0f} s)",
        "",
        None,
    )
    yield Row(case, f"{whole['kib']:.0f} KiB against {single['kib']:.0f} KiB", "", None)
    yield Row(case, f"peak memory {whole['peak_mb']:.0f} MB against {single['peak_mb']:.0f} MB", "", None)


def large_batch() -> Iterator[Row]:
    case = "3,000 events over the threshold with 200 findings each"
    events: list[Event] = [("app", digest_of(f"image/{n}"), 200, [f"1.0.{n}"]) for n in range(3000)]
    with aws(partial(with_findings, 3000, 200)) as fake_aws:
        result = report(events, 3000)
        messages = len(fake_aws.publications())
    peak = result["peak_mb"]
    yield Row(case, f"peak memory {peak:.0f} MB", "at most 300 MB", peak <= 300)
    yield Row(case, f"{result['seconds']:.0f} s, {messages} messages", "within 300 s", result["seconds"] < 300)


def untagged_registry(count: int) -> FakeRegistry:
    """Repositories with one untagged image each, which is part of a tagged index."""
    registry = FakeRegistry()
    found = [finding("CVE-2026-0001", "HIGH", "openssl", "1.0")]
    for number in range(count):
        child, index = digest_of(f"child/{number}"), digest_of(f"index/{number}")
        images = [FakeImage(child), index_image(index, {child: "linux/amd64"}, ("1.0",))]
        repository = registry.add(f"team/service-{number}", images)
        repository.scans[child] = FakeScan("COMPLETE", NOW, findings=found)
    return registry


def untagged_images() -> Iterator[Row]:
    case = "3,000 events of untagged images in 3,000 repositories"
    events: list[Event] = [(f"team/service-{n}", digest_of(f"child/{n}"), 1, []) for n in range(3000)]
    with aws(partial(untagged_registry, 3000)) as fake_aws:
        result = report(events, 3000)
        calls = sum(fake_aws.calls().values())
    yield Row(case, f"{result['seconds']:.0f} s, {calls} calls", "within 300 s", result["seconds"] < 300)


HANDLERS = {
    "images_scanner": ("ecr", "ecr", "sqs"),
    "repositories_scanner": ("ecr", "sqs"),
    "reporter": ("ecr", "sns", "sqs"),
}


def cold_start() -> Iterator[Row]:
    """The median of 15 processes each, taken in turns, from the unpacked zip, read-only and without bytecode."""
    with tempfile.TemporaryDirectory() as folder:
        zipfile.ZipFile(ROOT / "dist" / "ecr_scan_reporter.zip").extractall(folder)
        environment = {
            **os.environ,
            "PYTHONPATH": folder,
            "PYTHONDONTWRITEBYTECODE": "1",
            "AWS_DEFAULT_REGION": "eu-west-1",
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "IMAGES_QUEUE_URL": "https://queue",
            "REPORTS_QUEUE_URL": "https://queue",
            "REPORTS_TOPIC_ARN": "arn:aws:sns:eu-west-1:123456789012:reports",
            "REPOSITORIES_FILTER_REGEXP": ".*",
            "SEVERITY_THRESHOLDS": '{"HIGH":1}',
            "NOTIFY_ON_SCAN_FAILURE": "true",
            "REPORTER_NAME": "benchmark",
            "MEMORY_TABLE_NAME": "memory",
            "ECR_IMAGES_DURATION_DELTA": "7d",
        }
        for handler, services in HANDLERS.items():
            clients = "; ".join(f"boto3.client('{service}', config=c)" for service in services)
            plain = f"import boto3; from botocore.config import Config; c = Config(); {clients}"
            ours = f"from ecr_scan_reporter import {handler}; {handler}.dependencies()"
            seconds: dict[str, list[float]] = {plain: [], ours: []}
            for _ in range(15):
                for code, times in seconds.items():
                    started = time.perf_counter()
                    subprocess.run([sys.executable, "-c", code], env=environment, check=True)
                    times.append(time.perf_counter() - started)
            ratio = statistics.median(seconds[ours]) / statistics.median(seconds[plain])
            case = f"cold start of {handler}: unpacked zip, no bytecode"
            yield Row(case, f"{ratio:.2f} times boto3 with the same clients", "at most 1.15", ratio <= 1.15)


_CASES = (
    fan_out,
    large_repository,
    many_tags,
    nothing_due,
    throttled,
    throttled_look_ups,
    memory,
    batch_of_events,
    large_batch,
    untagged_images,
    cold_start,
)
CASES = {case.__name__: case for case in _CASES}


def main(names: list[str]) -> None:
    """Run the cases named, all by default, and print the table."""
    logging.disable(logging.WARNING)
    rows: list[Row] = []
    for name in names or CASES:
        print(f"{name} ...", file=sys.stderr, flush=True)
        for row in CASES[name]():
            rows.append(row)
            print(f"  {row.case}: {row.measured} (target: {row.target or 'none'})", file=sys.stderr, flush=True)
    table = ["| case | measured | target | met |", "|---|---|---|---|"]
    marks = {True: "yes", False: "**no**", None: ""}
    table += [f"| {row.case} | {row.measured} | {row.target} | {marks[row.met]} |" for row in rows]
    machine = f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, Python {platform.python_version()}"
    head = [
        "# Benchmark",
        "",
        "Written by `make benchmark`. The real handlers, warm unless stated, against a fake of ECR, SQS and SNS with",
        f"{LATENCY * 1000:.0f} ms per call in a process of its own. Serial means one call and one message at a time.",
        "",
        f"{datetime.now(UTC):%d %B %Y}; {machine}.",
        "",
    ]
    text = "\n".join([*head, *table, ""])
    print(text)
    if not names:
        (Path(__file__).parent / "RESULTS.md").write_text(text)


if __name__ == "__main__":
    main(sys.argv[1:])
