"""Parses events of ECR and Inspector; says which are accepted, and which of those of one image count.

https://docs.aws.amazon.com/AmazonECR/latest/userguide/ecr-eventbridge.html
https://docs.aws.amazon.com/AmazonECR/latest/userguide/image-scanning-enhanced-events.html
"""

import json
import re
from base64 import urlsafe_b64encode
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from hashlib import sha256
from typing import Any, NamedTuple

from ecr_scan_reporter.errors import MessageError
from ecr_scan_reporter.models.images import ImageId
from ecr_scan_reporter.models.scans import BASIC, ENHANCED
from ecr_scan_reporter.shared.text import clean

_EXPECTED = (
    "expected 'ECR Image Scan' with 'COMPLETE' or 'FAILED', 'Inspector2 Scan' of a repository, or 'Inspector2 Finding' "
    "of an image"
)
# More findings than any image has; a larger number is not a count.
_MAX_COUNT = 10**9
# ECR's own limits are 256 characters for a repository name, 128 for a tag and 1,000 tags for an image.
_MAX_TEXT, _MAX_TAGS = 512, 1000
_IMAGE_TYPE = "AWS_ECR_CONTAINER_IMAGE"
_ACCOUNT, _REGION = "[0-9]{12}", "[a-z]+(?:-[a-z0-9]+)+"
# Of a repository, or of an image in it.
_REPOSITORY_ARN = re.compile(
    f"arn:aws[a-z-]*:ecr:(?P<region>{_REGION}):(?P<account>{_ACCOUNT}):repository/(?P<name>.+?)(?:/sha256:[^/]*)?"
)


class ScanEvent(NamedTuple):
    """A scan that ended.

    `counts` is findings by severity, without zeros; None if the event has none. `scanner` is BASIC or
    ENHANCED; "" if that is not known. `ids` are short ids of the event, and of those that it stands for; a look has
    none. `all_tags` are the tags of all of these: some may have moved on by the last one.
    If `is_look`, no scan ended, but the findings of the image may have changed; `is_finding`: because of an event of a
    single finding, which ECR may list only later.
    """

    image: ImageId
    tags: tuple[str, ...]
    time: datetime
    failed: bool
    counts: Mapping[str, int] | None
    scanner: str = ""
    is_look: bool = False
    is_finding: bool = False
    ids: tuple[str, ...] = ()
    all_tags: tuple[str, ...] = ()

    @classmethod
    def of_look(cls, image: ImageId, at: datetime, scanner: str = ENHANCED, *, is_finding: bool = False) -> "ScanEvent":
        """Return an event that asks for a look at an image: no scan ended, so it has neither tags nor counts."""
        return cls(image, (), at, failed=False, counts=None, scanner=scanner, is_look=True, is_finding=is_finding)


def load(body: str) -> object:
    """Return the JSON value of a message.

    Raises:
        MessageError: the body is not JSON.
    """
    try:
        return json.loads(body)
    except (RecursionError, ValueError) as error:
        raise MessageError(f"the message is not JSON ({error}); expected an EventBridge event") from error


def parse(event: object) -> ScanEvent:
    """Parse the JSON value of a scan event.

    Tags and counts may be missing. Severities without findings are missing or 0. Inspector adds a TOTAL. Account and
    Region are those of the repository's ARN, which Inspector has as its name, and ECR among the resources: the envelope
    of an event that was forwarded, or that an administrator receives, may name someone else. It counts without an ARN.

    Raises:
        MessageError: this is not a valid scan event; the message names the field and what is expected.
    """
    if not isinstance(event, dict) or not isinstance(detail := event.get("detail"), dict):
        raise MessageError(f"the message is not an EventBridge event with a detail; {_EXPECTED}")
    detail_type = _text(event, "detail-type")
    if detail_type == "Inspector2 Finding":
        return _finding_event(event, detail)
    status = _text(detail, "scan-status")
    if not (detail_type == "Inspector2 Scan" or (detail_type == "ECR Image Scan" and status in ("COMPLETE", "FAILED"))):
        raise MessageError(f"the event is {detail_type!r} with {status!r}; {_EXPECTED}")
    return ScanEvent(
        image=ImageId(*_repository(event, detail), _text(detail, "image-digest")),
        tags=_tags(detail.get("image-tags")),
        time=_time(event),
        failed="FAILED" in status,
        counts=_counts(detail.get("finding-severity-counts")),
        scanner=ENHANCED if detail_type == "Inspector2 Scan" else BASIC,
        ids=(_short_id(event),),
    )


def _short_id(event: Mapping[str, Any]) -> str:
    """Return eight characters that identify an event: by its id, or else by all that it says."""
    text = clean(event.get("id"), _MAX_TEXT) or json.dumps(event, sort_keys=True)
    return urlsafe_b64encode(sha256(text.encode(errors="replace")).digest()[:6]).decode()


def _finding_event(event: Mapping[str, Any], detail: Mapping[str, Any]) -> ScanEvent:
    """Return which image the event of a single finding is about: that alone is trusted, since it may be out of date.

    It names the image by an ARN that ends in the digest, and has neither an account of the image nor, in some samples,
    a Region.
    """
    resources = detail.get("resources")
    for resource in resources if isinstance(resources, list) else ():
        if isinstance(resource, dict) and resource.get("type") == _IMAGE_TYPE:
            arn = clean(resource.get("id"), _MAX_TEXT)
            account, region, repository = _parse_arn("resources.id", arn)
            digest = arn.rpartition("/")[2]
            if not digest.startswith("sha256:"):
                raise MessageError(f"resources.id is {arn!r:.100}; expected the ARN of an image, with its digest")
            image = ImageId(account, region, repository, digest)
            return ScanEvent.of_look(image, _time(event), is_finding=True)
    raise MessageError(f"resources is {resources!r:.100}; expected one of the type {_IMAGE_TYPE}")


def _text(values: Mapping[str, Any], name: str) -> str:
    text = clean(values.get(name), _MAX_TEXT)
    if not text:
        raise MessageError(f"{name} is {values.get(name)!r:.100}; expected a non-empty string")
    return text


def _repository(event: Mapping[str, Any], detail: Mapping[str, Any]) -> tuple[str, str, str]:
    """Return the account, the Region and the name of a repository."""
    name = _text(detail, "repository-name")
    if name.startswith("arn:"):
        return _parse_arn("repository-name", name)
    resources = event.get("resources") or []
    if not isinstance(resources, list):
        raise MessageError(f"resources is {resources!r:.100}; expected a list of ARNs")
    if resources:
        account, region, _ = _parse_arn("resources", resources[0])
    else:
        account, region = _text(event, "account"), _text(event, "region")
        for field, text, pattern in (("account", account, _ACCOUNT), ("region", region, _REGION)):
            if not re.fullmatch(pattern, text):
                raise MessageError(f"{field} is {text!r:.100}; expected the {field} of an event of AWS")
    return account, region, name


def _parse_arn(field: str, value: object) -> tuple[str, str, str]:
    match = _REPOSITORY_ARN.fullmatch(clean(value, _MAX_TEXT))
    if not match:
        raise MessageError(f"{field} is {value!r:.100}; expected a name, or the ARN of a repository in ECR")
    return match["account"], match["region"], match["name"]


def _time(event: Mapping[str, Any]) -> datetime:
    text = _text(event, "time")
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        time = None
    if time is None or time.tzinfo is None:
        raise MessageError(f"time is {text!r:.100}; expected an RFC 3339 time with an offset, such as ...T09:14:00Z")
    return time


def _tags(value: object) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(tag, str) for tag in value):
        raise MessageError(f"image-tags is {value!r:.100}; expected a list of strings")
    return tuple(clean(tag, _MAX_TEXT) for tag in value[:_MAX_TAGS])


def _counts(value: object) -> dict[str, int] | None:
    if value is None:
        return None
    if not isinstance(value, dict) or not all(
        type(number) in (int, float) and 0 <= number <= _MAX_COUNT and number == int(number)
        for number in value.values()
    ):
        raise MessageError(f"finding-severity-counts is {value!r:.100}; expected whole numbers by severity")
    return {clean(name, _MAX_TEXT): int(number) for name, number in value.items() if number and name != "TOTAL"}


class ReceivedEvent(NamedTuple):
    """A scan event of a batch, with the id of its message and how often SQS has delivered that."""

    message_id: str
    receives: int
    event: ScanEvent


class ImageEvents(NamedTuple):
    """The events of one image in a batch.

    Args:
        events: the last one of a complete scan and the last one of a failed scan, in this order; only the complete one
            if the failed one is older. A finding event counts as that of a complete scan if there is no other: the
            findings are read once for all of them. They have the ids of those that they stand for.
        message_ids: of all messages about this image.
        scans: how many of the messages are about a scan that ended.
        receives: how often SQS has delivered those messages, at most.
    """

    events: tuple[ScanEvent, ...]
    message_ids: tuple[str, ...]
    receives: int
    scans: int = 0

    @property
    def image(self) -> ImageId:
        """The image."""
        return self.events[0].image

    @property
    def repeated(self) -> bool:
        """Whether an earlier invocation, perhaps one that ended early, may have processed one of the messages."""
        return self.receives > 1 or self.scans > sum(not event.is_look for event in self.events)


def latest_per_image(events: Iterable[ReceivedEvent]) -> list[ImageEvents]:
    """Group events by image and drop those that a later one replaces; an event may occur twice."""
    images: defaultdict[ImageId, list[ReceivedEvent]] = defaultdict(list)
    for received in events:
        images[received.event.image].append(received)
    return [
        ImageEvents(
            _latest([event for _, _, event in found]),
            tuple(message_id for message_id, _, _ in found),
            max(receives for _, receives, _ in found),
            sum(not event.is_look for _, _, event in found),
        )
        for found in images.values()
    ]


def _latest(events: Collection[ScanEvent]) -> tuple[ScanEvent, ...]:
    complete, failed = (_last([event for event in events if event.failed is kind]) for kind in (False, True))
    if complete and failed and failed.time < complete.time:
        return (_for_all(complete, (complete, failed)),)
    return tuple(event for event in (complete, failed) if event)


def _last(events: Collection[ScanEvent]) -> ScanEvent | None:
    return _for_all(max(events, key=_rank), events) if events else None


def _for_all(last: ScanEvent, events: Collection[ScanEvent]) -> ScanEvent:
    """Return the last of events as the one that stands for all of them."""
    ids = dict.fromkeys(id_ for event in events for id_ in event.ids)
    tags = dict.fromkeys(tag for event in events for tag in (*event.tags, *event.all_tags))
    return last._replace(ids=tuple(ids), all_tags=tuple(tags))


def _rank(event: ScanEvent) -> tuple[bool, float, int]:
    # Of two events in one second, nobody knows which is the last one; a list that is too short is read again.
    return not event.is_look, event.time.timestamp(), sum((event.counts or {}).values())
