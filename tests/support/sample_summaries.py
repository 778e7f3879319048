"""Summaries of a registry of any size, as the images scanner leaves them; equal ones for equal arguments."""

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta

from ecr_scan_reporter.memory.coverage import Coverage
from ecr_scan_reporter.memory.images import Ledger, Update
from ecr_scan_reporter.memory.summaries import OverdueInImage, RepositorySummary, summary_item
from fake_aws import FakeAws
from support.configuration import memory_table
from support.invocations import REGISTRY

NOW = datetime(2026, 11, 23, 7, 0, tzinfo=UTC)
WEEK = timedelta(days=7)
_PACKAGES = ("openssl", "busybox", "zlib", "libxml2", "curl", "expat", "log4j-core", "jackson-databind", "krb5", "tar")


def sample_summaries(repositories: int, images: int, *, earlier: bool = False) -> Iterator[RepositorySummary]:
    """Yield the summaries of repositories with `images` images each, sorted by name; a week ago with `earlier`."""
    for number in range(repositories):
        name = f"team-{'abcdefgh'[number * 8 // repositories]}/service-{number:05}"
        open_ = Counter({"CRITICAL": int(number % 7 == 0), "HIGH": number % 5, "MEDIUM": images * 3})
        summary = RepositorySummary(
            name,
            NOW - timedelta(hours=3),
            Coverage({"in_time": images}),
            open_,
            ledger=Ledger(carried=sum(open_.values()) + 2 * images, fixed=2 * images),
            updates=tuple(_update(number, n, images) for n in range(10)),
        )
        yield summary._replace(updated_at=summary.updated_at - WEEK) if earlier else _change(summary, number)


def remember_summaries(aws: FakeAws, summaries: Iterable[RepositorySummary]) -> None:
    """Write summaries to the memory table."""
    memory_table(aws).put_many(summary_item(REGISTRY, summary, NOW) for summary in summaries)


def _change(summary: RepositorySummary, number: int) -> RepositorySummary:
    """Return a summary a week later."""
    counts, names = Counter(summary.coverage.counts), dict[str, list[str]]()
    ledger, open_ = summary.ledger, Counter(summary.open)
    if number % 3 == 0:
        ledger += Ledger(new=1, new_critical=int(number % 9 == 0), new_high=int(number % 9 == 3))
        open_.update({("CRITICAL", "HIGH", "LOW")[number // 3 % 3]: 1})
    if number % 4 == 1:
        ledger += Ledger(fixed=1, withdrawn=1)
        open_.subtract({"MEDIUM": 2})
    if number % 500 == 7:
        counts.update({"in_time": -1, "unsupported": 1})
        names = {"unsupported": ["1.0-scratch"]}
    if number % 1000 == 8:
        counts.update({"in_time": -1, "failed": 1})
        names = {"failed": ["sha256:7f5b2640fe6f"]}
    if number % 2000 == 9:
        counts.update({"archived": 2})
        due = NOW - timedelta(days=3)
        worst = OverdueInImage("4.2.0", "CVE-2026-0042", "zlib", "CRITICAL", due, "CRITICAL", 7)
        summary = summary._replace(overdue=1, overdue_worst=(worst,))
    return summary._replace(coverage=Coverage(counts, names), open=open_, ledger=ledger)


def _update(number: int, n: int, images: int) -> Update:
    package = (number * 3 + n) % len(_PACKAGES)
    fixed = () if package == 1 else (f"{package + 1}.1.{package}-r1",)
    counts = Counter({"CRITICAL": int(number % 7 == 0 and n == 0), "HIGH": 10 - n})
    return Update(_PACKAGES[package], (f"{package + 1}.0.{package}-r0",), fixed, +counts, images)
