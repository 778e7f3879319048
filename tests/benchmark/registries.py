"""The registries of the cases: images, their last scans and findings, and the events of those scans."""

import random
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from environment import NOW, Event
from fake_aws import (
    FakeAws,
    FakeImage,
    FakeRegistry,
    FakeScan,
    digest_of,
    finding,
    index_image,
    plain_images,
)
from local_aws.fake_ecr.findings import severity_counts

# Images that were pushed later are news, and earlier ones are the inventory of the installation.
JUST_PUSHED, LONG_AGO = NOW - timedelta(hours=1), NOW - timedelta(days=100)
_SEVERITIES = ["CRITICAL", "HIGH", "MEDIUM", "LOW", "INFORMATIONAL", "UNDEFINED"]
_WEIGHTS = [2, 12, 36, 30, 15, 5]
# So many images have the same findings, as images with the same base have.
_BASES = 20


def scanned(images: int, due: int, age_days: float = 1.0, tags: int = 1) -> FakeRegistry:
    """One repository "app"; the last scan of those not due is `age_days` old, the due ones' nine days."""
    registry = never_scanned(images, tags)
    repository = registry.repository("app")
    for number, image in enumerate(repository.images):
        days = 9.0 if number < due else age_days
        repository.scans[image.digest] = FakeScan("COMPLETE", NOW - timedelta(days=days))
    return registry


def never_scanned(images: int, tags: int = 1) -> FakeRegistry:
    """One repository "app" of images without a scan."""
    registry = FakeRegistry()
    registry.add(
        "app",
        [FakeImage(image.digest, tuple(f"{image.tags[0]}-{n}" for n in range(tags))) for image in plain_images(images)],
    )
    return registry


def due_repositories(repositories: int, images: int) -> FakeRegistry:
    """Repositories of images whose last scans are nine days old."""
    registry = FakeRegistry()
    for number in range(repositories):
        name = repository_name(number)
        repository = registry.add(name, plain_images(images, name))
        repository.scans = {image.digest: FakeScan("COMPLETE", NOW - timedelta(days=9)) for image in repository.images}
    return registry


def empty_repositories(count: int) -> FakeRegistry:
    """Repositories without images."""
    registry = FakeRegistry()
    for number in range(count):
        registry.add(repository_name(number))
    return registry


def with_findings(
    repositories: int,
    images: int,
    findings: int,
    pushed_at: datetime = LONG_AGO,
    scanned_at: datetime = NOW,
    due: int = 0,
) -> FakeRegistry:
    """Repositories with so many images each, with so many findings each.

    All were scanned at the same time, but so many of each repository nine days ago.
    """
    registry = FakeRegistry()
    listed = [list_findings(findings, base) for base in range(_BASES)]
    for number in range(repositories):
        name = repository_name(number)
        repository = registry.add(name, plain_images(images, name, pushed_at))
        for position, digest in enumerate(image.digest for image in repository.images):
            found = listed[(number + position) % _BASES]
            ended = scanned_at if position >= due else NOW - timedelta(days=9)
            repository.scans[digest] = FakeScan("COMPLETE", ended, findings=found)
    return registry


def few_over_threshold(images: int, over: int, findings: int) -> FakeRegistry:
    """One repository of images just pushed: the first have so many high findings of their own, the others a low one."""
    registry = FakeRegistry()
    name = repository_name(0)
    repository = registry.add(name, plain_images(images, name, JUST_PUSHED))
    low = [finding("CVE-2026-9999", "LOW", "package", "1.0")]
    for number, image in enumerate(repository.images):
        # What other images of the repository have would be known here.
        own = (f"CVE-2026-{number * findings + n:05}" for n in range(findings))
        high = [finding(id_, "HIGH", f"package-{n % 50}", "1.0") for n, id_ in enumerate(own)] if number < over else low
        repository.scans[image.digest] = FakeScan("COMPLETE", NOW, findings=high)
    return registry


def untagged(count: int) -> FakeRegistry:
    """Repositories with one untagged image each, which is part of a tagged index; just pushed."""
    registry = FakeRegistry()
    found = [finding("CVE-2026-0001", "HIGH", "openssl", "1.0")]
    for number in range(count):
        child, index = digest_of(f"child/{number}"), digest_of(f"index/{number}")
        images = [
            FakeImage(child, pushed_at=JUST_PUSHED),
            index_image(index, {child: "linux/amd64"}, ("1.0",)),
        ]
        repository = registry.add(repository_name(number), images)
        repository.scans[child] = FakeScan("COMPLETE", NOW, findings=found)
    return registry


def repository_name(number: int) -> str:
    """Return the name of a repository; there are ten teams."""
    return f"team-{number % 10}/service-{number:05}"


def list_findings(count: int, seed: int) -> list[dict[str, Any]]:
    """Return findings that compress as real ones do: ids, packages and versions are random, several ids a package."""
    source = random.Random(seed)
    words = ["".join(source.choices("abcdefghijklmnopqrstuvwxyz", k=source.randint(3, 9))) for _ in range(60)]
    packages = [
        (f"lib{source.choice(words)}{source.choice(['', '-dev', '-common'])}{source.randint(0, 9)}", _version(source))
        for _ in range(max(count // 4, 1))
    ]
    return [
        finding(
            f"CVE-{source.randint(2016, 2026)}-{source.randint(1000, 59_999)}",
            source.choices(_SEVERITIES, _WEIGHTS)[0],
            *source.choice(packages),
        )
        for _ in range(count)
    ]


def rescan(fake_aws: FakeAws, scanned_at: datetime, added: Sequence[Mapping[str, object]] = ()) -> list[Event]:
    """Let all images be scanned at a time, with `added` findings; return the events. Needs a fake in a thread."""
    for repository in fake_aws.registry.repositories:
        repository.scans = {
            digest: FakeScan("COMPLETE", scanned_at, findings=[*scan.findings, *added])
            for digest, scan in repository.scans.items()
        }
    return events(fake_aws.registry)


def events(registry: FakeRegistry) -> list[Event]:
    """Return the events of the last scans of all images, in an order that mixes the repositories."""
    counts: dict[int, dict[str, int]] = {}
    found: list[Event] = []
    for repository in registry.repositories:
        for image in repository.images:
            scan = repository.scans.get(image.digest)
            if scan and scan.completed_at:
                number = counts.setdefault(id(scan.findings), severity_counts(scan.findings))
                time = f"{scan.completed_at:%Y-%m-%dT%H:%M:%SZ}"
                found.append((repository.name, image.digest, number, list(image.tags), time))
    random.Random(0).shuffle(found)
    return found


def _version(source: random.Random) -> str:
    return f"{source.randint(0, 9)}.{source.randint(0, 40)}.{source.randint(0, 20)}-{source.randint(1, 9)}+deb12u1"
