"""Fills the memory table as the reporter and a run of the schedule would, in less time."""

from collections import defaultdict
from datetime import timedelta

from ecr_scan_reporter.aws.dynamodb import Item, Table
from ecr_scan_reporter.memory.codec import compact_json, unpack_as
from ecr_scan_reporter.memory.items import END, image_key, repository_key
from ecr_scan_reporter.memory.outbox import Outbox, outbox_item
from ecr_scan_reporter.memory.runs import RepositoryState, RunMemory
from ecr_scan_reporter.memory.scans import ScanMemory
from ecr_scan_reporter.models.scans import Scan
from ecr_scan_reporter.reporting.reports.image_report import ImageReport, encode_report
from environment import NOW, Event, report
from fake_aws import FakeAws
from support.configuration import memory_table
from support.invocations import REGISTRY

# The run before the one that a case measures, and the one that it measures.
EARLIER_RUN, RUN = "2026-11-16T00:00:00Z-00000000", "2026-11-23T00:00:00Z-00000000"


def remember_scans(fake_aws: FakeAws, events: list[Event]) -> None:
    """Remember the scans of images, which an earlier run asked for.

    The reporter sees one of each date and each set of findings, and what it remembers is copied to the others.
    """
    samples = {_kind(event): event for event in events}
    report(list(samples.values()), len(samples), check=True)
    table = memory_table(fake_aws)
    items = {kind: _items(table, event) for kind, event in samples.items()}
    table.put_many(
        {
            **item,
            "pk": repository_key(REGISTRY, event[0]),
            "sk": str(item["sk"]).replace(samples[_kind(event)][1], event[1]),
            **({"tags": compact_json(event[3])} if "tags" in item else {}),
        }
        for event in events
        for item in items[_kind(event)]
    )
    ask_for(fake_aws, events, EARLIER_RUN)


def ask_for(fake_aws: FakeAws, events: list[Event], run: str) -> None:
    """Remember a run of the schedule that asked for the scans of events, and that has ended."""
    table = memory_table(fake_aws)
    digests: defaultdict[str, list[str]] = defaultdict(list)
    for name, digest, *_ in events:
        digests[name].append(digest)
    RunMemory(table, REGISTRY).begin(run, len(digests), NOW)
    asked_at = NOW - timedelta(days=9) if run == EARLIER_RUN else NOW
    before = Scan("COMPLETE", NOW - timedelta(days=16))
    for name, asked in digests.items():
        ScanMemory(table, REGISTRY).remember(name, dict.fromkeys(asked, before), asked, run, asked_at)
        RunMemory(table, REGISTRY).remember_state(RepositoryState(name, NOW, len(asked), len(asked), run), NOW)


def copy_waiting(fake_aws: FakeAws, window: str, events: list[Event]) -> None:
    """Let the scans of further images wait to be published: copies of what waits already, for other images."""
    table = memory_table(fake_aws)
    waiting = [data for _, data in Outbox(table).entries(window)]

    def entry(number: int, event: Event) -> Item:
        image = unpack_as(ImageReport, waiting[number % len(waiting)])
        name, digest, _, tags, _ = event
        copied = image._replace(repository=name, digest=digest, tags=tuple(tags))
        return outbox_item(window, REGISTRY.image(name, digest), image.scanned_at, encode_report(copied), NOW)

    table.put_many(entry(number, event) for number, event in enumerate(events))


def _kind(event: Event) -> tuple[object, ...]:
    _, _, counts, _, time = event
    return time, *sorted(counts.items())


def _items(table: Table, event: Event) -> list[Item]:
    name, digest, *_ = event
    image = table.get(repository_key(REGISTRY, name), image_key(digest))
    assert image, "the reporter did not remember a sample"
    return [image, *table.query(repository_key(REGISTRY, name), f"FINDINGS#{digest}#", f"FINDINGS#{digest}#{END}")]
