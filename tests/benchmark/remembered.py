"""Fills the memory table as a run of the schedule and the results of its scans would, in less time."""

from collections import defaultdict
from datetime import timedelta

from ecr_scan_reporter.aws.dynamodb import Item
from ecr_scan_reporter.memory.items import image_key, repository_key
from ecr_scan_reporter.memory.scans import RepositoryState, ScanMemory
from ecr_scan_reporter.models import Scan
from environment import NOW, Event, memory_table, report
from fake_aws import FakeAws

# The run before the one that a case measures, and the one that it measures.
EARLIER_RUN, RUN = "2026-11-16T00:00:00Z-00000000", "2026-11-23T00:00:00Z-00000000"


def remember_scans(fake_aws: FakeAws, events: list[Event]) -> None:
    """Remember the scans of images: the reporter sees one of each date, and its items are copied to the others.

    An earlier run asked for all of them, so that there are as many marks.
    """
    samples = {time: (name, digest, counts, tags, time) for name, digest, counts, tags, time in events}
    report(list(samples.values()), len(samples))
    table, copies = memory_table(fake_aws), dict[str, Item]()
    for time, (name, digest, *_) in samples.items():
        item = table.get(repository_key(name), image_key(digest))
        assert item, "the reporter did not remember a sample"
        copies[time] = item
    table.put_many(
        {**copies[time], "pk": repository_key(name), "sk": image_key(digest)} for name, digest, _, _, time in events
    )
    ask_for(fake_aws, events, EARLIER_RUN)


def ask_for(fake_aws: FakeAws, events: list[Event], run: str) -> None:
    """Remember a run of the schedule that asked for the scans of events, and that has ended."""
    memory = ScanMemory(memory_table(fake_aws))
    digests: defaultdict[str, list[str]] = defaultdict(list)
    for name, digest, *_ in events:
        digests[name].append(digest)
    memory.begin_run(run, len(digests), NOW)
    asked_at = NOW - timedelta(days=9) if run == EARLIER_RUN else NOW
    before = Scan("COMPLETE", NOW - timedelta(days=16))
    for name, asked in digests.items():
        memory.remember(name, dict.fromkeys(asked, before), asked, run, asked_at)
        memory.remember_state(RepositoryState(name, NOW, len(asked), len(asked), run), NOW)
