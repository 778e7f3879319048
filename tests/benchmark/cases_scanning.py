"""The cases of the two scanners."""

import time
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from itertools import pairwise
from math import ceil
from typing import Any
from unittest import mock

from ecr_scan_reporter import images_scanner, repositories_scanner
from ecr_scan_reporter.memory.items import image_base, repository_key
from ecr_scan_reporter.messages.repository import RepositoryMessage
from ecr_scan_reporter.scanning.rate_limiter import FIRST_LOOK_UP_RATE
from environment import NOW, aws, begin_scan, end, items, requests_to_table, scan_queued
from fake_aws import FakeAws, Rate, digest_of, item_size
from registries import (
    due_repositories,
    empty_repositories,
    events,
    never_scanned,
    repository_name,
    scanned,
    with_findings,
)
from remembered import remember_scans
from rows import Row, faster
from support.invocations import REGISTRY, Context, sqs_records

# Bytes of a page of a query.
_QUERY_PAGE = 1_048_576


def scan() -> float:
    """Invoke the images scanner for "app", warm; returns seconds."""
    images_scanner.dependencies()
    started = time.perf_counter()
    answer = images_scanner.handler(
        {"Records": sqs_records(RepositoryMessage(REGISTRY, "app").to_json())}, Context(900)
    )
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


def serial_fan_out(fake_aws: FakeAws, repositories: int) -> float:
    """One message a call, one call after the other; returns seconds, from what a thousand repositories take."""
    ecr, sqs = fake_aws.client("ecr"), fake_aws.client("sqs")
    started = time.perf_counter()
    for repository in ecr.describe_repositories(maxResults=1000)["repositories"]:
        body = RepositoryMessage(REGISTRY, repository["repositoryName"]).to_json()
        sqs.send_message(QueueUrl=fake_aws.queue_url(), MessageBody=body)
    return (time.perf_counter() - started) * repositories / 1000


def queue(fake_aws: FakeAws, *repositories: str) -> None:
    """Put repositories on the images queue."""
    sqs = fake_aws.client("sqs")
    for name in repositories:
        sqs.send_message(QueueUrl=fake_aws.queue_url(), MessageBody=RepositoryMessage(REGISTRY, name).to_json())


def fan_out() -> Iterator[Row]:
    case = "fan-out of 10,000 repositories"
    with aws(partial(empty_repositories, 10_000)) as fake_aws:
        repositories_scanner.dependencies()
        runs = [_fan_out(fake_aws, 10_000) for _ in range(2)]
        serial = serial_fan_out(fake_aws, 10_000)
    (first, first_of_table, _), (took, of_table, calls) = runs
    yield Row(case, f"{calls} calls, and {of_table} of DynamoDB", "at most 1,011 calls", calls <= 1011)
    yield faster(case, serial, took, 50)
    # A partition takes 1,000 writes a second, so these are not concurrent.
    yield Row(f"{case}, all of them new", f"{first_of_table} calls of DynamoDB, {first:.1f} s")


def _fan_out(fake_aws: FakeAws, repositories: int) -> tuple[float, int, int]:
    """Start a run; return its seconds, its calls of DynamoDB, and the other ones."""
    started = time.perf_counter()
    assert repositories_scanner.handler({}, None) == {"found": repositories, "sent": repositories}
    took, counts = time.perf_counter() - started, fake_aws.calls()
    assert len({message.body for message in fake_aws.messages()}) == repositories
    fake_aws.reset()
    of_table = requests_to_table(counts)
    return took, of_table, sum(counts.values()) - of_table


def large_repository() -> Iterator[Row]:
    case = "2,000 images, 200 due, none remembered"
    with aws(partial(scanned, 2000, 200)) as fake_aws:
        took, calls, starts = scan(), fake_aws.calls(), fake_aws.starts()
        assert {start.digest for start in starts} == {digest_of(f"image/{n}") for n in range(200)}
    with aws(partial(scanned, 2000, 200)) as fake_aws:
        serial = serial_scan(fake_aws)
    ecr = sum(calls[name] for name in ("DescribeImages", "DescribeImageScanFindings", "StartImageScan"))
    of_table = requests_to_table(calls)
    yield Row(case, f"{len(starts)} starts, all useful", "200", len(starts) == 200)
    yield Row(case, f"{ecr} calls of ECR", "2,000 + 200 + 2 pages", ecr <= 2202)
    yield Row(case, f"{of_table} calls of DynamoDB, and {sum(calls.values()) - ecr - of_table} of SQS")
    yield faster(case, serial, took, 10)


def remembered_repository() -> Iterator[Row]:
    case = "10,000 images in one repository, 100 due, all remembered"
    name, due = repository_name(0), 100
    registry = with_findings(1, 10_000, 200, scanned_at=NOW - timedelta(days=1), due=due)
    with aws(registry, latency=0, serve="thread") as fake_aws:
        remember_scans(fake_aws, events(registry))
        stored = [item_size(item) for item in items(fake_aws) if _is_image(item, name)]
        fake_aws.reset()
        queue(fake_aws, name)
        scan_queued()
        calls, starts = fake_aws.calls(), {start.digest for start in fake_aws.starts()}
    assert len(stored) == 20_000, f"the set-up remembered {len(stored)} items; expected 20,000"
    of_queue = ("SendMessage", "ReceiveMessage", "DeleteMessage")
    made = sum(number for operation, number in calls.items() if operation not in of_queue)
    pages, queries = 10, ceil(sum(stored) / _QUERY_PAGE)
    allowed = int(1.2 * (pages + queries + 2 * due))
    useful = starts == {digest_of(f"{name}/{n}") for n in range(due)}
    yield Row(case, f"{len(starts)} starts, {'all' if useful else 'not all'} useful", "100", useful)
    yield Row(
        case,
        f"{made} calls, {calls.get('Query', 0)} of them queries",
        f"at most 1.2 x ({pages} pages + {queries} queries of 1 MB + 2 x {due}) = {allowed}",
        made <= allowed,
    )


def _is_image(item: dict[str, Any], repository: str) -> bool:
    return bool(item["pk"]["S"] == repository_key(REGISTRY, repository) and item["sk"]["S"].startswith(image_base("")))


def quiet_registry() -> Iterator[Row]:
    case = "1,000 repositories of 10 images, nothing due"
    registry = with_findings(1000, 10, 200, scanned_at=NOW - timedelta(days=1))
    with aws(registry, latency=0, serve="thread") as fake_aws:
        remember_scans(fake_aws, events(registry))
        fake_aws.reset()
        queue(fake_aws, *map(repository_name, range(1000)))
        result = scan_queued()
        calls = fake_aws.calls()
    of_queue = ("SendMessage", "ReceiveMessage", "DeleteMessage")
    made = sum(number for operation, number in calls.items() if operation not in of_queue) / 1000
    by_name = ", ".join(f"{number} {name}" for name, number in sorted(calls.items()) if name not in of_queue)
    assert result["invocations"] == 1000, f"{result['invocations']} invocations; expected 1,000"
    yield Row(case, f"{made:.2f} calls per repository ({by_name})", "at most 3.2", made <= 3.2)


def monitored_registry() -> Iterator[Row]:
    case = "2,000 images that Inspector monitors, a run on each of 14 days, nothing changed"
    registry = with_findings(20, 100, 20, scanned_at=NOW - timedelta(days=1))
    with aws(registry, latency=0, serve="thread") as fake_aws:
        remember_scans(fake_aws, events(registry))
        fake_aws.reset()
        sqs, url = fake_aws.client("sqs"), fake_aws.queue_url()
        runs = [f"{NOW + timedelta(days=day):%Y-%m-%dT%H:%M:%SZ}-00000000" for day in range(15)]
        for previous, run in pairwise(runs):
            for name in map(repository_name, range(20)):
                message = RepositoryMessage(REGISTRY, name, run=run, enhanced=True, previous_run=previous)
                sqs.send_message(QueueUrl=url, MessageBody=message.to_json())
        scan_queued()
        calls = fake_aws.calls()
        looks = sum('"missed"' in message.body for message in fake_aws.messages())
    asked = calls["DescribeImageScanFindings"]
    yield Row(case, f"{asked:,} look-ups", "4,000: one per image and promised age", asked == 4000)
    yield Row(case, f"{looks} messages to the reporter", "0", looks == 0)
    writes = calls["BatchWriteItem"]
    yield Row(case, f"{writes / 280:.2f} writes per repository and run")


def many_tags() -> Iterator[Row]:
    with aws(partial(never_scanned, 100, 3)) as fake_aws:
        scan()
        starts = len(fake_aws.starts())
    yield Row("100 images with 3 tags, never scanned", f"{starts} starts", "100", starts == 100)


def nothing_due() -> Iterator[Row]:
    slept: list[float] = []
    with (
        aws(partial(scanned, 200, 0, 0.25), duration="1d") as fake_aws,
        mock.patch("time.sleep", slept.append),
    ):
        scan()
        starts = fake_aws.calls().get("StartImageScan", 0)
    # Nothing waits here, so the wait of the last look-up is that of all of them, at the limiter's first rate.
    most, longest = 200 / FIRST_LOOK_UP_RATE, max(slept, default=0.0)
    measured = f"{starts} starts, look-ups within {longest:.2f} s"
    target = f"0 starts, within {most:.2f} s"
    yield Row("200 images scanned 6 hours ago, duration 1d", measured, target, not starts and longest <= most)


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


def throttled_look_ups() -> Iterator[Row]:
    case = "400 images, DescribeImageScanFindings throttled to 20/s"
    with aws(partial(scanned, 400, 400), rates={"DescribeImageScanFindings": Rate(20, 20)}) as fake_aws:
        took, starts = scan(), fake_aws.starts()
        refused = fake_aws.refused()["DescribeImageScanFindings"]["ThrottlingException"]
    # The bucket is full at the beginning: what it holds costs no time. The starts at the end take about two seconds.
    ended = (starts[0].time - starts[-1].time).total_seconds() + took
    share = (400 - 20) / ended / 20
    yield Row(case, f"{len({start.digest for start in starts})} started", "400", len(starts) == 400)
    yield Row(case, f"{share:.0%} of the permitted rate", "at least 85 %", share >= 0.85)
    yield Row(case, f"{refused / (400 + refused):.1%} of the calls rejected")


def throttled_together() -> Iterator[Row]:
    invocations, images, permitted = 5, 1000, 100
    case = (
        f"{invocations} invocations of {images:,} images, DescribeImageScanFindings throttled to {permitted}/s together"
    )
    names = [repository_name(number) for number in range(invocations)]
    registry = partial(due_repositories, invocations, images)
    rates = {"DescribeImageScanFindings": Rate(permitted, permitted)}
    with aws(registry, rates=rates) as fake_aws:
        queue(fake_aws, *names)
        measured = [end(child) for child in [begin_scan() for _ in names]]
        starts, refused = fake_aws.starts(), fake_aws.refused()["DescribeImageScanFindings"]["ThrottlingException"]
    total = invocations * images
    took = max(one["seconds"] for one in measured)
    share = (total - permitted) / took / permitted
    started = len({(start.repository, start.digest) for start in starts})
    yield Row(case, f"{started:,} started", f"{total:,}", started == len(starts) == total)
    ended = sum(one["invocations"] for one in measured)
    yield Row(case, f"{ended:.0f} invocations", f"{invocations}", ended == invocations)
    yield Row(case, f"{share:.0%} of the permitted rate, with the time of the starts")
    yield Row(case, f"{refused / (total + refused):.1%} of the calls rejected")


def memory() -> Iterator[Row]:
    case = "100,000 images in one repository, 2,000 due, none remembered"
    results = {}
    for images, due in ((1000, 20), (100_000, 2000)):
        with aws(partial(scanned, images, due)) as fake_aws:
            queue(fake_aws, "app")
            results[images] = scan_queued(seconds=100)
            starts = [start.digest for start in fake_aws.starts()]
            calls = fake_aws.calls()
    expected = {digest_of(f"image/{n}") for n in range(2000)}
    complete = len(starts) == 2000 and set(starts) == expected
    more = results[100_000]["peak_mb"] - results[1000]["peak_mb"]
    invocations = results[100_000]["invocations"]
    peaks = f"{results[100_000]['peak_mb']:.0f} MB against {results[1000]['peak_mb']:.0f} MB"
    yield Row(case, f"{more:.0f} MB above 1,000 images ({peaks})", "at most 30 MB", more <= 30)
    yield Row(case, f"{invocations:.0f} invocations of 100 s", "several", invocations > 1)
    found = f"{len(starts)} starts, {len(set(starts))} of them different"
    yield Row(case, found, "nothing twice, nothing missed", complete)
    yield Row(case, f"{calls['DescribeImageScanFindings']} look-ups, {calls['DescribeImages']} pages")


CASES = (
    fan_out,
    large_repository,
    remembered_repository,
    quiet_registry,
    monitored_registry,
    many_tags,
    nothing_due,
    throttled,
    throttled_look_ups,
    throttled_together,
    memory,
)
