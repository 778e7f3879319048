"""The case that measures what an image, a scan and a run consume, and what that costs."""

import os
from collections.abc import Iterator
from datetime import timedelta

from cost import FIGURES, Figures, Use, daily_pass_cost, monthly_cost, table_requests
from ecr_scan_reporter import repositories_scanner
from environment import NOW, aws, default_memory, items, report, requests_to_table, scan_queued
from fake_aws import FakeAws, finding, item_size
from registries import events, rescan, with_findings
from rows import Row

_IMAGES, _PER_REPOSITORY, _BATCH = 1000, 50, 50
# Calls in flight: those for one repository's list come one after the other, and those for its images do not.
_THREADS = 16
PASS = '{"pass": {}}'


def use(fake_aws: FakeAws, measured: dict[str, float], threads: int) -> Use:
    """Return what was consumed since the last reset, per image."""
    calls = fake_aws.calls()
    reads, writes = fake_aws.capacity()
    sqs = sum(number for name, number in calls.items() if "Message" in name)
    whole = Use(
        reads=reads,
        writes=writes,
        table_requests=requests_to_table(calls),
        sqs_requests=sqs,
        cpu_seconds=measured["cpu_seconds"],
        waiting=(sum(calls.values()) - sqs) / threads,
        log_bytes=measured["log_bytes"],
        report_bytes=sum(len(publication.message.encode()) for publication in fake_aws.publications()),
    )
    fake_aws.reset()
    return whole * (1 / _IMAGES)


def scan_all(fake_aws: FakeAws, duration: str) -> Use:
    """Run both scanners, with a promised age."""
    os.environ["ECR_IMAGES_DURATION_DELTA"] = duration
    repositories_scanner.handler({}, None)
    return use(fake_aws, scan_queued(), 1)


def measure() -> Figures:
    """Measure a registry over three scans of each image."""
    registry = with_findings(_IMAGES // _PER_REPOSITORY, _PER_REPOSITORY, 200, scanned_at=NOW - timedelta(days=9))
    with aws(registry, latency=0, serve="thread") as fake_aws:
        report(events(registry), 500, check=True)
        # The first run finds everything due.
        scan_all(fake_aws, "7d")
        again = rescan(fake_aws, NOW - timedelta(hours=25))
        fake_aws.reset()
        unchanged = use(fake_aws, report(again, _BATCH, check=True), _THREADS)
        assert unchanged.report_bytes == 0, "a scan that changed nothing is reported"
        run = scan_all(fake_aws, "7d")
        # Its calls come one after the other.
        daily_pass = use(fake_aws, report([PASS], 1, "bodies"), 1)
        started = scan_all(fake_aws, "1d")
        stored = items(fake_aws)
        last = rescan(fake_aws, NOW, [finding("CVE-2027-0001", "HIGH", "openssl", "3.0.1")])
        fake_aws.reset()
        changed = use(fake_aws, report(last, _BATCH, check=True), _THREADS)
        assert changed.report_bytes > 0, "a scan that changed something is not reported"
    due = started - run
    kept = [item for item in stored if item["pk"]["S"].startswith(("REPOSITORY#", "STATES#", "SUMMARIES#"))]
    states = [item for item in stored if item["pk"]["S"].startswith("STATES#")]
    return Figures(
        run=run,
        # The starts are as many calls as there are threads at a time.
        due=Use(**{**vars(due), "waiting": due.waiting / _THREADS}),
        unchanged=unchanged,
        changed=changed,
        daily_pass=daily_pass,
        stored_bytes=sum(map(item_size, kept)) / _IMAGES,
        state_bytes=sum(map(item_size, states)) / len(states),
        images_per_repository=_PER_REPOSITORY,
        memory={name: default_memory(name) for name in ("images_scanner", "reporter")},
    )


def cost() -> Iterator[Row]:
    """Write figures.json, which cost.py reads, and say what 1,000,000 images cost."""
    figures = measure()
    FIGURES.write_text(figures.to_json() + "\n")
    case = "1,000,000 images scanned weekly, 200 findings each, 10 % of the scans find a change"
    bill = monthly_cost(figures, 1_000_000, 0.1, 10)
    table = [line for line in bill if line.service == "DynamoDB"]
    amounts = {line.what: line.amount for line in table}
    yield Row(
        case,
        f"table: {table_requests(figures, 1_000_000, 0.1) / 1e6:.0f} million requests, "
        f"{amounts['write units'] / 1e6:.0f} million write units, "
        f"{amounts['read units'] / 1e6:.0f} million read units, "
        f"{amounts['GB stored']:.0f} GB per month",
    )
    yield Row(case, f"table: ${sum(line.dollars for line in table):.2f} per month at the prices in cost.py")
    yield Row(case, f"the whole module: ${sum(line.dollars for line in bill):.2f} per month")
    passes = daily_pass_cost(figures, 1_000_000)
    words = f"${passes:.2f} per month, {figures.daily_pass.reads * 1_000_000:,.0f} read units a day"
    yield Row("the daily pass over 1,000,000 images, nothing due", words, "at most $1.50", passes <= 1.5)
    yield Row(
        "a scan that changes nothing, in the reporter",
        f"{figures.unchanged.table_requests:.2f} table requests, {figures.unchanged.reads:.1f} read units, "
        f"{figures.unchanged.writes:.1f} write units",
    )


CASES = (cost,)
