"""The cases of the reporter."""

import json
import os
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from math import ceil
from typing import Any

from ecr_scan_reporter.memory.outbox import INVENTORY, PUSH
from environment import NOW, aws, begin_report, default_memory, end, items, report, requests_to_table
from fake_aws import FakeAws, digest_of, finding, item_size
from registries import (
    JUST_PUSHED,
    events,
    few_over_threshold,
    list_findings,
    rescan,
    untagged,
    with_findings,
)
from remembered import RUN, ask_for, copy_waiting, remember_scans
from report_events import batch
from rows import Row

# Bytes of a message of SNS, and of an item of DynamoDB.
_MAX_MESSAGE, _MAX_ITEM = 256 * 1024, 400 * 1024
# Bytes of an invocation. https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
_LAMBDA_PAYLOAD = 6 * 1024 * 1024
_BEFORE = NOW - timedelta(days=9)


def documents(fake_aws: FakeAws) -> list[dict[str, Any]]:
    """Return the documents of the published messages."""
    return [json.loads(json.loads(publication.message)["default"]) for publication in fake_aws.publications()]


def kib(fake_aws: FakeAws) -> float:
    """Return the KiB of all published messages."""
    return sum(len(publication.message.encode()) for publication in fake_aws.publications()) / 1024


def batch_of_events() -> Iterator[Row]:
    case = "3,000 first scans of new images, 300 over the threshold with 200 findings each"
    results = {}
    for images, size in ((3000, 3000), (100, 1)):
        registry = few_over_threshold(images, images // 10, 200)
        with aws(partial(few_over_threshold, images, images // 10, 200)) as fake_aws:
            results[size] = report(events(registry), size) | {
                "messages": len(fake_aws.publications()),
                "calls": sum(fake_aws.calls().values()) / images,
                "kib": kib(fake_aws),
            }
            named = {image["digest"] for document in documents(fake_aws) for image in document["images"]}
        assert len(named) == images // 10, f"{len(named)} images are reported; expected {images // 10}"
    whole, single = results[3000], results[1]
    yield Row(case, f"{whole['messages']} messages", "at most 5", whole["messages"] <= 5)
    yield Row(case, f"{whole['calls']:.1f} calls per event; {single['calls']:.1f} one by one")
    ratio = single["seconds"] / 100 / (whole["seconds"] / 3000)
    yield Row(case, f"{ratio:.1f} times faster than one by one ({whole['seconds']:.1f} s)")
    yield Row(case, f"{whole['kib'] / 300:.1f} KiB per image; {single['kib'] / 10:.1f} KiB one by one")
    yield Row(case, f"peak memory {whole['peak_mb']:.0f} MB")


def large_batch() -> Iterator[Row]:
    case = "3,000 first scans of new images over the threshold with 200 findings each"
    # No two images of a repository have the same findings: what another one has would be known here.
    registry = partial(with_findings, 150, 20, 200, JUST_PUSHED)
    with aws(registry) as fake_aws:
        result = report(events(registry()), 3000)
        messages = len(fake_aws.publications())
        named = {image["digest"] for document in documents(fake_aws) for image in document["images"]}
    # What an invocation has no time for, it sends again.
    yield Row(case, f"{len(named):,} images reported by one invocation", "3,000: all of them", len(named) == 3000)
    peak = result["peak_mb"]
    yield Row(case, f"peak memory {peak:.0f} MB", "at most 300 MB", peak <= 300)
    yield Row(case, f"{result['seconds']:.0f} s, {messages} messages", "within 300 s", result["seconds"] < 300)


def scanned_again() -> Iterator[Row]:
    case = "the whole registry scanned again, nothing changed (3,000 events)"
    batches = 40
    with aws(with_findings(100, 30, 200, scanned_at=_BEFORE), serve="thread", latency=0) as fake_aws:
        remember_scans(fake_aws, events(fake_aws.registry))
        found = rescan(fake_aws, NOW)
        ask_for(fake_aws, found, RUN)
        fake_aws.reset()
        report(found, ceil(3000 / batches), check=True)
        calls, messages = fake_aws.calls(), len(fake_aws.publications())
    look_ups = calls["DescribeImageScanFindings"]
    per_event = calls["BatchGetItem"] + calls["PutItem"] + calls.get("TransactWriteItems", 0)
    others = {name: number for name, number in calls.items() if name not in ("BatchGetItem", "PutItem")}
    del others["DescribeImageScanFindings"]
    yield Row(case, f"{messages} messages", "0", messages == 0)
    yield Row(case, f"{look_ups / 3000:.2f} look-ups of findings per event", "at most 1", look_ups <= 3000)
    yield Row(case, f"{per_event / 3000:.2f} table requests per event", "at most 2", per_event <= 6000)
    text = ", ".join(f"{number} {name}" for name, number in sorted(others.items())) or "none"
    yield Row(case, f"other calls of its {batches} batches: {text}")


def finding_events() -> Iterator[Row]:
    number, images = 10_000, 3000
    case = f"{number:,} events of single findings for {images:,} images, nothing changed"
    with aws(with_findings(100, 30, 200, scanned_at=_BEFORE), serve="thread", latency=0) as fake_aws:
        scans = events(fake_aws.registry)
        remember_scans(fake_aws, scans)
        fake_aws.reset()
        # However long the batches take here, they are in one window.
        os.environ["REPORT_WINDOW_SECONDS"] = "3600"
        # No two of one image in a row: that is how the fewest of them are read together.
        found = [scans[n % images] for n in range(number)]
        size = _LAMBDA_PAYLOAD // len(json.dumps(batch(found[:1], "findings")))
        result = report(found, size, "findings")
        again = [message.body for message in fake_aws.messages() if '"look"' in message.body]
        report(again, size, "bodies", check=True)
        calls, messages = fake_aws.calls(), len(fake_aws.publications())
    look_ups, requests = calls["DescribeImageScanFindings"], requests_to_table(calls)
    assert len(again) == images, f"the findings of {len(again)} images are read again; expected {images}"
    yield Row(case, f"{messages} messages", "0", messages == 0)
    yield Row(case, f"{look_ups / number:.2f} look-ups of findings per event", "at most 1", look_ups <= number)
    yield Row(case, f"{requests / number:.2f} table requests per event", "at most 2", requests <= 2 * number)
    yield Row(case, f"{ceil(number / size)} batches of {size:,} events of 6 MB, {result['seconds']:.0f} s")
    peak = result["peak_mb"]
    yield Row(case, f"peak memory {peak:.0f} MB", "at most 300 MB", peak <= 300)


def pollers() -> Iterator[Row]:
    case = "a run of 3,000 scans in 40 batches through 5 pollers"
    added = [finding("CVE-2027-0001", "HIGH", "openssl", "3.0.1")]
    with aws(with_findings(100, 30, 20, scanned_at=_BEFORE), serve="thread") as fake_aws:
        remember_scans(fake_aws, events(fake_aws.registry))
        found = rescan(fake_aws, NOW, added)
        ask_for(fake_aws, found, RUN)
        fake_aws.reset()
        children = [begin_report(found[first : first + 600], 75) for first in range(0, 3000, 600)]
        for child in children:
            end(child)
        published = documents(fake_aws)
        sizes = [len(publication.message.encode()) for publication in fake_aws.publications()]
        report([], 1, check=True)
        late = len(fake_aws.publications()) - len(published)
    named = Counter(image["digest"] for document in published for image in document["images"])
    parts = sorted((document["part"], document["parts"]) for document in published)
    reports = sum(part == 1 for part, _ in parts)
    once = len(named) == 3000 and set(named.values()) == {1} and late == 0
    yield Row(
        case, f"{reports} report, {'each image once' if once else 'not each image once'}", "1", reports == 1 and once
    )
    whole = parts == [(n + 1, len(parts)) for n in range(len(parts))]
    # An image is not split, so each message but the last may lack one.
    full = sum(sizes[:-1]) / len(sizes[:-1]) / _MAX_MESSAGE
    measured = f"{len(published)} messages, {full:.0%} full except for the last one"
    yield Row(case, measured, "as many as 256 KiB need: at least 90 % full", whole and full >= 0.9)


def first_inventory() -> Iterator[Row]:
    case = "first inventory of 10,000 images, 200 findings each"
    registry = partial(with_findings, 200, 50, 200)
    found = events(registry())
    # A batch as large as Lambda's payload allows. What waits of the other images is copied: that is most of the time.
    batch = 2500
    with aws(registry, latency=0) as fake_aws:
        first = report(found[:batch], batch)
        copy_waiting(fake_aws, INVENTORY, found[batch:])
        last = report([], 1, check=True)
        published = documents(fake_aws)
    images = published[0]["inventory"]["images"]
    listed = sum(entry["images"] for document in published for entry in document["inventory"]["repositories"])
    assert (images, listed) == (10_000, 10_000), f"the inventory has {images} images and lists {listed}"
    default = default_memory("reporter")
    yield Row(case, f"{len(published)} messages", "at most 5", len(published) <= 5)
    for name, result in ((f"reading a batch of {batch:,} events", first), ("publishing", last)):
        peak = result["peak_mb"]
        measured = f"{name}: peak memory {peak:.0f} MB, {result['seconds']:.0f} s"
        yield Row(case, measured, f"within {default} MB", peak <= default)


def window_of_news() -> Iterator[Row]:
    images, batch = 100_000, 2500
    case = f"{images:,} images with news in one window, 20 findings each"
    registry = partial(with_findings, 125, 20, 20, JUST_PUSHED)
    found = events(registry())
    with aws(registry, latency=0) as fake_aws:
        # The window ends when the check comes, an hour later.
        os.environ["REPORT_WINDOW_SECONDS"] = "3000"
        report(found[:batch], batch)
        assert not fake_aws.publications()
        # What another image of a repository has as well is known there, and no news.
        copies = images - sum(item["pk"]["S"].startswith("OUTBOX") for item in items(fake_aws))
        names = ((f"copy-{n % 500}/app", digest_of(f"copy/{n}"), *found[n % batch][2:]) for n in range(copies))
        copy_waiting(fake_aws, PUSH, list(names))
        last = report([], 1, check=True)
        counted = sum(document["totals"]["images"] for document in documents(fake_aws) if document["part"] == 1)
        messages, reports = len(fake_aws.publications()), sum(one["part"] == 1 for one in documents(fake_aws))
        left = sum(item["pk"]["S"].startswith("OUTBOX") for item in items(fake_aws))
    assert (counted, left) == (images, 0), f"the reports count {counted} images, and {left} wait"
    default, peak, longest = default_memory("reporter"), last["peak_mb"], last["longest"]
    measured = f"{reports} reports with all of them, {messages} messages"
    yield Row(case, measured, "at most 50 messages a report", messages <= 50 * reports)
    yield Row(case, f"{last['checks']:.0f} invocations, the longest {longest:.0f} s", "within 300 s", longest < 300)
    yield Row(case, f"publishing: peak memory {peak:.0f} MB", f"within {default} MB", peak <= default)


def large_image() -> Iterator[Row]:
    case = "one image with 5,000 findings"
    registry = with_findings(1, 1, 1, JUST_PUSHED)
    repository = registry.repositories[0]
    digest = repository.images[0].digest
    with aws(registry, serve="thread") as fake_aws:
        totals = []
        scans = [list_findings(5000, 0), [*list_findings(5000, 0), finding("CVE-2027-0001", "CRITICAL", "openssl")]]
        for scan, ended in zip(scans, (NOW - timedelta(minutes=30), NOW), strict=True):
            repository.scans[digest] = type(repository.scans[digest])("COMPLETE", ended, findings=scan)
            result = report(events(registry), 1)
            [document] = documents(fake_aws)
            fake_aws.reset()
            totals.append(document["totals"])
        largest = max(map(item_size, items(fake_aws)))
        parts = sum(item["sk"]["S"].startswith("FINDINGS#") for item in items(fake_aws))
    distinct = len({(entry["name"], entry["attributes"][0]["value"]) for entry in scans[0]})
    compared = totals[0]["new"] == distinct and totals[1]["new"] == 1
    yield Row(
        case,
        f"{totals[0]['new']} different ones reported as new, then {totals[1]['new']} that was added",
        "remembered, compared, reported",
        compared,
    )
    yield Row(
        case,
        f"largest item {largest / 1024:.0f} KB; findings in {parts} items",
        "no item over 400 KB",
        largest <= _MAX_ITEM,
    )
    yield Row(case, f"peak memory {result['peak_mb']:.0f} MB")


def untagged_images() -> Iterator[Row]:
    case = "3,000 first scans of new untagged images in 3,000 repositories"
    with aws(partial(untagged, 3000)) as fake_aws:
        result = report(events(untagged(3000)), 3000)
        calls = sum(fake_aws.calls().values())
        named = {image["digest"] for document in documents(fake_aws) for image in document["images"]}
    assert named == {digest_of(f"child/{n}") for n in range(3000)}, f"{len(named)} images are reported"
    yield Row(case, f"{result['seconds']:.0f} s, {calls} calls", "within 300 s", result["seconds"] < 300)


CASES = (
    batch_of_events,
    large_batch,
    untagged_images,
    scanned_again,
    finding_events,
    pollers,
    first_inventory,
    window_of_news,
    large_image,
)
