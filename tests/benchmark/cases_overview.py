"""The cases of the overview."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator

from ecr_scan_reporter.memory.summaries import RepositorySummary, summary_item
from environment import HERE, SETTINGS, requests_to_table
from fake_aws import FakeAws, FakeRegistry, digest_of
from rows import Row
from support.configuration import environment, memory_table
from support.invocations import REGISTRY
from support.sample_summaries import NOW, sample_summaries

# Seconds per call.
_LATENCY = 0.020


def overview() -> Iterator[Row]:
    """Measure the overviews of registries of different sizes, each the second one, which says what has changed."""
    for repositories, images in ((5, 2), (100, 10), (10_000, 10)):
        case = f"overview of {repositories * images:,} images in {repositories:,} repositories"
        with FakeAws(FakeRegistry, _LATENCY, serve="process") as fake_aws:
            fake_aws.create_memory_table()
            table = memory_table(fake_aws)
            for earlier in (True, False):
                summaries = sample_summaries(repositories, images, earlier=earlier)
                table.put_many(summary_item(REGISTRY, _with_own_updates(summary), NOW) for summary in summaries)
                fake_aws.reset()
                measured = _make_overview(fake_aws)
            calls, publications = fake_aws.calls(), fake_aws.publications()
        requests = requests_to_table(calls)
        lines = json.loads(publications[0].message)["email"].splitlines()
        yield Row(case, f"{requests} requests to the table", "at most 30", requests <= 30)
        yield Row(case, f"{len(lines)} lines of text", "at most 40", len(lines) <= 40)
        words = (
            f"{measured['seconds']:.1f} s, {measured['cpu_seconds']:.1f} s of them CPU; {len(publications)} messages"
        )
        yield Row(case, words)
        yield Row(case, f"peak memory {measured['peak_mb']:.0f} MB")


def _with_own_updates(summary: RepositorySummary) -> RepositorySummary:
    """Return a summary whose packages no other repository has: the items are larger, and nothing adds up."""
    updates = [
        update._replace(package=f"{update.package}-{digest_of(summary.repository + update.package)[-16:]}")
        for update in summary.updates
    ]
    return summary._replace(updates=updates)


def _make_overview(fake_aws: FakeAws) -> dict[str, float]:
    """Make the overview in a process of its own; return what it measured."""
    dlq_urls = json.dumps([fake_aws.queue_url(name) for name in ("images-dlq", "reports-dlq")])
    settings = environment(fake_aws, DLQ_URLS=dlq_urls, **SETTINGS)
    command = [sys.executable, str(HERE / "make_overview.py")]
    done = subprocess.run(command, env={**os.environ, **settings}, stdout=subprocess.PIPE, check=True, text=True)
    measured: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return measured


CASES = (overview,)
