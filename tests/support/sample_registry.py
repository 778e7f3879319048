"""A registry as the memory table has it after a run: for tests of what reads it, and for pictures."""

import random
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta

from ecr_scan_reporter.aws.dynamodb import Item
from ecr_scan_reporter.memory.coverage import Coverage
from ecr_scan_reporter.memory.images import FindingDeadline, ImageRecord, Update, image_item
from ecr_scan_reporter.memory.items import repository_key
from ecr_scan_reporter.memory.summaries import SummaryBuilder, summary_item
from fake_aws import digest_of
from support.invocations import REGISTRY

# Name, installed version and fixed version of packages that many images share; basic scanning knows no fixed version.
PACKAGES = [
    ("openssl", "3.0.1-r2", "3.0.15-r0"),
    ("busybox", "1.36.1", "1.36.1-r5"),
    ("log4j-core", "2.14.1", "2.17.1"),
    ("zlib", "1.2.13", ""),
    ("curl", "8.5.0-r0", "8.9.1-r2"),
    ("glibc", "2.36-9+deb12u3", "2.36-9+deb12u9"),
    ("golang.org/x/net", "0.17.0", "0.33.0"),
    ("lodash", "4.17.20", "4.17.21"),
]
TEAMS = ("team-a", "team-b", "payments", "data", "platform", "mobile", "search")
APPS = ("checkout", "worker", "api", "gateway", "reports", "cron", "web", "legacy")


def repository_names(number: int) -> list[str]:
    """Return names of repositories, each a different one."""
    names = [f"{team}/{app}" for app in APPS for team in TEAMS]
    return [names[n] if n < len(names) else f"{names[n % len(names)]}-{n // len(names)}" for n in range(number)]


def registry_items(number: int, now: datetime, seed: int = 1) -> Iterator[Item]:
    """Yield the items of so many repositories and their images.

    Args:
        number: of repositories, each with 1 to 20 images. Only the first ten have items of their images.
        now: aware; the last run ended minutes before.
        seed: of all that is random.
    """
    chance = random.Random(seed)
    for position, name in enumerate(repository_names(number)):
        updated_at = now - timedelta(minutes=chance.randint(30, 90))
        summary = SummaryBuilder(name, updated_at)
        images = chance.randint(1, 20)
        for image in range(images):
            record = _record(chance, image, now)
            item = image_item(repository_key(REGISTRY, name), digest_of(f"{name}{image}"), record)
            summary.add_image(record, record.tags[0])
            if position < 10:
                yield item
        missed = {"unsupported": 1, "failed": 1} if chance.random() < 0.02 or name.endswith("legacy") else {}
        coverage = Coverage({"in_time": images, **missed}, {reason: ["1.0"] for reason in missed})
        yield summary_item(REGISTRY, summary.build(coverage), now)


def _record(chance: random.Random, number: int, now: datetime) -> ImageRecord:
    found = chance.sample(PACKAGES, chance.choice([0, 0, 1, 2, 3]))
    updates, counts = [], Counter[str]()
    for package, installed, fixed in found:
        critical = chance.choice([0, 0, 0, 0, 0, 0, 0, 1])
        solved = Counter({"CRITICAL": critical, "HIGH": chance.randint(0, 3), "MEDIUM": chance.randint(0, 9)})
        updates.append(Update(package, (installed,), (fixed,) if fixed else (), +solved))
        counts += solved
    counts["LOW"] += chance.randint(0, 4)
    late: tuple[FindingDeadline, ...] = ()
    if counts["CRITICAL"] and chance.random() < 0.1:
        id_, due_at = f"CVE-2026-{chance.randint(1000, 9999)}", now - timedelta(days=7)
        late = (FindingDeadline(id_, found[0][0], "CRITICAL", due_at, "CRITICAL", 7),)
    tags = (f"4.{number}.0", "latest") if number == 0 else (f"4.{number}.0",)
    ended = now - timedelta(hours=chance.randint(1, 140))
    return ImageRecord(
        event_at=ended,
        scanned_at=ended,
        counts=+counts,
        tags=tags,
        platform=chance.choice(["linux/amd64", "linux/arm64", ""]),
        pushed_at=now - timedelta(days=number),
        updates=tuple(updates),
        overdue=len(late),
        earliest_deadlines=late,
    )
