"""Parts of keys, times, and items that cannot be parsed."""

from datetime import UTC, datetime, timedelta, timezone
from hashlib import sha256
from typing import Any

import pytest
from ecr_scan_reporter.errors import UnreadableItemError
from ecr_scan_reporter.memory import lifetimes
from ecr_scan_reporter.memory.codec import unpack_as
from ecr_scan_reporter.memory.images import image_record
from ecr_scan_reporter.memory.items import expires, key_part, repository_key, sortable, to_seconds, to_time
from ecr_scan_reporter.memory.outbox import outbox_item
from ecr_scan_reporter.models.images import ImageId, RegistryId
from ecr_scan_reporter.reporting.baseline import Findings, encode_findings
from ecr_scan_reporter.reporting.reports.image_report import ImageReport

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    "item",
    [
        {"counts": "{"},
        {"ledger": '["1"]'},
        {"updates": '[["openssl"]]'},
        {"earliest_deadlines": f'[["CVE-1", "openssl", "HIGH", {10**20}]]'},
        {"event_at": 10**20},
        {"tags": "[" * 100_000},
    ],
)
def test_damaged_image_cannot_be_read(item: dict[str, Any]) -> None:
    with pytest.raises(UnreadableItemError, match="Error"):
        image_record(item)


@pytest.mark.parametrize("data", [b"no zlib", encode_findings([])[:-1], encode_findings([])[:-4] + b"0000"])
def test_damaged_findings_and_reports_cannot_be_read(data: bytes) -> None:
    for kind in (Findings, ImageReport):
        with pytest.raises(UnreadableItemError):
            unpack_as(kind, data)
    with pytest.raises(UnreadableItemError):
        unpack_as(ImageReport, encode_findings([]))


def test_item_expires_after_its_lifetime() -> None:
    assert expires(NOW, lifetimes.RUN) == to_seconds(NOW + timedelta(days=7))
    assert expires(NOW) == to_seconds(NOW + timedelta(days=400))


def test_time_in_a_key_sorts_as_text() -> None:
    assert sortable(NOW) == "2026-11-23T09:00:00Z"
    assert sortable(NOW.astimezone(timezone(timedelta(hours=-11)))) == "2026-11-23T09:00:00Z"


def test_time_survives_its_item() -> None:
    assert to_time(to_seconds(NOW)) == NOW
    assert (to_seconds(None), to_time(0), to_time(None), to_time("text")) == (0, None, None, None)


def test_part_of_a_key_has_no_separator() -> None:
    # Otherwise, the images of the tag v and of all tags such as v1.2 would be one family.
    assert key_part("family:v#.#") == "family:v*.*"


def test_long_part_of_a_key_is_its_hash() -> None:
    assert key_part("a" * 300) == "a" * 300
    assert key_part("a" * 301) == sha256(b"a" * 301).hexdigest()
    # Bytes count.
    assert key_part("ü" * 151) == sha256(("ü" * 151).encode()).hexdigest()


def test_keys_of_two_registries_are_never_equal() -> None:
    names = [
        (RegistryId("123456789012", "eu-west-1"), "app"),
        (RegistryId("210987654321", "eu-west-1"), "app"),
        (RegistryId("123456789012", "eu-central-1"), "app"),
        # What ECR permits as a name.
        (RegistryId("123456789012", "eu-west-1"), "210987654321/eu-west-1/app"),
        # What only a forged event could say.
        (RegistryId("123456789012", "eu-west-1"), "x#app"),
        (RegistryId("123456789012", "eu-west-1#x"), "app"),
        (RegistryId("123456789012#eu-west-1", "x"), "app"),
    ]
    assert repository_key(*names[0]) == "REPOSITORY#123456789012#eu-west-1#app"
    assert len({repository_key(*name) for name in names}) == len(names)
    outbox = {outbox_item("PUSH", registry.image(name, "sha256:1"), NOW, b"", NOW)["sk"] for registry, name in names}
    assert len(outbox) == len(names)


def test_key_of_a_forged_image_is_not_too_long() -> None:
    image = ImageId(*(part * 512 for part in "argd"))
    item = outbox_item("PUSH", image, NOW, b"", NOW, 10**9)
    assert len(str(item["sk"]).encode()) <= 1024
    assert len(repository_key(image.registry, image.repository).encode()) <= 2048
