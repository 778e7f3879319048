"""The cases of the daily pass over memory."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial

from cases_cost import PASS
from cost import PRICES
from ecr_scan_reporter.aws.dynamodb import Item
from ecr_scan_reporter.memory.exploited import Catalog, CatalogMemory, checksums
from ecr_scan_reporter.memory.items import (
    ASKED,
    base_key,
    formatted,
    image_base,
    image_key,
    registry_key,
    repository_key,
    to_seconds,
)
from ecr_scan_reporter.memory.runs import DailyPass, RunMemory
from ecr_scan_reporter.models.exploited import CatalogEntry
from environment import aws, report, requests_to_table
from fake_aws import FakeAws, digest_of
from registries import events, with_findings
from remembered import remember_scans
from rows import Row
from support.configuration import memory_table
from support.invocations import REGISTRY

_REPOSITORIES, _IMAGES, _DUE = 400, 50, 200


def daily_pass() -> Iterator[Row]:
    """Measure a pass over 20,000 images with 200 findings each, in 200 of which something is due."""
    case = f"daily pass over {_REPOSITORIES * _IMAGES:,} images in {_REPOSITORIES} repositories, due in {_DUE}"
    with aws(partial(with_findings, 1, 1, 200)) as fake_aws:
        remember_scans(fake_aws, events(with_findings(1, 1, 200)))
        _copy(fake_aws)
        fake_aws.reset()
        measured = report([PASS], 1, "bodies")
        calls, (reads, _) = fake_aws.calls(), fake_aws.capacity()
        bodies = [message.body for message in fake_aws.messages()]
    due = sum('"due"' in body for body in bodies)
    yield Row(case, f"{due} images are judged again", f"{_DUE}", due == _DUE)
    queries, others = calls["Query"], requests_to_table(calls) - calls["Query"]
    words = f"{queries} queries, {others} other requests to the table"
    yield Row(case, words, f"at most {_REPOSITORIES} + 5, and 1", queries <= _REPOSITORIES + 5 and others == 1)
    finding_reads = calls.get("BatchGetItem", 0) + calls.get("GetItem", 0)
    yield Row(case, f"{finding_reads} reads of findings", "0", finding_reads == 0)
    per_image = reads / (_REPOSITORIES * _IMAGES)
    yield Row(case, f"{per_image:.3f} read units per image; {measured['cpu_seconds']:.1f} s of CPU")
    yield Row(case, f"peak memory {measured['peak_mb']:.0f} MB", "at most 300 MB", measured["peak_mb"] <= 300)


def _copy(fake_aws: FakeAws, due: int = _DUE) -> None:
    """Copy what is remembered of the one image to all others, without its findings; let a few have a deadline."""
    table = memory_table(fake_aws)
    [name] = table.query(registry_key("REPOSITORIES", REGISTRY), " ", "~")
    samples = list(table.query(repository_key(REGISTRY, str(name["sk"])), image_key(""), image_key("~")))
    passed = to_seconds(datetime.now(UTC) - timedelta(days=1))

    def items() -> Iterator[Item]:
        for repository in range(_REPOSITORIES):
            own = f"copy-{repository}"
            yield {**name, "sk": own}
            for image in range(_IMAGES):
                digest = digest_of(f"{own} {image}")
                is_due = repository * _IMAGES + image < due
                for sample in samples:
                    # The format of the item, and before it what tells the record from what was asked for.
                    suffix = str(sample["sk"]).partition("#")[2].partition("#")[2]
                    sk = f"{image_base(digest)}#{suffix}"
                    changed = {"due_at": passed} if is_due and not base_key(sample).endswith(ASKED) else {}
                    yield {**sample, **changed, "pk": repository_key(REGISTRY, own), "sk": sk}

    table.put_many(items())


def changed_catalog() -> Iterator[Row]:
    """Measure a pass over 20,000 images with 60 findings each on a day on which the catalog of known exploits changed.

    A pass on any other day comes before it. 20 images have the vulnerability that was added.
    """
    images = _REPOSITORIES * _IMAGES
    case = f"pass over {images:,} images in {_REPOSITORIES} repositories, and the catalog changed"
    with aws(partial(with_findings, 1, 1, 60)) as fake_aws, _with_catalog():
        table = memory_table(fake_aws)
        before = datetime.now(UTC) - timedelta(days=9)
        listed = {f"CVE-2020-{number}": _entry(before) for number in range(10_000, 11_779)}
        CatalogMemory(table).write(Catalog(listed, before, before, before))
        remember_scans(fake_aws, events(with_findings(1, 1, 60)))
        _copy(fake_aws, due=0)
        table.put_many(_cves())
        fake_aws.reset()
        CatalogMemory(table).read(datetime.now(UTC))
        of_catalog, _ = fake_aws.capacity()
        usual, usual_cpu, none = _pass(fake_aws, before)
        changed = {**listed, "CVE-2026-99999": _entry(datetime.now(UTC))}
        CatalogMemory(table).write(Catalog(changed, before, before, before))
        reads, cpu, due = _pass(fake_aws, before)
    yield Row(case, f"{none} images are judged again before, and {due} after it", "0, and 20", (none, due) == (0, 20))
    more = of_catalog / (usual - of_catalog)
    yield Row(case, f"{more:.2%} more read units on any other day than without it", "at most 1 %", more <= 0.01)
    million = 1_000_000 / images
    # With 512 MB, a function has 0.29 of a processor.
    seconds = (cpu - usual_cpu) * million / 0.29
    dollars = (reads - usual) * million * PRICES["dynamodb read unit"] + seconds / 2 * PRICES["lambda GB-second"]
    words = f"{(reads - usual) * million:,.0f} more read units and {seconds:.0f} more seconds, ${dollars:.3f}"
    yield Row(f"{case}, for 1,000,000 images", words, "at most $0.05", dollars <= 0.05)


def _pass(fake_aws: FakeAws, before: datetime) -> tuple[float, float, int]:
    """Do a pass after one of some days ago; return the read units, seconds of CPU, and images that are due."""
    RunMemory(memory_table(fake_aws), REGISTRY).remember_daily_pass(DailyPass(before, matched_at=before), before)
    fake_aws.reset()
    measured = report([PASS], 1, "bodies")
    reads, _ = fake_aws.capacity()
    return reads, measured["cpu_seconds"], sum('"due"' in message.body for message in fake_aws.messages())


@contextmanager
def _with_catalog() -> Iterator[None]:
    """Let the reporter use the catalog."""
    os.environ["KNOWN_EXPLOITED"] = "true"
    yield
    del os.environ["KNOWN_EXPLOITED"]


def _entry(at: datetime) -> CatalogEntry:
    return CatalogEntry(at.date(), 21, ransomware=False, since=at, changed_at=at)


def _cves() -> Iterator[Item]:
    """Yield the checksums of 60 CVE ids of each image; 20 images have one more."""
    others = [f"CVE-2025-{number}" for number in range(10_000, 10_060)]
    for repository in range(_REPOSITORIES):
        for image in range(_IMAGES):
            urgent = ["CVE-2026-99999"] if repository % 20 == image == 0 else []
            yield {
                "pk": repository_key(REGISTRY, f"copy-{repository}"),
                "sk": formatted(f"CVES#{digest_of(f'copy-{repository} {image}')}"),
                "cves": checksums([*others, *urgent]),
                "expires": to_seconds(datetime.now(UTC) + timedelta(days=400)),
            }


CASES = (daily_pass, changed_catalog)
