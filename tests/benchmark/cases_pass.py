"""The case of the daily pass over memory."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial

from cases_cost import PASS
from ecr_scan_reporter.aws.dynamodb import Item
from ecr_scan_reporter.memory.items import image_key, registry_key, repository_key, to_seconds
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


def _copy(fake_aws: FakeAws) -> None:
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
                is_due = repository * _IMAGES + image < _DUE
                for sample in samples:
                    suffix = str(sample["sk"]).partition("#")[2].partition("#")[2]
                    sk = image_key(digest) + (f"#{suffix}" if suffix else "")
                    due = {"due_at": passed} if is_due and not suffix else {}
                    yield {**sample, **due, "pk": repository_key(REGISTRY, own), "sk": sk}

    table.put_many(items())


CASES = (daily_pass,)
