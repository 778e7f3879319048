"""The cases of the overview."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from ecr_scan_reporter.aws.dynamodb import Table
from ecr_scan_reporter.memory.summaries import RepositorySummary, summary_item
from fake_aws import FakeAws, FakeRegistry, digest_of
from rows import Row
from support.sample_summaries import NOW, sample_summaries

_HERE = Path(__file__).parent
# Seconds per call.
_LATENCY = 0.020


def overview() -> Iterator[Row]:
    """Measure the overviews of registries of different sizes, each the second one, which says what has changed."""
    for repositories, images in ((5, 2), (100, 10), (10_000, 10)):
        case = f"overview of {repositories * images:,} images in {repositories:,} repositories"
        with FakeAws(FakeRegistry, _LATENCY, process=True) as fake_aws:
            table = Table(fake_aws.client("dynamodb"), fake_aws.create_memory_table())
            for earlier in (True, False):
                summaries = sample_summaries(repositories, images, earlier=earlier)
                table.put_many(summary_item(_with_own_updates(summary), NOW) for summary in summaries)
                fake_aws.reset()
                measured = _make_overview(fake_aws)
            calls, publications = fake_aws.calls(), fake_aws.publications()
        requests = sum(number for operation, number in calls.items() if operation in _TABLE_OPERATIONS)
        lines = json.loads(publications[0].message)["email"].splitlines()
        yield Row(case, f"{requests} requests to the table", "at most 30", requests <= 30)
        yield Row(case, f"{len(lines)} lines of text", "at most 40", len(lines) <= 40)
        words = (
            f"{measured['seconds']:.1f} s, {measured['cpu_seconds']:.1f} s of them CPU; {len(publications)} messages"
        )
        yield Row(case, words)
        yield Row(case, f"peak memory {measured['peak_mb']:.0f} MB")


_TABLE_OPERATIONS = {"GetItem", "BatchGetItem", "Query", "PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem"}


def _with_own_updates(summary: RepositorySummary) -> RepositorySummary:
    """Return a summary whose packages no other repository has: the items are larger, and nothing adds up."""
    summary.updates = [
        replace(update, package=f"{update.package}-{digest_of(summary.repository + update.package)[-16:]}")
        for update in summary.updates
    ]
    return summary


def _make_overview(fake_aws: FakeAws) -> dict[str, float]:
    """Make the overview in a process of its own; return what it measured."""
    settings = {
        "REPORTS_TOPIC_ARN": "arn:aws:sns:eu-west-1:123456789012:reports",
        "REPORTS_QUEUE_URL": fake_aws.queue_url("reports"),
        "DLQ_URLS": json.dumps([fake_aws.queue_url(name) for name in ("images-dlq", "reports-dlq")]),
        "MEMORY_TABLE_NAME": "memory",
        "REPOSITORIES_FILTER_REGEXP": ".*",
        "SEVERITY_THRESHOLDS": '{"CRITICAL":1,"HIGH":1}',
        "NOTIFY_ON_SCAN_FAILURE": "true",
        "REPORTER_NAME": "benchmark",
        "PYTHONPATH": str(_HERE.parents[1] / "lambda_src"),
    }
    command = [sys.executable, str(_HERE / "make_overview.py")]
    environment = {**os.environ, **fake_aws.environment(), **settings}
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True, text=True)
    measured: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return measured


CASES = (overview,)
