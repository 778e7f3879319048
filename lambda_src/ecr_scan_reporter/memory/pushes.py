"""The images of a repository in the order of their pushes: how many are searched for one that a new one replaces."""

import threading
from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from itertools import groupby
from typing import NamedTuple
from zlib import crc32

from ecr_scan_reporter.aws.dynamodb import Item, Key, Table, Value
from ecr_scan_reporter.memory import items, lifetimes
from ecr_scan_reporter.memory.codec import compact_json, decoding, from_item, pack_numbers, readable, unpack_numbers
from ecr_scan_reporter.models.findings import Finding
from ecr_scan_reporter.models.images import ImageId

# How many images of a repository are considered: those that were pushed last.
_MAX_SEARCHED = 200
# From this many images of a repository in a batch on, the repository is read once.
_READ_ONCE_FROM = 3
# An image may have 1,000 tags.
_MAX_TAGS = 10
# Of an image with more findings, or more packages with findings, so many are kept to find images that are alike.
_MAX_FINDINGS, _MAX_PACKAGES = 64, 32


class PushedImage(NamedTuple):
    """An image as it is compared with others of its repository.

    Args:
        pushed_at: in whole seconds.
        tags: its own, or those of its index, when they were last seen.
        platform: such as linux/arm64; "" if it is not known, as of a plain manifest.
        findings: checksums of its open findings, or of some of them if there are many; None if no scan was complete.
        packages: checksums of the packages with findings.
        successors: the digests of the images that replace it.
    """

    digest: str
    pushed_at: datetime
    tags: tuple[str, ...] = ()
    platform: str = ""
    findings: frozenset[int] | None = None
    packages: frozenset[int] = frozenset()
    successors: frozenset[str] = frozenset()

    @property
    def order(self) -> tuple[datetime, str]:
        """A sort key: the image that was pushed earlier comes first."""
        return self.pushed_at, self.digest

    @property
    def is_sample(self) -> bool:
        """Whether the image may have more findings than those whose checksums are kept."""
        return self.findings is not None and len(self.findings) == _MAX_FINDINGS

    def with_findings(self, findings: Iterable[Finding]) -> "PushedImage":
        """Return the image with the checksums of these findings."""
        found = list(findings)
        return self._replace(
            findings=_checksums((f"{finding.package} {finding.id}" for finding in found), _MAX_FINDINGS),
            packages=_checksums((finding.package for finding in found), _MAX_PACKAGES),
        )


class PushedImages:
    """The images of repositories that were pushed last, for one batch. Safe for concurrent use.

    A repository with several images in the batch is read once, and then has the images that the batch adds.

    Args:
        images: of the batch.
    """

    def __init__(self, table: Table, images: Iterable[ImageId]) -> None:
        self._table = table
        expected = Counter(items.repository_key(image.registry, image.repository) for image in images)
        self._known: dict[str, dict[str, PushedImage]] = {}
        self._locks = {pk: threading.Lock() for pk, number in expected.items() if number >= _READ_ONCE_FROM}

    def others(self, image: ImageId) -> list[PushedImage]:
        """Return the images of the same repository, the newest one first; at most one call.

        Raises:
            AwsError: DynamoDB rejected the call.
        """
        pk = items.repository_key(image.registry, image.repository)
        if lock := self._locks.get(pk):
            with lock:
                if pk not in self._known:
                    self._known[pk] = {pushed.digest: pushed for pushed in pushed_images(self._table, pk)}
                known = _newest(self._known[pk].values())
        else:
            known = pushed_images(self._table, pk)
        return [pushed for pushed in known if pushed.digest != image.digest]

    def add(self, image: ImageId, pushed: PushedImage | None, replaced: Iterable[PushedImage]) -> None:
        """Add an image of the batch, and the images that it replaces."""
        pk = items.repository_key(image.registry, image.repository)
        if not (lock := self._locks.get(pk)):
            return
        with lock:
            if (known := self._known.get(pk)) is None:
                return
            if pushed:
                known[pushed.digest] = pushed
            for other in replaced:
                latest = known.get(other.digest, other)
                known[other.digest] = latest._replace(successors=latest.successors | {image.digest})
            if len(known) > 2 * _MAX_SEARCHED:
                self._known[pk] = {pushed.digest: pushed for pushed in _newest(known.values())}


def pushed_images(table: Table, pk: str) -> list[PushedImage]:
    """Return the images of a repository that were pushed last, the newest one first; one call.

    An image whose item cannot be parsed is left out.

    Args:
        pk: the partition key of the repository.

    Raises:
        AwsError: DynamoDB rejected the call.
    """
    stored = table.query(pk, "PUSHED#", f"PUSHED#{items.END}", limit=_MAX_SEARCHED, descending=True)
    known = groupby((item for item in stored if items.item_format(item) in items.formats()), items.base_key)
    return list(readable(known, lambda pushed: _pushed(list(pushed[1]))))


def _newest(images: Iterable[PushedImage]) -> list[PushedImage]:
    return sorted(images, key=lambda image: image.order, reverse=True)[:_MAX_SEARCHED]


def pushed_item(image: ImageId, pushed: PushedImage, now: datetime) -> Item:
    """Return the item of an image."""
    pk, sk = pushed_key(image, pushed)
    item: dict[str, Value] = {
        "pk": pk,
        "sk": sk,
        "tags": compact_json(sorted(pushed.tags)[:_MAX_TAGS]),
        "platform": pushed.platform,
        "expires": items.expires(now, lifetimes.PUSH),
    }
    if pushed.findings is not None:
        item |= {"findings": pack_numbers(pushed.findings), "packages": pack_numbers(pushed.packages)}
    if pushed.successors:
        item["successors"] = pushed.successors
    return item


def pushed_key(image: ImageId, pushed: PushedImage) -> Key:
    """Return the key of the item of an image of the repository of `image`."""
    pk = items.repository_key(image.registry, image.repository)
    return pk, items.formatted(f"PUSHED#{items.sortable(pushed.pushed_at)}#{items.key_part(pushed.digest)}")


def _pushed(stored: list[Item]) -> PushedImage:
    """Parse an image from its items in all formats: the last written one counts, and the successors of any."""
    # One to which only successors were added says nothing else.
    item = max(stored, key=lambda item: ("platform" in item, items.number(item, "expires")))
    with decoding():
        _, pushed_at, digest = items.base_key(item).split("#")
        pushed = from_item(
            PushedImage,
            item,
            digest=digest,
            pushed_at=items.parse_sortable(pushed_at),
            findings=unpack_numbers(items.binary(item, "findings")) if "findings" in item else None,
            packages=unpack_numbers(items.binary(item, "packages")),
        )
        return pushed._replace(successors=frozenset[str]().union(*(items.texts(each, "successors") for each in stored)))


def _checksums(texts: Iterable[str], most: int) -> frozenset[int]:
    """Return the smallest checksums: two large sets that are alike have most of these in common, too."""
    return frozenset(sorted({crc32(text.encode("utf-8", "replace")) for text in texts})[:most])
